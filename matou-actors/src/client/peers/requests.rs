//! Private requests: what the user wants of them, and how they end.

use std::time::Duration;

use tokio::sync::oneshot;

use super::conversation::Conversation;
use super::encrypted::Road;
use super::outcome::{Item, Pursuit, Remains};
use super::{Peers, PendingClose, Situation, Wake};
use crate::client::api::event::{ErrorCode, Event, RequestState};
use crate::client::ids::RequestId;
use crate::client::messages::GiveUp;
use crate::protocol::v2::Declined;
use crate::protocol::{ClientFrame, FoldedName, Username};

/// A server takes a request within 5 s of the one before for a repeat of that, and ignores it.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(6);

impl Peers {
    pub(super) fn conversation(&self, key: &FoldedName) -> Option<&Conversation> {
        self.conversations.get(key)
    }

    /// Makes sure that a session is established.
    pub(super) fn pursue(&mut self, key: &FoldedName, at: &Situation<'_>) -> Option<Pursuit> {
        self.pursue_as(key, Conversation::pursue, at)
    }

    /// Makes sure that another session is established, beside those that are open.
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

    /// Asks now, or once the server would not take it for a repeat of a withdrawn request.
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

    /// It is time to ask again.
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
                return self.end_requests(
                    &key,
                    |with| with.expired(request),
                    "the request was not sent",
                );
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
        self.notice(format!("the private request of {name} was declined"));
        self.tidy(&name.folded());
    }

    /// Closes all sessions with a user; the returned future resolves once that has been reported.
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
                Item::Text(text) => texts.push(text.into_plain()),
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

    /// Has `end` end requests with a user, and reports the outcome.
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
                self.doctor.give_up(key);
                self.undelivered(with.clone(), items, reason);
                self.emit(Event::PrivateClosed { with, reason: reason.into() });
                self.still_asked(key);
            }
        }
        self.tidy(key);
    }

    /// Asks the user again when a request is pending beside what was just reported, which sounds as
    /// if there were none.
    pub(super) fn still_asked(&mut self, key: &FoldedName) {
        let with = self.conversations.get(key).filter(|with| with.is_asked());
        if let Some(from) = with.map(|with| with.name().clone()) {
            self.emit(Event::PrivateRequest { from });
        }
    }

    /// Forgets an idle conversation.
    pub(super) fn tidy(&mut self, key: &FoldedName) {
        if self.conversations.get(key).is_some_and(Conversation::is_idle) {
            self.conversations.remove(key);
            self.encrypted.forget(key);
        }
    }
}
