//! The hashes of what a node has read last, to compare with those of other nodes.

use std::collections::VecDeque;

/// Of how many positions the hashes are kept.
const HASHES: usize = 4_096;

/// The hashes after the last positions.
#[derive(Debug, Default)]
pub(crate) struct HashLog(VecDeque<Hashes>);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Hashes {
    pub(crate) position: u64,
    /// Of the replica after that position.
    pub(crate) state: u64,
    /// Of what is at that position.
    pub(crate) payload: u64,
}

impl HashLog {
    /// Appends those of the next position.
    pub(crate) fn push(&mut self, hashes: Hashes) {
        if self.0.len() >= HASHES {
            self.0.pop_front();
        }
        self.0.push_back(hashes);
    }

    pub(crate) fn at(&self, position: u64) -> Option<Hashes> {
        let first = self.0.front()?.position;
        let index = usize::try_from(position.checked_sub(first)?).ok()?;
        self.0.get(index).copied()
    }
}
