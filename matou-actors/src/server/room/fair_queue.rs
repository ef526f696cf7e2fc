//! Self-clocked fair queueing (Golestani, 1994).

use std::collections::BTreeMap;

/// A queue in which everyone who waits gets the same share, whatever the size of what each wants:
/// first comes what began to wait early and costs little.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    items: BTreeMap<Turn, T>,
    /// The share that everyone who has waited all the time has had.
    clock: u64,
    arrivals: u64,
}

/// The place of an item: the share at which it is served, and the order among equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    share: u64,
    arrival: u64,
}

impl<T> FairQueue<T> {
    /// Adds an item of an address that has no other one in the queue.
    pub(super) fn push(&mut self, cost: u32, item: T) -> Turn {
        self.arrivals += 1;
        let share = self.clock.saturating_add(cost.into());
        let turn = Turn { share, arrival: self.arrivals };
        self.items.insert(turn, item);
        turn
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let (turn, item) = self.items.pop_first()?;
        self.clock = turn.share;
        Some(item)
    }

    /// What comes next.
    pub(super) fn first(&self) -> Option<&T> {
        self.items.first_key_value().map(|(_, item)| item)
    }

    pub(super) fn remove(&mut self, turn: Turn) {
        self.items.remove(&turn);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), clock: 0, arrivals: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_gets_the_same_share_whatever_the_size_of_the_pieces() {
        let mut queue = FairQueue::default();
        let costs = [1, 10, 40];
        for (who, cost) in costs.into_iter().enumerate() {
            queue.push(cost, who);
        }
        let mut served = [0; 3];
        while served[2] < 400 {
            let who = queue.pop().unwrap();
            served[who] += costs[who];
            queue.push(costs[who], who);
            let most = served.into_iter().max().unwrap();
            assert!(served.iter().all(|share| most - share <= 40), "{served:?}");
        }
    }

    #[test]
    fn little_is_served_before_much_that_came_earlier_but_not_for_ever() {
        let mut queue = FairQueue::default();
        queue.push(1000, "much");
        let before = (0..1000).find(|_| {
            queue.push(10, "little");
            queue.pop() == Some("much")
        });
        assert_eq!(before, Some(99), "as much of the others as it costs itself");
    }

    #[test]
    fn what_was_removed_is_not_served() {
        let mut queue = FairQueue::default();
        let turn = queue.push(1, "gone");
        queue.push(2, "here");
        queue.remove(turn);
        assert_eq!(queue.first(), Some(&"here"));
        assert_eq!((queue.pop(), queue.pop()), (Some("here"), None));
    }
}
