//! The chat client: a handle that takes [`Command`]s and a stream of [`Event`]s.
//!
//! - `api`: what the outside sees.
//! - `channels`: the inner side of that.
//! - `link`: the server, one actor for the link to it and one for each connection.
//! - `meeting`: how two clients of revision 2 find each other.
//! - `doctor`: what is in their way, in words.
//! - `session`: private sessions, one actor for each, which owns both its connections.
//! - `files`: its file connection; [`crate::transfer::Transfer`] is one actor for each file.
//! - `peers`: what goes on with each other user, without actors.
//! - `hub`: the actor in the middle, which routes between them.
//! - `background`: what takes long; `people_file`, `key_list`: the files of known keys.
//! - `connection`: what link and session share to read and write a socket.
//!
//! All messages between the actors are in `messages`, all numbers in `ids`.

mod api;
mod background;
mod channels;
mod connection;
mod doctor;
mod files;
mod hub;
mod ids;
mod key_list;
mod link;
mod meeting;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use meeting::fuzzing;
mod messages;
mod peers;
mod people_file;
#[cfg(test)]
mod probe;
mod session;

use actix::Actor;

pub use api::command::{Command, PipeInput};
pub use api::diagnosis::{Attempt, AttemptResult, Diagnosis};
pub use api::event::{
    Direction, ErrorCode, Event, KeyStanding, LinkSecurity, PastMessage, RequestState,
    TransferInfo, TransferState,
};
pub use api::handle::{Closed, Events, Handle};
pub use api::password::Password;
pub use api::server_name::ServerName;
pub use api::settings::{ClientSettings, EncryptionPolicy, Policy};
pub use doctor::{NetworkReport, ObservedPort, examine_network};
pub use ids::{MessageId, TransferId};
pub use link::known_file::read as read_known_servers;
pub use people_file::forget as forget_person;

/// Starts a client inside the running actix system and returns at once; everything that
/// happens is reported by the events, the first one being `Connected`, `Refused` or an error.
pub fn start(settings: ClientSettings, logger: slog::Logger) -> (Handle, Events) {
    let (handle, events, inside) = api::handle::channels();
    hub::Hub::new(settings, logger, inside).start();
    (handle, events)
}
