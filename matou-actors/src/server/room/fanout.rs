//! Group commit for the room: what to write to whom, and when.
//!
//! Each shard (an event loop with its share of the connections) writes one batch at a time.
//! What is said meanwhile is gathered and leaves as one batch when the shard is done: alone a
//! message leaves at once, under load one write covers many.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::protocol::{Encode, MessageText, ServerFrame, Username, encode_joined, encode_message};
use crate::server::ids::{ConnectionId, MemberId, Route};
use crate::server::messages::Publish;
use crate::server::metrics::frame_counts::FrameCounts;
use crate::server::room::batch::{Batch, MAX_BATCH, Welcome};
use crate::server::room::event::{EventKind, RoomEvent};
use crate::server::room::log::{Log, Reader};
use crate::server::room::roster::Roster;
use crate::server::room::sequencer::{Change, Committed, LocalSequencer, Proposal, Sequencer};

/// After a batch that took this long to write, more is gathered before the next one: a write
/// costs about the same whatever its size, so under load waiting saves work.
const LONG_WRITE: Duration = Duration::from_micros(500);
/// How long to gather after such a batch.
const GATHER: Duration = Duration::from_micros(300);
/// How long joins and leaves alone are gathered after any batch. They are not urgent, and when
/// two thousand come at once, telling each of each at once would be millions of writes.
const GATHER_ANNOUNCEMENTS: Duration = Duration::from_millis(20);

/// The log, who is in the room, and what each shard has still to write.
#[derive(Debug)]
pub(crate) struct Fanout {
    sequencer: Box<dyn Sequencer>,
    /// Who has asked to join and is not in the order yet.
    joining: HashMap<MemberId, Route>,
    /// Whose leave is proposed and not committed.
    leaving: HashSet<MemberId>,
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
    taken: FrameCounts,
}

/// A frame that follows from a step of another client.
#[derive(Debug)]
struct Relayed {
    from: MemberId,
    to: ConnectionId,
    frame: Bytes,
    /// The end of the log that it comes behind.
    end: u64,
}

impl Fanout {
    /// An empty room that is written by `shards` shards.
    pub(crate) fn new(shards: usize, replay_roster: bool) -> Self {
        Self::ordered_by(Box::new(LocalSequencer::default()), shards, replay_roster)
    }

    fn ordered_by(sequencer: Box<dyn Sequencer>, shards: usize, replay_roster: bool) -> Self {
        let log = Log::new();
        let shard = || ShardState {
            reader: log.reader(),
            busy_since: None,
            written_at: None,
            publishers: VecDeque::new(),
            relays: VecDeque::new(),
            taken: FrameCounts::default(),
        };
        let shards = (0..shards).map(|_| shard()).collect();
        let (roster, frames) = (Roster::default(), FrameCounts::default());
        Self {
            sequencer,
            joining: HashMap::new(),
            leaving: HashSet::new(),
            log,
            roster,
            replay_roster,
            motd: Default::default(),
            frames,
            shards,
        }
    }

    /// Sets whether newcomers get the roster.
    pub(crate) fn set_replay_roster(&mut self, replay_roster: bool) {
        self.replay_roster = replay_roster;
    }

    /// Sets the message of the day and the name that it comes from.
    pub(crate) fn set_motd(&mut self, from: &Username, lines: &[MessageText]) {
        let mut out = BytesMut::new();
        for text in lines {
            encode_message(from, text, &mut out);
        }
        self.motd = (out.freeze(), u64::try_from(lines.len()).unwrap_or_default());
    }

    /// Asks for `name` to join: it is in the room once that is committed.
    pub(crate) fn enter(&mut self, route: Route, name: Username, now: Instant) {
        let member = route.id.into();
        self.joining.insert(member, route);
        self.propose(Change::Join { member, name }, now);
    }

    /// Asks for a member to leave; nothing when it is not here.
    pub(crate) fn leave(&mut self, member: MemberId, now: Instant) {
        let is_here = self.roster.has(member) || self.joining.remove(&member).is_some();
        if is_here && self.leaving.insert(member) {
            self.propose(Change::Leave { member }, now);
        }
    }

    /// Proposes what a client said; it may go on with the batch that holds the last of it
    /// ([`Batch::published`]) and publishes no more until then, so that what waits here is
    /// bounded by what each client may have in flight.
    pub(crate) fn publish(&mut self, said: Publish) {
        let Publish { route, from, texts, at, resumes, .. } = said;
        let publisher = resumes.then_some(route);
        self.propose(Change::Say { publisher, from, texts }, at);
    }

    /// Says something to everybody in the name of the server.
    pub(crate) fn announce(&mut self, from: Username, text: MessageText, now: Instant) {
        self.propose(Change::Say { publisher: None, from, texts: vec![text] }, now);
    }

    fn propose(&mut self, change: Change, time: Instant) {
        self.sequencer.propose(Proposal { time, change });
    }

