//! The room's log: what everybody gets, once in memory, read by each at their own pace.
//!
//! Bytes are appended, sealed into segments, and the segments form a chain. Whoever holds a
//! segment can reach all that came after it, and keeps it alive; what nobody has still to read
//! is freed by itself. A thousand stuck readers thus cost one log, not a thousand queues.

use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};

/// Bytes that the log asks the allocator for at a time.
const CHUNK: usize = 64 * 1024;
/// An open segment of this size is sealed, so that a batch can end there.
const SEAL_AT: usize = 64 * 1024;

/// The writing end.
#[derive(Debug)]
pub(crate) struct Log {
    open: BytesMut,
    last: Arc<Segment>,
}

/// A sealed run of whole frames, with the way to what follows.
#[derive(Debug)]
pub(crate) struct Segment {
    start: u64,
    bytes: Bytes,
    next: OnceLock<Arc<Segment>>,
}

/// A place in the log: everything before it was read.
#[derive(Debug)]
pub(crate) struct Reader {
    last: Arc<Segment>,
}

/// Some whole segments in a row, `start..end` in log offsets.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) first: Arc<Segment>,
    pub(crate) end: u64,
}

impl Log {
    pub(crate) fn new() -> Self {
        let root = Segment { start: 0, bytes: Bytes::new(), next: OnceLock::new() };
        Self { open: BytesMut::new(), last: Arc::new(root) }
    }

    /// The offset of the next byte to be appended.
    pub(crate) fn end(&self) -> u64 {
        self.last.end() + offset(self.open.len())
    }

    /// The offset of the first byte that is not sealed yet: where its segment will start.
    pub(crate) fn sealed(&self) -> u64 {
        self.last.end()
    }

    /// Appends what `encode` writes: whole frames, so that every segment holds whole frames.
    pub(crate) fn append(&mut self, encode: impl FnOnce(&mut BytesMut)) {
        if self.open.capacity() - self.open.len() < 4096 {
            self.open.reserve(CHUNK);
        }
        encode(&mut self.open);
        if self.open.len() >= SEAL_AT {
            self.seal();
        }
    }

    /// Makes everything appended so far visible to the readers.
    pub(crate) fn seal(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let segment = Arc::new(Segment {
            start: self.last.end(),
            bytes: self.open.split().freeze(),
            next: OnceLock::new(),
        });
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
    /// The log offset up to which everything was read.
    pub(crate) fn position(&self) -> u64 {
        self.last.end()
    }

    /// Takes the sealed segments that were not read yet, at least one and no more of them than
    /// `most` bytes; `None` when there are none.
    pub(crate) fn take(&mut self, most: usize) -> Option<Span> {
        let first = Arc::clone(self.last.next()?);
        let mut last = Arc::clone(&first);
        while let Some(next) = last.next() {
            if next.end() - first.start > offset(most) {
                break;
            }
            last = Arc::clone(next);
        }
        let end = last.end();
        self.last = last;
        Some(Span { first, end })
    }
}

impl Segment {
    /// The offset of the first byte.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The offset behind the last byte.
    pub(crate) fn end(&self) -> u64 {
        self.start + offset(self.bytes.len())
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
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

fn offset(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(log: &mut Log, text: &[u8]) {
        log.append(|out| out.extend_from_slice(text));
        log.seal();
    }

    fn read(span: &Span) -> Vec<u8> {
        let (mut out, mut segment) = (Vec::new(), Some(&span.first));
        while let Some(current) = segment.filter(|segment| segment.start() < span.end) {
            out.extend_from_slice(current.bytes());
            segment = current.next();
        }
        out
    }

    #[test]
    fn readers_read_everything_once_at_their_own_pace() {
        let mut log = Log::new();
        let (mut fast, mut slow) = (log.reader(), log.reader());
        append(&mut log, b"one");
        assert_eq!(read(&fast.take(100).unwrap()), b"one");
        append(&mut log, b"two");
        append(&mut log, b"three");
        assert_eq!(read(&fast.take(100).unwrap()), b"twothree");
        assert!(fast.take(100).is_none());
        assert_eq!(read(&slow.take(6).unwrap()), b"onetwo");
        assert_eq!(read(&slow.take(1).unwrap()), b"three", "at least one segment");
        assert_eq!(log.end(), 11);
    }

    #[test]
    fn a_span_does_not_grow_when_the_log_does() {
        let mut log = Log::new();
        let mut reader = log.reader();
        append(&mut log, b"one");
        let span = reader.take(100).unwrap();
        append(&mut log, b"two");
        assert_eq!(read(&span), b"one");
    }

    #[test]
    fn what_is_not_sealed_is_not_read() {
        let mut log = Log::new();
        let mut reader = log.reader();
        log.append(|out| out.extend_from_slice(b"x"));
        assert!(reader.take(1).is_none());
        assert_eq!(log.end(), 1);
    }

    #[test]
    fn a_long_chain_is_freed_without_exhausting_the_stack() {
        let mut log = Log::new();
        let mut reader = log.reader();
        for _ in 0..200_000 {
            append(&mut log, b"x");
        }
        let span = reader.take(1).unwrap();
        drop((log, reader));
        let weak = Arc::downgrade(span.first.next().unwrap());
        drop(span);
        assert!(weak.upgrade().is_none());
    }
}
