//! Group commit for the room: what to write to whom, and when.
//!
//! Each shard (an event loop with its share of the connections) writes one batch at a time.
//! What is said meanwhile is gathered and leaves as one batch when the shard is done: alone a
//! message leaves at once, under load one write carries many.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::protocol::MessageText;
use crate::protocol::{Encode, ServerFrame, Username, encode_joined, encode_left, encode_message};
use crate::server::ids::{ConnectionId, Route};
use crate::server::messages::Publish;
use crate::server::metrics::frame_counts::FrameCounts;
use crate::server::room::batch::{Batch, MAX_BATCH, Welcome};
use crate::server::room::log::{Log, Reader};
use crate::server::room::roster::Roster;

/// After a batch that took this long to write, more is gathered before the next one: a write
/// costs about the same however much it carries, so under load waiting saves work.
const LONG_WRITE: Duration = Duration::from_micros(500);
/// How long to gather after such a batch.
const GATHER: Duration = Duration::from_micros(300);
/// How long joins and leaves alone are gathered after any batch. Nobody waits for them, and when
/// two thousand come at once, telling each of each at once would be millions of writes.
const GATHER_ANNOUNCEMENTS: Duration = Duration::from_millis(20);

/// The log, who is in the room, and what each shard has still to write.
#[derive(Debug)]
pub(crate) struct Fanout {
    log: Log,
    roster: Roster,
    replay_roster: bool,
    /// The frames of the message of the day, and how many.
    motd: (Bytes, u64),
    frames: FrameCounts,
    shards: Vec<ShardState>,
}

#[derive(Debug)]
struct ShardState {
    reader: Reader,
    /// When the batch in flight was begun.
    busy_since: Option<Instant>,
    /// When the last batch was written, and how long to gather after it.
    written_at: Option<(Instant, Duration)>,
    publishers: VecDeque<(u64, ConnectionId)>,
    relays: VecDeque<Relayed>,
    /// The segments with messages that were not taken yet: where each starts, and when the oldest
    /// of its messages was read.
    said: VecDeque<(u64, Instant)>,
    taken: FrameCounts,
}

/// A frame about a step of somebody.
#[derive(Debug)]
struct Relayed {
    from: ConnectionId,
    to: ConnectionId,
    frame: Bytes,
    /// The end of the log that it comes behind.
    end: u64,
}

impl Fanout {
    /// An empty room that is written by `shards` shards.
    pub(crate) fn new(shards: usize, replay_roster: bool) -> Self {
        let log = Log::new();
        let shard = || ShardState {
            reader: log.reader(),
            busy_since: None,
            written_at: None,
            publishers: VecDeque::new(),
            relays: VecDeque::new(),
            said: VecDeque::new(),
            taken: FrameCounts::default(),
        };
        let shards = (0..shards).map(|_| shard()).collect();
        let (roster, frames) = (Roster::default(), FrameCounts::default());
        Self { log, roster, replay_roster, motd: Default::default(), frames, shards }
    }

    /// Sets whether newcomers are told who is here.
    pub(crate) fn set_replay_roster(&mut self, replay_roster: bool) {
        self.replay_roster = replay_roster;
    }

    /// Sets what each newcomer is told and in whose name.
    pub(crate) fn set_motd(&mut self, from: &Username, lines: &[MessageText]) {
        let mut out = BytesMut::new();
        for text in lines {
            encode_message(from, text, &mut out);
        }
        self.motd = (out.freeze(), u64::try_from(lines.len()).unwrap_or_default());
    }

    /// Lets `name` in and announces it; what the newcomer gets first.
    pub(crate) fn enter(&mut self, id: ConnectionId, name: &Username) -> Welcome {
        let mut accepted = BytesMut::new();
        ServerFrame::JoinAnswer { accepted: true }.encode(&mut accepted);
        let mut parts = vec![accepted.freeze()];
        let mut announced = 0;
        if self.replay_roster {
            announced = u64::try_from(self.roster.len()).unwrap_or_default();
            parts.extend(self.roster.replay());
        }
        let mut arrival = BytesMut::new();
        encode_joined(name, &mut arrival);
        self.log.append(|out| out.extend_from_slice(&arrival));
        self.frames.joined += 1;
        parts.push(arrival.freeze());
        let (motd, said) = self.motd.clone();
        parts.extend(Some(motd).filter(|_| said > 0));
        self.roster.enter(id, name.clone());
        Welcome { parts, start: self.log.end(), announced, said }
    }

    /// Lets a client out and announces it to those who remain; nothing when it was not here. What
    /// it wanted of others and was not handed out yet is void: they would read it behind the leave.
    pub(crate) fn leave(&mut self, id: ConnectionId) {
        if let Some(name) = self.roster.leave(id) {
            for shard in &mut self.shards {
                shard.relays.retain(|relayed| relayed.from != id);
            }
            self.log.append(|out| encode_left(&name, out));
            self.frames.left += 1;
        }
    }

