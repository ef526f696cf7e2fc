//! A check of what all clients have read.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{PRIZE, Segment};
use crate::harness::wire::{conotif, disconotif};

/// What all clients have read, after it was checked.
pub(crate) struct Transcript {
    pub(crate) segments: Vec<Segment>,
    pub(super) frames: HashMap<u64, Vec<u8>>,
    /// Everything that happened, in the one order.
    pub(super) order: Vec<u64>,
}

impl Transcript {
    /// Puts what the clients have read together, and compares it on the way.
    pub(super) fn find_order(&mut self) {
        self.segments.sort_by_key(|segment| segment.joined);
        // The one that has found the fewest is first in the order, whenever it has read so.
        let talkers = self.segments.iter().enumerate().filter(|(_, it)| it.name != PRIZE);
        let (first, _) = talkers.min_by_key(|(_, segment)| segment.roster.len()).unwrap();
        let first = self.segments.remove(first);
        self.segments.insert(0, first);
        let mut places: HashMap<u64, usize> = HashMap::new();
        let mut waiting: Vec<&Segment> =
            self.segments.iter().filter(|segment| segment.name != PRIZE).collect();
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut later = Vec::new();
            for segment in waiting {
                let first = segment.events[0].1;
                let at = if self.order.is_empty() { Some(0) } else { places.get(&first).copied() };
                let Some(at) = at else {
                    later.push(segment);
                    continue;
                };
                for (offset, (_, event)) in segment.events.iter().enumerate() {
                    if let Some(known) = self.order.get(at + offset) {
                        assert_eq!(
                            known,
                            event,
                            "{} on node {}: event {offset} is {:?} and not {:?}",
                            segment.name,
                            segment.node,
                            self.frames[event].escape_ascii().to_string(),
                            self.frames[known].escape_ascii().to_string()
                        );
                    } else {
                        places.entry(*event).or_insert(self.order.len());
                        self.order.push(*event);
                    }
                }
            }
            let names: Vec<_> = later.iter().map(|segment| &segment.name).collect();
            assert!(later.len() < before, "no other client has read the joins of {names:?}");
            waiting = later;
        }
    }

    /// Names, own order, rosters, and that all have read up to the end.
    pub(super) fn check(&self) {
        let first = self.segments.iter().find(|segment| segment.name != PRIZE).unwrap();
        let mut present = first.roster.clone();
        let mut next: HashMap<String, u64> = HashMap::new();
        let rosters: HashMap<u64, &Segment> = (self.segments.iter())
            .filter(|segment| segment.name != PRIZE)
            .map(|segment| (segment.events[0].1, segment))
            .collect();
        for id in &self.order {
            let frame = &self.frames[id];
            let words = texts(frame);
            let name = &words[0];
            match frame[3] {
                2 => {
                    if let Some(segment) = rosters.get(id) {
                        assert_eq!(segment.roster, present, "what {name} has read at first");
                    }
                    assert!(present.insert(name.clone()), "{name} is held twice");
                    assert_eq!(*frame, conotif(name));
                }
                4 => {
                    assert!(present.contains(name), "{name} talks and is not there");
                    if name.starts_with('t') {
                        let number = next.entry(name.clone()).or_default();
                        assert_eq!(words[1], number.to_string(), "{name}: its own order");
                        *number += 1;
                    }
                }
                _ => {
                    assert!(present.remove(name), "{name} leaves and is not there");
                    assert_eq!(*frame, disconotif(name));
                }
            }
        }
        for segment in self.segments.iter().filter(|it| it.is_open) {
            let last = segment.events.last().unwrap().1;
            let at = self.order.iter().rposition(|id| *id == last).unwrap();
            let missing: Vec<_> = (self.order[at + 1..].iter())
                .map(|id| self.frames[id].escape_ascii().to_string())
                .collect();
            assert!(
                missing.is_empty(),
                "{} on node {} has not read {} events: {missing:?}",
                segment.name,
                segment.node,
                missing.len()
            );
        }
    }

    /// How many different events there were, and how many of them clients have read.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.order.len(), self.segments.iter().map(|segment| segment.events.len()).sum())
    }

    /// The longest time between two texts from `from` to `to`, for the client that waited longest of
    /// those that were connected all the time, and not to `except`.
    pub(crate) fn silence(&self, from: Instant, to: Instant, except: Option<usize>) -> Duration {
        let stayed = self.segments.iter().filter(|segment| {
            let last = segment.events.last().map_or(segment.joined, |(at, _)| *at);
            segment.joined < from && (segment.is_open || last > to) && Some(segment.node) != except
        });
        let silences = stayed.map(|segment| {
            let said = |id: &u64| self.frames[id][3] == 4;
            let times = segment.events.iter().filter(|(_, id)| said(id)).map(|(at, _)| *at);
            let near = from.checked_sub(Duration::from_secs(1)).unwrap();
            let times: Vec<_> = times.filter(|at| *at >= near && *at <= to).collect();
            times.windows(2).map(|two| two[1] - two[0]).max().unwrap_or(to - from)
        });
        silences.max().expect("no client stayed")
    }

    /// How long the clients that were on `node` at a time were away: the median and the longest.
    pub(crate) fn away(&self, node: usize, at: Instant) -> Option<(Duration, Duration)> {
        let lost = self.segments.iter().filter(|segment| {
            segment.node == node && segment.joined < at && !segment.is_open && segment.name != PRIZE
        });
        let mut away: Vec<_> = lost
            .filter_map(|lost| {
                let again = (self.segments.iter())
                    .filter(|segment| segment.client == lost.client && segment.joined > at)
                    .map(|segment| segment.joined)
                    .min()?;
                Some(again - at)
            })
            .collect();
        away.sort();
        Some((*away.get(away.len() / 2)?, *away.last()?))
    }
}

/// The texts that a frame consists of.
pub(super) fn texts(frame: &[u8]) -> Vec<String> {
    let (mut rest, mut texts) = (&frame[4..], Vec::new());
    while let Some((size, after)) = rest.split_first_chunk() {
        let (text, after) = after.split_at(u32::from_be_bytes(*size).try_into().unwrap());
        texts.push(String::from_utf8(text.to_vec()).unwrap());
        rest = after;
    }
    texts
}
