//! Events of the room and of the connection to the server.

use std::time::Duration;

use matou_actors::client::{ErrorCode, Event, LinkSecurity};
use matou_actors::protocol::{MessageText, Username};

use crate::client::words::describe_topic;
use crate::sanitize::sanitize;
use crate::screen::state::app::{App, Older, ServerStatus};
use crate::screen::state::buffer::RosterMove;
use crate::screen::state::entry::{Body, Said};
use crate::screen::state::event::UiEffect;
use crate::screen::state::modal::{Modal, SignInForm};
use crate::screen::state::notify::NotifyReason;
use crate::screen::state::people::{list, mentions};
use crate::screen::state::tab::PrivateState;
use crate::screen::state::tabs::ROOM;
use crate::security::describe;

/// Names that the answer to `/who` spells out.
const NAMES_TOLD: usize = 200;

impl App {
    /// Handles an event of the client.
    pub(super) fn chat(&mut self, event: Event) {
        self.track_delivery(&event);
        match event {
            Event::Connected { server, username } => self.connected(server, username),
            Event::Security { server, security } => self.reached(&server, security),
            Event::NameNeeded { server } => self.name_needed(server),
            Event::Refused { username, reason } => self.refused(&username, reason),
            Event::PasswordNeeded { server, wrong } => self.password_needed(server, wrong),
            Event::Disconnected { reason } => self.disconnected(reason),
            Event::Failover { from, server, reason } => self.failover(&from, server, &reason),
            Event::Reconnecting { attempt, delay_ms, reason } => {
                if let Some(Modal::SignIn(form)) = &mut self.modal {
                    form.reached &= form.asked.is_some() || !form.input.is_empty();
                    form.problem = Some(format!("Not connected: {reason}; trying again."));
                }
                self.link = ServerStatus::Down {
                    reason,
                    next: Some((attempt, self.now.elapsed + Duration::from_millis(delay_ms))),
                };
            }
            Event::Joined { username, present } => self.joined(username, present),
            Event::Left { username } => self.left(&username),
            Event::Message { from, text, action } => self.message(&from, &text, action),
            Event::HistoryMessage { message, missed } => self.past_message(&message, missed),
            Event::HistoryEnd { messages, more } => self.history_end(messages, more),
            Event::History { messages, more } => self.older_messages(&messages, more),
            Event::Topic { topic, changed } => {
                self.notice_in(ROOM, &describe_topic(&topic, changed));
                self.topic = topic;
            }
            Event::Present { usernames } => self.present(&usernames),
            Event::Notice { message } => self.notice_in(self.active, &message),
            Event::Error { code, message } => {
                self.error(&message);
                if code == ErrorCode::Server {
                    self.stated_reason = message;
                }
            }
            Event::Closed => self.closed(),
            other => self.private(other),
        }
    }

    /// Calls the user, unless they look.
    pub(super) fn call(&mut self, reason: NotifyReason, text: &str) {
        if let Some(how) = self.notifier.call(reason, self.now.elapsed) {
            self.effects.push(UiEffect::Notify(how, sanitize(text).into_owned()));
        }
    }

    fn reached(&mut self, server: &str, security: LinkSecurity) {
        let (text, is_warning) = describe(server, &security);
        if is_warning {
            self.error_in(ROOM, &text);
        } else {
            self.notice_in(ROOM, &text);
        }
        self.security = Some(security);
    }

    fn connected(&mut self, server: String, username: Username) {
        self.people.clear();
        self.topic.clear();
        self.people.add(username.clone());
        self.notice_in(ROOM, &format!("Connected to {} as {username}.", self.named.label(&server)));
        self.server = server;
        self.me = Some(username);
        self.link = ServerStatus::Up;
        self.older = Older::default();
        if matches!(self.modal, Some(Modal::SignIn(_))) {
            self.modal = None;
        }
    }

    fn name_needed(&mut self, server: String) {
        self.server = server;
        self.link = ServerStatus::Connecting;
        if let Some(Modal::SignIn(form)) = &mut self.modal {
            (form.reached, form.problem) = (true, None);
        }
    }

    fn password_needed(&mut self, server: String, wrong: bool) {
        self.server = server;
        let problem = wrong.then(|| "That password is wrong.".to_owned());
        let form = SignInForm { reached: true, password: true, problem, ..SignInForm::default() };
        self.modal = Some(Modal::SignIn(form));
    }

    fn refused(&mut self, username: &Username, reason: Option<String>) {
        let problem = reason
            .unwrap_or_else(|| format!("{username} is in use or not allowed on this server."));
        let mut form = match self.modal.take() {
            Some(Modal::SignIn(form)) if !form.password => form,
            _ => SignInForm::default(),
        };
        (form.asked, form.reached) = (None, true);
        form.problem = Some(problem);
        self.modal = Some(Modal::SignIn(form));
    }

