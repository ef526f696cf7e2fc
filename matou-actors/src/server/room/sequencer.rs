//! The way from "proposed" to "committed": who decides the order of the room's events.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Instant;

use crate::protocol::v2::{LeaveReason, UnixMillis};
use crate::protocol::{MessageText, Username};
use crate::server::ids::{MemberId, Route};
use crate::server::room::event::MemberKey;

/// Something that is to happen in the room.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) time: Instant,
    pub(crate) change: Change,
}

#[derive(Debug)]
pub(crate) enum Change {
    Join {
        member: MemberId,
        name: Username,
        key: MemberKey,
        /// The same user on another connection, whose place this one takes without an event.
        replaces: Option<MemberId>,
    },
    Leave {
        member: MemberId,
        reason: LeaveReason,
    },
    /// A join is refused: another one was before it.
    Refuse {
        member: MemberId,
    },
    /// Consecutive messages of one client. `publisher` may continue once they are written; the
    /// server's own messages have none.
    Say {
        publisher: Option<Route>,
        from: Username,
        texts: Vec<MessageText>,
        action: bool,
    },
    /// An operator sets the topic, or takes it away.
    SetTopic(Option<MessageText>),
}

/// A proposal and the sequence of the first of its events.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) first: u64,
    /// The time of day at which it was proposed, if that was said with it.
    pub(crate) at: Option<UnixMillis>,
    pub(crate) proposal: Proposal,
}

/// Gives each proposal its place. An answer may take time: until it is committed no client reads of
/// it, a new member is not admitted, and a publisher waits.
pub(crate) trait Sequencer: Debug {
    fn propose(&mut self, proposal: Proposal);

    /// The next proposal that was committed.
    fn committed(&mut self) -> Option<Committed>;

    /// Proposals to be decided elsewhere, and how often earlier ones became void.
    fn take_proposed(&mut self) -> (u64, Vec<Proposal>) {
        (0, Vec::new())
    }

    /// A decision made elsewhere.
    fn decide(&mut self, _: Decision, _: Instant) {}

    /// Undecided proposals are void.
    fn void(&mut self) {}

    /// Whether everything that was proposed is decided.
    fn is_settled(&self) -> bool {
        true
    }
}

/// Something that happened in the room that several servers share.
#[derive(Debug)]
pub(crate) struct Decision {
    /// It was proposed here, and decides the proposal that waits longest.
    pub(crate) is_own: bool,
    pub(crate) first: u64,
    pub(crate) at: UnixMillis,
    pub(crate) change: Change,
}

/// The order of several servers: all of them decide each proposal.
#[derive(Debug, Default)]
pub(crate) struct SharedSequencer {
    proposed: Vec<Proposal>,
    /// When each undecided proposal was made, and who waits for it.
    waiting: VecDeque<(Instant, Option<Route>)>,
    committed: VecDeque<Committed>,
    /// How often proposals became void.
    generation: u64,
}

impl Sequencer for SharedSequencer {
    fn propose(&mut self, proposal: Proposal) {
        let publisher = match &proposal.change {
            Change::Say { publisher, .. } => *publisher,
            _ => None,
        };
        self.waiting.push_back((proposal.time, publisher));
        self.proposed.push(proposal);
    }

    fn committed(&mut self) -> Option<Committed> {
        self.committed.pop_front()
    }

    fn take_proposed(&mut self) -> (u64, Vec<Proposal>) {
        (self.generation, std::mem::take(&mut self.proposed))
    }

    fn decide(&mut self, decision: Decision, now: Instant) {
        let Decision { is_own, first, at, change } = decision;
        let own = if is_own { self.waiting.pop_front() } else { None };
        let (time, waits) = own.unwrap_or((now, None));
        let change = match change {
            Change::Say { from, texts, action, .. } => {
                Change::Say { publisher: waits, from, texts, action }
            }
            change => change,
        };
        let proposal = Proposal { time, change };
        self.committed.push_back(Committed { first, at: Some(at), proposal });
    }

    fn void(&mut self) {
        self.proposed.clear();
        self.waiting.clear();
        self.generation += 1;
    }

    fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// The order of this process alone: whatever is proposed is committed.
#[derive(Debug, Default)]
pub(crate) struct LocalSequencer {
    next: u64,
    committed: VecDeque<Committed>,
}

impl LocalSequencer {
    /// One whose first event has that sequence.
    pub(crate) fn starting_at(next: u64) -> Self {
        Self { next, ..Self::default() }
    }
}

impl Sequencer for LocalSequencer {
    fn propose(&mut self, proposal: Proposal) {
        let first = self.next;
        self.next += proposal.change.events();
        self.committed.push_back(Committed { first, at: None, proposal });
    }

    fn committed(&mut self) -> Option<Committed> {
        self.committed.pop_front()
    }
}

impl Change {
    fn events(&self) -> u64 {
        match self {
            Self::Join { replaces: Some(_), .. } | Self::Refuse { .. } => 0,
            Self::Join { .. } | Self::Leave { .. } | Self::SetTopic(_) => 1,
            Self::Say { texts, .. } => u64::try_from(texts.len()).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::ids::ConnectionId;

    fn say(publisher: u64) -> Proposal {
        let publisher = Some(Route { shard: 0, id: ConnectionId(publisher) });
        let (from, texts) = (Username::parse("ann").unwrap(), Vec::new());
        Proposal {
            time: Instant::now(),
            change: Change::Say { publisher, from, texts, action: false },
        }
    }

    fn decided(is_own: bool, first: u64) -> Decision {
        let (from, texts) = (Username::parse("ann").unwrap(), Vec::new());
        let change = Change::Say { publisher: None, from, texts, action: false };
        Decision { is_own, first, at: UnixMillis(5), change }
    }

    fn publisher(committed: Option<Committed>) -> Option<u64> {
        match committed?.proposal.change {
            Change::Say { publisher, .. } => publisher.map(|route| route.id.0),
            _ => None,
        }
    }

    #[test]
    fn a_decision_of_several_servers_resumes_its_own_publisher() {
        let (mut shared, now) = (SharedSequencer::default(), Instant::now());
        shared.propose(say(1));
        shared.propose(say(2));
        assert_eq!(shared.take_proposed().1.len(), 2);
        assert!(shared.committed().is_none() && !shared.is_settled());
        shared.decide(decided(false, 0), now);
        shared.decide(decided(true, 1), now);
        assert_eq!(publisher(shared.committed()), None, "of another server");
        assert_eq!(publisher(shared.committed()), Some(1));
        shared.decide(decided(true, 2), now);
        assert!(shared.is_settled());
    }

    #[test]
    fn proposals_from_before_an_end_are_void() {
        let (mut shared, now) = (SharedSequencer::default(), Instant::now());
        shared.propose(say(1));
        assert_eq!(shared.take_proposed().0, 0);
        shared.propose(say(2));
        shared.void();
        shared.propose(say(3));
        let (generation, proposals) = shared.take_proposed();
        assert_eq!((generation, proposals.len()), (1, 1));
        shared.decide(decided(true, 4), now);
        assert_eq!(publisher(shared.committed()), Some(3));
    }
}
