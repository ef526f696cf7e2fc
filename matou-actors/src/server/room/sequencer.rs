//! The way from "proposed" to "committed": who decides the order of the room's events.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Instant;

use crate::protocol::v2::LeaveReason;
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
    /// What one client said in a row. `publisher` may go on once it is written; the server's own
    /// messages have none.
    Say {
        publisher: Option<Route>,
        from: Username,
        texts: Vec<MessageText>,
        action: bool,
    },
}

/// A proposal and the sequence of the first of its events.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) first: u64,
    pub(crate) proposal: Proposal,
}

/// Gives each proposal its place. An answer may take time: until it is committed no client reads of
/// it, a new member is not admitted, and a publisher does not go on.
pub(crate) trait Sequencer: Debug {
    fn propose(&mut self, proposal: Proposal);

    /// The next proposal that was committed.
    fn committed(&mut self) -> Option<Committed>;
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
        self.committed.push_back(Committed { first, proposal });
    }

    fn committed(&mut self) -> Option<Committed> {
        self.committed.pop_front()
    }
}

impl Change {
    fn events(&self) -> u64 {
        match self {
            Self::Join { replaces: Some(_), .. } => 0,
            Self::Join { .. } | Self::Leave { .. } => 1,
            Self::Say { texts, .. } => u64::try_from(texts.len()).unwrap_or(u64::MAX),
        }
    }
}
