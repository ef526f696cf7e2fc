//! Private sessions: opening them, talking on them, and their end.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::{Hub, Leaving, LiveSession, OpenSession};
use crate::client::api::event::Event;
use crate::client::connection::outbox::Outbox;
use crate::client::files::file_queue::FileQueue;
use crate::client::ids::SessionId;
use crate::client::messages::HangUp;
use crate::client::session::actor::{Role, Session};
use crate::client::session::conversation::{Item, Opened};
use crate::protocol::{ClientFrame, FoldedName, MessageText, PeerFrame, PortPair, Username};

/// For the peer of a closed session to take something more of what was said before.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(4);

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
        let session = Session {
            id,
            role,
            connect_timeout: self.settings.connect_timeout,
            downloads: self.downloads.clone(),
            hub: ctx.address().recipient(),
            logger: self.logger.clone(),
            files: None,
            watch: None,
        };
        let addr = session.start();
        self.sessions.insert(
            id,
            LiveSession { addr, peer, address, open: None, closed: false, over: false },
        );
    }

    /// Says goodbye on a session; its transfers are cut.
    pub(super) fn close_session(&mut self, id: SessionId, reason: &str, ctx: &mut Context<Self>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.closed = true;
        match &session.open {
            Some(_) if session.over => {
                self.cut_files_of(id, reason);
                self.hang_up(id);
            }
            Some(open) => {
                // When it is full the end of the connection says the same.
                let _ = open.outbox.push(&PeerFrame::Close);
                open.outbox.close();
                let waiting = open.outbox.waiting();
                self.cut_files_of(id, reason);
                Self::close_after_drain(id, waiting, ctx);
            }
            // Once in its life.
            None => session.addr.do_send(HangUp),
        }
    }

    /// Gives a closed session up once its peer takes nothing more of what was `waiting`.
    fn close_after_drain(id: SessionId, waiting: usize, ctx: &mut Context<Self>) {
        Self::later(ctx, CLOSE_TIMEOUT, move |hub, ctx| {
            // Whoever signs out waits for all connections together.
            let leaving = matches!(hub.leaving, Leaving::Now | Leaving::Over);
            let Some(live) = hub.sessions.get(&id).filter(|_| !leaving) else { return };
            let left = live.open.as_ref().map_or(0, |open| open.outbox.waiting());
            if left < waiting {
                return Self::close_after_drain(id, left, ctx);
            }
            hub.give_up_session(id);
        });
    }

    /// Ends a session whose peer does not read to its end.
    pub(super) fn give_up_session(&mut self, id: SessionId) {
        self.hang_up(id);
        let Some(live) = self.sessions.get(&id) else { return };
        if live.open.as_ref().is_some_and(|open| open.outbox.waiting() > 0) {
            let peer = live.peer.clone();
            self.error(format!("not all messages to {peer} were sent: it does not read"));
        }
    }

    /// Is done with a session.
    pub(super) fn hang_up(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get(&id) {
            // Once or twice in its life.
            session.addr.do_send(HangUp);
        }
    }

    /// Hands a text to a session, and echoes it as an event.
    pub(super) fn send_text(&mut self, id: SessionId, text: MessageText) {
        let Some(session) = self.sessions.get(&id) else { return };
        let (Some(open), Some(me)) = (&session.open, self.sign_in.me()) else { return };
        let (from, to) = (me.clone(), session.peer.clone());
        if open.outbox.push(&PeerFrame::Message(text.clone())).is_ok() {
            return self.emit(Event::PrivateMessage { from, to, text });
        }
        let reason = format!("{to} reads no messages now; send it again later, or /close {to}");
        self.emit(Event::Undelivered { to, texts: vec![text], reason });
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
        outbox: Outbox,
        files: Arc<TcpStream>,
        ctx: &mut Context<Self>,
    ) {
        let Some(live) = self.sessions.get_mut(&id) else { return };
        live.open = Some(OpenSession { address, outbox, files, queue: FileQueue::default() });
        let (peer, closed) = (live.peer.clone(), live.closed);
        if closed || self.leaving == Leaving::Now {
            return self.close_session(id, "you closed the private session", ctx);
        }
        let key = peer.folded();
        let before = self.talk_address(&key);
        let Some(with) = self.conversations.get_mut(&key) else { return };
        let opened = with.opened(id);
        if opened == Opened::Late {
            const WHY: &str = "the name has another owner now";
            self.session_ended(&key, id, WHY);
            self.close_session(id, WHY, ctx);
            return;
        }
        let waiting = with.take_waiting();
        if let Opened::Renewed { former, waiting } = &opened {
            const WHY: &str =
                "the name may have been free for a time, and may have another owner now";
            for session in former {
                self.close_session(*session, WHY, ctx);
            }
            self.undelivered(&key, waiting.clone(), WHY);
        }
        if opened == Opened::Another {
            self.announce_move(&key, before);
        } else {
            let (with, address) = (peer.clone(), address.ip().to_canonical());
            self.emit(Event::PrivateOpened { with, address });
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
                Item::Text(text) => self.send_text(id, text),
                Item::File(file) => self.enqueue_file(&key, file, ctx),
            }
        }
    }

    pub(super) fn session_frames(&mut self, session: SessionId, frames: Vec<PeerFrame>) {
        let live = self.sessions.get(&session).filter(|live| !live.closed);
        if let (Some(live), Some(me)) = (live, self.sign_in.me().cloned()) {
            let from = live.peer.clone();
            let ignored = self.ignored.contains(&from.folded());
            for frame in frames {
                if let PeerFrame::Message(text) = frame
                    && !ignored
                {
                    let (from, to) = (from.clone(), me.clone());
                    self.emit(Event::PrivateMessage { from, to, text });
                }
            }
        }
    }

    pub(super) fn talk_down(&mut self, session: SessionId, reason: &str, ctx: &mut Context<Self>) {
        let Some(live) = self.sessions.get_mut(&session) else { return };
        let (key, name, closed) = (live.peer.folded(), live.peer.clone(), live.closed);
        live.over |= !closed;
        let unsent = live.open.as_ref().map_or(0, |open| open.outbox.waiting());
        if unsent > 0 {
            self.error(format!("not all messages to {name} were sent: {reason}"));
        }
        if closed {
            return self.hang_up(session);
        }
        self.orphan_files_of(session, reason, ctx);
        self.session_ended(&key, session, reason);
    }

    pub(super) fn session_down(&mut self, session: SessionId, reason: &str) {
        let Some(live) = self.sessions.remove(&session) else { return };
        self.session_ended(&live.peer.folded(), session, reason);
    }
}
