//! Private requests, the user's own and those of others.

use std::net::IpAddr;
use std::time::Duration;

use slog::debug;
use tokio::sync::oneshot;

use super::conversation::{Conversation, Item, Pursuit, Remains, Requested};
use super::encrypted::Road;
use super::reachable;
use super::{Peers, PendingClose, Situation, Wake};
use crate::client::api::event::{ErrorCode, Event, RequestState};
use crate::client::api::settings::Policy;
use crate::client::ids::{RequestId, SessionId};
use crate::client::messages::GiveUp;
use crate::client::session::Way;
use crate::client::session::actor::Role;
use crate::protocol::v2::{self, Declined};
use crate::protocol::{ClientFrame, FoldedName, PortPair, ServerFrame, Username};

/// Requests of others that may wait for the user.
const MOST_REQUESTS: usize = 1_000;
/// Sessions beyond which a request waits for the user, whatever the settings say: each has
/// sockets and a thread, and strangers decide how many there are.
const MOST_UNASKED: usize = 64;
/// A server takes a request within 5 s of the one before for a repeat of that, and ignores it.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(6);

// What the user asks of another user.
impl Peers {
    pub(super) fn conversation(&self, key: &FoldedName) -> Option<&Conversation> {
        self.conversations.get(key)
    }

    /// Sees to it that a session comes about.
    pub(super) fn pursue(&mut self, key: &FoldedName, at: &Situation<'_>) -> Option<Pursuit> {
        self.pursue_as(key, Conversation::pursue, at)
    }

    /// Sees to it that another session comes about, beside those that are open.
    pub(super) fn pursue_another(&mut self, key: &FoldedName, at: &Situation<'_>) {
        self.pursue_as(key, Conversation::pursue_another, at);
    }

    fn pursue_as(
        &mut self,
        key: &FoldedName,
        decide: fn(&mut Conversation, RequestId) -> Pursuit,
        at: &Situation<'_>,
    ) -> Option<Pursuit> {
        let request = self.request();
        let with = self.conversations.get_mut(key)?;
        let pursuit = decide(with, request);
        let name = with.name().clone();
        match pursuit {
            Pursuit::Open | Pursuit::Pending => {}
            Pursuit::Accept => self.accepted(name, request, at),
            Pursuit::Ask => self.ask_in_turn(name, request, at),
        }
        Some(pursuit)
    }

    /// Asks now, or once the server does not take it for a repeat of a request that was withdrawn.
    fn ask_in_turn(&mut self, name: Username, request: RequestId, at: &Situation<'_>) {
        self.asked.retain(|_, asked| at.now < *asked + ASK_AGAIN_AFTER);
        let Some(asked) = self.asked.get(&name.folded()) else {
            return self.ask(name, request, at);
        };
        let wait = (*asked + ASK_AGAIN_AFTER).saturating_duration_since(at.now);
        let seconds = wait.as_millis().div_ceil(1000);
        self.notice(format!("{name} was asked a moment ago; asking again in {seconds} s"));
        self.wake_in(wait, Wake::Ask { name, request });
    }

    /// The time to ask again has come.
    pub(super) fn ask_if_wanted(&mut self, name: Username, request: RequestId, at: &Situation<'_>) {
        if self.conversation(&name.folded()).is_some_and(|with| with.is_asking(request)) {
            self.ask(name, request, at);
        }
    }

    fn ask(&mut self, name: Username, request: RequestId, at: &Situation<'_>) {
        match self.road(&name, at) {
            Err(reason) => {
                self.error(ErrorCode::Key, reason);
                let key = name.folded();
                return self.end_requests(&key, |with| with.expired(request), "not asked for");
            }
            Ok(Road::Encrypted) => self.ask_encrypted(&name, request),
            Ok(Road::Plain) => self.send(ClientFrame::RequestPrivate { to: (&name).into() }),
        }
        self.asked.insert(name.folded(), at.now);
        self.limit(&name.folded(), request, self.settings.request_timeout);
        self.emit(Event::PrivateState { with: name, state: RequestState::Asked });
    }

