//! The room's log: what all clients read, once in memory, each at their own pace.
//!
//! Events are appended, each encoded once per dialect, sealed into segments, and the segments form
//! a chain. Positions are sequences of events. The holder of a segment can reach everything after
//! it, and keeps it alive; what all have read is freed by itself. A thousand stuck readers thus
//! cost one log, not a thousand queues.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::server::room::event::{Dialect, EventKind, PerDialect, RoomEvent};

/// Bytes that the log asks the allocator for at a time.
const CHUNK: usize = 64 * 1024;
/// An open segment of this size is sealed, so that a batch can end there.
const SEAL_AT: usize = 64 * 1024;

/// The writing end.
#[derive(Debug)]
pub(crate) struct EventLog {
    open: OpenSegment,
    /// There are readers of revision 2.
    has_v2: bool,
    /// The sequence after the last message.
    said: u64,
    last: Arc<Segment>,
}

/// The events that are not sealed yet.
#[derive(Debug, Default)]
struct OpenSegment {
    events: u64,
    encoded: PerDialect<Encoding>,
    said_at: Option<Instant>,
    began_at: Option<Instant>,
}

#[derive(Debug, Default)]
struct Encoding {
    bytes: BytesMut,
    starts: Vec<usize>,
}

/// A sealed run of events, with a link to the next.
#[derive(Debug)]
pub(crate) struct Segment {
    start: u64,
    end: u64,
    /// The time of the first event.
    began_at: Option<Instant>,
    /// The time of the oldest message among the events.
    said_at: Option<Instant>,
    encoded: PerDialect<Encoded>,
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
    lengths: PerDialect<usize>,
}

impl EventLog {
    pub(crate) fn new() -> Self {
        Self::starting_at(0)
    }

    /// A log whose first event has that sequence.
    pub(crate) fn starting_at(start: u64) -> Self {
        let root = Segment {
            start,
            end: start,
            began_at: None,
            said_at: None,
            encoded: PerDialect::default(),
            next: OnceLock::new(),
        };
        Self { open: OpenSegment::default(), has_v2: false, said: 0, last: Arc::new(root) }
    }

    /// The sequence after the last event.
    pub(crate) fn end(&self) -> u64 {
        self.last.end() + self.open.events
    }

    /// The sequence after the last message.
    pub(crate) fn said(&self) -> u64 {
        self.said
    }

    /// Whether events are encoded in revision 2 from now on: only while there are readers.
    pub(crate) fn set_v2(&mut self, has_v2: bool) {
        if self.has_v2 != has_v2 {
            // A segment holds all of its events in a dialect, or none.
            self.seal();
            self.has_v2 = has_v2;
        }
    }

    /// Appends the next event.
    pub(crate) fn append(&mut self, event: &RoomEvent<'_>) {
        debug_assert_eq!(event.sequence, self.end(), "events come in their order");
        if matches!(event.kind, EventKind::Said { .. }) {
            self.said = event.sequence + 1;
            self.open.said_at.get_or_insert(event.time);
        }
        self.open.began_at.get_or_insert(event.time);
        self.open.events += 1;
        let encoded = &mut self.open.encoded;
        encoded.v1.append(Dialect::V1, event);
        if self.has_v2 {
            encoded.v2.append(Dialect::V2, event);
        }
        if encoded.v1.bytes.len().max(encoded.v2.bytes.len()) >= SEAL_AT {
            self.seal();
        }
    }

    /// Makes everything appended so far visible to the readers.
    pub(crate) fn seal(&mut self) {
        if self.open.events == 0 {
            return;
        }
        let (start, end) = (self.last.end(), self.end());
        let OpenSegment { events, encoded, said_at, began_at } = &mut self.open;
        *events = 0;
        let (began_at, said_at) = (began_at.take(), said_at.take());
        let encoded = PerDialect { v1: encoded.v1.seal(), v2: encoded.v2.seal() };
        let next = OnceLock::new();
        let segment = Arc::new(Segment { start, end, began_at, said_at, encoded, next });
        // Only the log sets `next`, and only on its last segment, which it replaces right here.
        let _ = self.last.next.set(Arc::clone(&segment));
        self.last = segment;
    }

    /// A reader that gets everything sealed from now on.
    pub(crate) fn reader(&self) -> Reader {
        Reader { last: Arc::clone(&self.last) }
    }
}

