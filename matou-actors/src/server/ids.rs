//! What identifies a member, and where to find its connection.

/// A member of the room, or a connection that has not joined yet; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ConnectionId(pub(crate) u64);

impl ConnectionId {
    /// The holder of reserved names.
    pub(crate) const RESERVED: Self = Self(0);
}

/// How to reach a connection: through its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) shard: usize,
    pub(crate) id: ConnectionId,
}
