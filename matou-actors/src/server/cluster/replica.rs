//! The state that all nodes share: members, names, sequences. Every node applies the same messages
//! in the same order and has the same state after each of them.

use std::collections::BTreeMap;

use crate::protocol::v2::{LeaveReason, PublicKey};
use crate::protocol::{FoldedName, MessageText, Username};
use crate::server::cluster::liveness::Nodes;
use crate::server::cluster::record::{
    ClusterRoster, Join, Message, ROSTER_PART, Record, Resident, RosterPart,
};
use crate::server::ids::{Epoch, MemberId};
use crate::server::registry::names::Names;

/// A roster is published after this many messages.
pub(crate) const ROSTER_EVERY: u64 = 2_000;

/// The state after the message at `position`.
#[derive(Debug, Default)]
pub(crate) struct Replica {
    position: u64,
    hash: u64,
    events: u64,
    topic: Option<MessageText>,
    nodes: Nodes,
    members: BTreeMap<MemberId, Resident>,
    names: Names<MemberId>,
    /// Messages since the last roster, and where it is.
    since_roster: u64,
    roster_at: u64,
}

/// What a record brought about. `own` are those of the epoch that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Joined {
        from: Epoch,
        member: MemberId,
        name: Username,
        key: Option<PublicKey>,
        /// The same user on another connection, whose place this one takes without an event.
        replaces: Option<MemberId>,
        sequence: u64,
        at: i64,
    },
    /// The name is taken.
    Refused {
        from: Epoch,
        member: MemberId,
    },
    /// `from` is the node that published it; a member of a lost node is removed by no node.
    Left {
        from: Option<Epoch>,
        member: MemberId,
        reason: LeaveReason,
        sequence: u64,
        at: i64,
    },
    /// A leave of a member who is not here.
    NotHere {
        from: Epoch,
        member: MemberId,
        reason: LeaveReason,
    },
    Said {
        from: Epoch,
        name: Username,
        texts: Vec<MessageText>,
        action: bool,
        sequence: u64,
        at: i64,
    },
    Purged {
        name: Option<FoldedName>,
    },
    /// The topic is another one, or none.
    Topic {
        from: Epoch,
        topic: Option<MessageText>,
        sequence: u64,
        at: i64,
    },
    /// The node is part of the room from here on.
    Entered {
        node: Epoch,
    },
    /// The node is not part of the room any more; its members have left before.
    Gone {
        node: Epoch,
    },
    /// The roster has to be published by that node.
    RosterDue {
        by: Epoch,
    },
    /// A node reports its hash after the message at that position.
    Hash {
        from: Epoch,
        position: u64,
        hash: u64,
    },
}

impl Replica {
    /// The state of an empty room, after the message at `position`.
    pub(crate) fn empty_at(position: u64) -> Self {
        Self { position, ..Self::default() }
    }

    /// The state that a roster and its parts say, which was at that position of the stream.
    pub(crate) fn restored(roster: ClusterRoster, parts: Vec<RosterPart>, roster_at: u64) -> Self {
        let mut replica = Self {
            position: roster.position,
            hash: roster.hash,
            events: roster.events,
            topic: roster.topic,
            nodes: Nodes::restored(roster.nodes),
            roster_at,
            ..Self::default()
        };
        for resident in parts.into_iter().flat_map(|part| part.members) {
            // Those who are here were admitted together.
            let _ = replica.names.claim_forms(resident.member, &resident.forms);
            replica.members.insert(resident.member, resident);
        }
        replica
    }

    /// The roster without its parts, and the parts.
    pub(crate) fn roster(&self) -> (ClusterRoster, Vec<RosterPart>) {
        let members: Vec<&Resident> = self.members.values().collect();
        let part = |members: &[&Resident]| RosterPart {
            members: members.iter().map(|&resident| resident.clone()).collect(),
        };
        let parts = members.chunks(ROSTER_PART).map(part).collect();
        let roster = ClusterRoster {
            position: self.position,
            hash: self.hash,
            events: self.events,
            topic: self.topic.clone(),
            nodes: self.nodes.all().map(|(epoch, node)| (epoch, node.clone())).collect(),
            parts: Vec::new(),
            previous: self.roster_at,
        };
        (roster, parts)
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The sequence of the next event.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    pub(crate) fn topic(&self) -> Option<&MessageText> {
        self.topic.as_ref()
    }

    pub(crate) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Resident> {
        self.members.values()
    }

    pub(crate) fn member(&self, member: MemberId) -> Option<&Resident> {
        self.members.get(&member)
    }

    /// Passes over the message at the next position, which changes nothing: a roster or a part.
    pub(crate) fn pass(&mut self, payload: &[u8], is_roster: bool) {
        self.advance(payload);
        if is_roster {
            (self.since_roster, self.roster_at) = (0, self.position);
        }
    }

    /// Applies the message at the next position, whose bytes are `payload`.
    pub(crate) fn apply(&mut self, payload: &[u8], message: Message) -> Vec<Effect> {
        self.advance(payload);
        let Message { from, number, records } = message;
        let mut changes = Vec::new();
        self.since_roster += 1;
        let mut records = records.into_iter().peekable();
        if let Some(Record::Hello { node }) = records.peek()
            && number == 1
            && !self.nodes.has(from)
        {
            self.nodes.enter(from, node.clone());
            records.next();
            changes.push(Effect::Entered { node: from });
        }
        // Of a node that is not there nothing counts, not even a leave.
        if !self.nodes.takes(from, number) {
            return changes;
        }
        for record in records {
            self.record(from, record, &mut changes);
        }
        if self.since_roster.is_multiple_of(ROSTER_EVERY) {
            changes.push(Effect::RosterDue { by: from });
        }
        changes
    }

    fn advance(&mut self, payload: &[u8]) {
        self.position += 1;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.hash.to_be_bytes()).update(payload);
        self.hash = first_of(&hasher.finalize());
    }

