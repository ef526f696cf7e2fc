//! What [`ServerLink`](super::server_link::ServerLink) leaves to be done.

use std::time::Duration;

use crate::client::api::event::{Event, PastMessage};
use crate::client::api::server_name::ServerName;
use crate::client::messages::LinkCommand;
use crate::protocol::{MessageText, Username, v2};

/// Something to be done.
#[derive(Debug)]
pub(crate) enum LinkAction {
    Emit(Event),
    /// A public message, which the user sees unless they ignore its sender.
    Show {
        from: Username,
        text: MessageText,
        own: bool,
    },
    /// A public message from before, the same.
    ShowPast {
        message: PastMessage,
        missed: bool,
    },
    /// Public messages that the user has asked for, the same.
    ShowOlder {
        messages: Vec<PastMessage>,
        more: bool,
    },
    /// Open a connection.
    Connect {
        generation: u64,
        server: ServerName,
        /// The last event that was seen; 0 is none.
        last_sequence: u64,
    },
    /// Have the open connection do something.
    Command(LinkCommand),
    /// Call [`ServerLink::wake`] in a while.
    Wake(Duration, LinkWake),
    /// A frame about a private session.
    Private(v2::ServerFrame),
    /// A user left the room.
    Left(Username),
    /// The server is lost, and with it everything that needs it.
    Lost,
    /// The first sign-in is complete.
    Ready,
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
    /// It is time for the next attempt.
    Retry(u64),
}
