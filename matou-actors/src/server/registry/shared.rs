//! What the registry keeps while other servers share the room.

use std::collections::{HashMap, VecDeque};

use actix::prelude::Recipient;

use crate::protocol::v2::SessionId;
use crate::server::ids::MemberId;
use crate::server::messages::{JoinRequest, Relay, RemoteStep, ToNode};
use crate::server::registry::directory::Member;

/// How many requests of members who are here to members elsewhere are remembered; each step of one
/// needs to know where it was asked.
const MOST_REQUESTS: usize = 10_000;

/// What the registry keeps for a shared room.
#[derive(Debug)]
pub(crate) struct SharedRoom {
    pub(super) node: Recipient<ToNode>,
    pub(super) relay: Recipient<Relay>,
    /// Requests to join that are not decided yet.
    pub(super) pending: HashMap<MemberId, JoinRequest>,
    requests: HashMap<SessionId, RemoteRequest>,
    /// The oldest first; some are gone already.
    request_order: VecDeque<SessionId>,
    pub(super) is_serving: bool,
}

/// Who asked whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct RemoteRequest {
    pub(super) by: MemberId,
    pub(super) whom: MemberId,
}

impl SharedRoom {
    pub(crate) fn new(node: Recipient<ToNode>, relay: Recipient<Relay>) -> Self {
        Self {
            node,
            relay,
            pending: HashMap::new(),
            requests: HashMap::new(),
            request_order: VecDeque::new(),
            is_serving: false,
        }
    }

    /// The connection ended before its join was decided.
    pub(super) fn forget(&mut self, id: MemberId) -> bool {
        self.requests.retain(|_, asked| asked.by != id);
        self.pending.remove(&id).is_some()
    }

    /// The member elsewhere whom `by` has asked under that number.
    pub(super) fn asked_elsewhere(&self, session: SessionId, by: MemberId) -> Option<MemberId> {
        self.requests.get(&session).filter(|asked| asked.by == by).map(|asked| asked.whom)
    }

    pub(super) fn remember(&mut self, session: SessionId, asked: RemoteRequest) {
        if self.requests.insert(session, asked).is_none() {
            self.request_order.push_back(session);
        }
        while self.request_order.len() > MOST_REQUESTS {
            if let Some(oldest) = self.request_order.pop_front() {
                self.requests.remove(&oldest);
            }
        }
    }

    /// Hands a step to the node of `to`.
    pub(super) fn forward(&self, from: Member, to: MemberId, step: RemoteStep) {
        let name = from.name.clone();
        // Cannot flood: a connection forwards one step at a time.
        self.node.do_send(ToNode::Step { from, to, name, step });
    }
}
