//! The actor of a private session of revision 2: it meets the peer, and owns both connections.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use slog::Logger;
use tokio::sync::{oneshot, watch};

use super::delivery::Delivery;
use super::encrypted_files::{EncryptedFiles, Follows, SharedFiles};
use super::encrypted_talk::{Came, LINGER, read, talk};
use crate::client::connection::frames::Frames;
use crate::client::connection::outbox::{Outbox, Pace};
use crate::client::ids::{MessageIds, SessionId};
use crate::client::meeting::{
    MeetingPorts, Met, Secure, Side, Surroundings, meet, own_candidates, own_networks,
};
use crate::client::messages::{
    ExchangeReport, FileEvent, GiveUp, SessionCommand, SessionEvent, SessionReport,
};
use crate::exchange::Report;
use crate::protocol::v2::{self, ACTION, Candidates, MessageFrame, PublicKey};
use crate::protocol::{MessageText, PeerFrame, Username};
use crate::trust::Identity;

/// Bytes that may wait for a peer.
const OUTBOX: usize = 1024 * 1024;
/// For the peer of a closed session to take something more of what was said before.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(4);
/// How often it is reported how much a closed session has still to write.
const LOOK: Duration = Duration::from_millis(250);

/// Whom to meet, and why.
#[derive(Clone, Debug)]
pub(crate) struct Meeting {
    pub(crate) session: v2::SessionId,
    /// The user asked for the session.
    pub(crate) asked: bool,
    /// The key that the peer has to prove.
    pub(crate) key: PublicKey,
    /// Where the peer can be reached, if that is known already.
    pub(crate) candidates: Option<Candidates>,
    /// The two ends of the connection to the server.
    pub(crate) local: IpAddr,
    pub(crate) server: IpAddr,
}

/// What a session is started with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) id: SessionId,
    pub(crate) peer: Username,
    pub(crate) meeting: Meeting,
    pub(crate) identity: Arc<Identity>,
    pub(crate) listen: Option<IpAddr>,
    pub(crate) ports: Option<RangeInclusive<u16>>,
    /// Further addresses at which the user says that they can be reached.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) connect_timeout: Duration,
    pub(crate) messages: MessageIds,
    pub(crate) files: SharedFiles,
    pub(crate) reports: Recipient<SessionReport>,
    pub(crate) logger: Logger,
}

/// Meets the peer, then does what [`SessionCommand`]s say.
pub(crate) struct EncryptedSession {
    setup: Setup,
    /// Where the peer can be reached, for the meeting.
    offered: watch::Sender<Option<Candidates>>,
    /// `None` until both connections are there.
    open: Option<Open>,
    ended: bool,
}

#[derive(Debug)]
struct Open {
    outbox: Outbox,
    talk: SpawnHandle,
    delivery: Delivery,
    files: EncryptedFiles,
    /// The message connection has ended, and why; the file connection is about to.
    over: Option<String>,
    /// The session was closed from here.
    give_up: Option<GiveUp>,
    /// Bytes that were last reported as not yet written.
    unwritten: usize,
}

/// What came at once on the message connection.
#[derive(Debug, Default)]
struct Sorted {
    texts: Vec<MessageText>,
    about_files: Vec<MessageFrame>,
    /// The peer ended the session, or broke the protocol.
    end: Option<String>,
}

impl EncryptedSession {
    pub(crate) fn new(setup: Setup) -> Self {
        let offered = watch::Sender::new(setup.meeting.candidates.clone());
        Self { setup, offered, open: None, ended: false }
    }

    /// By `do_send`: what is reported so is bounded by what the hub asked for, or comes once in the
    /// session's life. Texts, which the peer sends, wait for an answer.
    fn report(&self, event: SessionEvent) {
        self.setup.reports.do_send(SessionReport { session: self.setup.id, event });
    }

