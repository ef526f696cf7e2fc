//! Events between two users: requests, sessions, private messages.

use std::net::IpAddr;

use matou_actors::client::{Event, KeyStanding, LinkSecurity, MessageId, RequestState};
use matou_actors::protocol::{MessageText, Username};

use crate::diagnosis::describe_diagnosis;
use crate::sanitize::sanitize;
use crate::screen::state::app::App;
use crate::screen::state::entry::{Body, Said};
use crate::screen::state::notify::NotifyReason;
use crate::screen::state::prompts::Prompt;
use crate::screen::state::tab::PrivateState;
use crate::security::{describe_session, describe_user, describe_words};

impl App {
    /// Handles an event of private sessions.
    pub(super) fn private(&mut self, event: Event) {
        match event {
            Event::PrivateRequest { from } => self.requested(from),
            Event::PrivateMoveRequest { from, address, open } => {
                self.requested_to_move(from, address, open);
            }
            Event::PrivateRequestOver { from, reason } => self.request_over(&from, &reason),
            Event::PrivateState { with, state } => self.request_state(&with, state),
            Event::PrivateOpened { with, address, security } => {
                self.opened(&with, address, security);
            }
            Event::PrivateMessage { id, from, to, text, action } => {
                self.private_message(id, &from, &to, (&text, action));
            }
            Event::Typing { from, active } => self.peer_types(&from, active),
            Event::Delivered { to, ids } => {
                let tab = self.peer_tab(&to).and_then(|index| self.tabs.get_mut(index));
                if let Some(tab) = tab {
                    tab.delivered(&ids);
                }
            }
            Event::Whois { .. } => {
                for line in describe_user(&event) {
                    self.notice_in(self.active, &line);
                }
            }
            Event::Diagnosis(diagnosis) => {
                let index = self.peer_tab(&diagnosis.with).unwrap_or(self.active);
                for line in describe_diagnosis(&diagnosis) {
                    self.notice_in(index, &line);
                }
            }
            Event::Verification { username, words, .. } => {
                let index = self.peer_tab(&username).unwrap_or(self.active);
                self.notice_in(index, &describe_words(&username, &words));
            }
            Event::KeyStanding { username, fingerprint, key } => {
                self.key_standing(&username, fingerprint, key);
            }
            Event::PrivateClosed { with, reason } => self.session_closed(&with, &reason),
            Event::Undelivered { to, texts, reason } => self.undelivered(&to, &texts, &reason),
            other => self.file(other),
        }
    }

    pub(super) fn set_session(&mut self, index: usize, session: PrivateState) {
        if let Some(tab) = self.tabs.get_mut(index).filter(|tab| tab.peer().is_some()) {
            tab.session = session;
            if !matches!(session, PrivateState::Open(_)) {
                (tab.announced_typing, tab.peer_types_until) = (None, None);
            }
        }
    }

    fn is_open(&self, index: usize) -> bool {
        self.tabs.get(index).is_some_and(|tab| matches!(tab.session, PrivateState::Open(_)))
    }

    fn requested(&mut self, from: Username) {
        let index = self.ensure_tab(&from);
        if !self.is_open(index) {
            self.set_session(index, PrivateState::Asking);
        }
        let text = format!(
            "{from} requests a private session, for messages or a file: /accept {from} or /decline \
             {from}; /allow {from} accepts it and their files"
        );
        self.push(index, Body::Notice(sanitize(&text).into()), true);
        self.call(NotifyReason::Private, &format!("{from} requests a private session"));
        self.prompts.add(Prompt::Private { from });
    }

    fn requested_to_move(&mut self, from: Username, address: IpAddr, open: IpAddr) {
        let index = self.ensure_tab(&from);
        let text = format!(
            "The server says that {from} is at {address} now, but you talk with them at {open}. \
             Talk with {address}? /accept {from} or /decline {from}"
        );
        self.push(index, Body::Notice(sanitize(&text).into()), true);
        self.call(NotifyReason::Private, &format!("{from} is said to be somewhere else now"));
        self.prompts.add(Prompt::Move { from, address });
    }

    fn request_over(&mut self, from: &Username, reason: &str) {
        self.prompts.drop_request(from);
        let Some(index) = self.peer_tab(from) else { return };
        self.notice_in(index, &format!("The private request of {from} ended: {reason}"));
    }

