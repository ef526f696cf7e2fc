//! Reports what prevents connections between the user and others.

use super::encrypted::Road;
use super::{Peers, Situation};
use crate::client::api::event::{ErrorCode, Event};
use crate::client::doctor::{Evidence, diagnose};
use crate::client::ids::SessionNumber;
use crate::protocol::{FoldedName, Username};

impl Peers {
    /// Reports how the open session with this user was established, or requests one to find out.
    pub(super) fn diagnose(&mut self, name: &Username, at: &Situation<'_>) {
        let key = name.folded();
        let last = self.doctor.last(&key).filter(|_| self.is_open_with(&key));
        if let Some(diagnosis) = last.cloned() {
            return self.emit(Event::Diagnosis(diagnosis));
        }
        if at.roster.find(&key).is_some() && matches!(self.road(name, at), Ok(Road::Plain)) {
            return self.error(
                ErrorCode::Session,
                format!(
                    "the connection to {name} cannot be diagnosed: one of the two programs speaks \
                     revision 1, in which the person asked connects to the person who asks"
                ),
            );
        }
        self.doctor.wanted.insert(key);
        self.open(name, at);
    }

    /// A meeting is over, and both sides have said what they saw, as far as they do.
    pub(super) fn diagnosed(&mut self, id: SessionNumber, evidence: &Evidence) {
        let Some(live) = self.sessions.get(&id) else { return };
        let (key, diagnosis) = (live.peer.folded(), diagnose(evidence));
        if self.doctor.note(key, diagnosis.clone()) {
            self.emit(Event::Diagnosis(diagnosis));
        }
    }

    fn is_open_with(&self, key: &FoldedName) -> bool {
        let Some(with) = self.conversations.get(key) else { return false };
        let mut sessions = with.sessions().iter().filter_map(|id| self.sessions.get(id));
        sessions.any(|live| live.open.is_some() && live.meeting.is_some() && !live.closed)
    }
}