    fn begin(&mut self, met: Met, ctx: &mut Context<Self>) {
        if self.ended {
            return;
        }
        let Met { messages, files } = met;
        let Secure { stream, peer } = messages;
        let Meeting { asked, key, .. } = self.setup.meeting;
        let shared = self.setup.files.clone();
        let reports = ctx.address().recipient();
        let files = match EncryptedFiles::start(files.stream, asked, key, shared, reports) {
            Ok(files) => files,
            Err(error) => return self.end(format!("the connection broke: {error}"), ctx),
        };
        self.report(SessionEvent::Up { peer });
        let outbox = Outbox::new(OUTBOX, Pace::Once);
        let (input, output) = tokio::io::split(stream);
        let (session, writing) = (ctx.address().recipient(), outbox.clone());
        let talk = async move {
            let reading = read(Frames::new(input), session);
            talk(reading, &writing, output).await
        };
        let talk = ctx.spawn(talk.into_actor(self).map(|reason, session, ctx| {
            session.talk_ended(reason, ctx);
        }));
        let delivery = Delivery::default();
        self.open =
            Some(Open { outbox, talk, delivery, files, over: None, give_up: None, unwritten: 0 });
    }

    fn talk_ended(&mut self, reason: String, ctx: &mut Context<Self>) {
        let Some(open) = &mut self.open else { return };
        let unconfirmed = open.delivery.take_unconfirmed();
        let has_ended = open.files.has_ended();
        open.files.close();
        open.over = Some(reason.clone());
        if !unconfirmed.is_empty() {
            self.report(SessionEvent::Unconfirmed(unconfirmed));
        }
        if has_ended {
            return self.end(reason, ctx);
        }
        // What the files came to is reported first; a disk may hold that up for ever.
        ctx.run_later(LINGER, |session, ctx| session.end("closed".into(), ctx));
    }

    fn files_report(&mut self, report: Report, ctx: &mut Context<Self>) {
        let Some(open) = &mut self.open else { return };
        match open.files.report(report) {
            Follows::Nothing => {}
            Follows::Event(event) => self.report(SessionEvent::File(event)),
            Follows::Frame(frame) => {
                if open.outbox.push_control(&frame).is_err() && open.over.is_none() {
                    // It asks for more than it reads: without this frame nothing about files holds.
                    ctx.cancel_future(open.talk);
                    self.talk_ended("it does not read".into(), ctx);
                }
            }
            Follows::Ended(events) => {
                let over = open.over.clone();
                for event in events {
                    self.report(SessionEvent::File(event));
                }
                if let Some(reason) = over {
                    self.end(reason, ctx);
                }
            }
        }
    }

    /// Closes what is open, and stops once the hub knows: what it has sent until then is answered.
    fn end(&mut self, reason: String, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.open = None;
        let report = SessionReport { session: self.setup.id, event: SessionEvent::Over { reason } };
        let (known, session) = (self.setup.reports.send(report), ctx.address());
        let stop = async move {
            // An error means that the client is closing.
            let _ = known.await;
            // Behind everything else that was sent.
            session.do_send(SessionCommand::HangUp);
        };
        ctx.spawn(stop.into_actor(self));
    }

    fn send_text(&mut self, text: MessageText, room: oneshot::Sender<()>, ctx: &mut Context<Self>) {
        let to = self.setup.peer.clone();
        let Some(open) = &mut self.open else {
            return self.report(SessionEvent::NotSent { to, text });
        };
        let frame = open.delivery.send(text.clone());
        let sent = frame.is_some_and(|frame| open.outbox.push(&frame).is_ok());
        let outbox = open.outbox.clone();
        let event = if sent {
            let id = self.setup.messages.next();
            open.delivery.sent(id, text.clone());
            SessionEvent::Sent { text, id: Some(id) }
        } else {
            SessionEvent::NotSent { to, text }
        };
        self.report(event);
        if !room.is_closed() {
            let wait = async move {
                outbox.pace().await;
                drop(room);
            };
            ctx.spawn(wait.into_actor(self));
        }
    }