    fn disconnected(&mut self, reason: String) {
        self.people.clear();
        let server = self.named.label(&self.server);
        let text = match self.link {
            ServerStatus::Up => format!("Connection to {server} lost: {reason}"),
            ServerStatus::Connecting | ServerStatus::Down { .. } => {
                format!("Not connected to {server}: {reason}")
            }
        };
        self.error_in(ROOM, &text);
        // A form for the password already shows what is wrong.
        if let Some(Modal::SignIn(form)) = &mut self.modal
            && !form.password
        {
            form.reached &= form.asked.is_some() || !form.input.is_empty();
            form.problem = Some(format!("Not connected: {reason}."));
            if let Some(name) = form.asked.take().filter(|_| form.input.text().is_empty()) {
                form.input.set(name.as_str());
            }
        }
        self.stated_reason.clone_from(&reason);
        self.link = ServerStatus::Down { reason, next: None };
    }

    fn failover(&mut self, from: &str, server: String, reason: &str) {
        let (from, to) = (self.named.label(from), self.named.label(&server));
        let text = if self.stated_reason == reason {
            format!("Trying {to} instead of {from}.")
        } else {
            format!("Trying {to} instead of {from}: {reason}")
        };
        self.notice_in(ROOM, &text);
        if let Some(Modal::SignIn(form)) = &mut self.modal
            && !form.password
        {
            form.reached &= form.asked.is_some() || !form.input.is_empty();
            form.problem = Some(text);
        }
        reason.clone_into(&mut self.stated_reason);
        (self.server, self.link) = (server, ServerStatus::Connecting);
    }

    fn joined(&mut self, who: Username, present: bool) {
        if !present {
            self.moved(&who, RosterMove::Joined);
        }
        self.people.add(who);
    }

    fn left(&mut self, who: &Username) {
        self.people.remove(who);
        self.moved(who, RosterMove::Left);
        // A user who has left waits for no answer.
        self.prompts.drop_request(who);
        if let Some(index) = self.peer_tab(who)
            && self.tabs.get(index).is_some_and(|tab| tab.session == PrivateState::Asking)
        {
            self.set_session(index, PrivateState::None);
        }
    }

    /// Joins and leaves are shown in the room and in the tab of who it is; they make no tab
    /// unread.
    fn moved(&mut self, who: &Username, how: RosterMove) {
        self.log_move(who, how);
        let peer = self.peer_tab(who);
        for index in [Some(ROOM), peer].into_iter().flatten() {
            if let Some(tab) = self.tabs.get_mut(index) {
                tab.buffer.moved(self.now.wall, who.clone(), how);
            }
        }
    }

    fn message(&mut self, from: &Username, text: &MessageText, action: bool) {
        let kind = self.kind(from, text);
        if kind == Said::Own {
            self.read_up_to_here(ROOM);
        } else {
            self.people.spoke(from);
        }
        if kind == Said::Mention {
            self.call(NotifyReason::Mention, &format!("{from}: {text}"));
        }
        self.push(ROOM, Body::said(from, text, action, kind), kind == Said::Mention);
    }

    /// Whose message that is, and whom it concerns.
    pub(super) fn kind(&self, from: &Username, text: &MessageText) -> Said {
        if self.is_me(from) {
            Said::Own
        } else if self.me.as_ref().is_some_and(|me| mentions(text.as_str(), me)) {
            Said::Mention
        } else {
            Said::Other
        }
    }

    /// A user who answers has read: the unread line is removed.
    pub(super) fn read_up_to_here(&mut self, index: usize) {
        if self.is_seen(index)
            && let Some(tab) = self.tabs.get_mut(index)
        {
            tab.buffer.mark_read();
        }
    }

    fn present(&mut self, usernames: &[Username]) {
        self.people.clear();
        for who in usernames {
            self.people.add(who.clone());
        }
        if self.link != ServerStatus::Up {
            return self.error("Not connected: the user list is unavailable. Type /reconnect.");
        }
        let text = format!("{} here: {}.", usernames.len(), list(usernames, NAMES_TOLD));
        self.notice_in(self.active, &text);
    }

    fn closed(&mut self) {
        let reason = self.leaving.is_none().then(|| match &self.link {
            ServerStatus::Down { reason, .. } => format!("the client has closed: {reason}"),
            ServerStatus::Connecting | ServerStatus::Up => "the client has closed".to_owned(),
        });
        self.effects.push(UiEffect::Exit(reason));
    }
}
