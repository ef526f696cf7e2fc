//! Private sessions: opening them, talking on them, and their end.

use std::net::{IpAddr, SocketAddr};

use slog::debug;
use tokio::sync::oneshot;

use super::outcome::{Item, Opened};
use super::{LiveSession, PeerAction, Peers, Situation};
use crate::client::api::event::{ErrorCode, Event, LinkSecurity};
use crate::client::ids::{MessageId, SessionNumber};
use crate::client::messages::{GiveUp, PrivateText, SessionCommand, SessionEvent};
use crate::client::session::Way;
use crate::client::session::plain::PlainRole;
use crate::protocol::v2::PublicKey;
use crate::protocol::{ClientFrame, FoldedName, MessageText, PortPair, Username};

impl Peers {
    pub(super) fn start_session(&mut self, id: SessionNumber, peer: Username, way: Way) {
        // In revision 2 it is known only once the session is open.
        let unknown = IpAddr::from([0, 0, 0, 0]);
        let (address, meeting, key) = match &way {
            Way::Plain(PlainRole::Listen { peer, .. }) => (*peer, None, None),
            Way::Plain(PlainRole::Dial { address, .. }) => (*address, None, None),
            Way::Encrypted(meeting) => {
                (unknown, Some((meeting.session, meeting.asked)), Some(meeting.key))
            }
        };
        let address = address.to_canonical();
        self.actions.push(PeerAction::Start { id, peer: peer.clone(), way });
        let live = LiveSession {
            peer,
            address,
            open: None,
            meeting,
            key,
            standing: None,
            takes_files: true,
            closed: false,
            over: false,
            unwritten: 0,
        };
        self.sessions.insert(id, live);
    }

    /// Whether the user who requests a session has proved the key that the peers of all open ones
    /// have.
    pub(super) fn is_same_person(&self, key: &FoldedName) -> bool {
        let Some(asking) = self.encrypted.asking_key(key) else { return false };
        self.talks_with(key, asking)
    }

    /// Whether the peers of all open sessions with this user have proved this key.
    fn talks_with(&self, name: &FoldedName, key: PublicKey) -> bool {
        let Some(with) = self.conversations.get(name) else { return false };
        let mut open = with.sessions().iter().filter_map(|id| self.sessions.get(id));
        open.all(|live| live.key == Some(key))
    }

    pub(super) fn command(&mut self, id: Option<SessionNumber>, command: SessionCommand) {
        if let Some(id) = id {
            self.actions.push(PeerAction::Session(id, command));
        }
    }

    /// Says goodbye on a session; its transfers are cut.
    pub(super) fn close_session(&mut self, id: SessionNumber, reason: &str, give_up: GiveUp) {
        if let Some(live) = self.sessions.get_mut(&id) {
            live.closed = true;
            self.command(Some(id), SessionCommand::Close { reason: reason.into(), give_up });
        }
    }

    /// Hands a text to a session; the returned future resolves once the next one may follow.
    pub(super) fn send_text(
        &mut self,
        id: SessionNumber,
        text: PrivateText,
    ) -> oneshot::Receiver<()> {
        let (room, wait) = oneshot::channel();
        self.command(Some(id), SessionCommand::SendText { text, room });
        wait
    }

    pub(super) fn session_ended(&mut self, key: &FoldedName, id: SessionNumber, reason: &str) {
        let before = self.talk_address(key);
        if let Some(with) = self.conversations.get_mut(key) {
            let remains = with.ended(id);
            debug!(self.logger, "a private session ended";
                "session" => ?id, "reason" => reason);
            self.announce_move(key, before);
            self.remains(key, remains, reason);
        }
    }
}

impl Peers {
    /// Handles a report of `session`.
    pub(crate) fn session_event(
        &mut self,
        session: SessionNumber,
        event: SessionEvent,
        at: &Situation<'_>,
    ) {
        match event {
            SessionEvent::PortsOpen(ports) => self.ports_open(session, ports),
            SessionEvent::CandidatesReady(own) => self.candidates_ready(session, own),
            SessionEvent::Met(report) => self.meeting_over(session, &report),
            SessionEvent::Diagnosed(evidence) => self.diagnosed(session, &evidence),
            SessionEvent::Up { peer } => self.session_up(session, peer, at),
            SessionEvent::Texts(texts) => self.texts_received(session, texts, at),
            SessionEvent::Sent { text, id } => self.text_sent(session, text, id, at),
            SessionEvent::Typing(active) => self.peer_typing(session, active),
            SessionEvent::Confirmed(ids) => self.texts_confirmed(session, ids),
            SessionEvent::Unconfirmed(texts) => self.texts_unconfirmed(session, texts),
            SessionEvent::NotSent { to, text } => self.text_not_sent(to, text),
            SessionEvent::File(event) => self.file_event(session, event, at),
            SessionEvent::Closing => self.session_closing(session),
            SessionEvent::Unwritten(bytes) => self.note_unwritten(session, bytes),
            SessionEvent::Unsent { reason } => self.texts_unsent(session, &reason),
            SessionEvent::TalkOver { reason } => self.talk_over(session, &reason),
            SessionEvent::Over { reason } => self.session_over(session, &reason),
        }
    }

    fn ports_open(&mut self, session: SessionNumber, ports: PortPair) {
        if let Some(live) = self.sessions.get(&session).filter(|live| !live.closed) {
            let to = (&live.peer).into();
            self.send(ClientFrame::OfferPorts { to, ports });
        }
    }

