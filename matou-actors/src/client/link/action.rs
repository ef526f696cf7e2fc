//! What [`ServerLink`](super::server_link::ServerLink) leaves to be done.

use std::time::Duration;

use super::reach::Alternatives;
use crate::client::api::event::Event;
use crate::client::api::password::Password;
use crate::client::api::server_name::ServerName;
use crate::client::messages::LinkCommand;
use crate::protocol::{Username, v2};

/// Something to be done.
#[derive(Debug)]
pub(crate) enum LinkAction {
    /// What was said is not shown when the user ignores its sender.
    Emit(Event),
    /// Open a connection.
    Connect(Attempt),
    /// Have the open connection do something.
    Command(LinkCommand),
    /// Call [`ServerLink::wake`] in a while.
    Wake(Duration, LinkWake),
    /// A frame about a private session.
    Private(v2::ServerFrame),
    /// A user is in the room, or joined it, which the user has read.
    Arrived(Username),
    /// A user left the room.
    Left(Username),
    /// The server is lost, and with it everything that needs it.
    Lost,
    /// The first sign-in is complete.
    Ready,
}

/// A connection to be opened.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) generation: u64,
    pub(crate) server: ServerName,
    /// The last event that was seen; 0 is none.
    pub(crate) last_sequence: u64,
    pub(crate) password: Option<Password>,
    pub(crate) alternatives: Alternatives,
}

/// What is looked at again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkWake {
    /// Whether the server was reached.
    Reached { generation: u64 },
    /// Whether the server said something about the name.
    Silence { generation: u64, asked: u64 },
    /// The same, for the last time.
    Answer { generation: u64, asked: u64 },
    /// Whether the server announced the user's arrival.
    Arrival { generation: u64 },
    /// Whether the server still says something.
    Quiet { generation: u64 },
    /// It is time for the next attempt.
    Retry(u64),
}
