//! What the room hands to the shards.

use std::time::Instant;

use bytes::Bytes;

use crate::server::ids::ConnectionId;
use crate::server::metrics::frame_counts::FrameCounts;
use crate::server::room::event::Dialect;
use crate::server::room::log::Span;

/// The most bytes of a batch, unless one segment alone is larger.
pub(crate) const MAX_BATCH: usize = 256 * 1024;

/// What a shard writes to all its clients at once.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// The bytes for all of them.
    pub(crate) span: Option<Span>,
    /// Frames for one client each, after those bytes.
    pub(crate) relayed: Vec<(ConnectionId, Bytes)>,
    /// Clients of this shard whose messages are in this batch or an earlier one: they may continue.
    pub(crate) published: Vec<ConnectionId>,
    /// When the oldest message of the batch was read from its author.
    pub(crate) said_at: Option<Instant>,
    /// The frames in the batch; those of a backlog that takes several batches are in the last.
    pub(crate) frames: FrameCounts,
}

/// What a new member gets before the log.
#[derive(Clone, Debug)]
pub(crate) struct Welcome {
    pub(crate) dialect: Dialect,
    /// CORES 1, the roster, earlier messages, its own CONOTIF, and the message of the day.
    pub(crate) parts: Vec<Bytes>,
    /// Where in the log the new member starts: after its own CONOTIF.
    pub(crate) start: u64,
    /// How many CONOTIF of others are among the parts.
    pub(crate) announced: u64,
    /// How many messages from before are among the parts, and whether their end is.
    pub(crate) past: (u64, bool),
    /// How many MSGBC of the server are among the parts.
    pub(crate) said: u64,
}
