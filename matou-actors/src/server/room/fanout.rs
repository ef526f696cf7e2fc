//! Group commit for the room: what to write to whom, and when.
//!
//! Each shard (an event loop with its share of the connections) writes one batch at a time.
//! Messages meanwhile are gathered and leave as one batch when the shard is done: alone a message
//! leaves at once, under load one write covers many.

mod commit;

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use bytes::Bytes;

use crate::protocol::v2::{self, LeaveReason, UnixMillis};
use crate::protocol::{MessageText, Username};
use crate::server::ids::{MemberId, Route};
use crate::server::messages::Publish;
use crate::server::metrics::frame_counts::FrameCounts;
use crate::server::room::batch::Batch;
use crate::server::room::event::{Dialect, MemberKey, wire_sequence};
use crate::server::room::greeting::{Greeting, encoded};
use crate::server::room::history::{History, HistoryLimits};
use crate::server::room::history_file::Saved;
use crate::server::room::log::EventLog;
use crate::server::room::roster::{EncodedRoster, Present};
use crate::server::room::sequencer::{Change, LocalSequencer, Proposal, Sequencer};
use crate::server::room::shard_state::{Relayed, ShardState};

/// The log, the members, and what each shard has still to write.
#[derive(Debug)]
pub(crate) struct Fanout {
    sequencer: Box<dyn Sequencer>,
    /// Who has asked to join and is not in the order yet.
    joining: HashMap<MemberId, Newcomer>,
    /// Whose leave is proposed and not committed.
    leaving: HashSet<MemberId>,
    log: EventLog,
    roster: EncodedRoster,
    replay_roster: bool,
    history: History,
    greeting: Greeting,
    topic: Option<MessageText>,
    /// The time of day of what is committed next.
    now: UnixMillis,
    /// How many of the members speak revision 2.
    v2_members: usize,
    frames: FrameCounts,
    shards: Vec<ShardState>,
}

/// Who asks to join.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newcomer {
    pub(crate) route: Route,
    /// The last event that the client has seen; 0 is none.
    pub(crate) last_sequence: u64,
}

impl Fanout {
    /// An empty room that is written by `shards` shards.
    pub(crate) fn new(shards: usize, replay_roster: bool) -> Self {
        Self::ordered_by(Box::new(LocalSequencer::default()), shards, replay_roster)
    }

    /// An empty room whose events are ordered by `sequencer`.
    pub(crate) fn ordered_by(
        sequencer: Box<dyn Sequencer>,
        shards: usize,
        replay_roster: bool,
    ) -> Self {
        let log = EventLog::new();
        let shards = (0..shards).map(|_| ShardState::new(log.reader())).collect();
        let (roster, frames) = (EncodedRoster::default(), FrameCounts::default());
        Self {
            sequencer,
            joining: HashMap::new(),
            leaving: HashSet::new(),
            log,
            roster,
            replay_roster,
            history: History::default(),
            greeting: Greeting::default(),
            topic: None,
            now: UnixMillis(0),
            v2_members: 0,
            frames,
            shards,
        }
    }

    /// Sets whether newcomers get the roster.
    pub(crate) fn set_replay_roster(&mut self, replay_roster: bool) {
        self.replay_roster = replay_roster;
    }

    /// Sets how many messages are kept, and how many of them newcomers get.
    pub(crate) fn set_history(&mut self, limits: HistoryLimits) {
        self.history.set_limits(limits);
    }

    /// Continues after what an earlier run of the server saved, before anything has happened.
    pub(crate) fn resume(&mut self, saved: &Saved, now: UnixMillis) {
        self.sequencer = Box::new(LocalSequencer::starting_at(saved.next));
        self.log = EventLog::starting_at(saved.next);
        for shard in &mut self.shards {
            shard.read_from(self.log.reader());
        }
        self.history.restore(&saved.frames, now);
    }

    pub(crate) fn history_mut(&mut self) -> &mut History {
        &mut self.history
    }

