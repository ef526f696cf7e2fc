//! How the connections of clients are protected.

use std::sync::Arc;

use rustls::ServerConfig;

/// Whether clients may be encrypted, and have to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Security {
    /// `None`: there is no key, revision 1 only.
    pub(crate) config: Option<Arc<ServerConfig>>,
    pub(crate) refuses_plain: bool,
}
