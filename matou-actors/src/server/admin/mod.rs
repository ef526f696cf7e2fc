//! The operators' socket and the actor that performs what they ask.

mod actor;
mod ban_request;
mod bans_store;
mod clients;
pub(crate) mod control;
mod log_fields;
#[cfg(feature = "testing")]
mod panic;
mod socket;
pub(crate) mod wire;
mod work;

use std::io;
use std::os::unix::net::UnixListener;

use actix::prelude::Actor;
use slog::Logger;
use tokio::sync::mpsc;

pub(crate) use self::actor::AdminSetup;
pub use self::control::ControlRequest;
pub use self::socket::OPERATORS;
pub use self::wire::{
    ClientReport, ClusterReport, NameReport, NodeReport, Request, Response, Status,
};

use self::actor::AdminActor;
use crate::server::lifecycle::wiring::Actors;

/// Control requests that may wait; operators are served one after the other.
const PENDING_CONTROLS: usize = 4;

/// Serves operators on `listener`; returns the requests that only the caller can perform.
pub(crate) fn open(
    listener: UnixListener,
    actors: &Actors,
    settings: AdminSetup,
    logger: &Logger,
) -> io::Result<mpsc::Receiver<ControlRequest>> {
    let (controls, received) = mpsc::channel(PENDING_CONTROLS);
    let admin = AdminActor::new(actors.clone(), settings, controls).start();
    socket::serve(listener, admin.recipient(), logger.clone())?;
    Ok(received)
}