    /// Appends what was committed; the new members among it, and what each gets first.
    pub(crate) fn commit(&mut self) -> Vec<(Route, Username, Welcome)> {
        let mut admitted = Vec::new();
        while let Some(Committed { first, proposal: Proposal { time, change } }) =
            self.sequencer.committed()
        {
            match change {
                Change::Join { member, name } => {
                    let welcome = self.join(member, &name, first, time);
                    // Who has left meanwhile, or joins elsewhere, is not waiting here.
                    if let Some(route) = self.joining.remove(&member) {
                        admitted.push((route, name, welcome));
                    }
                }
                Change::Leave { member } => {
                    self.leaving.remove(&member);
                    self.left(member, first, time);
                }
                Change::Say { publisher, from, texts } => {
                    self.said(publisher, &from, &texts, first, time);
                }
            }
        }
        admitted
    }

    fn join(&mut self, member: MemberId, name: &Username, sequence: u64, time: Instant) -> Welcome {
        let mut accepted = BytesMut::new();
        ServerFrame::JoinAnswer { accepted: true }.encode(&mut accepted);
        let mut parts = vec![accepted.freeze()];
        let mut announced = 0;
        if self.replay_roster {
            announced = u64::try_from(self.roster.len()).unwrap_or_default();
            parts.extend(self.roster.replay());
        }
        let mut own = BytesMut::new();
        encode_joined(name, &mut own);
        parts.push(own.freeze());
        let (motd, said) = self.motd.clone();
        parts.extend(Some(motd).filter(|_| said > 0));
        self.log.append(&RoomEvent { sequence, time, kind: EventKind::Joined(name) });
        self.frames.joined += 1;
        self.roster.enter(member, name.clone());
        Welcome { parts, start: self.log.end(), announced, said }
    }

    /// What a member asked of others and was not handed out yet is void when it leaves: they would
    /// read it behind the leave.
    fn left(&mut self, member: MemberId, sequence: u64, time: Instant) {
        if let Some(name) = self.roster.leave(member) {
            for shard in &mut self.shards {
                shard.relays.retain(|relayed| relayed.from != member);
            }
            self.log.append(&RoomEvent { sequence, time, kind: EventKind::Left(&name) });
            self.frames.left += 1;
        }
    }

    fn said(
        &mut self,
        publisher: Option<Route>,
        from: &Username,
        texts: &[MessageText],
        first: u64,
        time: Instant,
    ) {
        for (sequence, text) in (first..).zip(texts) {
            self.log.append(&RoomEvent { sequence, time, kind: EventKind::Said { from, text } });
            self.frames.said += 1;
        }
        let Some(publisher) = publisher else { return };
        let end = self.log.end();
        if let Some(shard) = self.shards.get_mut(publisher.shard) {
            shard.publishers.push_back((end, publisher.id));
        }
    }

    /// Sends a frame about a step of `from` to one client, behind everything that was said and
    /// announced before; nothing when `from` is not here. A leave takes a shorter way to the room
    /// than the step before it, and no one may receive a request from a user who is known to be gone.
    pub(crate) fn relay(&mut self, from: MemberId, to: Route, frame: Bytes) {
        if !self.roster.has(from) {
            return;
        }
        let end = self.log.end();
        if let Some(shard) = self.shards.get_mut(to.shard) {
            shard.relays.push_back(Relayed { from, to: to.id, frame, end });
        }
    }

    /// The batches that can be written now: for each idle shard what it has not written yet.
    /// Those shards are busy until [`Fanout::written`].
    pub(crate) fn flush(&mut self, now: Instant) -> Vec<(usize, Batch)> {
        let (log, frames) = (&mut self.log, self.frames);
        if !self.shards.iter().any(|shard| shard.is_ready(now, log)) {
            return Vec::new();
        }
        log.seal();
        let shards = self.shards.iter_mut().enumerate();
        let ready = shards.filter(|(_, shard)| shard.is_ready(now, log));
        ready.map(|(index, shard)| (index, shard.take(now, log.end(), frames))).collect()
    }

    /// When to flush again although nothing happens until then: a shard is gathering.
    pub(crate) fn gathering_until(&self) -> Option<Instant> {
        let waits = |shard: &&ShardState| shard.busy_since.is_none() && shard.has_work(&self.log);
        self.shards.iter().filter(waits).filter_map(|shard| shard.not_before(&self.log)).min()
    }

    /// Whether everything said has been written by every shard.
    pub(crate) fn is_idle(&self) -> bool {
        self.shards.iter().all(|shard| shard.busy_since.is_none() && !shard.has_work(&self.log))
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
    fn is_ready(&self, now: Instant, log: &Log) -> bool {
        self.busy_since.is_none()
            && self.has_work(log)
            && self.not_before(log).is_none_or(|at| at <= now)
    }

    fn has_work(&self, log: &Log) -> bool {
        self.reader.position() < log.end() || !self.relays.is_empty()
    }

    fn not_before(&self, log: &Log) -> Option<Instant> {
        let (written_at, gather) = self.written_at?;
        let is_urgent = self.reader.position() < log.said() || !self.relays.is_empty();
        let gather = if is_urgent { gather } else { GATHER_ANNOUNCEMENTS };
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
        let said_at = span.as_ref().and_then(|span| span.said_at);
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
