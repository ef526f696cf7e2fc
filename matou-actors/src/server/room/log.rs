//! The room's log: what everybody gets, once in memory, read by each at their own pace.
//!
//! Events are appended, each encoded once per dialect, sealed into segments, and the segments form
//! a chain. Positions are sequences of events. The holder of a segment can reach all that came
//! after it, and keeps it alive; what everybody has read is freed by itself. A thousand stuck readers thus cost one log, not a thousand queues.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::server::room::event::{Dialect, EventKind, RoomEvent};

/// Bytes that the log asks the allocator for at a time.
const CHUNK: usize = 64 * 1024;
/// An open segment of this size is sealed, so that a batch can end there.
const SEAL_AT: usize = 64 * 1024;

/// The writing end.
#[derive(Debug)]
pub(crate) struct Log {
    open: Open,
    /// The sequence behind the last message.
    said: u64,
    last: Arc<Segment>,
}

/// The events that are not sealed yet; a second dialect is a second field.
#[derive(Debug, Default)]
struct Open {
    v1: BytesMut,
    v1_starts: Vec<usize>,
    said_at: Option<Instant>,
    began_at: Option<Instant>,
}

/// A sealed run of events, with the way to what follows.
#[derive(Debug)]
pub(crate) struct Segment {
    start: u64,
    end: u64,
    /// The time of the first event.
    began_at: Option<Instant>,
    /// The time of the oldest message among the events.
    said_at: Option<Instant>,
    v1: Encoded,
    next: OnceLock<Arc<Segment>>,
}

/// Some events in a row in one dialect.
#[derive(Debug, Default)]
struct Encoded {
    bytes: Bytes,
    /// Where each event begins.
    starts: Box<[usize]>,
}

/// A place in the log: everything before it was read.
#[derive(Debug)]
pub(crate) struct Reader {
    last: Arc<Segment>,
}

/// Some whole segments in a row, up to the sequence `end`.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) first: Arc<Segment>,
    pub(crate) end: u64,
    /// The time of the oldest message among the events.
    pub(crate) said_at: Option<Instant>,
    v1_length: usize,
}

impl Log {
    pub(crate) fn new() -> Self {
        let root = Segment {
            start: 0,
            end: 0,
            began_at: None,
            said_at: None,
            v1: Encoded::default(),
            next: OnceLock::new(),
        };
        Self { open: Open::default(), said: 0, last: Arc::new(root) }
    }

    /// The sequence behind the last event.
    pub(crate) fn end(&self) -> u64 {
        self.last.end() + wide(self.open.v1_starts.len())
    }

    /// The sequence behind the last message.
    pub(crate) fn said(&self) -> u64 {
        self.said
    }

    /// Appends the next event.
    pub(crate) fn append(&mut self, event: &RoomEvent<'_>) {
        debug_assert_eq!(event.sequence, self.end(), "events come in their order");
        if matches!(event.kind, EventKind::Said { .. }) {
            self.said = event.sequence + 1;
            self.open.said_at.get_or_insert(event.time);
        }
        self.open.began_at.get_or_insert(event.time);
        let Open { v1, v1_starts, .. } = &mut self.open;
        if v1.capacity() - v1.len() < 4096 {
            v1.reserve(CHUNK);
        }
        v1_starts.push(v1.len());
        Dialect::V1.encode(event, v1);
        if v1.len() >= SEAL_AT {
            self.seal();
        }
    }

    /// Makes everything appended so far visible to the readers.
    pub(crate) fn seal(&mut self) {
        if self.open.v1_starts.is_empty() {
            return;
        }
        let (start, end) = (self.last.end(), self.end());
        let Open { v1, v1_starts, said_at, began_at } = &mut self.open;
        let (began_at, said_at) = (began_at.take(), said_at.take());
        let starts = std::mem::take(v1_starts).into_boxed_slice();
        let v1 = Encoded { bytes: v1.split().freeze(), starts };
        let next = OnceLock::new();
        let segment = Arc::new(Segment { start, end, began_at, said_at, v1, next });
        // Only the log sets `next`, and only on its last segment, which it replaces right here.
        let _ = self.last.next.set(Arc::clone(&segment));
        self.last = segment;
    }

    /// A reader that gets everything sealed from now on.
    pub(crate) fn reader(&self) -> Reader {
        Reader { last: Arc::clone(&self.last) }
    }
}

impl Reader {
    /// The sequence up to which everything was read.
    pub(crate) fn position(&self) -> u64 {
        self.last.end()
    }

    /// Takes the sealed segments that were not read yet, at least one and no more of them than
    /// `most` bytes; `None` when there are none.
    pub(crate) fn take(&mut self, most: usize) -> Option<Span> {
        let first = Arc::clone(self.last.next()?);
        let mut last = Arc::clone(&first);
        let (mut v1_length, mut said_at) = (first.v1.bytes.len(), first.said_at);
        while let Some(next) = last.next() {
            let longer = v1_length + next.v1.bytes.len();
            if longer > most {
                break;
            }
            v1_length = longer;
            said_at = said_at.or(next.said_at);
            last = Arc::clone(next);
        }
        let end = last.end();
        self.last = last;
        Some(Span { first, end, said_at, v1_length })
    }
}

