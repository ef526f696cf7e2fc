//! The send queue of one client, bounded in bytes.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, Bytes};

use crate::server::room::event::Dialect;
use crate::server::room::log::{Segment, Span};

/// The most slices that one system call writes.
pub(crate) const MAX_SLICES: usize = 32;
/// What an event costs the log beyond its bytes. It counts against the limit of the client for which
/// it is kept: short messages cost many times their length.
const OVERHEAD: usize = 64;
/// This many events count only their bytes: as many as two batches may contain.
const FREE_EVENTS: usize = 32 * 1024;
/// Below this fraction of the limit events are not counted.
const LIGHT: usize = 8;

/// Frames for this client only and spans of the room's log, in the order of delivery.
#[derive(Debug)]
pub(crate) struct Outbox {
    dialect: Dialect,
    entries: VecDeque<Entry>,
    queued: usize,
    allowance: usize,
    limit: usize,
}

/// More bytes are queued than the limit allows: the client reads too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

#[derive(Debug)]
enum Entry {
    Frame(Bytes),
    /// The log from `skip` bytes into a segment to the sequence `end`, where a segment ends.
    Log {
        segment: Arc<Segment>,
        skip: usize,
        end: u64,
    },
}

impl Outbox {
    /// An empty outbox for at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { dialect: Dialect::V1, entries: VecDeque::new(), queued: 0, allowance: 0, limit }
    }

    /// Queued bytes.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// When the oldest queued event happened. Frames for this client only have no time: they are few, and
    /// events follow them.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Frame(_) => None,
            Entry::Log { segment, .. } => segment.began_at(),
        })
    }

    /// Sets the revision in which events of the log are written; none are queued yet.
    pub(crate) fn set_dialect(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Queues a frame for this client only.
    pub(crate) fn push_frame(&mut self, frame: Bytes) -> Result<(), Overflow> {
        if frame.is_empty() {
            return Ok(());
        }
        self.queued += frame.len();
        self.entries.push_back(Entry::Frame(frame));
        self.check()
    }

    /// Queues the roster for a newcomer. It does not count against the limit: its size depends on the
    /// room, and its bytes are shared.
    pub(crate) fn push_welcome(&mut self, parts: impl IntoIterator<Item = Bytes>) {
        for part in parts {
            self.allowance += part.len();
            let _ = self.push_frame(part);
        }
    }

    /// Queues the events of `span` from the sequence `from` on.
    pub(crate) fn push_span(&mut self, span: &Span, from: u64) -> Result<(), Overflow> {
        if span.end <= from {
            return Ok(());
        }
        let start = span.first.start().max(from);
        let (segment, skip, length) = self.locate(span, start);
        self.queued += length;
        match self.entries.back_mut() {
            Some(Entry::Log { end, .. }) if *end == start => *end = span.end,
            _ => {
                let segment = Arc::clone(segment);
                self.entries.push_back(Entry::Log { segment, skip, end: span.end });
            }
        }
        self.check()
    }

    /// Locates the event `start` in `span`: its segment, the offset within it, and how many bytes follow.
    /// Only a new member starts within a span.
    fn locate<'a>(&self, span: &'a Span, start: u64) -> (&'a Arc<Segment>, usize, usize) {
        let (mut segment, mut length) = (&span.first, span.length(self.dialect));
        while segment.end() <= start {
            let Some(next) = segment.next() else { break };
            length = length.saturating_sub(segment.bytes(self.dialect).len());
            segment = next;
        }
        let skip = segment.offset(self.dialect, start);
        (segment, skip, length.saturating_sub(skip))
    }

    /// Fills in the bytes to write next, as at most [`MAX_SLICES`] slices; returns how many.
    pub(crate) fn slices<'a>(&'a self, out: &mut [IoSlice<'a>; MAX_SLICES]) -> usize {
        let mut filled = 0;
        let mut put = |run: &'a [u8]| match out.get_mut(filled) {
            Some(slot) => {
                *slot = IoSlice::new(run);
                filled += 1;
                filled < MAX_SLICES
            }
            None => false,
        };
        for entry in &self.entries {
            let more = match entry {
                Entry::Frame(frame) => put(frame),
                Entry::Log { segment, skip, end } => {
                    let mut more = put(rest(segment, self.dialect, *skip));
                    let mut current = segment.next();
                    while let Some(segment) = current.filter(|s| more && s.start() < *end) {
                        more = put(segment.bytes(self.dialect));
                        current = segment.next();
                    }
                    more
                }
            };
            if !more {
                break;
            }
        }
        filled
    }

    /// Removes the first `written` bytes.
    pub(crate) fn advance(&mut self, mut written: usize) {
        self.queued = self.queued.saturating_sub(written);
        while written > 0 {
            let Some(entry) = self.entries.front_mut() else { break };
            let done = match entry {
                Entry::Frame(frame) => {
                    let step = written.min(frame.len());
                    frame.advance(step);
                    written -= step;
                    frame.is_empty()
                }
                Entry::Log { segment, skip, end } => {
                    let left = rest(segment, self.dialect, *skip).len();
                    let step = written.min(left);
                    *skip += step;
                    written -= step;
                    if step == left && segment.end() < *end {
                        let Some(next) = segment.next().map(Arc::clone) else { break };
                        *segment = next;
                        *skip = 0;
                    }
                    segment.end() >= *end && rest(segment, self.dialect, *skip).is_empty()
                }
            };
            if done {
                self.entries.pop_front();
            }
        }
        if self.queued == 0 {
            // An idle client keeps no buffer: there may be ten thousand of them.
            self.entries = VecDeque::new();
            self.allowance = 0;
        }
    }

    fn overhead(&self) -> usize {
        let events = self.entries.iter().map(|entry| match entry {
            Entry::Frame(_) => 1,
            Entry::Log { segment, end, .. } => end.saturating_sub(segment.start()),
        });
        let events = usize::try_from(events.sum::<u64>()).unwrap_or(usize::MAX);
        events.saturating_sub(FREE_EVENTS).saturating_mul(OVERHEAD)
    }

    fn check(&self) -> Result<(), Overflow> {
        let limit = self.limit + self.allowance;
        let weight = if self.queued < limit / LIGHT { 0 } else { self.overhead() };
        if self.queued.saturating_add(weight) > limit { Err(Overflow) } else { Ok(()) }
    }
}

