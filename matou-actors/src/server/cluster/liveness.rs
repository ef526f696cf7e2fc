//! Which nodes are alive, by the content of the stream and by no clock.

use crate::server::ids::Epoch;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A node is gone when this many ALIVE of one other node follow its last one. A stream that stalls
/// makes no node gone, since no node sends its next ALIVE before it has read its last one.
pub(crate) const GONE_BEHIND: u32 = 4;

/// One node, as the stream shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Liveness {
    /// The name that its operator gave it.
    pub(crate) name: Box<str>,
    /// The number of its last message.
    pub(crate) last_number: u64,
    /// How many ALIVE of each other node follow its last one.
    behind: BTreeMap<Epoch, u32>,
}

/// The nodes that are alive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nodes(BTreeMap<Epoch, Liveness>);

impl Nodes {
    pub(crate) fn restored(nodes: impl IntoIterator<Item = (Epoch, Liveness)>) -> Self {
        Self(nodes.into_iter().collect())
    }

    /// HELLO, which counts as the first ALIVE.
    pub(crate) fn enter(&mut self, epoch: Epoch, name: Box<str>) {
        self.0.insert(epoch, Liveness { name, last_number: 0, behind: BTreeMap::new() });
    }

    /// BYE.
    pub(crate) fn leave(&mut self, epoch: Epoch) {
        self.0.remove(&epoch);
        for node in self.0.values_mut() {
            node.behind.remove(&epoch);
        }
    }

    /// ALIVE of `epoch`; returns the nodes that are gone because of it.
    pub(crate) fn alive(&mut self, epoch: Epoch) -> Vec<Epoch> {
        let mut gone = Vec::new();
        for (other, node) in &mut self.0 {
            if *other == epoch {
                node.behind.clear();
                continue;
            }
            let count = node.behind.entry(epoch).or_default();
            *count += 1;
            if *count >= GONE_BEHIND {
                gone.push(*other);
            }
        }
        for epoch in &gone {
            self.leave(*epoch);
        }
        gone
    }

    /// Whether a message with that number is the next one of a live node; it counts as read then. A
    /// duplicate is not.
    pub(crate) fn takes(&mut self, epoch: Epoch, number: u64) -> bool {
        match self.0.get_mut(&epoch) {
            Some(node) if number > node.last_number => {
                node.last_number = number;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn has(&self, epoch: Epoch) -> bool {
        self.0.contains_key(&epoch)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (Epoch, &Liveness)> {
        self.0.iter().map(|(epoch, node)| (*epoch, node))
    }
}

impl Liveness {
    /// The most ALIVE of one other node after the last one of this node.
    pub(crate) fn missed(&self) -> u32 {
        self.behind.values().copied().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(epochs: &[u64]) -> Nodes {
        let mut nodes = Nodes::default();
        for epoch in epochs {
            nodes.enter(Epoch(*epoch), "n".into());
        }
        nodes
    }

    #[test]
    fn a_node_is_gone_after_four_signs_of_one_other() {
        let mut nodes = nodes(&[1, 2, 3]);
        for _ in 0..3 {
            assert!(nodes.alive(Epoch(1)).is_empty());
            assert!(nodes.alive(Epoch(2)).is_empty(), "three of each are six, and not four of one");
        }
        assert_eq!(nodes.alive(Epoch(1)), [Epoch(3)]);
        assert!(!nodes.has(Epoch(3)));
    }

    #[test]
    fn its_own_sign_starts_the_count_anew() {
        let mut nodes = nodes(&[1, 2]);
        for _ in 0..3 {
            nodes.alive(Epoch(1));
        }
        nodes.alive(Epoch(2));
        for _ in 0..3 {
            assert!(nodes.alive(Epoch(1)).is_empty());
        }
        assert_eq!(nodes.alive(Epoch(1)), [Epoch(2)]);
    }

    #[test]
    fn a_message_counts_once_and_only_from_a_live_node() {
        let mut nodes = nodes(&[1]);
        assert!(nodes.takes(Epoch(1), 1));
        assert!(!nodes.takes(Epoch(1), 1));
        assert!(nodes.takes(Epoch(1), 2));
        assert!(!nodes.takes(Epoch(2), 1));
    }
}