    fn request_state(&mut self, with: &Username, state: RequestState) {
        let index = self.ensure_tab(with);
        if self.is_open(index) {
            // Another session beside the one that is talked on, for files.
            self.prompts.drop_request(with);
            return;
        }
        let (session, text) = match state {
            RequestState::Asked => (
                PrivateState::Asked,
                format!(
                    "Requested a private session with {with}. Messages are sent once it is open."
                ),
            ),
            RequestState::Connecting => {
                (PrivateState::Connecting, format!("Connecting to {with} directly."))
            }
        };
        if state == RequestState::Connecting {
            self.prompts.drop_request(with);
        }
        self.set_session(index, session);
        self.notice_in(index, &text);
    }

    fn opened(&mut self, with: &Username, address: IpAddr, security: LinkSecurity) {
        self.prompts.drop_request(with);
        let index = self.ensure_tab(with);
        self.set_session(index, PrivateState::Open(address));
        let text = format!(
            "Private session with {with} at {address}: messages and files go directly, not through \
             the server; {}.",
            describe_session(with, &security)
        );
        if security == LinkSecurity::Plain {
            self.error_in(index, &text);
        } else {
            self.notice_in(index, &text);
        }
        if let Some(tab) = self.tabs.get_mut(index) {
            tab.security = Some(security);
        }
    }

    /// How far the key of a user is known.
    fn key_standing(&mut self, who: &Username, fingerprint: String, key: KeyStanding) {
        if key != KeyStanding::Compared {
            self.compared.remove(&who.folded());
            return;
        }
        let is_news = self.compared.insert(who.folded());
        let tab = self.peer_tab(who);
        if let Some(tab) = tab.and_then(|index| self.tabs.get_mut(index))
            && matches!(tab.session, PrivateState::Open(_))
        {
            tab.security = Some(LinkSecurity::Encrypted { fingerprint, key });
        }
        if let Some(index) = tab.filter(|_| is_news) {
            self.notice_in(index, &format!("You have compared the key of {who}."));
        }
    }

    fn private_message(
        &mut self,
        id: Option<MessageId>,
        from: &Username,
        to: &Username,
        (text, action): (&MessageText, bool),
    ) {
        let own = self.is_me(from);
        let peer = if own { to } else { from };
        let index = self.ensure_tab(peer);
        if !own && let Some(tab) = self.tabs.get_mut(index) {
            tab.peer_types_until = None;
        }
        if own {
            self.read_up_to_here(index);
            if let Some(tab) = self.tabs.get_mut(index) {
                tab.waits_no_more(&if action { text.as_action() } else { text.clone() });
                if let Some(id) = id {
                    tab.await_delivery(id);
                }
            }
        } else {
            self.call(NotifyReason::Private, &format!("{from} (private): {text}"));
        }
        let kind = if own { Said::Own } else { Said::Other };
        let mut body = Body::said(from, text, action, kind);
        if let Body::Said { delivered, .. } = &mut body {
            *delivered = id.map(|_| false);
        }
        self.push(index, body, !own);
    }

    fn session_closed(&mut self, with: &Username, reason: &str) {
        self.untabbed.remove(&with.folded());
        // A request that still waits is announced again.
        self.prompts.drop_request(with);
        let Some(index) = self.peer_tab(with) else {
            // The tab was closed together with its session.
            return;
        };
        let was_open = self.is_open(index);
        self.set_session(index, PrivateState::None);
        if let Some(tab) = self.tabs.get_mut(index) {
            tab.security = None;
        }
        let text = if was_open {
            format!("Private session with {with} closed: {reason}")
        } else {
            format!("No private session with {with}: {reason}")
        };
        self.notice_in(index, &text);
    }

    /// Shown once, in the active tab.
    fn undelivered(&mut self, to: &Username, texts: &[MessageText], reason: &str) {
        let index = self.peer_tab(to);
        let whom = if index == Some(self.active) { String::new() } else { format!(" to {to}") };
        for text in texts {
            if let Some(tab) = index.and_then(|index| self.tabs.get_mut(index)) {
                tab.waits_no_more(text);
            }
            self.error(&format!("Not delivered{whom} ({reason}): {text}"));
        }
    }
}