    /// Says goodbye; files are cut.
    fn close(&mut self, give_up: GiveUp, ctx: &mut Context<Self>) {
        let Some(open) = &mut self.open else { return self.end("closed".into(), ctx) };
        let first = open.give_up.replace(give_up).is_none();
        // When it is full the end of the connection says the same.
        let _ = open.outbox.push(&MessageFrame::Revision1(PeerFrame::Close));
        open.outbox.close();
        let waiting = open.outbox.waiting();
        if first {
            self.report(SessionEvent::Closing);
        }
        match give_up {
            GiveUp::WhenStalled => Self::give_up_when_stalled(waiting, ctx),
            GiveUp::WhenHungUp => {
                self.report_unwritten();
                ctx.run_interval(LOOK, |session, _| session.report_unwritten());
            }
        }
    }

    fn report_unwritten(&mut self) {
        let Some(open) = &mut self.open else { return };
        let unwritten = open.outbox.waiting();
        if std::mem::replace(&mut open.unwritten, unwritten) != unwritten {
            self.report(SessionEvent::Unwritten(unwritten));
        }
    }

    /// Gives a closed session up once its peer takes nothing more of what was `waiting`.
    fn give_up_when_stalled(waiting: usize, ctx: &mut Context<Self>) {
        ctx.run_later(CLOSE_TIMEOUT, move |session, ctx| {
            let Some(open) = &mut session.open else { return };
            if open.give_up != Some(GiveUp::WhenStalled) {
                return;
            }
            let left = open.outbox.waiting();
            if left < waiting {
                return Self::give_up_when_stalled(left, ctx);
            }
            ctx.cancel_future(open.talk);
            session.talk_ended("it does not read".into(), ctx);
        });
    }

    fn on_files(&mut self, act: impl FnOnce(&mut EncryptedFiles)) {
        if let Some(open) = &mut self.open {
            act(&mut open.files);
        }
    }

    /// Sorts what came: what is for others, and what is dealt with here.
    fn came(&mut self, frames: Vec<MessageFrame>) -> Sorted {
        let mut sorted = Sorted::default();
        for frame in frames {
            if let Err(end) = self.one_came(frame, &mut sorted) {
                sorted.end = Some(end);
                break;
            }
        }
        sorted
    }

    fn one_came(&mut self, frame: MessageFrame, sorted: &mut Sorted) -> Result<(), String> {
        let broken = |reason: &dyn std::fmt::Display| {
            format!("the other side breaks the protocol: {reason}")
        };
        let Some(open) = &mut self.open else { return Ok(()) };
        match frame {
            MessageFrame::Tell { number, flags, text } => {
                open.delivery.received(number).map_err(|violation| broken(&violation))?;
                sorted.texts.push(if flags & ACTION == 0 { text } else { text.as_action() });
            }
            MessageFrame::Told { number } => {
                let ids = open.delivery.confirmed(number);
                let ids = ids.map_err(|violation| broken(&violation))?;
                if !ids.is_empty() {
                    self.report(SessionEvent::Confirmed(ids));
                }
            }
            // One that does not read its answers gets no more of them.
            MessageFrame::Ping {} => drop(open.outbox.push(&MessageFrame::Pong {})),
            MessageFrame::Revision1(PeerFrame::Close) => {
                return Err("the other side closed it".into());
            }
            MessageFrame::Revision1(PeerFrame::Message(_)) => {
                return Err(broken(&"a message without a number"));
            }
            MessageFrame::Session { .. } | MessageFrame::Use {} => {
                return Err(broken(&"a second beginning"));
            }
            MessageFrame::Offer { .. }
            | MessageFrame::Take { .. }
            | MessageFrame::Refuse { .. }
            | MessageFrame::Cancel { .. }
            | MessageFrame::Receipt { .. }
            | MessageFrame::Proof { .. } => sorted.about_files.push(frame),
            MessageFrame::Typing { .. } | MessageFrame::Pong {} | MessageFrame::Unknown { .. } => {}
        }
        Ok(())
    }
}

