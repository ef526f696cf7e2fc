//! What the server says about other users.

use std::net::IpAddr;

use slog::debug;

use super::conversation::Conversation;
use super::outcome::Requested;
use super::reachable;
use super::{Peers, Situation};
use crate::client::api::event::{Event, RequestState};
use crate::client::api::settings::Policy;
use crate::client::ids::SessionNumber;
use crate::client::messages::SessionCommand;
use crate::client::session::Way;
use crate::client::session::plain::PlainRole;
use crate::protocol::v2::{self, Declined};
use crate::protocol::{FoldedName, PortPair, ServerFrame, Username};

/// Requests of others that may wait for the user.
const MOST_REQUESTS: usize = 1_000;
/// Sessions beyond which a request waits for the user, whatever the settings say: each has
/// sockets and a thread, and strangers decide how many there are.
const MOST_UNASKED: usize = 64;

impl Peers {
    /// Handles a frame of the set-up of a private session; there are no others.
    pub(crate) fn frame(&mut self, frame: v2::ServerFrame, at: &Situation<'_>) {
        match frame {
            v2::ServerFrame::Revision1(frame) => self.plain_frame(frame, at),
            v2::ServerFrame::Asked { session, username, key } => {
                self.asked_encrypted(session, username, key, at);
            }
            v2::ServerFrame::Answered { session, answer } => self.answered(session, answer, at),
            v2::ServerFrame::Candidates { session, candidates } => {
                self.command_meeting(session, SessionCommand::Reach(candidates));
            }
            v2::ServerFrame::Where { session, ticket } => {
                self.command_meeting(session, SessionCommand::Show(ticket));
            }
            v2::ServerFrame::Outcome { session, dialled, .. } => {
                self.command_meeting(session, SessionCommand::PeerSaw(dialled));
            }
            v2::ServerFrame::Go { session } => self.command_meeting(session, SessionCommand::Go),
            _ => {}
        }
    }

    fn plain_frame(&mut self, frame: ServerFrame, at: &Situation<'_>) {
        match frame {
            ServerFrame::PrivateRequested { from } => self.asked_plain(from, at),
            ServerFrame::PeerAccepted { by, address } => self.peer_accepted(&by, address, at),
            ServerFrame::PeerListening { who, address, ports } => {
                self.peer_listening(&who, address, ports, at);
            }
            ServerFrame::JoinAnswer { .. }
            | ServerFrame::Joined(_)
            | ServerFrame::Message { .. }
            | ServerFrame::Left(_) => {}
        }
    }

    /// PVCOREQNOTIF: a session that would be plain.
    fn asked_plain(&mut self, from: Username, at: &Situation<'_>) {
        let key = from.folded();
        if self.ignored.contains(&key) {
            return;
        }
        if at.roster.key(&key).is_some() && self.settings.identity.is_some() {
            // Of a user who can encrypt only a server that lies asks for it.
            return debug!(self.logger, "ignored a plain request of a user who can encrypt";
                "username" => from.as_str());
        }
        if let Err(reason) = self.may_be_plain(&from, at) {
            return self
                .notice(format!("the private request from {from} was not answered: {reason}"));
        }
        self.encrypted.forget(&key);
        self.requested(from, at);
    }

