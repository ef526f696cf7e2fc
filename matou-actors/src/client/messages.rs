//! The messages between the client's actors.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use actix::Message;

use crate::client::api::command::Command;
use crate::client::connection::outbox::Outbox;
use crate::client::ids::SessionId;
use crate::protocol::{PeerFrame, PortPair, ServerFrame};
use crate::transfer::ChosenFile;

/// A command of the user. The answer comes once the next one may follow.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Run {
    pub(crate) command: Command,
    /// For a file to send: the file, or why it cannot be sent.
    pub(crate) checked: Option<Result<Arc<ChosenFile>, String>>,
}

/// What happened on one connection to the server.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LinkReport {
    pub(crate) generation: u64,
    pub(crate) event: LinkEvent,
}

/// What can happen on a connection to the server.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// It is reached.
    Up { local: SocketAddr, server: SocketAddr },
    /// Frames came. The answer comes once the next ones may follow.
    Frames(Vec<ServerFrame>),
    /// It could not be reached, or is lost; the link has stopped. With `retry` off it is not a
    /// Matou server, and another attempt would end in the same way.
    Down { reason: String, retry: bool },
}

/// What happened in one private session.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SessionReport {
    pub(crate) session: SessionId,
    pub(crate) event: SessionEvent,
}

/// What can happen in a private session.
#[derive(Debug)]
pub(crate) enum SessionEvent {
    /// Two ports are open for the peer.
    PortsOpen(PortPair),
    /// Both connections are there; that for files is in blocking mode.
    Up { peer: SocketAddr, outbox: Outbox, files: Arc<TcpStream> },
    /// Frames came. The answer comes once the next ones may follow.
    Frames(Vec<PeerFrame>),
    /// The message connection ended by itself, and so the session. The file connection is still
    /// watched, for files that were sent before the end.
    TalkDown { reason: String },
    /// The header of a file came, while so many bytes were `free` in the downloads folder;
    /// nothing past it was read.
    Header { size: u64, free: Option<u64> },
    /// The file connection ended between files, or under an offer, or broke the protocol.
    FilesDown { reason: String, violation: bool },
    /// The attempt to open the session failed, or both its connections are done with; its actor
    /// has stopped.
    Down { reason: String },
}

/// To a session: watch the file connection for the next header, or for its end under an offer.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct WatchFiles {
    pub(crate) from: WatchFrom,
}

/// What is next on a file connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchFrom {
    /// A header.
    Header,
    /// So many bytes of a file whose header was read, and which may be taken.
    Offer(u64),
    /// So many bytes of a file that was refused, all of which are here; then a header.
    Refused(u64),
}

/// To a session: leave the file connection alone.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LeaveFiles;

/// To a link or session: give up at once.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct HangUp;
