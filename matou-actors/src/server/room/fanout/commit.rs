//! The consequences of committed changes.

use std::time::Instant;

use bytes::BytesMut;

use super::{Fanout, Newcomer};
use crate::protocol::Username;
use crate::protocol::v2::{self, LeaveReason};
use crate::server::ids::{MemberId, Route};
use crate::server::room::batch::Welcome;
use crate::server::room::event::{Dialect, EventKind, MemberKey, RoomEvent};
use crate::server::room::greeting::encoded;
use crate::server::room::roster::Present;
use crate::server::room::sequencer::{Change, Committed, Proposal};

impl Fanout {
    /// Appends what was committed; returns the new members among it, and what each gets first.
    pub(crate) fn commit(&mut self) -> Vec<(Route, Username, Welcome)> {
        let mut admitted = Vec::new();
        let now = self.now;
        while let Some(Committed { first, at, proposal: Proposal { time, change } }) =
            self.sequencer.committed()
        {
            // Clients of all servers read the same.
            self.now = at.unwrap_or(now);
            match change {
                Change::Refuse { member } => drop(self.joining.remove(&member)),
                Change::Join { member, name, key, replaces } => {
                    if let Some(replaced) = replaces {
                        self.replace(replaced);
                    }
                    // A newcomer that has left meanwhile, or joins elsewhere, is not waiting here.
                    let newcomer = self.joining.remove(&member);
                    let seen = newcomer.map_or(0, |newcomer| newcomer.last_sequence);
                    let place = (first, time);
                    let welcome = self.join(member, &name, key, replaces.is_none(), place, seen);
                    if let Some(Newcomer { route, .. }) = newcomer {
                        admitted.push((route, name, welcome));
                    }
                }
                Change::Leave { member, reason } => {
                    self.leaving.remove(&member);
                    self.left(member, reason, first, time);
                }
                Change::Say { publisher, from, texts, action } => {
                    for (sequence, text) in (first..).zip(&texts) {
                        let kind = EventKind::Said { from: &from, text, action };
                        self.append(sequence, time, kind);
                        self.frames.said += 1;
                    }
                    self.publishes(publisher);
                }
                Change::SetTopic(topic) => {
                    self.append(first, time, EventKind::Topic(topic.as_ref()));
                    self.frames.topics += 1;
                    self.topic = topic;
                }
            }
        }
        self.now = now;
        admitted
    }

    fn append(&mut self, sequence: u64, time: Instant, kind: EventKind<'_>) {
        let event = RoomEvent { sequence, time, at: self.now, kind };
        self.log.append(&event);
        self.history.append(&event);
    }

    fn join(
        &mut self,
        member: MemberId,
        name: &Username,
        key: MemberKey,
        is_event: bool,
        (sequence, time): (u64, Instant),
        last_sequence: u64,
    ) -> Welcome {
        let dialect = Dialect::of_member(&key);
        if dialect == Dialect::V2 {
            self.v2_members += 1;
            self.log.set_v2(true);
        }
        let announced = if self.replay_roster { self.roster.len() } else { 0 };
        let (topic, now) = (self.topic.as_ref(), self.now);
        let mut parts = vec![self.greeting.first(dialect, name, (sequence, now), topic, announced)];
        if self.replay_roster {
            parts.extend(self.roster.replay(dialect));
        }
        let past = self.history.replay(dialect, last_sequence, sequence, self.now);
        let has_end = dialect == Dialect::V2 && past.oldest.is_some();
        let past_count = (past.messages, has_end);
        parts.extend(past.frames);
        if let Some(oldest) = past.oldest.filter(|_| has_end) {
            parts.push(encoded(&v2::ServerFrame::HistoryEnd { oldest }));
        }
        let kind = EventKind::Joined { name, key: key.as_deref() };
        let mut own = BytesMut::new();
        // Without an event of its own it has the number of the last one.
        let number = if is_event { sequence } else { sequence.saturating_sub(1) };
        dialect.encode(&RoomEvent { sequence: number, time, at: self.now, kind }, &mut own);
        parts.push(own.freeze());
        let said = self.greeting.messages();
        parts.extend(self.greeting.motd(dialect));
        if is_event {
            self.append(sequence, time, kind);
            self.frames.joined += 1;
        }
        self.roster.enter(Present { id: member, name: name.clone(), key });
        let announced = u64::try_from(announced).unwrap_or_default();
        Welcome { dialect, parts, start: self.log.end(), announced, past: past_count, said }
    }

    /// Forgets a member whose user is on another connection from now on.
    fn replace(&mut self, replaced: MemberId) {
        self.joining.remove(&replaced);
        if self.roster.leave(replaced).is_some() {
            self.v2_members = self.v2_members.saturating_sub(1);
            for shard in &mut self.shards {
                shard.drop_relays_from(replaced);
            }
        }
    }

    /// Undelivered requests of a departing member are void: the others would read them after the
    /// leave.
    fn left(&mut self, member: MemberId, reason: LeaveReason, sequence: u64, time: Instant) {
        if let Some(Present { name, key, .. }) = self.roster.leave(member) {
            for shard in &mut self.shards {
                shard.drop_relays_from(member);
            }
            if Dialect::of_member(&key) == Dialect::V2 {
                self.v2_members = self.v2_members.saturating_sub(1);
                self.log.set_v2(self.v2_members > 0);
            }
            self.append(sequence, time, EventKind::Left { name: &name, reason });
            self.frames.left += 1;
        }
    }
}
