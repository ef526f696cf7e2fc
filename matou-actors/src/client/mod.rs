//! The chat client: a handle that takes [`Command`]s and a stream of [`Event`]s.

mod command;
mod event;
mod handle;
mod settings;

pub use command::{Command, TransferId};
pub use event::{Direction, Event, RequestState, TransferInfo};
pub use handle::{Closed, Events, Handle};
pub use settings::{ClientSettings, Policy};

/// Starts a client inside the running actix system and returns at once; everything that
/// happens is told by the events, the first one being `Connected`, `Refused` or an error.
pub fn start(settings: ClientSettings, logger: slog::Logger) -> (Handle, Events) {
    let (handle, events, inside) = handle::channels();
    drop((settings, logger, inside));
    (handle, events)
}
