//! Requests of revision 2, each under a number of its own: ASK, ASKED, ANSWER, ANSWERED, CANDIDATES.

use slog::debug;

use super::numbered_requests::{IncomingRequest, MOST_OUTGOING, OutgoingRequest};
use super::{Peers, ServerRoute, Situation};
use crate::client::api::event::{ErrorCode, Event, RequestState};
use crate::client::ids::{RequestId, SessionNumber};
use crate::client::meeting::{MeetingReport, ServerAt};
use crate::client::messages::SessionCommand;
use crate::client::session::Way;
use crate::client::session::encrypted::MeetingSetup;
use crate::protocol::v2::{self, Answer, Answered, Candidates, Declined, MeetingResult, PublicKey};
use crate::protocol::{FoldedName, Username};

/// How a private session with a user is to be requested.
#[derive(Debug)]
pub(super) enum Road {
    Plain,
    Encrypted,
}

// The user's own requests.
impl Peers {
    /// Which revision a session with this user has; an error says why there can be none.
    pub(super) fn road(&self, name: &Username, at: &Situation<'_>) -> Result<Road, String> {
        let key = name.folded();
        if let Some(public) = at.roster.key(&key).filter(|_| self.settings.identity.is_some()) {
            return self.standing(name, &public, at).map(|_| Road::Encrypted);
        }
        self.may_be_plain(name, at).map(|()| Road::Plain)
    }

    /// ASK.
    pub(super) fn ask_encrypted(&mut self, name: &Username, request: RequestId) {
        let session = self.encrypted.next_session();
        let outgoing = &mut self.encrypted.outgoing;
        if outgoing.len() >= MOST_OUTGOING {
            outgoing.clear();
        }
        outgoing.retain(|_, other| other.to != name.folded());
        outgoing.insert(session, OutgoingRequest { to: name.folded(), request });
        self.send(v2::ClientFrame::Ask { session, username: name.into() });
    }

    /// ANSWERED.
    pub(super) fn answered(
        &mut self,
        session: v2::SessionId,
        answer: Answered,
        at: &Situation<'_>,
    ) {
        let Some(OutgoingRequest { to, request }) = self.encrypted.outgoing.remove(&session) else {
            return debug!(self.logger, "ignored an unsolicited ANSWERED");
        };
        self.asked.remove(&to);
        if !self.conversations.get(&to).is_some_and(|with| with.is_asking(request)) {
            return;
        }
        match answer {
            Answered::Accepted { by, key, candidates } if by.folded() == to => {
                if let Err(reason) = self.standing(&by, &key, at) {
                    return self.refuse_key(&to, request, &reason);
                }
                let id = SessionNumber(self.request().0);
                let Some(route) = at.route else { return };
                let Some(with) = self.conversations.get_mut(&to) else { return };
                with.peer_accepted(id);
                let name = with.name().clone();
                self.emit(Event::PrivateState {
                    with: name.clone(),
                    state: RequestState::Connecting,
                });
                let meeting = MeetingSetup {
                    session,
                    asked: true,
                    key,
                    candidates: Some(candidates),
                    local: route.local,
                    server: route.server.ip(),
                    show_to: show_to(route, at),
                };
                self.start_meeting(id, name, meeting);
            }
            Answered::Accepted { .. } => {
                self.end_requests(&to, |with| with.expired(request), "another user answered");
            }
            Answered::Declined { by, reason } => {
                let why = why_declined(&by, reason);
                if matches!(reason, Declined::ByUser | Declined::EncryptionRequired) {
                    self.transfers.declined_by(&to);
                }
                self.end_requests(&to, |with| with.expired(request), &why);
            }
        }
    }

    fn refuse_key(&mut self, key: &FoldedName, request: RequestId, reason: &str) {
        self.error(ErrorCode::Key, reason);
        self.end_requests(key, |with| with.expired(request), "the key is not the known one");
    }
}