impl Encoding {
    fn append(&mut self, dialect: Dialect, event: &RoomEvent<'_>) {
        let Self { bytes, starts } = self;
        if bytes.capacity() - bytes.len() < 4096 {
            bytes.reserve(CHUNK);
        }
        starts.push(bytes.len());
        dialect.encode(event, bytes);
    }

    fn seal(&mut self) -> Encoded {
        let starts = std::mem::take(&mut self.starts).into_boxed_slice();
        Encoded { bytes: self.bytes.split().freeze(), starts }
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
        let (mut lengths, mut said_at) = (first.lengths(), first.said_at);
        while let Some(next) = last.next() {
            let PerDialect { v1, v2 } = next.lengths();
            let longer = PerDialect { v1: lengths.v1 + v1, v2: lengths.v2 + v2 };
            if longer.v1.max(longer.v2) > most {
                break;
            }
            lengths = longer;
            said_at = said_at.or(next.said_at);
            last = Arc::clone(next);
        }
        let end = last.end();
        self.last = last;
        Some(Span { first, end, said_at, lengths })
    }
}

impl Span {
    /// How many bytes the span has in that dialect.
    pub(crate) fn length(&self, dialect: Dialect) -> usize {
        *self.lengths.of(dialect)
    }
}

impl Segment {
    /// The sequence of the first event.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The sequence after the last event.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The time of the first event.
    pub(crate) fn began_at(&self) -> Option<Instant> {
        self.began_at
    }

    /// All events in that dialect.
    pub(crate) fn bytes(&self, dialect: Dialect) -> &Bytes {
        &self.encoded.of(dialect).bytes
    }

    /// Where the event with that sequence begins in [`Segment::bytes`].
    pub(crate) fn offset(&self, dialect: Dialect, sequence: u64) -> usize {
        let encoded = self.encoded.of(dialect);
        let event = usize::try_from(sequence.saturating_sub(self.start)).unwrap_or(usize::MAX);
        encoded.starts.get(event).copied().unwrap_or(encoded.bytes.len())
    }

    fn lengths(&self) -> PerDialect<usize> {
        let PerDialect { v1, v2 } = &self.encoded;
        PerDialect { v1: v1.bytes.len(), v2: v2.bytes.len() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::v2::{self, UnixMillis};
    use crate::protocol::{Decode as _, MessageText, Username};

    /// The bytes of a message from `x` besides its text: type and two lengths, and the name.
    const FRAME: usize = 4 + 4 + 1 + 4;

    fn say(log: &mut EventLog, text: &str) {
        let (from, text) = (Username::parse("x").unwrap(), MessageText::parse(text).unwrap());
        let kind = EventKind::Said { from: &from, text: &text, action: false };
        let (time, at) = (Instant::now(), UnixMillis(0));
        log.append(&RoomEvent { sequence: log.end(), time, at, kind });
    }

    fn append(log: &mut EventLog, text: &str) {
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
        let mut log = EventLog::new();
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
        let mut log = EventLog::new();
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
    fn revision_2_is_encoded_only_while_it_has_readers() {
        let mut log = EventLog::new();
        let mut reader = log.reader();
        say(&mut log, "before");
        log.set_v2(true);
        append(&mut log, "meanwhile");
        log.set_v2(false);
        append(&mut log, "after");
        let span = reader.take(usize::MAX).unwrap();
        assert_eq!(read(&span), ["before", "meanwhile", "after"]);
        let second = span.first.next().unwrap();
        let bytes = second.bytes(Dialect::V2);
        assert_eq!(bytes.len(), span.length(Dialect::V2));
        let (frame, length) = v2::ServerFrame::decode(bytes).unwrap().unwrap();
        assert!(matches!(frame, v2::ServerFrame::Said { sequence: 2, .. }), "{frame:?}");
        assert_eq!((length, second.offset(Dialect::V2, 1)), (bytes.len(), 0));
    }

    #[test]
    fn a_span_does_not_grow_when_the_log_does() {
        let mut log = EventLog::new();
        let mut reader = log.reader();
        append(&mut log, "one");
        let span = reader.take(100).unwrap();
        append(&mut log, "two");
        assert_eq!(read(&span), ["one"]);
    }

    #[test]
    fn unsealed_events_are_not_read() {
        let mut log = EventLog::new();
        let mut reader = log.reader();
        say(&mut log, "x");
        assert!(reader.take(1).is_none());
        assert_eq!(log.end(), 1);
    }

    #[test]
    fn a_long_chain_is_freed_without_exhausting_the_stack() {
        let mut log = EventLog::new();
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
