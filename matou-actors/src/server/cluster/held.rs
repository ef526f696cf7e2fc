//! Steps and frames of other nodes that are ahead of what this one has read of the stream.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::server::cluster::steps::{Content, NodeMessage};

/// How long another node may take to have a step at its place; it is dropped then, and who took it
/// learns that the other one cannot be reached now.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How many wait; more are dropped.
const MOST: usize = 1_024;

/// Steps and frames that wait for their places in the stream, in the order of arrival, each with
/// the address that is to be informed.
#[derive(Debug)]
pub(crate) struct Held<R>(VecDeque<(Instant, NodeMessage, R)>);

impl<R> Default for Held<R> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<R> Held<R> {
    pub(crate) fn push(&mut self, message: NodeMessage, reply: R, now: Instant) {
        if self.0.len() < MOST {
            self.0.push_back((now, message, reply));
        }
    }

    /// The next one whose place is reached for a node that has read up to `position`.
    pub(crate) fn due(&mut self, position: u64) -> Option<(Content, R)> {
        let is_due = self.0.front().is_some_and(|(_, message, _)| message.position <= position);
        let (_, message, reply) = is_due.then(|| self.0.pop_front())??;
        Some((message.content, reply))
    }

    /// Drops those that have waited for too long.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.0.retain(|(since, ..)| now.saturating_duration_since(*since) < ANSWER_WITHIN);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::ids::MemberId;

    fn message(position: u64) -> NodeMessage {
        let (from, to) = (MemberId(1), MemberId(2));
        NodeMessage { position, content: Content::Frame { from, to, frame: vec![] } }
    }

    #[test]
    fn each_waits_for_its_place_and_is_answered_only_then() {
        let (mut held, now) = (Held::default(), Instant::now());
        held.push(message(5), "a", now);
        held.push(message(4), "b", now);
        assert!(held.due(4).is_none(), "they keep their order");
        assert_eq!(held.due(5).map(|(_, reply)| reply), Some("a"));
        assert_eq!(held.due(5).map(|(_, reply)| reply), Some("b"));
        assert!(held.due(5).is_none());
    }

    #[test]
    fn a_frame_held_for_too_long_is_dropped_unanswered() {
        let (mut held, now) = (Held::default(), Instant::now());
        held.push(message(9), "a", now);
        held.expire(now + ANSWER_WITHIN);
        assert!(held.due(9).is_none());
    }

    #[test]
    fn the_number_of_held_frames_is_bounded() {
        let (mut held, now) = (Held::default(), Instant::now());
        for _ in 0..=MOST {
            held.push(message(1), (), now);
        }
        assert_eq!(std::iter::from_fn(|| held.due(1)).count(), MOST);
    }
}