// Requests of others.
impl Peers {
    /// ASKED.
    pub(super) fn asked_encrypted(
        &mut self,
        session: v2::SessionId,
        from: Username,
        key: PublicKey,
        at: &Situation<'_>,
    ) {
        if self.ignored.contains(&from.folded()) || self.leaving {
            return self.answer(session, Declined::ByUser);
        }
        if let Err(reason) = self.standing(&from, &key, at) {
            self.error(ErrorCode::Key, reason);
            return self.answer(session, Declined::ByUser);
        }
        let incoming = IncomingRequest { session, key };
        self.encrypted.incoming.insert(from.folded(), incoming);
        self.requested(from, at);
    }

    /// The user accepts the request of this user: listens, and answers once that is done. False
    /// when the request was one of revision 1.
    pub(super) fn accept_encrypted(&mut self, name: &Username, at: &Situation<'_>) -> bool {
        let key = name.folded();
        let Some(IncomingRequest { session, key: public }) = self.encrypted.incoming.remove(&key)
        else {
            return false;
        };
        let Some(route) = at.route else { return true };
        let id = SessionNumber(self.request().0);
        let Some(with) = self.conversations.get_mut(&key) else { return true };
        with.peer_listening(id);
        let name = with.name().clone();
        self.emit(Event::PrivateState { with: name.clone(), state: RequestState::Connecting });
        let meeting = MeetingSetup {
            session,
            asked: false,
            key: public,
            candidates: None,
            local: route.local,
            server: route.server.ip(),
            show_to: show_to(route, at),
        };
        self.start_meeting(id, name, meeting);
        true
    }

    /// The user declines, or cannot be asked; of a request of revision 1 the other side hears nothing.
    pub(super) fn decline_encrypted(&mut self, key: &FoldedName, reason: Declined) {
        if let Some(incoming) = self.encrypted.incoming.remove(key) {
            self.answer(incoming.session, reason);
        }
    }

    fn answer(&mut self, session: v2::SessionId, reason: Declined) {
        self.send(v2::ClientFrame::Answer { session, answer: Answer::Declined(reason) });
    }

    fn start_meeting(&mut self, id: SessionNumber, name: Username, meeting: MeetingSetup) {
        self.encrypted.meetings.insert(meeting.session, id);
        self.start_session(id, name, Way::Encrypted(Box::new(meeting)));
    }

    /// The session listens: the peer learns where.
    pub(super) fn candidates_ready(&mut self, id: SessionNumber, candidates: Candidates) {
        let live = self.sessions.get(&id).filter(|live| !live.closed);
        let Some((session, asked)) = live.and_then(|live| live.meeting) else { return };
        self.send(if asked {
            v2::ClientFrame::Candidates { session, candidates }
        } else {
            v2::ClientFrame::Answer { session, answer: Answer::Accepted(candidates) }
        });
    }

    /// What the server says of a meeting that is under way.
    pub(super) fn command_meeting(&mut self, session: v2::SessionId, command: SessionCommand) {
        let id = self.encrypted.meetings.get(&session).copied();
        self.command(id, command);
    }

    /// OUTCOME.
    pub(super) fn meeting_over(&mut self, id: SessionNumber, report: &MeetingReport) {
        let meeting = self.sessions.get(&id).and_then(|live| live.meeting);
        let Some((session, _)) = meeting else { return };
        let is_connected = report.reached.is_some() && report.has_files;
        let result = if is_connected { MeetingResult::Connected } else { MeetingResult::Failed };
        self.send(v2::ClientFrame::Outcome { session, result, dialled: report.dialled.clone() });
    }
}

/// The server to which a meeting shows its ports, if the connection to it is encrypted.
fn show_to(route: ServerRoute, at: &Situation<'_>) -> Option<ServerAt> {
    at.server_key.map(|key| ServerAt { address: route.server, key })
}

fn why_declined(by: &Username, reason: Declined) -> String {
    match reason {
        Declined::ByUser => format!("{by} declined"),
        Declined::Busy => format!("{by} cannot answer now"),
        Declined::NoSuchUser => format!("no user here is called {by}"),
        Declined::Left => format!("{by} left"),
        Declined::Expired => format!("{by} did not answer in time; /open {by} asks again"),
        Declined::TooMany => {
            format!("too many requests are pending; try /open {by} again in a while")
        }
        Declined::EncryptionRequired => format!("{by} only accepts encrypted connections"),
        Declined::Other(code) => format!("{by} cannot be asked (reason {code})"),
    }
}
