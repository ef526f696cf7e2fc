//! One node: what it publishes and when, what it has read, and when it must be silent.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::server::cluster::hash_log::{HashLog, Hashes};
use crate::server::cluster::output::{EntryKind, Fatal, NodeOutput};
use crate::server::cluster::record::{Message, Record, decode, encode};
use crate::server::cluster::replica::{Effect, Replica, first_of};
use crate::server::ids::Epoch;

/// From reading its own ALIVE a node waits that long before the next one.
pub(crate) const ALIVE_EVERY: Duration = Duration::from_secs(5);
/// A node is silent this long after it first sent the last ALIVE that it has read. The others count
/// it as gone 15 s after that at the earliest, which is three times [`ALIVE_EVERY`].
pub(crate) const SILENT_AFTER: Duration = Duration::from_secs(12);
/// Bytes of records that are gathered while the last message is on its way.
const GATHER: usize = 64 * 1024;
/// A message known to be in the stream is fetched when it has not been delivered for this long.
const FETCH_AFTER: Duration = Duration::from_millis(150);
/// Without any sign of more it is asked for after this long.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// The most messages that are asked for at once.
const FETCH_AT_ONCE: u64 = 512;
/// The most messages that wait for one before them; later ones are fetched again.
const MOST_EARLY: usize = 4_096;
/// A node of a cluster.
#[derive(Debug)]
pub(crate) struct Node {
    epoch: Epoch,
    name: Box<str>,
    replica: Replica,
    phase: Phase,
    early: BTreeMap<u64, (EntryKind, Bytes)>,
    outgoing: VecDeque<Record>,
    in_flight: Option<InFlight>,
    next_number: u64,
    alive: AliveSigns,
    hashes: HashLog,
    /// The last position that is known to be in the stream.
    known_end: u64,
    /// When something was read last, or asked for.
    progress_at: Instant,
    fetching: bool,
    is_serving: bool,
    has_failed: bool,
    outputs: VecDeque<NodeOutput>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Reads what is already in the stream, up to that position.
    Reading {
        until: u64,
    },
    /// HELLO is on its way.
    Entering,
    In,
}

#[derive(Debug)]
struct InFlight {
    number: u64,
    payload: Bytes,
}

/// The node's own ALIVE, of which HELLO is the first.
#[derive(Debug, Default)]
struct AliveSigns {
    /// The number of the message with the one that was not read yet, and when that was first sent.
    sent: Option<(u64, Instant)>,
    /// When the last one that was read was first sent, and when it was read.
    read: Option<(Instant, Instant)>,
}

