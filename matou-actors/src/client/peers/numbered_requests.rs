//! The requests of revision 2 that are under way, by their numbers.

use std::collections::HashMap;

use crate::client::ids::{RequestId, SessionNumber};
use crate::protocol::FoldedName;
use crate::protocol::v2::{self, PublicKey};

/// Own requests that are remembered: more are under way only with a server that never answers.
pub(super) const MOST_OUTGOING: usize = 1_000;

/// The requests that are under way.
#[derive(Debug, Default)]
pub(super) struct EncryptedRequests {
    pub(super) outgoing: HashMap<v2::SessionId, OutgoingRequest>,
    pub(super) incoming: HashMap<FoldedName, IncomingRequest>,
    /// Sessions that wait for, or have, the addresses of their peer.
    pub(super) meetings: HashMap<v2::SessionId, SessionNumber>,
    pub(super) random: fastrand::Rng,
}

/// A request of the user's.
#[derive(Debug)]
pub(super) struct OutgoingRequest {
    pub(super) to: FoldedName,
    pub(super) request: RequestId,
}

/// A request of another user, until it is answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct IncomingRequest {
    pub(super) session: v2::SessionId,
    pub(super) key: PublicKey,
}

impl EncryptedRequests {
    pub(super) fn next_session(&mut self) -> v2::SessionId {
        let mut id = [0; 16];
        self.random.fill(&mut id);
        v2::SessionId(id)
    }

    /// Nothing is pending with this user.
    pub(super) fn forget(&mut self, key: &FoldedName) {
        self.incoming.remove(key);
        self.outgoing.retain(|_, outgoing| outgoing.to != *key);
    }

    /// The key of the user who asks under this name.
    pub(super) fn asking_key(&self, key: &FoldedName) -> Option<PublicKey> {
        self.incoming.get(key).map(|incoming| incoming.key)
    }

    pub(super) fn session_over(&mut self, id: SessionNumber) {
        self.meetings.retain(|_, session| *session != id);
    }
}