    pub(crate) fn accept(&mut self, name: &Username, at: &Situation<'_>) {
        if self.accept_move(&name.folded(), at) {
            return;
        }
        let request = self.request();
        let asked = self.conversations.get_mut(&name.folded());
        match asked.and_then(|with| with.accept(request).then(|| with.name().clone())) {
            Some(name) => self.accepted(name, request, at),
            None => self.error(
                ErrorCode::Session,
                format!("{name} has not asked for a private session; /open {name} asks for one"),
            ),
        }
    }

    pub(crate) fn decline(&mut self, name: &Username) {
        if self.decline_move(&name.folded()) {
            return self.notice(format!(
                "your messages to {name} still go to the address of the open session"
            ));
        }
        let declined =
            self.conversations.get_mut(&name.folded()).is_some_and(Conversation::decline);
        if !declined {
            return self
                .error(ErrorCode::Session, format!("{name} has not asked for a private session"));
        }
        self.decline_encrypted(&name.folded(), Declined::ByUser);
        self.notice(format!("the private request of {name} is forgotten"));
        self.tidy(&name.folded());
    }

    /// Closes all sessions with a user; what is returned is done once that has been reported.
    pub(crate) fn close(&mut self, name: &Username) -> Option<oneshot::Receiver<()>> {
        let key = name.folded();
        let with = self.conversations.get_mut(&key);
        let closed = with.and_then(|with| with.close().map(|closed| (with.name().clone(), closed)));
        let Some((with, (sessions, undelivered))) = closed else {
            self.error(ErrorCode::Session, format!("there is no private session with {name}"));
            return None;
        };
        for session in &sessions {
            self.close_session(*session, "you closed the private session", GiveUp::WhenStalled);
        }
        self.tidy(&key);
        let (reported, wait) = oneshot::channel();
        self.pending_closes.push(PendingClose { with, sessions, undelivered, _reported: reported });
        self.report_closed();
        Some(wait)
    }

    /// Reports the end of conversations of whose sessions everything before it was reported.
    pub(super) fn report_closed(&mut self) {
        let over = self.pending_closes.extract_if(.., |close| close.sessions.is_empty());
        for PendingClose { with, undelivered, .. } in over.collect::<Vec<_>>() {
            let key = with.folded();
            self.undelivered(with.clone(), undelivered, "you closed it");
            self.emit(Event::PrivateClosed { with, reason: "you closed it".into() });
            self.still_asked(&key);
        }
    }

    /// Says what could not be delivered, and why.
    pub(super) fn undelivered(&mut self, to: Username, items: Vec<Item>, why: &str) {
        let mut texts = Vec::new();
        for item in items {
            match item {
                Item::Text(text) => texts.push(text),
                Item::File(id) => self.fail(id, format!("not sent to {to}: {why}")),
            }
        }
        if !texts.is_empty() {
            self.keep_undelivered(&to, &texts);
            self.emit(Event::Undelivered { to, texts, reason: why.into() });
        }
    }

    pub(super) fn accepted(&mut self, name: Username, request: RequestId, at: &Situation<'_>) {
        if self.accept_encrypted(&name, at) {
            return;
        }
        self.send(ClientFrame::AcceptPrivate { from: (&name).into() });
        self.limit(&name.folded(), request, self.settings.connect_timeout);
        self.emit(Event::PrivateState { with: name, state: RequestState::Connecting });
    }

    /// Ends the wait for `request` in a while.
    pub(super) fn limit(&mut self, key: &FoldedName, request: RequestId, limit: Duration) {
        self.wake_in(limit, Wake::Limit { key: key.clone(), request });
    }
}

