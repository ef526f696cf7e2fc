//! Waits of the loops that drive a client, in a form that `select!` takes.

use matou_actors::client::{Command, Handle};
use tokio::time::{Instant, sleep_until};

/// Hands `command` over, once there is room; an error means that the client has closed.
pub(crate) async fn send(handle: &Handle, command: Option<Command>) -> Result<(), ()> {
    match command {
        Some(command) => handle.send(command).await.map_err(|_| ()),
        None => Ok(()),
    }
}

/// Resolves at `deadline`; without one never.
pub(crate) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
