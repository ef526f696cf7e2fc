//! What the client's actors tell each other.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use actix::Message;

use crate::client::api::command::Command;
use crate::client::connection::outbox::Outbox;
use crate::client::ids::SessionId;
use crate::protocol::{PeerFrame, PortPair, ServerFrame};

/// A command of the user. The answer comes once the next one may follow.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Run {
    pub(crate) command: Command,
    /// For a file to send: its size, or why it cannot be sent.
    pub(crate) checked: Option<Result<u64, String>>,
}

/// The server is reached.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LinkUp {
    pub(crate) generation: u64,
    pub(crate) local: SocketAddr,
    pub(crate) server: SocketAddr,
}

/// Frames from the server. The answer comes once the next ones may follow.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LinkFrames {
    pub(crate) generation: u64,
    pub(crate) frames: Vec<ServerFrame>,
}

/// The server could not be reached, or is lost; the link has stopped.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LinkDown {
    pub(crate) generation: u64,
    pub(crate) reason: String,
}

/// Two ports are open for a session.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct PortsOpen {
    pub(crate) session: SessionId,
    pub(crate) ports: PortPair,
}

/// Both connections of a session are there.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SessionUp {
    pub(crate) session: SessionId,
    pub(crate) peer: SocketAddr,
    pub(crate) outbox: Outbox,
    /// The file connection, in blocking mode.
    pub(crate) files: Arc<TcpStream>,
}

/// Frames from a peer. The answer comes once the next ones may follow.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SessionFrames {
    pub(crate) session: SessionId,
    pub(crate) frames: Vec<PeerFrame>,
}

/// The message connection of a session ended by itself, and so the session. The file connection
/// is still watched, for files that were sent before the end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct TalkDown {
    pub(crate) session: SessionId,
    pub(crate) reason: String,
}

/// The attempt to open a session failed, or both its connections are done with; its actor has
/// stopped.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SessionDown {
    pub(crate) session: SessionId,
    pub(crate) reason: String,
}

/// The header of a file came; nothing past it was read.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct HeaderSeen {
    pub(crate) session: SessionId,
    pub(crate) size: u64,
    /// Free bytes in the downloads folder.
    pub(crate) free: Option<u64>,
}

/// The file connection ended between files, or under an offer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct FilesDown {
    pub(crate) session: SessionId,
    pub(crate) reason: String,
}

/// To a session: watch the file connection for the next header, or for its end under an offer.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct WatchFiles {
    /// The size of the file whose header was read already.
    pub(crate) offered: Option<u64>,
}

/// To a session: leave the file connection alone.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LeaveFiles;

/// To a link or session: give up at once.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct HangUp;
