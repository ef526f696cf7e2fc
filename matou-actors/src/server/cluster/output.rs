//! What a node makes its actor do.

use bytes::Bytes;

use crate::server::cluster::record::{ClusterRoster, DecodeError, RosterPart};
use crate::server::cluster::replica::Effect;
use crate::server::ids::Epoch;

/// The kind of an entry of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Message,
    Roster,
    RosterPart,
}

/// Something for the actor to do.
#[derive(Debug)]
pub(crate) enum NodeOutput {
    /// Publish these bytes under that number; again with the same if that failed.
    Publish { epoch: Epoch, number: u64, payload: Bytes },
    /// Ask for the messages from that position on, up to that one.
    Fetch { from: u64, until: u64 },
    /// This happened, in this order.
    Changes(Vec<Effect>),
    /// Publish this roster: the parts first.
    Roster(Box<ClusterRoster>, Vec<RosterPart>),
    /// From now on the node may serve clients, or not.
    Serving(bool),
    /// The others count this node as gone: its members have left. Continue with
    /// `Node::begin_again`.
    Expelled,
    /// BYE has been read.
    Stopped,
    /// The process must end.
    Fatal(Fatal),
}

/// Why a node cannot continue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fatal {
    #[error("this node and node {node:x} differ behind position {position} of the stream")]
    Diverged { node: u64, position: u64 },
    #[error("position {position} of the stream holds another message than before")]
    Replaced { position: u64 },
    #[error("cannot read position {position} of the stream: {reason}")]
    Unreadable { position: u64, reason: DecodeError },
    #[error("position {position} of the stream was deleted before it was read")]
    Deleted { position: u64 },
}
