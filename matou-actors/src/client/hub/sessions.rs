//! Private sessions: opening them, talking on them, and their end.

use std::net::SocketAddr;
use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::{Hub, LiveSession};
use crate::client::api::event::Event;
use crate::client::files::connection::FileContext;
use crate::client::ids::SessionId;
use crate::client::messages::{GiveUp, SessionCommand};
use crate::client::session::actor::{Role, Session, Setup};
use crate::client::session::conversation::{Item, Opened};
use crate::protocol::{ClientFrame, FoldedName, MessageText, PortPair, Username};

impl Hub {
    pub(super) fn start_session(
        &mut self,
        id: SessionId,
        peer: Username,
        role: Role,
        ctx: &mut Context<Self>,
    ) {
        let address = match role {
            Role::Listen { peer, .. } => peer,
            Role::Dial { address, .. } => address,
        };
        let address = address.to_canonical();
        let session = Session::new(Setup {
            id,
            peer: peer.clone(),
            role,
            connect_timeout: self.settings.connect_timeout,
            files: FileContext {
                downloads: Arc::clone(&self.downloads),
                ids: self.transfers.ids(),
            },
            reports: ctx.address().recipient(),
            logger: self.logger.clone(),
        });
        let live = LiveSession {
            addr: session.start(),
            peer,
            address,
            open: None,
            takes_files: true,
            closed: false,
            over: false,
            unwritten: 0,
        };
        self.sessions.insert(id, live);
    }

    /// Does not wait for the session: what it is asked for is bounded by what the user typed, and
    /// by the files that were offered.
    pub(super) fn to_session(&self, id: Option<SessionId>, command: SessionCommand) {
        if let Some(live) = id.and_then(|id| self.sessions.get(&id)) {
            live.addr.do_send(command);
        }
    }

    /// Says goodbye on a session; its transfers are cut.
    pub(super) fn close_session(&mut self, id: SessionId, reason: &str, give_up: GiveUp) {
        if let Some(live) = self.sessions.get_mut(&id) {
            live.closed = true;
            self.to_session(Some(id), SessionCommand::Close { reason: reason.into(), give_up });
        }
    }

    /// Ends a session whose peer does not read to its end.
    pub(super) fn give_up_session(&mut self, id: SessionId) {
        self.to_session(Some(id), SessionCommand::HangUp);
        if self.sessions.get(&id).is_some_and(|live| live.unwritten > 0) {
            self.texts_unsent(id, "it does not read");
        }
    }

    /// Hands a text to a session; what is returned is done once the next one may follow.
    pub(super) fn send_text(&self, id: SessionId, text: MessageText) -> oneshot::Receiver<()> {
        let (room, wait) = oneshot::channel();
        self.to_session(Some(id), SessionCommand::SendText { text, room });
        wait
    }

    pub(super) fn session_ended(&mut self, key: &FoldedName, id: SessionId, reason: &str) {
        let before = self.talk_address(key);
        if let Some(with) = self.conversations.get_mut(key) {
            let remains = with.ended(id);
            self.announce_move(key, before);
            self.remains(key, remains, reason);
        }
    }
}

impl Hub {
    pub(super) fn ports_open(&mut self, session: SessionId, ports: PortPair) {
        if let Some(live) = self.sessions.get(&session).filter(|live| !live.closed) {
            let to = (&live.peer).into();
            self.send(&ClientFrame::OfferPorts { to, ports });
        }
    }

    pub(super) fn session_up(
        &mut self,
        id: SessionId,
        address: SocketAddr,
        ctx: &mut Context<Self>,
    ) {
        let Some(live) = self.sessions.get_mut(&id) else { return };
        let address = address.ip().to_canonical();
        live.open = Some(address);
        if live.closed {
            return;
        }
        let peer = live.peer.clone();
        let key = peer.folded();
        let before = self.talk_address(&key);
        let Some(with) = self.conversations.get_mut(&key) else { return };
        let opened = with.opened(id);
        if opened == Opened::Late {
            const WHY: &str = "the name has another owner now";
            self.session_ended(&key, id, WHY);
            return self.close_session(id, WHY, GiveUp::WhenStalled);
        }
        let waiting = with.take_waiting();
        if let Opened::Renewed { former, waiting } = &opened {
            const WHY: &str =
                "the name may have been free for a time, and may have another owner now";
            for session in former {
                self.close_session(*session, WHY, GiveUp::WhenStalled);
            }
            self.undelivered(peer.clone(), waiting.clone(), WHY);
        }
        if opened == Opened::Another {
            self.announce_move(&key, before);
        } else {
            self.emit(Event::PrivateOpened { with: peer.clone(), address });
            self.still_asked(&key);
        }
        if matches!(opened, Opened::Renewed { .. }) {
            self.notice(format!(
                "{peer} or you left the server meanwhile, so that the name was free: this may be \
                 somebody else, and what was open with {peer} before is closed"
            ));
        }
        for item in waiting {
            match item {
                // They have waited already, and there is a bound for them.
                Item::Text(text) => drop(self.send_text(id, text)),
                Item::File(file) => self.send_file(&key, file, ctx),
            }
        }
    }

    pub(super) fn texts_came(&mut self, session: SessionId, texts: Vec<MessageText>) {
        let live = self.sessions.get(&session).filter(|live| !live.closed);
        let (Some(live), Some(me)) = (live, self.sign_in.me().cloned()) else { return };
        let from = live.peer.clone();
        if self.ignored.contains(&from.folded()) {
            return;
        }
        for text in texts {
            self.emit(Event::PrivateMessage { from: from.clone(), to: me.clone(), text });
        }
    }

    /// Echoes a text of the user's.
    pub(super) fn text_sent(&mut self, session: SessionId, text: MessageText) {
        let (Some(live), Some(me)) = (self.sessions.get(&session), self.sign_in.me()) else {
            return;
        };
        let (from, to) = (me.clone(), live.peer.clone());
        self.emit(Event::PrivateMessage { from, to, text });
    }

    pub(super) fn text_not_sent(&mut self, session: SessionId, text: MessageText) {
        let Some(live) = self.sessions.get(&session) else { return };
        let to = live.peer.clone();
        let reason = format!("{to} reads no messages now; send it again later, or /close {to}");
        self.emit(Event::Undelivered { to, texts: vec![text], reason });
    }

    pub(super) fn texts_unsent(&mut self, session: SessionId, reason: &str) {
        let Some(live) = self.sessions.get(&session) else { return };
        let peer = live.peer.clone();
        self.error(format!("not all messages to {peer} were sent: {reason}"));
    }

    pub(super) fn unwritten(&mut self, session: SessionId, bytes: usize) {
        if let Some(live) = self.sessions.get_mut(&session) {
            live.unwritten = bytes;
        }
    }

    pub(super) fn session_closing(&mut self, session: SessionId) {
        for farewell in &mut self.farewells {
            farewell.sessions.retain(|other| *other != session);
        }
        self.report_closed();
    }

    pub(super) fn talk_over(&mut self, session: SessionId, reason: &str) {
        let Some(live) = self.sessions.get_mut(&session).filter(|live| !live.closed) else {
            return;
        };
        live.over = true;
        let key = live.peer.folded();
        self.session_ended(&key, session, reason);
    }

    pub(super) fn session_over(&mut self, session: SessionId, reason: &str) {
        let Some(live) = self.sessions.remove(&session) else { return };
        for id in self.transfers.of(session) {
            self.fail(id, reason.into());
        }
        self.session_ended(&live.peer.folded(), session, reason);
        self.report_closed();
    }
}