    /// Appends the MSGBC frames that a client of `shard` said; it is told in the batch that
    /// carries them ([`Batch::published`]) and publishes no more until then, so that what waits
    /// here is bounded by what each client may have in flight.
    pub(crate) fn publish(&mut self, said: &Publish) {
        let start = self.log.sealed();
        self.log.append(|out| out.extend_from_slice(&said.frames));
        self.frames.said += said.count;
        let end = self.log.end();
        for shard in &mut self.shards {
            if shard.said.back().is_none_or(|&(last, _)| last != start) {
                shard.said.push_back((start, said.at));
            }
        }
        if let Some(shard) = self.shards.get_mut(said.route.shard) {
            shard.publishers.push_back((end, said.route.id));
        }
    }

    /// Sends a frame about a step of `from` to one client, behind everything that was said and
    /// announced before; nothing when `from` is not here. A leave takes a shorter way to the room
    /// than the step before it, and nobody is to be asked by somebody who is known to be gone.
    pub(crate) fn relay(&mut self, from: ConnectionId, to: Route, frame: Bytes) {
        if !self.roster.has(from) {
            return;
        }
        let end = self.log.end();
        if let Some(shard) = self.shards.get_mut(to.shard) {
            shard.relays.push_back(Relayed { from, to: to.id, frame, end });
        }
    }

    /// Says something to everybody in the name of the server.
    pub(crate) fn announce(&mut self, from: &Username, text: &MessageText) {
        self.log.append(|out| encode_message(from, text, out));
        self.frames.said += 1;
    }

    /// The batches that can be written now: for each idle shard what it has not written yet.
    /// Those shards are busy until [`Fanout::written`].
    pub(crate) fn flush(&mut self, now: Instant) -> Vec<(usize, Batch)> {
        let (end, frames) = (self.log.end(), self.frames);
        if !self.shards.iter().any(|shard| shard.is_ready(now, end)) {
            return Vec::new();
        }
        self.log.seal();
        let shards = self.shards.iter_mut().enumerate();
        let ready = shards.filter(|(_, shard)| shard.is_ready(now, end));
        ready.map(|(index, shard)| (index, shard.take(now, end, frames))).collect()
    }

    /// When to flush again although nothing happens until then: a shard is gathering.
    pub(crate) fn gathering_until(&self) -> Option<Instant> {
        let end = self.log.end();
        let gathering =
            self.shards.iter().filter(|shard| shard.busy_since.is_none() && shard.has_work(end));
        gathering.filter_map(ShardState::not_before).min()
    }

    /// Whether everything said has been written by every shard.
    pub(crate) fn is_idle(&self) -> bool {
        let end = self.log.end();
        self.shards.iter().all(|shard| shard.busy_since.is_none() && !shard.has_work(end))
    }

    /// `shard` has handed its batch to its sockets.
    pub(crate) fn written(&mut self, shard: usize, now: Instant) {
        let Some(shard) = self.shards.get_mut(shard) else { return };
        if let Some(since) = shard.busy_since.take() {
            let took = now.saturating_duration_since(since);
            let gather = if took < LONG_WRITE { Duration::ZERO } else { GATHER };
            shard.written_at = Some((now, gather));
        }
    }
}

impl ShardState {
    fn is_ready(&self, now: Instant, log_end: u64) -> bool {
        self.busy_since.is_none()
            && self.has_work(log_end)
            && self.not_before().is_none_or(|at| at <= now)
    }

    fn has_work(&self, log_end: u64) -> bool {
        self.reader.position() < log_end || !self.relays.is_empty()
    }

    fn not_before(&self) -> Option<Instant> {
        let (written_at, gather) = self.written_at?;
        let somebody_waits = !self.said.is_empty() || !self.relays.is_empty();
        let gather = if somebody_waits { gather } else { GATHER_ANNOUNCEMENTS };
        Some(written_at + gather)
    }

    fn take(&mut self, now: Instant, log_end: u64, frames: FrameCounts) -> Batch {
        let span = self.reader.take(MAX_BATCH);
        let position = self.reader.position();
        let carried = self.publishers.partition_point(|&(end, _)| end <= position);
        let published = self.publishers.drain(..carried).map(|(_, id)| id).collect();
        let due = self.relays.partition_point(|relayed| relayed.end <= position);
        let due = self.relays.drain(..due);
        let relayed = due.map(|Relayed { to, frame, .. }| (to, frame)).collect();
        let told = self.said.partition_point(|&(start, _)| start < position);
        let said_at = self.said.drain(..told).next().map(|(_, at)| at);
        self.busy_since = Some(now);
        let mut batch = Batch { span, relayed, published, said_at, frames: FrameCounts::default() };
        if position == log_end {
            batch.frames = frames.since(self.taken);
            self.taken = frames;
        }
        batch
    }
}

#[cfg(test)]
mod tests;