impl Node {
    /// A node that continues from `replica` and reads up to `until` before it enters.
    pub(crate) fn new(
        epoch: Epoch,
        name: &str,
        replica: Replica,
        until: u64,
        now: Instant,
    ) -> Self {
        let mut node = Self {
            epoch,
            name: name.into(),
            replica,
            phase: Phase::Reading { until },
            early: BTreeMap::new(),
            outgoing: VecDeque::new(),
            in_flight: None,
            next_number: 1,
            alive: AliveSigns::default(),
            hashes: HashLog::default(),
            known_end: until,
            progress_at: now,
            fetching: false,
            is_serving: false,
            has_failed: false,
            outputs: VecDeque::new(),
        };
        node.fetch(now);
        node.enter_if_read(now);
        node
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Whether the node may serve clients.
    pub(crate) fn is_serving(&self) -> bool {
        self.is_serving
    }

    /// How many messages are known to be in the stream and not read.
    pub(crate) fn lag(&self) -> u64 {
        self.known_end.saturating_sub(self.replica.position())
    }

    /// The next output.
    pub(crate) fn output(&mut self) -> Option<NodeOutput> {
        self.outputs.pop_front()
    }

    /// Publishes a record once it is its turn.
    pub(crate) fn propose(&mut self, record: Record, now: Instant) {
        self.outgoing.push_back(record);
        self.publish(now);
    }

    /// Lets the members leave once everything proposed is published.
    pub(crate) fn stop(&mut self, at: i64, now: Instant) {
        if self.phase == Phase::In {
            self.propose(Record::Bye { at }, now);
        } else {
            self.outputs.push_back(NodeOutput::Stopped);
        }
    }

    /// Continues under another epoch, after [`NodeOutput::Expelled`].
    pub(crate) fn begin_again(&mut self, epoch: Epoch, now: Instant) {
        self.epoch = epoch;
        self.outgoing.clear();
        self.in_flight = None;
        self.next_number = 1;
        self.alive = AliveSigns::default();
        self.phase = Phase::Reading { until: self.known_end };
        self.enter_if_read(now);
    }

    /// The stream has accepted the message with that number at that position.
    pub(crate) fn acknowledged(&mut self, epoch: Epoch, number: u64, position: u64, now: Instant) {
        self.known_end = self.known_end.max(position);
        if epoch == self.epoch {
            self.settle(number, now);
        }
    }

    /// The message with that number is not known to be in the stream: publish it again.
    pub(crate) fn publish_failed(&mut self, epoch: Epoch, number: u64) {
        if let Some(in_flight) = &self.in_flight
            && (epoch, number) == (self.epoch, in_flight.number)
        {
            let payload = in_flight.payload.clone();
            self.outputs.push_back(NodeOutput::Publish { epoch, number, payload });
        }
    }

    /// A message at a position of the stream.
    pub(crate) fn received(
        &mut self,
        position: u64,
        kind: EntryKind,
        payload: Bytes,
        now: Instant,
    ) {
        if self.has_failed {
            return;
        }
        self.known_end = self.known_end.max(position);
        if position <= self.replica.position() {
            return self.compare(position, &payload);
        }
        if self.early.len() < MOST_EARLY || position == self.replica.position() + 1 {
            self.early.insert(position, (kind, payload));
        }
        while let Some((kind, payload)) = self.early.remove(&(self.replica.position() + 1)) {
            self.progress_at = now;
            self.read(kind, &payload, now);
            if self.has_failed {
                return;
            }
        }
        self.enter_if_read(now);
        self.publish(now);
        self.judge(now);
    }

    /// The requested messages were fetched, or do not exist.
    pub(crate) fn fetched(&mut self, now: Instant) {
        self.fetching = false;
        self.progress_at = now;
        if self.known_end >= self.replica.position() + FETCH_AT_ONCE {
            self.fetch(now);
        }
    }

    /// The first position that the stream still holds.
    pub(crate) fn stream_begins(&mut self, position: u64) {
        let next = self.replica.position() + 1;
        if position > next {
            self.fail(Fatal::Deleted { position: next });
        }
    }

    /// Does what is due at this time; to be called a few times a second.
    pub(crate) fn tick(&mut self, at: i64, now: Instant) {
        let waited = now.saturating_duration_since(self.progress_at);
        let has_more = self.known_end > self.replica.position();
        if !self.fetching && (has_more && waited >= FETCH_AFTER || waited >= PROBE_EVERY) {
            self.fetch(now);
        }
        if let Some((_, read_at)) = self.alive.read
            && self.phase == Phase::In
            && self.alive.sent.is_none()
            && !self.outgoing.iter().any(|record| matches!(record, Record::Alive { .. }))
            && now.saturating_duration_since(read_at) >= ALIVE_EVERY
        {
            // What it says is filled in when it is sent.
            self.outgoing.push_front(Record::Alive { position: 0, hash: 0, at });
            self.publish(now);
        }
        self.judge(now);
    }

    fn judge(&mut self, now: Instant) {
        let is_heard =
            |&(sent, _): &(Instant, Instant)| now.saturating_duration_since(sent) < SILENT_AFTER;
        let serves = self.phase == Phase::In && self.alive.read.as_ref().is_some_and(is_heard);
        if serves != self.is_serving {
            self.is_serving = serves;
            self.outputs.push_back(NodeOutput::Serving(serves));
        }
    }

    fn fetch(&mut self, now: Instant) {
        let from = self.replica.position() + 1;
        let end = self.known_end.max(from);
        // Up to what is here already.
        let held = self.early.keys().next().map_or(end, |first| first - 1);
        let until = end.min(held).min(from + FETCH_AT_ONCE - 1);
        self.fetching = true;
        self.progress_at = now;
        self.outputs.push_back(NodeOutput::Fetch { from, until: until.max(from) });
    }

    fn enter_if_read(&mut self, now: Instant) {
        if let Phase::Reading { until } = self.phase
            && self.replica.position() >= until
        {
            self.phase = Phase::Entering;
            self.send(vec![Record::Hello { node: self.name.clone() }], now);
        }
    }

    /// Sends what waits if nothing is in flight.
    fn publish(&mut self, now: Instant) {
        if self.in_flight.is_some() || self.phase != Phase::In || self.outgoing.is_empty() {
            return;
        }
        let (mut records, mut bytes) = (Vec::new(), 0);
        while let Some(record) = self.outgoing.front()
            && (records.is_empty() || bytes + record.length() <= GATHER)
        {
            bytes += record.length();
            records.extend(self.outgoing.pop_front());
        }
        self.send(records, now);
    }

    fn send(&mut self, mut records: Vec<Record>, now: Instant) {
        let (epoch, number) = (self.epoch, self.next_number);
        self.next_number += 1;
        for record in &mut records {
            if let Record::Alive { position, hash, .. } = record {
                (*position, *hash) = (self.replica.position(), self.replica.hash());
            }
            if matches!(record, Record::Alive { .. } | Record::Hello { .. }) {
                self.alive.sent = Some((number, now));
            }
        }
        let payload = encode(&Message { from: epoch, number, records });
        self.in_flight = Some(InFlight { number, payload: payload.clone() });
        self.outputs.push_back(NodeOutput::Publish { epoch, number, payload });
    }

    fn settle(&mut self, number: u64, now: Instant) {
        if self.in_flight.as_ref().is_some_and(|sent| sent.number == number) {
            self.in_flight = None;
            self.publish(now);
        }
    }

    fn read(&mut self, kind: EntryKind, payload: &Bytes, now: Instant) {
        let position = self.replica.position() + 1;
        match kind {
            EntryKind::Roster => self.replica.pass(payload, true),
            EntryKind::RosterPart => self.replica.pass(payload, false),
            EntryKind::Message => match decode::<Message>(payload) {
                Ok(message) => self.apply(payload, message, now),
                Err(reason) => return self.fail(Fatal::Unreadable { position, reason }),
            },
        }
        let (state, payload) = (self.replica.hash(), first_of(&blake3::hash(payload)));
        self.hashes.push(Hashes { position, state, payload });
    }

    fn apply(&mut self, payload: &Bytes, message: Message, now: Instant) {
        let (from, number) = (message.from, message.number);
        let changes = self.replica.apply(payload, message);
        let is_own = from == self.epoch;
        if is_own && self.alive.sent.is_some_and(|(with, _)| with == number) {
            self.alive.read = self.alive.sent.take().map(|(_, sent_at)| (sent_at, now));
        }
        let (mut expelled, mut stopped) = (false, false);
        for change in &changes {
            match change {
                Effect::Entered { node } if *node == self.epoch => self.phase = Phase::In,
                Effect::Gone { node } if *node == self.epoch => {
                    (expelled, stopped) = (!is_own, is_own);
                }
                Effect::RosterDue { by } if *by == self.epoch => {
                    let (roster, parts) = self.replica.roster();
                    self.outputs.push_back(NodeOutput::Roster(Box::new(roster), parts));
                }
                Effect::Hash { from, position, hash } if *from != self.epoch => {
                    let own = self.hashes.at(*position);
                    if own.is_some_and(|own| own.state != *hash) {
                        let (node, position) = (from.0, *position);
                        return self.fail(Fatal::Diverged { node, position });
                    }
                }
                _ => {}
            }
        }
        self.outputs.push_back(NodeOutput::Changes(changes));
        if expelled {
            // Nothing goes out under this epoch any more.
            (self.phase, self.in_flight) = (Phase::Entering, None);
            self.judge(now);
            self.outputs.push_back(NodeOutput::Expelled);
        }
        if stopped {
            self.outputs.push_back(NodeOutput::Stopped);
        }
        if is_own {
            self.settle(number, now);
        }
    }

    /// A message read before arrives again: it must be the same.
    fn compare(&mut self, position: u64, payload: &[u8]) {
        let payload = first_of(&blake3::hash(payload));
        if self.hashes.at(position).is_some_and(|own| own.payload != payload) {
            self.fail(Fatal::Replaced { position });
        }
    }

    fn fail(&mut self, fatal: Fatal) {
        if !self.has_failed {
            self.has_failed = true;
            self.outputs.push_back(NodeOutput::Fatal(fatal));
        }
    }
}

#[cfg(test)]
mod tests;
