//! How many frames of each type were sent to all.

use crate::protocol::Kind;
use crate::server::room::event::Dialect;

/// Frames of the room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameCounts {
    pub(crate) joined: u64,
    pub(crate) said: u64,
    pub(crate) left: u64,
    pub(crate) topics: u64,
}

impl FrameCounts {
    /// The counts since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            joined: self.joined.saturating_sub(before.joined),
            said: self.said.saturating_sub(before.said),
            left: self.left.saturating_sub(before.left),
            topics: self.topics.saturating_sub(before.topics),
        }
    }

    /// The same by type, as a client of that revision gets them.
    pub(crate) fn kinds(self, dialect: Dialect) -> impl Iterator<Item = (Kind, u64)> {
        let Self { joined, said, left, topics } = self;
        let kinds: &[Kind] = match dialect {
            Dialect::V1 => &[Kind::CONOTIF, Kind::MSGBC, Kind::DISCONOTIF],
            Dialect::V2 => &[Kind::JOINED, Kind::SAID, Kind::LEFT, Kind::TOPIC],
        };
        kinds.iter().copied().zip([joined, said, left, topics])
    }
}