/// The bytes of `segment` behind the first `skip`.
fn rest(segment: &Segment, dialect: Dialect, skip: usize) -> &[u8] {
    segment.bytes(dialect).get(skip..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::protocol::v2::UnixMillis;
    use crate::protocol::{MessageText, Username};
    use crate::server::room::event::{EventKind, RoomEvent};
    use crate::server::room::log::{EventLog, Reader};

    fn log() -> (EventLog, Reader) {
        let log = EventLog::new();
        let reader = log.reader();
        (log, reader)
    }

    /// The bytes of a message from `x`, worked out by hand.
    fn frame(text: &str) -> Vec<u8> {
        let length = u8::try_from(text.len()).unwrap();
        [&[0, 0, 0, 4, 0, 0, 0, 1, b'x', 0, 0, 0, length], text.as_bytes()].concat()
    }

    fn add(log: &mut EventLog, text: &str) {
        say(log, text);
        log.seal();
    }

    fn say(log: &mut EventLog, text: &str) {
        let (from, text) = (Username::parse("x").unwrap(), MessageText::parse(text).unwrap());
        let kind = EventKind::Said { from: &from, text: &text, action: false };
        let (time, at) = (Instant::now(), UnixMillis(0));
        log.append(&RoomEvent { sequence: log.end(), time, at, kind });
    }

    /// Writes everything, `step` bytes at a time.
    fn drain(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut written = Vec::new();
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let filled = outbox.slices(&mut slices);
            let run: Vec<u8> = slices[..filled].iter().flat_map(|s| s.iter().copied()).collect();
            let step = step.min(run.len());
            assert!(step > 0, "bytes are queued, so there is something to write");
            written.extend_from_slice(&run[..step]);
            outbox.advance(step);
        }
        written
    }

    #[test]
    fn bytes_are_written_in_order_however_they_are_cut() {
        for step in 1..40 {
            let (mut log, mut reader) = log();
            let mut outbox = Outbox::new(1000);
            say(&mut log, "before");
            let start = log.end();
            outbox.push_welcome([Bytes::from_static(b"hello "), Bytes::from_static(b"roster ")]);
            add(&mut log, "one ");
            add(&mut log, "two ");
            outbox.push_span(&reader.take(100).unwrap(), start).unwrap();
            add(&mut log, "three ");
            outbox.push_span(&reader.take(100).unwrap(), start).unwrap();
            outbox.push_frame(Bytes::from_static(b"direct ")).unwrap();
            add(&mut log, "four");
            outbox.push_span(&reader.take(100).unwrap(), start).unwrap();
            let said = ["one ", "two ", "three ", "four"].map(frame);
            let expected = [b"hello roster ", &said[..3].concat()[..], b"direct ", &said[3]];
            assert_eq!(drain(&mut outbox, step), expected.concat());
        }
    }

    #[test]
    fn a_stuck_reader_holds_one_entry_however_much_is_said() {
        let (mut log, mut reader) = log();
        let mut outbox = Outbox::new(1_000_000);
        for _ in 0..1000 {
            add(&mut log, "0123456789");
            outbox.push_span(&reader.take(100).unwrap(), 0).unwrap();
        }
        assert_eq!((outbox.entries.len(), outbox.queued()), (1, 23_000));
        assert_eq!(drain(&mut outbox, 777).len(), 23_000);
        assert_eq!(outbox.entries.capacity(), 0);
    }

    #[test]
    fn short_messages_count_for_what_they_cost_the_log() {
        const LIMIT: usize = 1024 * 1024;
        let (mut log, mut reader) = log();
        let mut outbox = Outbox::new(LIMIT);
        let queued = (0_usize..100_000).find(|_| {
            add(&mut log, "x");
            outbox.push_span(&reader.take(100).unwrap(), 0).is_err()
        });
        // 14 bytes each would be 74,898; 32,768 are free, and each other one counts for 64 more.
        assert_eq!(queued, Some((LIMIT - 32_768 * 14) / (14 + 64) + 32_768));
    }

    #[test]
    fn a_span_before_the_start_is_not_queued() {
        let (mut log, mut reader) = log();
        let mut outbox = Outbox::new(10);
        add(&mut log, "old");
        outbox.push_span(&reader.take(100).unwrap(), log.end()).unwrap();
        assert!(outbox.is_empty());
    }

    #[test]
    fn over_the_limit_is_an_overflow_and_the_welcome_does_not_count() {
        let mut outbox = Outbox::new(10);
        outbox.push_welcome([Bytes::from_static(&[0; 100])]);
        assert_eq!(outbox.push_frame(Bytes::from_static(&[0; 10])), Ok(()));
        assert_eq!(outbox.push_frame(Bytes::from_static(&[0; 1])), Err(Overflow));
        outbox.advance(111);
        assert_eq!(outbox.push_frame(Bytes::from_static(&[0; 11])), Err(Overflow));
    }
}
