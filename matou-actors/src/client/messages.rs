//! What the client's actors tell each other.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use actix::Message;

use super::Command;
use super::conversation::SessionId;
use super::outbox::Outbox;
use crate::protocol::{PeerFrame, PortPair, ServerFrame};

/// A command of the user. The answer comes once the next one may follow.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Run {
    pub(super) command: Command,
    /// For a file to send: its size, or why it cannot be sent.
    pub(super) checked: Option<Result<u64, String>>,
}

/// The server is reached.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct LinkUp {
    pub(super) generation: u64,
    pub(super) local: SocketAddr,
    pub(super) server: SocketAddr,
}

/// Frames from the server. The answer comes once the next ones may follow.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct LinkFrames {
    pub(super) generation: u64,
    pub(super) frames: Vec<ServerFrame>,
}

/// The server could not be reached, or is lost; the link has stopped.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct LinkDown {
    pub(super) generation: u64,
    pub(super) reason: String,
}

/// Two ports are open for a session.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct PortsOpen {
    pub(super) session: SessionId,
    pub(super) ports: PortPair,
}

/// Both connections of a session are there.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct SessionUp {
    pub(super) session: SessionId,
    pub(super) peer: SocketAddr,
    pub(super) outbox: Outbox,
    /// The file connection, in blocking mode.
    pub(super) files: Arc<TcpStream>,
}

/// Frames from a peer. The answer comes once the next ones may follow.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct SessionFrames {
    pub(super) session: SessionId,
    pub(super) frames: Vec<PeerFrame>,
}

/// The message connection of a session ended by itself, and so the session. The file connection
/// is still watched, for files that were sent before the end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct TalkDown {
    pub(super) session: SessionId,
    pub(super) reason: String,
}

/// The attempt to open a session failed, or both its connections are done with; its actor has
/// stopped.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct SessionDown {
    pub(super) session: SessionId,
    pub(super) reason: String,
}

/// The header of a file came; nothing past it was read.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct HeaderSeen {
    pub(super) session: SessionId,
    pub(super) size: u64,
    /// Free bytes in the downloads folder.
    pub(super) free: Option<u64>,
}

/// The file connection ended between files, or under an offer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct FilesDown {
    pub(super) session: SessionId,
    pub(super) reason: String,
}

/// To a session: watch the file connection for the next header, or for its end under an offer.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(super) struct WatchFiles {
    /// The size of the file whose header was read already.
    pub(super) offered: Option<u64>,
}

/// To a session: leave the file connection alone.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(super) struct LeaveFiles;

/// To a link or session: give up at once.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(super) struct HangUp;