    fn session_up(&mut self, id: SessionNumber, address: SocketAddr, at: &Situation<'_>) {
        let Some(live) = self.sessions.get_mut(&id) else { return };
        let address = address.ip().to_canonical();
        (live.open, live.address) = (Some(address), address);
        if live.closed {
            return;
        }
        let (peer, public) = (live.peer.clone(), live.key);
        let key = peer.folded();
        let security = match public {
            None => LinkSecurity::Plain,
            Some(public) => self.note_key(&peer, &public, at),
        };
        if let (Some(live), LinkSecurity::Encrypted { key, .. }) =
            (self.sessions.get_mut(&id), &security)
        {
            live.standing = Some(*key);
        }
        let keeps_name = public.is_some_and(|public| self.talks_with(&key, public));
        let before = self.talk_address(&key);
        let Some(with) = self.conversations.get_mut(&key) else { return };
        if keeps_name {
            with.keeps_name();
        }
        let opened = with.opened(id);
        if opened == Opened::Late {
            const WHY: &str = "the name belongs to another person now";
            self.session_ended(&key, id, WHY);
            return self.close_session(id, WHY, GiveUp::WhenStalled);
        }
        let waiting = with.take_waiting();
        if let Opened::Renewed { former, waiting } = &opened {
            const WHY: &str = "the name was free for a while and may belong to another person now";
            for session in former {
                self.close_session(*session, WHY, GiveUp::WhenStalled);
            }
            self.undelivered(peer.clone(), waiting.clone(), WHY);
        }
        if opened == Opened::Another {
            self.announce_move(&key, before);
        } else {
            self.emit(Event::PrivateOpened { with: peer.clone(), address, security });
            self.still_asked(&key);
        }
        if matches!(opened, Opened::Renewed { .. }) {
            self.notice(format!(
                "{peer} or you left the server meanwhile, so that the name was free: this may be \
                 another person, and the earlier session with {peer} is closed"
            ));
        }
        for item in waiting {
            match item {
                // They have waited already, and there is a bound for them.
                Item::Text(text) => drop(self.send_text(id, text)),
                Item::File(file) => self.send_file(&key, file, at),
            }
        }
    }

    fn texts_received(
        &mut self,
        session: SessionNumber,
        texts: Vec<PrivateText>,
        at: &Situation<'_>,
    ) {
        let live = self.sessions.get(&session).filter(|live| !live.closed);
        let (Some(live), Some(me)) = (live, at.me.cloned()) else { return };
        let from = live.peer.clone();
        if self.ignored.contains(&from.folded()) {
            return;
        }
        for PrivateText { text, action } in texts {
            let (from, to) = (from.clone(), me.clone());
            self.emit(Event::PrivateMessage { id: None, from, to, text, action });
        }
    }

    fn peer_typing(&mut self, session: SessionNumber, active: bool) {
        let Some(live) = self.sessions.get(&session).filter(|live| !live.closed) else { return };
        let from = live.peer.clone();
        if !self.ignored.contains(&from.folded()) {
            self.actions.push(PeerAction::EmitUnlessBehind(Event::Typing { from, active }));
        }
    }

    /// Echoes a text of the user's.
    fn text_sent(
        &mut self,
        session: SessionNumber,
        PrivateText { text, action }: PrivateText,
        id: Option<MessageId>,
        at: &Situation<'_>,
    ) {
        let (Some(live), Some(me)) = (self.sessions.get(&session), at.me) else {
            return;
        };
        let (from, to) = (me.clone(), live.peer.clone());
        self.emit(Event::PrivateMessage { id, from, to, text, action });
    }

    fn texts_confirmed(&mut self, session: SessionNumber, ids: Vec<MessageId>) {
        if let Some(live) = self.sessions.get(&session) {
            let to = live.peer.clone();
            self.emit(Event::Delivered { to, ids });
        }
    }

    fn texts_unconfirmed(&mut self, session: SessionNumber, texts: Vec<MessageText>) {
        let Some(live) = self.sessions.get(&session) else { return };
        let to = live.peer.clone();
        let reason =
            format!("the session ended before {to} confirmed them; /resend {to} sends them again");
        self.keep_undelivered(&to, &texts);
        self.emit(Event::Undelivered { to, texts, reason });
    }

    fn text_not_sent(&mut self, to: Username, text: MessageText) {
        let reason = format!(
            "{to} is not receiving messages at the moment; send it again later, or /close {to}"
        );
        let texts = vec![text];
        self.keep_undelivered(&to, &texts);
        self.emit(Event::Undelivered { to, texts, reason });
    }

    pub(super) fn texts_unsent(&mut self, session: SessionNumber, reason: &str) {
        let Some(live) = self.sessions.get(&session) else { return };
        let peer = live.peer.clone();
        self.error(ErrorCode::NotSent, format!("not all messages to {peer} were sent: {reason}"));
    }

    fn note_unwritten(&mut self, session: SessionNumber, bytes: usize) {
        if let Some(live) = self.sessions.get_mut(&session) {
            live.unwritten = bytes;
        }
    }

    /// Everything before the close of a session was reported.
    fn session_closing(&mut self, session: SessionNumber) {
        for close in &mut self.pending_closes {
            close.sessions.retain(|other| *other != session);
        }
        self.report_closed();
    }

    fn talk_over(&mut self, session: SessionNumber, reason: &str) {
        let Some(live) = self.sessions.get_mut(&session).filter(|live| !live.closed) else {
            return;
        };
        live.over = true;
        let key = live.peer.folded();
        self.session_ended(&key, session, reason);
    }

    fn session_over(&mut self, session: SessionNumber, reason: &str) {
        self.encrypted.session_over(session);
        if let Some(live) = self.sessions.remove(&session) {
            for id in self.transfers.of(session) {
                self.fail(id, reason.into());
            }
            self.session_ended(&live.peer.folded(), session, reason);
        }
        self.session_closing(session);
    }
}