    /// PVCOREQNOTIF or ASKED.
    pub(super) fn requested(&mut self, from: Username, at: &Situation<'_>) {
        let key = from.folded();
        let ignored = self.ignored.contains(&key);
        let own = at.me.is_some_and(|me| me.folded() == key);
        if ignored || own || self.conversations.len() >= MOST_REQUESTS {
            self.decline_encrypted(&key, Declined::Busy);
            debug!(self.logger, "ignored a private request"; "username" => from.as_str());
            return;
        }
        let same_person = self.is_same_person(&key);
        let request = self.request();
        let asking = self.encrypted.asking_key(&key);
        let standing = asking.and_then(|public| self.standing(&from, &public, at).ok());
        let policy = self.policy(&from, self.settings.accept_private, standing, at);
        let with = self
            .conversations
            .entry(key.clone())
            .or_insert_with(|| Conversation::new(from.clone()));
        if same_person {
            with.keeps_name();
        }
        match with.requested(request) {
            Requested::Repeat => {}
            Requested::Wanted => self.accept_in_turn(from, request, at),
            Requested::Undecided => match policy {
                Policy::Always
                    if self.sessions.len() < MOST_UNASKED && self.allowance.take(at.now) =>
                {
                    self.accept(&from, at);
                }
                Policy::Never => {
                    with.decline();
                    self.decline_encrypted(&key, Declined::ByUser);
                    self.notice(format!(
                        "{from} asked for a private session, which your settings decline"
                    ));
                    self.tidy(&key);
                }
                Policy::Ask | Policy::Known | Policy::Compared | Policy::Always => {
                    self.limit(&key, request, self.settings.request_timeout);
                    self.emit(Event::PrivateRequest { from });
                }
            },
        }
    }

    /// PVCOESTASRC: listens, if it was the user who asked.
    fn peer_accepted(&mut self, by: &Username, address: IpAddr, at: &Situation<'_>) {
        // The request is answered: the next one is not a repeat.
        self.asked.remove(&by.folded());
        if self.asks_to_move(&by.folded(), address, None) {
            return;
        }
        let id = SessionNumber(self.request().0);
        let asked = self.conversations.get_mut(&by.folded());
        let asked = asked.and_then(|with| with.peer_accepted(id).then(|| with.name().clone()));
        let Some(name) = asked else {
            debug!(self.logger, "ignored an unsolicited PVCOESTASRC"; "username" => by.as_str());
            return;
        };
        let Some(route) = at.route else { return };
        self.emit(Event::PrivateState { with: name.clone(), state: RequestState::Connecting });
        self.listen_for(id, name, address, route.local);
    }

    /// PVCOESTADST: connects, if the user accepted and the address is one to connect to.
    fn peer_listening(
        &mut self,
        who: &Username,
        address: IpAddr,
        ports: PortPair,
        at: &Situation<'_>,
    ) {
        let server = at.route.map(|route| route.server.ip());
        let reachable = server.is_some_and(|at| reachable::check(address, ports, at).is_ok());
        if reachable && self.asks_to_move(&who.folded(), address, Some(ports)) {
            return;
        }
        let id = SessionNumber(self.request().0);
        let key = who.folded();
        let accepted = self.conversations.get_mut(&key);
        let accepted =
            accepted.and_then(|with| with.peer_listening(id).then(|| with.name().clone()));
        let Some(name) = accepted else {
            debug!(self.logger, "ignored an unsolicited PVCOESTADST"; "username" => who.as_str());
            return;
        };
        let Some(route) = at.route else { return };
        if let Err(reason) = reachable::check(address, ports, route.server.ip()) {
            let reason = format!("not connected, since {reason}");
            return self.session_ended(&key, id, &reason);
        }
        let role = PlainRole::Dial { address, ports, source: Some(route.local) };
        self.start_session(id, name, Way::Plain(role));
    }

    /// The unfinished requests with this user cannot be answered any more.
    pub(crate) fn peer_unreachable(&mut self, key: &FoldedName, why: &str) {
        self.asked.remove(key);
        if let Some(name) = self.allowed.remove(key) {
            self.notice(format!(
                "{name} left, and the next user of that name may be another person: you will be \
                 asked about requests and files again"
            ));
        }
        self.end_requests(key, Conversation::unreachable, why);
    }

    pub(crate) fn all_unreachable(&mut self, why: &str) {
        self.asked.clear();
        if !std::mem::take(&mut self.allowed).is_empty() {
            self.notice(
                "the names you allowed are free now: you will be asked about their requests and \
                 files again",
            );
        }
        let keys: Vec<_> = self.conversations.keys().cloned().collect();
        for key in keys {
            self.peer_unreachable(&key, why);
        }
    }
}