    fn record(&mut self, from: Epoch, record: Record, changes: &mut Vec<Effect>) {
        match record {
            // A second one of an epoch.
            Record::Hello { .. } => {}
            Record::Alive { position, hash, at } => {
                changes.push(Effect::Hash { from, position, hash });
                for node in self.nodes.alive(from) {
                    self.remove_all_of(node, LeaveReason::ConnectionLost, at, changes);
                    changes.push(Effect::Gone { node });
                }
            }
            Record::Join(join) => changes.push(self.join(from, *join)),
            Record::Leave { member, reason, at } => {
                let left = self.leave(Some(from), member, reason, at);
                changes.push(left.unwrap_or(Effect::NotHere { from, member, reason }));
            }
            Record::Say { from: name, texts, action, at } => {
                let sequence = self.events;
                self.events += u64::try_from(texts.len()).unwrap_or(u64::MAX);
                changes.push(Effect::Said { from, name, texts, action, sequence, at });
            }
            Record::Topic { topic, at } => {
                let sequence = self.events;
                self.events += 1;
                self.topic.clone_from(&topic);
                changes.push(Effect::Topic { from, topic, sequence, at });
            }
            Record::Purge { name } => changes.push(Effect::Purged { name }),
            Record::Bye { at } => {
                self.nodes.leave(from);
                self.remove_all_of(from, LeaveReason::ServerStops, at, changes);
                changes.push(Effect::Gone { node: from });
            }
        }
    }

    fn join(&mut self, from: Epoch, join: Join) -> Effect {
        let Join { member, name, forms, key, at } = join;
        let earlier = self.names.holder_of(&forms).and_then(|holder| self.members.get(holder));
        // The same user on a connection that is lost, or on another machine.
        let replaces = earlier
            .filter(|earlier| earlier.key.is_some() && earlier.key == key && earlier.name == name)
            .map(|earlier| earlier.member);
        if let Some(resident) = replaces.and_then(|replaced| self.members.remove(&replaced)) {
            self.names.release_forms(&resident.forms);
        }
        if self.members.contains_key(&member) || self.names.claim_forms(member, &forms).is_err() {
            return Effect::Refused { from, member };
        }
        let sequence = self.events;
        self.events += u64::from(replaces.is_none());
        let resident = Resident { member, node: from, name: name.clone(), forms, key };
        self.members.insert(member, resident);
        Effect::Joined { from, member, name, key, replaces, sequence, at }
    }

    fn leave(
        &mut self,
        from: Option<Epoch>,
        member: MemberId,
        reason: LeaveReason,
        at: i64,
    ) -> Option<Effect> {
        // A node takes out its own members only.
        let is_own = |resident: &Resident| from.is_none_or(|from| resident.node == from);
        self.members.get(&member).filter(|resident| is_own(resident))?;
        let resident = self.members.remove(&member)?;
        self.names.release_forms(&resident.forms);
        let sequence = self.events;
        self.events += 1;
        Some(Effect::Left { from, member, reason, sequence, at })
    }

    fn remove_all_of(
        &mut self,
        node: Epoch,
        reason: LeaveReason,
        at: i64,
        changes: &mut Vec<Effect>,
    ) {
        let members = self.members.values().filter(|resident| resident.node == node);
        let members: Vec<MemberId> = members.map(|resident| resident.member).collect();
        for member in members {
            changes.extend(self.leave(None, member, reason, at));
        }
    }
}

/// The first 8 bytes of a hash.
pub(crate) fn first_of(hash: &blake3::Hash) -> u64 {
    let first = hash.as_bytes().first_chunk().copied();
    u64::from_be_bytes(first.unwrap_or_default())
}

#[cfg(test)]
mod tests;
