//! What an operator asks that only the owner of the server can do.

use tokio::sync::oneshot;

/// A request that only the owner of the server can perform.
#[derive(Debug)]
pub enum ControlRequest {
    /// Read the configuration and reload; answer with the keys that need a restart, or with the
    /// error.
    Reload(oneshot::Sender<Result<Vec<&'static str>, String>>),
    /// Stop the server.
    Shutdown,
}