// What the server says about another user.
impl Peers {
    /// Deals with a frame of the set-up of a private session; other frames are none.
    pub(crate) fn frame(&mut self, frame: v2::ServerFrame, at: &Situation<'_>) {
        match frame {
            v2::ServerFrame::Revision1(frame) => self.plain_frame(frame, at),
            v2::ServerFrame::Asked { session, username, key } => {
                self.asked_encrypted(session, username, key, at);
            }
            v2::ServerFrame::Answered { session, answer } => self.answered(session, answer, at),
            v2::ServerFrame::Candidates { session, candidates } => {
                self.candidates_came(session, candidates);
            }
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
            return self.notice(format!(
                "{from} asked for a private session, and was not answered: {reason}"
            ));
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
        // It is answered: the next one is no repeat.
        self.asked.remove(&by.folded());
        if self.asks_to_move(&by.folded(), address, None) {
            return;
        }
        let id = SessionId(self.request().0);
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
        let server = at.route.map(|route| route.server);
        let reachable = server.is_some_and(|at| reachable::check(address, ports, at).is_ok());
        if reachable && self.asks_to_move(&who.folded(), address, Some(ports)) {
            return;
        }
        let id = SessionId(self.request().0);
        let key = who.folded();
        let accepted = self.conversations.get_mut(&key);
        let accepted =
            accepted.and_then(|with| with.peer_listening(id).then(|| with.name().clone()));
        let Some(name) = accepted else {
            debug!(self.logger, "ignored an unsolicited PVCOESTADST"; "username" => who.as_str());
            return;
        };
        let Some(route) = at.route else { return };
        if let Err(reason) = reachable::check(address, ports, route.server) {
            let reason = format!("not connected, since {reason}");
            return self.session_ended(&key, id, &reason);
        }
        let role = Role::Dial { address, ports, source: Some(route.local) };
        self.start_session(id, name, Way::Plain(role));
    }

    /// The unfinished requests with this user cannot be answered any more.
    pub(crate) fn peer_unreachable(&mut self, key: &FoldedName, why: &str) {
        self.asked.remove(key);
        if let Some(name) = self.allowed.remove(key) {
            self.notice(format!(
                "{name} left, and the next user of that name may be another person: requests and files \
                 wait for you again"
            ));
        }
        self.end_requests(key, Conversation::unreachable, why);
    }

    pub(crate) fn all_unreachable(&mut self, why: &str) {
        self.asked.clear();
        if !std::mem::take(&mut self.allowed).is_empty() {
            self.notice(
                "the names are free now: the requests and files of those whom you allowed wait for \
                 you again",
            );
        }
        let keys: Vec<_> = self.conversations.keys().cloned().collect();
        for key in keys {
            self.peer_unreachable(&key, why);
        }
    }

    /// Has `end` end requests with a user, and reports what comes of it.
    pub(super) fn end_requests(
        &mut self,
        key: &FoldedName,
        end: impl FnOnce(&mut Conversation) -> Remains,
        why: &str,
    ) {
        let Some(with) = self.conversations.get_mut(key) else { return };
        let was_asked = with.is_asked() || with.is_moving();
        let remains = end(with);
        let is_asked = with.is_asked() || with.is_moving();
        if was_asked && !is_asked && !matches!(remains, Remains::Over(_)) {
            let from = with.name().clone();
            self.emit(Event::PrivateRequestOver { from, reason: why.into() });
        }
        self.remains(key, remains, why);
    }

    pub(super) fn remains(&mut self, key: &FoldedName, remains: Remains, reason: &str) {
        let Some(with) = self.conversations.get(key).map(|with| with.name().clone()) else {
            return;
        };
        match remains {
            Remains::Nothing | Remains::More => {}
            Remains::Undelivered(items) => self.undelivered(with, items, reason),
            Remains::Over(items) => {
                self.undelivered(with.clone(), items, reason);
                self.emit(Event::PrivateClosed { with, reason: reason.into() });
                self.still_asked(key);
            }
        }
        self.tidy(key);
    }

    /// Asks the user again when a request waits for them beside what was just reported,
    /// which sounds as if none did.
    pub(super) fn still_asked(&mut self, key: &FoldedName) {
        let with = self.conversations.get(key).filter(|with| with.is_asked());
        if let Some(from) = with.map(|with| with.name().clone()) {
            self.emit(Event::PrivateRequest { from });
        }
    }

    /// Forgets a conversation in which nothing goes on.
    pub(super) fn tidy(&mut self, key: &FoldedName) {
        if self.conversations.get(key).is_some_and(Conversation::is_idle) {
            self.conversations.remove(key);
            self.encrypted.forget(key);
        }
    }
}