impl Actor for EncryptedSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Setup { meeting, identity, .. } = &self.setup;
        let ports = match MeetingPorts::bind(self.setup.listen, self.setup.ports.as_ref()) {
            Ok(ports) => ports,
            Err(reason) => return self.end(reason, ctx),
        };
        let mut networks = own_networks();
        if let Some(only) = self.setup.listen.filter(|only| !only.is_unspecified()) {
            networks.retain(|network| network.addr() == only);
        }
        let local = self.setup.listen.filter(|only| !only.is_unspecified());
        let local = local.unwrap_or(meeting.local);
        let own = own_candidates(local, &self.setup.addresses, &networks, ports.ports);
        let side = Side {
            session: meeting.session,
            asked: meeting.asked,
            identity: Arc::clone(identity),
            peer_key: meeting.key,
        };
        let around = Surroundings { networks: own_networks(), server: meeting.server };
        let (limit, logger) = (self.setup.connect_timeout, self.setup.logger.clone());
        if let Some(own) = own {
            self.report(SessionEvent::CandidatesReady(own));
        }
        let offered = self.offered.subscribe();
        let meeting = meet(side, ports, around, offered, limit, logger);
        ctx.spawn(meeting.into_actor(self).map(|met, session, ctx| match met {
            Ok(met) => session.begin(met, ctx),
            Err(reason) => session.end(reason, ctx),
        }));
    }
}

impl Handler<SessionCommand> for EncryptedSession {
    type Result = ();

    fn handle(&mut self, command: SessionCommand, ctx: &mut Self::Context) {
        match command {
            SessionCommand::SendText { text, room } => self.send_text(text, room, ctx),
            SessionCommand::Reach(candidates) => {
                self.offered.send_replace(Some(candidates));
            }
            SessionCommand::SendFile(file) => {
                let event = match &mut self.open {
                    Some(open) => open.files.send(file),
                    None => Some(FileEvent::GaveBack(file)),
                };
                if let Some(event) = event {
                    self.report(SessionEvent::File(event));
                }
            }
            SessionCommand::TakeFile { id, unattended, folder } => {
                self.on_files(|files| files.take(id, unattended, folder));
            }
            SessionCommand::RefuseFile { id, .. } => self.on_files(|files| files.refuse(id)),
            SessionCommand::CancelFile { id } => self.on_files(|files| files.cancel(id)),
            SessionCommand::Close { give_up, .. } => self.close(give_up, ctx),
            SessionCommand::HangUp => ctx.stop(),
        }
    }
}

impl Handler<ExchangeReport> for EncryptedSession {
    type Result = ();

    fn handle(&mut self, ExchangeReport(report): ExchangeReport, ctx: &mut Self::Context) {
        self.files_report(report, ctx);
    }
}

impl Handler<Came> for EncryptedSession {
    type Result = ResponseFuture<Option<String>>;

    fn handle(&mut self, Came(frames): Came, _: &mut Self::Context) -> Self::Result {
        let Sorted { texts, about_files, end } = self.came(frames);
        let is_nothing = texts.is_empty() && about_files.is_empty();
        let Some(open) = self.open.as_ref().filter(|_| !is_nothing) else {
            return Box::pin(async move { end });
        };
        let (outbox, files) = (open.outbox.clone(), open.files.frames());
        let confirmation = (!texts.is_empty()).then(|| open.delivery.confirmation());
        // Without a text too: what frames about files lead to is read no faster than the user reads.
        let event = SessionEvent::Texts(texts);
        let shown = self.setup.reports.send(SessionReport { session: self.setup.id, event });
        Box::pin(async move {
            if shown.await.is_err() {
                return Some("the client has closed".into());
            }
            if let Some(confirmation) = confirmation {
                // A session that is closed from here confirms no more; the peer does not expect it.
                let _ = outbox.push(&confirmation);
            }
            for frame in about_files {
                files.send(frame).await;
            }
            end
        })
    }
}
