//! What waits to be written to one client, bounded in bytes.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use crate::server::room::log::{Segment, Span};

/// The most slices that one system call writes.
pub(crate) const MAX_SLICES: usize = 32;

/// Frames for this client alone and spans of the room's log, in the order in which they are due.
#[derive(Debug)]
pub(crate) struct Outbox {
    entries: VecDeque<Entry>,
    queued: usize,
    allowance: usize,
    limit: usize,
}

/// More bytes wait than the limit allows: the client reads too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

#[derive(Debug)]
enum Entry {
    Frame(Bytes),
    Log { segment: Arc<Segment>, at: u64, end: u64 },
}

impl Outbox {
    /// An empty outbox that takes `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: VecDeque::new(), queued: 0, allowance: 0, limit }
    }

    /// Bytes that wait.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued == 0
    }

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Queues a frame for this client alone.
    pub(crate) fn push_frame(&mut self, frame: Bytes) -> Result<(), Overflow> {
        if frame.is_empty() {
            return Ok(());
        }
        self.queued += frame.len();
        self.entries.push_back(Entry::Frame(frame));
        self.check()
    }

    /// Queues the roster of a newcomer, which does not count against the limit: its size is the
    /// room's doing, and its bytes are shared.
    pub(crate) fn push_welcome(&mut self, parts: impl IntoIterator<Item = Bytes>) {
        for part in parts {
            self.allowance += part.len();
            let _ = self.push_frame(part);
        }
    }

    /// Queues the part of `span` that does not lie before `from`.
    pub(crate) fn push_span(&mut self, span: &Span, from: u64) -> Result<(), Overflow> {
        let at = span.first.start().max(from);
        let Some(length) = span.end.checked_sub(at).filter(|&length| length > 0) else {
            return Ok(());
        };
        self.queued += usize::try_from(length).unwrap_or(usize::MAX);
        match self.entries.back_mut() {
            Some(Entry::Log { end, .. }) if *end == at => *end = span.end,
            _ => {
                let mut segment = &span.first;
                while segment.end() <= at {
                    let Some(next) = segment.next() else { break };
                    segment = next;
                }
                let segment = Arc::clone(segment);
                self.entries.push_back(Entry::Log { segment, at, end: span.end });
            }
        }
        self.check()
    }

    /// The bytes to be written next, as at most [`MAX_SLICES`] slices; how many were filled in.
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
                Entry::Log { segment, at, end } => {
                    let mut current = Some(segment);
                    let mut more = true;
                    while let Some(segment) = current.filter(|s| more && s.start() < *end) {
                        more = put(unwritten(segment, *at));
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

    /// Forgets the first `written` bytes.
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
                Entry::Log { segment, at, end } => {
                    let left = unwritten(segment, *at).len();
                    let step = written.min(left);
                    *at += u64::try_from(step).unwrap_or(u64::MAX);
                    written -= step;
                    if step == left && *at < *end {
                        let Some(next) = segment.next().map(Arc::clone) else { break };
                        *segment = next;
                    }
                    *at == *end
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

    fn check(&self) -> Result<(), Overflow> {
        if self.queued > self.limit + self.allowance { Err(Overflow) } else { Ok(()) }
    }
}

/// The bytes of `segment` from log offset `at` on.
fn unwritten(segment: &Segment, at: u64) -> &[u8] {
    let skip = usize::try_from(at.saturating_sub(segment.start())).unwrap_or(usize::MAX);
    segment.bytes().get(skip..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::room::log::{Log, Reader};

    fn log() -> (Log, Reader) {
        let log = Log::new();
        let reader = log.reader();
        (log, reader)
    }

    fn add(log: &mut Log, text: &[u8]) {
        log.append(|out| out.extend_from_slice(text));
        log.seal();
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
    fn bytes_come_out_in_order_however_they_are_cut() {
        for step in 1..40 {
            let (mut log, mut reader) = log();
            let mut outbox = Outbox::new(1000);
            add(&mut log, b"before");
            let start = log.end();
            outbox.push_welcome([Bytes::from_static(b"hello "), Bytes::from_static(b"roster ")]);
            add(&mut log, b"one ");
            add(&mut log, b"two ");
            outbox.push_span(&reader.take(100).unwrap(), start).unwrap();
            add(&mut log, b"three ");
            outbox.push_span(&reader.take(100).unwrap(), start).unwrap();
            outbox.push_frame(Bytes::from_static(b"direct ")).unwrap();
            add(&mut log, b"four");
            outbox.push_span(&reader.take(100).unwrap(), start).unwrap();
            assert_eq!(drain(&mut outbox, step), b"hello roster one two three direct four");
        }
    }

    #[test]
    fn a_stuck_reader_holds_one_entry_whatever_is_said() {
        let (mut log, mut reader) = log();
        let mut outbox = Outbox::new(1_000_000);
        for _ in 0..1000 {
            add(&mut log, b"0123456789");
            outbox.push_span(&reader.take(100).unwrap(), 0).unwrap();
        }
        assert_eq!((outbox.entries.len(), outbox.queued()), (1, 10_000));
        assert_eq!(drain(&mut outbox, 777).len(), 10_000);
        assert_eq!(outbox.entries.capacity(), 0);
    }

    #[test]
    fn a_span_before_the_start_is_not_queued() {
        let (mut log, mut reader) = log();
        let mut outbox = Outbox::new(10);
        add(&mut log, b"old");
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
