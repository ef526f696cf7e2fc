//! Weighted fair queueing (Demers, Keshav and Shenker, 1989) with equal weights.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use crate::server::shrink_sparse::ShrinkSparse as _;

/// Flows that have had no more than their share are forgotten once there are this many entries.
const SWEEP_AT: usize = 64;
/// Shares are counted in fractions of what items cost, since many flows share one item.
const UNIT: u64 = 1 << 16;

/// A queue in which every flow gets the same share, whatever the size of its items. At most one
/// item of each flow waits. Items are served in the order in which they would be done if all flows
/// were served at the same time: a flow that wants little does not wait for those that want much.
#[derive(Debug)]
pub(super) struct FairQueue<K, T> {
    items: BTreeMap<Turn, Waiting<K, T>>,
    /// The share that a flow has had of which something has waited all the time.
    share: u64,
    /// How much more than that each flow has had.
    had: HashMap<K, u64>,
    arrivals: u64,
    sweep_at: usize,
}

/// The place of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    /// The share at which it would be done.
    done: u64,
    arrival: u64,
}

#[derive(Debug)]
struct Waiting<K, T> {
    flow: K,
    /// The share at which it would have been begun.
    begun: u64,
    item: T,
}

impl<K: Copy + Eq + Hash, T> FairQueue<K, T> {
    /// Adds an item that costs about so much.
    pub(super) fn push(&mut self, flow: K, cost: u32, item: T) -> Turn {
        if self.items.is_empty() {
            self.had.clear();
            self.had.shrink_sparse();
        }
        self.arrivals += 1;
        let begun = self.had.get(&flow).map_or(self.share, |had| self.share.max(*had));
        let turn = Turn { done: begun.saturating_add(units(cost)), arrival: self.arrivals };
        self.items.insert(turn, Waiting { flow, begun, item });
        turn
    }

    /// The next item; `cost` says what it really costs.
    pub(super) fn pop(&mut self, cost: impl FnOnce(&T) -> u32) -> Option<T> {
        let (_, Waiting { flow, begun, item }) = self.items.pop_first()?;
        let cost = units(cost(&item));
        let flows = u64::try_from(self.items.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.share = self.share.saturating_add(cost / flows);
        if self.had.len() >= self.sweep_at {
            let share = self.share;
            self.had.retain(|_, had| *had > share);
            self.had.shrink_sparse();
            self.sweep_at = SWEEP_AT.max(self.had.len() * 2);
        }
        self.had.insert(flow, begun.saturating_add(cost));
        Some(item)
    }

    /// The next item.
    pub(super) fn first(&self) -> Option<&T> {
        self.items.first_key_value().map(|(_, next)| &next.item)
    }

    pub(super) fn remove(&mut self, turn: Turn) {
        self.items.remove(&turn);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl<K, T> Default for FairQueue<K, T> {
    fn default() -> Self {
        Self {
            items: BTreeMap::new(),
            share: 0,
            had: HashMap::new(),
            arrivals: 0,
            sweep_at: SWEEP_AT,
        }
    }
}

fn units(cost: u32) -> u64 {
    u64::from(cost) * UNIT
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue of flows, with what each item of a flow costs.
    fn queue(costs: &[u32]) -> FairQueue<usize, usize> {
        let mut queue = FairQueue::default();
        for (flow, cost) in costs.iter().enumerate() {
            queue.push(flow, *cost, flow);
        }
        queue
    }

    fn pop(queue: &mut FairQueue<usize, usize>, costs: &[u32]) -> usize {
        queue.pop(|flow| costs[*flow]).unwrap()
    }

    #[test]
    fn every_flow_gets_the_same_share_whatever_the_size_of_its_items() {
        let costs = [1, 10, 40];
        let (mut queue, mut served) = (queue(&costs), [0; 3]);
        while served[2] < 400 {
            let flow = pop(&mut queue, &costs);
            served[flow] += costs[flow];
            queue.push(flow, costs[flow], flow);
            let most = served.into_iter().max().unwrap();
            assert!(served.iter().all(|share| most - share <= 40), "{served:?}");
        }
    }

    #[test]
    fn a_flow_that_is_away_for_a_moment_gets_no_more_than_its_share() {
        let costs = [10; 2];
        let (mut queue, mut served, mut back) = (queue(&costs), [0; 2], None);
        for _ in 0..200 {
            let flow = pop(&mut queue, &costs);
            served[flow] += 1;
            if let Some(flow) = back.take() {
                queue.push(flow, 10, flow);
            }
            // The other one returns only after the next item was served.
            if flow == 0 {
                queue.push(0, 10, 0);
            } else {
                back = Some(1);
            }
        }
        assert!(served[1] <= served[0] + 1, "{served:?}");
    }

    #[test]
    fn small_items_within_the_share_are_next_however_many_large_ones_wait() {
        let mut costs = [1000; 51];
        costs[50] = 10;
        let mut queue = queue(&costs[..50]);
        for round in 0..500 {
            // A fiftieth of 1000 is 20.
            if round % 2 == 1 {
                queue.push(50, 10, 50);
                assert_eq!(pop(&mut queue, &costs), 50, "{round}");
            }
            let flow = pop(&mut queue, &costs);
            queue.push(flow, costs[flow], flow);
        }
    }

    #[test]
    fn a_large_item_waits_for_no_more_than_its_size_of_each_other_flow() {
        let mut costs = [10; 51];
        costs[50] = 1000;
        let (mut queue, mut others) = (queue(&costs), 0);
        while others <= 50 * 1000 {
            let flow = pop(&mut queue, &costs);
            if flow == 50 {
                return;
            }
            others += costs[flow];
            queue.push(flow, costs[flow], flow);
        }
        panic!("it was starved");
    }

    #[test]
    fn flows_that_are_not_ahead_of_the_others_are_forgotten() {
        let mut queue = queue(&[]);
        for flow in 0..10_000 {
            queue.push(flow, 10, flow);
            queue.push(flow + 1, 1000, flow + 1);
            queue.pop(|_| 10).unwrap();
            assert!(queue.had.len() <= 128);
            queue.items.clear();
        }
    }

    #[test]
    fn removed_items_are_not_served() {
        let mut queue = queue(&[]);
        let turn = queue.push(1, 1, 1);
        queue.push(2, 2, 2);
        queue.remove(turn);
        assert_eq!(queue.first(), Some(&2));
        assert_eq!((queue.pop(|_| 1), queue.pop(|_| 1)), (Some(2), None));
    }
}
