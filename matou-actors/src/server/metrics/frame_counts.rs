//! How many frames of each type went to everybody.

use crate::protocol::Kind;

/// Frames of the room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameCounts {
    pub(crate) joined: u64,
    pub(crate) said: u64,
    pub(crate) left: u64,
}

impl FrameCounts {
    /// What came after `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            joined: self.joined.saturating_sub(before.joined),
            said: self.said.saturating_sub(before.said),
            left: self.left.saturating_sub(before.left),
        }
    }

    /// The same by type.
    pub(crate) fn kinds(self) -> [(Kind, u64); 3] {
        [(Kind::CONOTIF, self.joined), (Kind::MSGBC, self.said), (Kind::DISCONOTIF, self.left)]
    }
}
