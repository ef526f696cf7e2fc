//! What identifies a member, and where to find its connection.

use serde::{Deserialize, Serialize};

/// A connection of this process; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// A member of the room, wherever its connection is; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct MemberId(pub(crate) u64);

impl MemberId {
    /// The holder of reserved names.
    pub(crate) const RESERVED: Self = Self(0);
}

impl From<ConnectionId> for MemberId {
    /// The member that joins over this connection: today every connection is of this process.
    fn from(ConnectionId(id): ConnectionId) -> Self {
        Self(id)
    }
}

/// How to reach a connection: through its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) shard: usize,
    pub(crate) id: ConnectionId,
}

/// One run of a server, as part of a cluster: a random number. A server that was away for too long
/// continues under another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Epoch(pub(crate) u64);
