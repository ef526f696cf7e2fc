//! What one shard has still to write, and when it is handed over.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::server::ids::{ConnectionId, MemberId};
use crate::server::metrics::frame_counts::FrameCounts;
use crate::server::room::batch::{Batch, MAX_BATCH};
use crate::server::room::log::{EventLog, Reader};

/// After a batch that took this long to write, more is gathered before the next one: a write
/// costs about the same whatever its size, so under load waiting saves work.
pub(super) const LONG_WRITE: Duration = Duration::from_micros(500);
/// How long to gather after such a batch.
pub(super) const GATHER: Duration = Duration::from_micros(300);
/// How long joins and leaves alone are gathered after any batch. They are not urgent, and when
/// two thousand come at once, announcing each to each at once would be millions of writes.
pub(super) const GATHER_ANNOUNCEMENTS: Duration = Duration::from_millis(20);

/// A shard, which writes one batch at a time.
#[derive(Debug)]
pub(super) struct ShardState {
    reader: Reader,
    /// When the batch in flight was begun.
    busy_since: Option<Instant>,
    /// When the last batch was written, and how long to gather after it.
    written_at: Option<(Instant, Duration)>,
    publishers: VecDeque<(u64, ConnectionId)>,
    relays: VecDeque<Relayed>,
    taken: FrameCounts,
}

/// A frame that follows from a step of another client.
#[derive(Debug)]
pub(super) struct Relayed {
    pub(super) from: MemberId,
    pub(super) to: ConnectionId,
    pub(super) frame: Bytes,
    /// The end of the log that it follows.
    pub(super) end: u64,
}

impl ShardState {
    pub(super) fn new(reader: Reader) -> Self {
        Self {
            reader,
            busy_since: None,
            written_at: None,
            publishers: VecDeque::new(),
            relays: VecDeque::new(),
            taken: FrameCounts::default(),
        }
    }

    /// Reads another log from now on.
    pub(super) fn read_from(&mut self, reader: Reader) {
        self.reader = reader;
    }

    /// Lets a connection continue once the log is written up to `end`.
    pub(super) fn publishes(&mut self, end: u64, publisher: ConnectionId) {
        self.publishers.push_back((end, publisher));
    }

    pub(super) fn relay(&mut self, relayed: Relayed) {
        self.relays.push_back(relayed);
    }

    /// Drops the frames that follow from steps of that member.
    pub(super) fn drop_relays_from(&mut self, member: MemberId) {
        self.relays.retain(|relayed| relayed.from != member);
    }

    /// Whether everything has been written.
    pub(super) fn is_idle(&self, log: &EventLog) -> bool {
        self.busy_since.is_none() && !self.has_work(log)
    }

    pub(super) fn is_ready(&self, now: Instant, log: &EventLog) -> bool {
        self.busy_since.is_none()
            && self.has_work(log)
            && self.not_before(log).is_none_or(|at| at <= now)
    }

    /// Until when it gathers, if it does.
    pub(super) fn gathers_until(&self, log: &EventLog) -> Option<Instant> {
        let waits = self.busy_since.is_none() && self.has_work(log);
        if waits { self.not_before(log) } else { None }
    }

    /// The next batch; the shard is busy until [`Self::written`].
    pub(super) fn take(&mut self, now: Instant, log_end: u64, frames: FrameCounts) -> Batch {
        let span = self.reader.take(MAX_BATCH);
        let position = self.reader.position();
        let included = self.publishers.partition_point(|&(end, _)| end <= position);
        let published = self.publishers.drain(..included).map(|(_, id)| id).collect();
        let due = self.relays.partition_point(|relayed| relayed.end <= position);
        let due = self.relays.drain(..due);
        let relayed = due.map(|Relayed { to, frame, .. }| (to, frame)).collect();
        let said_at = span.as_ref().and_then(|span| span.said_at);
        self.busy_since = Some(now);
        let mut batch = Batch { span, relayed, published, said_at, frames: FrameCounts::default() };
        if position == log_end {
            batch.frames = frames.since(self.taken);
            self.taken = frames;
        }
        batch
    }

    /// The batch in flight has been handed to the sockets.
    pub(super) fn written(&mut self, now: Instant) {
        if let Some(since) = self.busy_since.take() {
            let took = now.saturating_duration_since(since);
            let gather = if took < LONG_WRITE { Duration::ZERO } else { GATHER };
            self.written_at = Some((now, gather));
        }
    }

    fn has_work(&self, log: &EventLog) -> bool {
        self.reader.position() < log.end() || !self.relays.is_empty()
    }

    fn not_before(&self, log: &EventLog) -> Option<Instant> {
        let (written_at, gather) = self.written_at?;
        let is_urgent = self.reader.position() < log.said() || !self.relays.is_empty();
        let gather = if is_urgent { gather } else { GATHER_ANNOUNCEMENTS };
        Some(written_at + gather)
    }
}
