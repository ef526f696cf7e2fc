//! The chat client: a handle that takes [`Command`]s and a stream of [`Event`]s.
//!
//! Inside: `hub` owns the state and routes; `link` is the connection to the server, `session`
//! each private one, [`crate::transfer::Transfer`] each file on its way. What they tell each
//! other is in `messages`. The deciding parts know no actor, socket or clock: `sign_in`,
//! `roster`, `backoff`, `conversation`, `lane`, `transfers`, `early`, `parting`, `reachable`,
//! `server_name`.

mod backoff;
mod carry;
mod command;
mod conversation;
#[cfg(test)]
mod conversation_tests;
mod early;
mod event;
mod file_watch;
mod frames;
mod handle;
mod hub;
mod lane;
mod link;
mod messages;
mod outbox;
mod outlet;
mod parting;
mod reachable;
mod roster;
mod server_name;
mod session;
mod settings;
mod sign_in;
mod sockets;
mod transfers;

use actix::Actor;

pub use command::{Command, TransferId};
pub use event::{Direction, Event, RequestState, TransferInfo};
pub use handle::{Closed, Events, Handle};
pub use server_name::ServerName;
pub use settings::{ClientSettings, Policy};

/// Starts a client inside the running actix system and returns at once; everything that
/// happens is told by the events, the first one being `Connected`, `Refused` or an error.
pub fn start(settings: ClientSettings, logger: slog::Logger) -> (Handle, Events) {
    let (handle, events, inside) = handle::channels();
    hub::Hub::new(settings, logger, inside).start();
    (handle, events)
}