impl Span {
    /// How many bytes the span has in that dialect.
    pub(crate) fn length(&self, dialect: Dialect) -> usize {
        match dialect {
            Dialect::V1 => self.v1_length,
        }
    }
}

impl Segment {
    /// The sequence of the first event.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The sequence behind the last event.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The time of the first event.
    pub(crate) fn began_at(&self) -> Option<Instant> {
        self.began_at
    }

    /// All events in that dialect.
    pub(crate) fn bytes(&self, dialect: Dialect) -> &Bytes {
        match dialect {
            Dialect::V1 => &self.v1.bytes,
        }
    }

    /// Where the event with that sequence begins in [`Segment::bytes`].
    pub(crate) fn offset(&self, dialect: Dialect, sequence: u64) -> usize {
        let encoded = match dialect {
            Dialect::V1 => &self.v1,
        };
        let event = usize::try_from(sequence.saturating_sub(self.start)).unwrap_or(usize::MAX);
        encoded.starts.get(event).copied().unwrap_or(encoded.bytes.len())
    }

    pub(crate) fn next(&self) -> Option<&Arc<Self>> {
        self.next.get()
    }
}

impl Drop for Segment {
    /// Frees the chain in a loop: freeing it by recursion would exhaust the stack.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(segment) = next {
            next = Arc::into_inner(segment).and_then(|mut segment| segment.next.take());
        }
    }
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{MessageText, Username};

    /// The bytes of a message from `x` besides its text: type and two lengths, and the name.
    const FRAME: usize = 4 + 4 + 1 + 4;

    fn say(log: &mut Log, text: &str) {
        let (from, text) = (Username::parse("x").unwrap(), MessageText::parse(text).unwrap());
        let kind = EventKind::Said { from: &from, text: &text };
        log.append(&RoomEvent { sequence: log.end(), time: Instant::now(), kind });
    }

    fn append(log: &mut Log, text: &str) {
        say(log, text);
        log.seal();
    }

    fn read(span: &Span) -> Vec<String> {
        let (mut out, mut segment) = (Vec::new(), Some(&span.first));
        while let Some(current) = segment.filter(|segment| segment.start() < span.end) {
            for sequence in current.start()..current.end() {
                let at = |sequence| current.offset(Dialect::V1, sequence);
                let frame = &current.bytes(Dialect::V1)[at(sequence)..at(sequence + 1)];
                out.push(String::from_utf8(frame[FRAME..].to_vec()).unwrap());
            }
            segment = current.next();
        }
        out
    }

    #[test]
    fn readers_read_everything_once_at_their_own_pace() {
        let mut log = Log::new();
        let (mut fast, mut slow) = (log.reader(), log.reader());
        append(&mut log, "one");
        assert_eq!(read(&fast.take(100).unwrap()), ["one"]);
        append(&mut log, "two");
        append(&mut log, "three");
        assert_eq!(read(&fast.take(100).unwrap()), ["two", "three"]);
        assert!(fast.take(100).is_none());
        assert_eq!(read(&slow.take(2 * (FRAME + 3)).unwrap()), ["one", "two"]);
        assert_eq!(read(&slow.take(1).unwrap()), ["three"], "at least one segment");
        assert_eq!(log.end(), 3);
    }

    #[test]
    fn every_event_of_a_segment_can_be_found_by_its_sequence() {
        let mut log = Log::new();
        let mut reader = log.reader();
        append(&mut log, "before");
        for text in ["a", "bb", "ccc"] {
            say(&mut log, text);
        }
        log.seal();
        reader.take(1).unwrap();
        let span = reader.take(100).unwrap();
        assert_eq!((span.first.start(), span.end), (1, 4));
        assert_eq!(read(&span), ["a", "bb", "ccc"]);
        assert_eq!(span.length(Dialect::V1), 3 * FRAME + 6);
    }

    #[test]
    fn a_span_does_not_grow_when_the_log_does() {
        let mut log = Log::new();
        let mut reader = log.reader();
        append(&mut log, "one");
        let span = reader.take(100).unwrap();
        append(&mut log, "two");
        assert_eq!(read(&span), ["one"]);
    }

    #[test]
    fn what_is_not_sealed_is_not_read() {
        let mut log = Log::new();
        let mut reader = log.reader();
        say(&mut log, "x");
        assert!(reader.take(1).is_none());
        assert_eq!(log.end(), 1);
    }

    #[test]
    fn a_long_chain_is_freed_without_exhausting_the_stack() {
        let mut log = Log::new();
        let mut reader = log.reader();
        for _ in 0..200_000 {
            append(&mut log, "x");
        }
        let span = reader.take(1).unwrap();
        drop((log, reader));
        let weak = Arc::downgrade(span.first.next().unwrap());
        drop(span);
        assert!(weak.upgrade().is_none());
    }
}
