//! What [`ServerLink`](super::server_link::ServerLink) leaves to be done.

use std::time::Duration;

use super::reach::Alternatives;
use crate::client::api::password::Password;
use crate::client::api::server_name::ServerName;
use crate::client::messages::{ConnectionCommand, LinkEvent};

/// Something to be done.
#[derive(Debug)]
pub(super) enum LinkAction {
    /// Report to the hub.
    Report(LinkEvent),
    /// Open a connection.
    Connect(ConnectionAttempt),
    /// Have the open connection do something.
    Command(ConnectionCommand),
    /// Call [`ServerLink::wake`](super::server_link::ServerLink::wake) in a while.
    Wake(Duration, LinkWake),
}

/// A connection to be opened.
#[derive(Debug)]
pub(super) struct ConnectionAttempt {
    pub(super) generation: u64,
    pub(super) server: ServerName,
    /// The last event that was seen; 0 is none.
    pub(super) last_sequence: u64,
    pub(super) password: Option<Password>,
    pub(super) alternatives: Alternatives,
}

/// What is looked at again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkWake {
    /// Whether the server was reached.
    Reached { generation: u64 },
    /// Whether the server said something about the name.
    Silence { generation: u64, asked: u64 },
    /// The same, for the last time.
    Answer { generation: u64, asked: u64 },
    /// Whether the server announced the user's arrival.
    Arrival { generation: u64 },
    /// Whether the server is still responding.
    Quiet { generation: u64 },
    /// It is time for the next attempt.
    Retry(u64),
}