    /// The sequence of the next event.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.log.end()
    }

    /// Sets the name of the server, and the message of the day that it sends.
    pub(crate) fn set_motd(&mut self, from: &Username, lines: &[MessageText]) {
        self.greeting = Greeting::new(from, lines);
    }

    /// Continues with the topic of an earlier run of the server, before anything has happened.
    pub(crate) fn restore_topic(&mut self, topic: Option<MessageText>) {
        self.topic = topic;
    }

    /// The topic as it was committed last.
    pub(crate) fn topic(&self) -> Option<&MessageText> {
        self.topic.as_ref()
    }

    /// Sets the time of day of what is committed next.
    pub(crate) fn set_time(&mut self, now: UnixMillis) {
        self.now = now;
    }

    /// Asks for `name` to join: it is in the room once that is committed.
    /// `replaces` is the same user on a connection that ends: it is in the room until then, or was
    /// asked for before.
    pub(crate) fn enter(
        &mut self,
        newcomer: Newcomer,
        name: Username,
        key: MemberKey,
        replaces: Option<MemberId>,
        now: Instant,
    ) {
        let member = newcomer.route.id.into();
        self.joining.insert(member, newcomer);
        self.propose(Change::Join { member, name, key, replaces }, now);
    }

    /// Asks for a member to leave; nothing when it is not here.
    pub(crate) fn leave(&mut self, member: MemberId, reason: LeaveReason, now: Instant) {
        let is_here = self.roster.has(member) || self.joining.remove(&member).is_some();
        if is_here && self.leaving.insert(member) {
            self.propose(Change::Leave { member, reason }, now);
        }
    }

    /// Proposes messages of a client; it may continue with the batch that contains the last of them
    /// ([`Batch::published`]) and publishes no more until then, so that what waits here is bounded
    /// by what each client may have in flight.
    pub(crate) fn publish(&mut self, said: Publish) {
        let Publish { route, from, texts, action, at, resumes, .. } = said;
        let publisher = resumes.then_some(route);
        self.propose(Change::Say { publisher, from, texts, action }, at);
    }

    /// Says something to the room in the name of the server.
    pub(crate) fn announce(&mut self, from: Username, text: MessageText, now: Instant) {
        let texts = vec![text];
        self.propose(Change::Say { publisher: None, from, texts, action: false }, now);
    }

    /// Asks for another topic, or none.
    pub(crate) fn set_topic(&mut self, topic: Option<MessageText>, now: Instant) {
        self.propose(Change::SetTopic(topic), now);
    }

    fn propose(&mut self, change: Change, time: Instant) {
        self.sequencer.propose(Proposal { time, change });
    }

    /// Continues with the state of other servers, before anything has happened here.
    pub(crate) fn begin(&mut self, next: u64, members: Vec<Present>, topic: Option<MessageText>) {
        self.topic = topic;
        self.log = EventLog::starting_at(next);
        for shard in &mut self.shards {
            shard.read_from(self.log.reader());
        }
        for present in members {
            self.v2_members += usize::from(Dialect::of_member(&present.key) == Dialect::V2);
            self.roster.enter(present);
        }
        self.log.set_v2(self.v2_members > 0);
    }

    /// Undecided proposals are void, and so are requests to join.
    pub(crate) fn void(&mut self) {
        self.sequencer.void();
        self.joining.clear();
        self.leaving.clear();
    }

    /// What decides the order.
    pub(crate) fn sequencer(&mut self) -> &mut dyn Sequencer {
        &mut *self.sequencer
    }

    /// Sends a member of revision 2 the messages before the event with the sequence `before`, and
    /// lets it continue once that is written; returns how many messages that is.
    pub(crate) fn recall(&mut self, to: Route, before: u64, count: u32) -> u64 {
        let past = self.history.before(before, count, self.now);
        // Without any message the oldest event is the next one.
        let oldest = past.oldest.unwrap_or_else(|| wire_sequence(self.log.end()));
        let end = encoded(&v2::ServerFrame::HistoryEnd { oldest });
        for frame in past.frames.into_iter().chain([end]) {
            self.relay(to.id.into(), to, frame);
        }
        self.publishes(Some(to));
        past.messages
    }

    /// Lets the publisher continue once what was appended is written.
    fn publishes(&mut self, publisher: Option<Route>) {
        let Some(publisher) = publisher else { return };
        let end = self.log.end();
        if let Some(shard) = self.shards.get_mut(publisher.shard) {
            shard.publishes(end, publisher.id);
        }
    }

    /// Sends a frame about a step of `from` to one client, after everything said and announced
    /// before; nothing when `from` is not here. A leave takes a shorter way to the room than the
    /// step before it, and no client may receive a request from a user known to have left.
    pub(crate) fn relay(&mut self, from: MemberId, to: Route, frame: Bytes) {
        if !self.roster.has(from) {
            return;
        }
        let end = self.log.end();
        if let Some(shard) = self.shards.get_mut(to.shard) {
            shard.relay(Relayed { from, to: to.id, frame, end });
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
        self.shards.iter().filter_map(|shard| shard.gathers_until(&self.log)).min()
    }

    /// Whether everything said has been written by every shard.
    pub(crate) fn is_idle(&self) -> bool {
        self.sequencer.is_settled() && self.shards.iter().all(|shard| shard.is_idle(&self.log))
    }

    /// `shard` has handed its batch to its sockets.
    pub(crate) fn written(&mut self, shard: usize, now: Instant) {
        if let Some(shard) = self.shards.get_mut(shard) {
            shard.written(now);
        }
    }
}

#[cfg(test)]
mod tests;
