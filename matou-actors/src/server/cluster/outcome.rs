//! What room and registry have to do because of what all nodes decided.

use crate::protocol::v2::UnixMillis;
use crate::server::cluster::replica::Effect;
use crate::server::ids::Epoch;
use crate::server::messages::{FromNode, NodeEvent};
use crate::server::room::event::MemberKey;
use crate::server::room::sequencer::{self, Decision};

/// The consequences for room and registry, each in order.
#[derive(Debug, Default)]
pub(crate) struct ActorMessages {
    pub(crate) room: Vec<FromNode>,
    pub(crate) registry: Vec<NodeEvent>,
    /// Nodes that joined, and those that left.
    pub(crate) nodes: Vec<(Epoch, bool)>,
}

impl ActorMessages {
    /// The consequences of `changes` for the node `own`.
    pub(crate) fn of(changes: Vec<Effect>, own: Epoch) -> Self {
        let mut outcome = Self::default();
        for change in changes {
            outcome.add(change, own);
        }
        outcome
    }

    fn add(&mut self, change: Effect, own: Epoch) {
        match change {
            Effect::Joined { from, member, name, key, replaces, sequence, at } => {
                let key: MemberKey = key.map(Into::into);
                let joined =
                    NodeEvent::Joined { member, name: name.clone(), key: key.clone(), replaces };
                self.registry.push(joined);
                let join = sequencer::Change::Join { member, name, key, replaces };
                self.decide(from == own, sequence, at, join);
            }
            Effect::Refused { from, member } if from == own => {
                self.registry.push(NodeEvent::Refused(member));
                self.decide(true, 0, 0, sequencer::Change::Refuse { member });
            }
            Effect::Left { from, member, reason, sequence, at } => {
                self.registry.push(NodeEvent::Left(member));
                let leave = sequencer::Change::Leave { member, reason };
                self.decide(from == Some(own), sequence, at, leave);
            }
            Effect::NotHere { from, member, reason } if from == own => {
                self.decide(true, 0, 0, sequencer::Change::Leave { member, reason });
            }
            Effect::Said { from, name, texts, action, sequence, at } => {
                let said = sequencer::Change::Say { publisher: None, from: name, texts, action };
                self.decide(from == own, sequence, at, said);
            }
            Effect::Topic { from, topic, sequence, at } => {
                self.decide(from == own, sequence, at, sequencer::Change::SetTopic(topic));
            }
            Effect::Purged { name } => self.room.push(FromNode::Purge(name)),
            Effect::Entered { node } => self.nodes.push((node, true)),
            Effect::Gone { node } => self.nodes.push((node, false)),
            // Of another node, or for this one alone.
            Effect::Refused { .. }
            | Effect::NotHere { .. }
            | Effect::RosterDue { .. }
            | Effect::Hash { .. } => {}
        }
    }

    fn decide(&mut self, is_own: bool, first: u64, at: i64, change: sequencer::Change) {
        let decision = Decision { is_own, first, at: UnixMillis(at), change };
        match self.room.last_mut() {
            Some(FromNode::Decided(decisions)) => decisions.push(decision),
            _ => self.room.push(FromNode::Decided(vec![decision])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::v2::LeaveReason;
    use crate::protocol::{MessageText, Username};
    use crate::server::ids::MemberId;

    const OWN: Epoch = Epoch(1);
    const OTHER: Epoch = Epoch(2);

    fn said(from: Epoch, sequence: u64) -> Effect {
        let (name, texts) =
            (Username::parse("ann").unwrap(), vec![MessageText::parse("a").unwrap()]);
        Effect::Said { from, name, texts, action: false, sequence, at: 3 }
    }

    #[test]
    fn every_proposal_of_this_node_is_decided_once_and_those_of_others_only_if_they_happened() {
        let (member, reason) = (MemberId(7), LeaveReason::SignedOut);
        let of = |from| {
            vec![
                Effect::Refused { from, member },
                Effect::NotHere { from, member, reason },
                said(from, 5),
            ]
        };
        let decisions = |from| {
            let outcome = ActorMessages::of(of(from), OWN);
            let [FromNode::Decided(decisions)] = &outcome.room[..] else { panic!("{outcome:?}") };
            (decisions.iter().map(|it| it.is_own).collect::<Vec<_>>(), outcome.registry.len())
        };
        assert_eq!(decisions(OWN), (vec![true; 3], 1));
        assert_eq!(decisions(OTHER), (vec![false], 0));
    }

    #[test]
    fn a_purge_is_ordered_between_earlier_and_later_messages() {
        let changes = vec![said(OTHER, 0), Effect::Purged { name: None }, said(OWN, 1)];
        let outcome = ActorMessages::of(changes, OWN);
        assert!(matches!(
            outcome.room[..],
            [FromNode::Decided(_), FromNode::Purge(None), FromNode::Decided(_)]
        ));
    }

    #[test]
    fn members_lost_with_their_node_decide_no_local_proposal() {
        let (member, reason) = (MemberId(7), LeaveReason::ConnectionLost);
        let left = Effect::Left { from: None, member, reason, sequence: 4, at: 0 };
        let outcome = ActorMessages::of(vec![left, Effect::Gone { node: OTHER }], OWN);
        let [FromNode::Decided(decisions)] = &outcome.room[..] else { panic!("{outcome:?}") };
        assert!(!decisions[0].is_own);
        assert_eq!(outcome.nodes, [(OTHER, false)]);
        assert!(matches!(outcome.registry[..], [NodeEvent::Left(MemberId(7))]));
    }
}
