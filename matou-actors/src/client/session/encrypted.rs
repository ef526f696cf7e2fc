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
use super::encrypted_talk::{Came, read, talk};
use super::private_session::{LINGER, PrivateSession, Reports, Writing};
use crate::client::connection::frames::Frames;
use crate::client::doctor::{Evidence, verdict};
use crate::client::ids::{MessageIds, SessionId};
use crate::client::meeting::{
    MeetingPorts, MeetingReport, Met, News, Plan, Secure, ServerAt, Side, Surroundings, meet,
    own_candidates, own_networks,
};
use crate::client::messages::{
    ExchangeReport, FileEvent, GiveUp, SessionCommand, SessionEvent, SessionReport,
};
use crate::exchange::Report;
use crate::protocol::v2::{self, ACTION, Candidates, DialReport, MessageFrame, PublicKey};
use crate::protocol::{MessageText, PeerFrame, Username};
use crate::trust::Identity;

/// How long the peer may take to say what it saw.
const PEER_REPORT_TIMEOUT: Duration = Duration::from_millis(1500);

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
    /// The server, to show it the own ports.
    pub(crate) show_to: Option<ServerAt>,
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
    reports: Reports,
    /// What the server says, for the meeting.
    news: watch::Sender<News>,
    examination: Examination,
    /// `None` until both connections are there.
    open: Option<Open>,
    ended: bool,
}

#[derive(Debug)]
struct Open {
    writing: Writing,
    talk: SpawnHandle,
    delivery: Delivery,
    files: EncryptedFiles,
    /// The message connection has ended, and why; the file connection is about to.
    over: Option<String>,
}

/// What is known of the ways to the peer.
#[derive(Debug)]
enum Examination {
    /// The meeting goes on; what the peer saw, if its own is over.
    Meeting(Option<DialReport>),
    /// What the peer saw is waited for. With a reason the session ends then.
    Waiting {
        evidence: Box<Evidence>,
        failed: Option<String>,
    },
    Reported,
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
        let offered = setup.meeting.candidates.clone();
        let news = watch::Sender::new(News { offered, ..News::default() });
        let reports = Reports::new(setup.id, setup.reports.clone());
        Self {
            setup,
            reports,
            news,
            examination: Examination::Meeting(None),
            open: None,
            ended: false,
        }
    }

    /// The meeting is over. Where the server relays it, the peer says what it saw.
    fn met(&mut self, met: Result<Met, String>, report: MeetingReport, ctx: &mut Context<Self>) {
        if self.ended {
            return;
        }
        self.reports.report(SessionEvent::Met(Box::new(report.clone())));
        let (peer, networks) = (self.setup.peer.clone(), own_networks());
        let evidence = Box::new(Evidence { peer, networks, report, by_peer: None });
        let failed = met.as_ref().err().cloned();
        if let Ok(met) = met {
            self.begin(met, ctx);
        }
        let waiting = Examination::Waiting { evidence, failed };
        let before = std::mem::replace(&mut self.examination, waiting);
        if let Examination::Meeting(Some(by_peer)) = before {
            self.conclude(Some(by_peer), ctx);
        } else if self.news.borrow().ticket.is_none() {
            self.conclude(None, ctx);
        } else {
            ctx.run_later(PEER_REPORT_TIMEOUT, |session, ctx| session.conclude(None, ctx));
        }
    }

    fn peer_saw(&mut self, dialled: DialReport, ctx: &mut Context<Self>) {
        if let Examination::Meeting(by_peer) = &mut self.examination {
            *by_peer = Some(dialled);
        } else {
            self.conclude(Some(dialled), ctx);
        }
    }

    /// Reports what is known, once, and ends the session if there is none.
    fn conclude(&mut self, by_peer: Option<DialReport>, ctx: &mut Context<Self>) {
        let concluded = std::mem::replace(&mut self.examination, Examination::Reported);
        let Examination::Waiting { mut evidence, failed } = concluded else { return };
        evidence.by_peer = by_peer;
        let verdict = verdict(&evidence).join(" ");
        if !self.ended {
            self.reports.report(SessionEvent::Diagnosed(evidence));
        }
        if let Some(reason) = failed {
            self.end(format!("{reason}. {verdict}"), ctx);
        }
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
        self.reports.report(SessionEvent::Up { peer });
        let writing = Writing::new();
        let (input, output) = tokio::io::split(stream);
        let (session, outbox) = (ctx.address().recipient(), writing.outbox.clone());
        let talk = async move {
            let reading = read(Frames::new(input), session);
            talk(reading, &outbox, output).await
        };
        let talk = ctx.spawn(talk.into_actor(self).map(|reason, session, ctx| {
            session.talk_ended(reason, ctx);
        }));
        let delivery = Delivery::default();
        self.open = Some(Open { writing, talk, delivery, files, over: None });
    }

    fn talk_ended(&mut self, reason: String, ctx: &mut Context<Self>) {
        let Some(open) = &mut self.open else { return };
        let unconfirmed = open.delivery.take_unconfirmed();
        let has_ended = open.files.has_ended();
        open.files.close();
        open.over = Some(reason.clone());
        if !unconfirmed.is_empty() {
            self.reports.report(SessionEvent::Unconfirmed(unconfirmed));
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
            Follows::Event(event) => self.reports.report(SessionEvent::File(event)),
            Follows::Frame(frame) => {
                if open.writing.outbox.push_control(&frame).is_err() && open.over.is_none() {
                    // It asks for more than it reads: without this frame nothing about files holds.
                    ctx.cancel_future(open.talk);
                    self.talk_ended("it does not read".into(), ctx);
                }
            }
            Follows::Ended(events) => {
                let over = open.over.clone();
                for event in events {
                    self.reports.report(SessionEvent::File(event));
                }
                if let Some(reason) = over {
                    self.end(reason, ctx);
                }
            }
        }
    }

    fn send_text(&mut self, text: MessageText, room: oneshot::Sender<()>, ctx: &mut Context<Self>) {
        let to = self.setup.peer.clone();
        let Some(open) = &mut self.open else {
            return self.reports.report(SessionEvent::NotSent { to, text });
        };
        let frame = open.delivery.send(text.clone());
        let sent = frame.is_some_and(|frame| open.writing.outbox.push(&frame).is_ok());
        let event = if sent {
            let id = self.setup.messages.next();
            open.delivery.sent(id, text.clone());
            SessionEvent::Sent { text, id: Some(id) }
        } else {
            SessionEvent::NotSent { to, text }
        };
        self.reports.report(event);
        self.make_room(room, ctx);
    }

    /// Says goodbye; files are cut.
    fn close(&mut self, give_up: GiveUp, ctx: &mut Context<Self>) {
        match self.say_goodbye(&MessageFrame::Revision1(PeerFrame::Close), give_up) {
            Some(goodbye) => self.await_end(goodbye, ctx),
            None => self.end("closed".into(), ctx),
        }
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
                    self.reports.report(SessionEvent::Confirmed(ids));
                }
            }
            // One that does not read its answers gets no more of them.
            MessageFrame::Ping {} => drop(open.writing.outbox.push(&MessageFrame::Pong {})),
            MessageFrame::Revision1(PeerFrame::Close) => {
                return Err("the other side closed it".into());
            }
            MessageFrame::Revision1(PeerFrame::Message(_)) => {
                return Err(broken(&"a message without a number"));
            }
            MessageFrame::Session { .. } | MessageFrame::Use {} => {
                return Err(broken(&"a second SESSION or USE"));
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

impl PrivateSession for EncryptedSession {
    fn reports(&self) -> &Reports {
        &self.reports
    }

    fn writing(&mut self) -> Option<&mut Writing> {
        self.open.as_mut().map(|open| &mut open.writing)
    }

    fn drop_connections(&mut self) -> bool {
        self.open = None;
        !std::mem::replace(&mut self.ended, true)
    }

    fn give_up(&mut self, ctx: &mut Context<Self>) {
        if let Some(open) = &self.open {
            ctx.cancel_future(open.talk);
            self.talk_ended("it does not read".into(), ctx);
        }
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
        let around =
            Surroundings { networks: own_networks(), server: meeting.server, outside: None };
        let (limit, logger) = (self.setup.connect_timeout, self.setup.logger.clone());
        let plan = Plan { side, ports, around, server: meeting.show_to, limit, logger };
        if let Some(own) = own {
            self.reports.report(SessionEvent::CandidatesReady(own));
        }
        let meeting = meet(plan, self.news.subscribe());
        ctx.spawn(meeting.into_actor(self).map(|(met, report), session, ctx| {
            session.met(met, report, ctx);
        }));
    }
}

impl Handler<SessionCommand> for EncryptedSession {
    type Result = ();

    fn handle(&mut self, command: SessionCommand, ctx: &mut Self::Context) {
        match command {
            SessionCommand::SendText { text, room } => self.send_text(text, room, ctx),
            SessionCommand::Reach(candidates) => {
                self.news.send_modify(|news| news.offered = Some(candidates));
            }
            SessionCommand::Show(ticket) => {
                self.news.send_modify(|news| news.ticket = Some(ticket));
            }
            SessionCommand::PeerSaw(dialled) => self.peer_saw(dialled, ctx),
            SessionCommand::Go => self.news.send_modify(|news| news.go = true),
            SessionCommand::SendFile(file) => {
                let event = match &mut self.open {
                    Some(open) => open.files.send(file),
                    None => Some(FileEvent::GaveBack(file)),
                };
                if let Some(event) = event {
                    self.reports.report(SessionEvent::File(event));
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
        let (outbox, files) = (open.writing.outbox.clone(), open.files.frames());
        let confirmation = (!texts.is_empty()).then(|| open.delivery.confirmation());
        // Without a text too: what frames about files lead to is read no faster than the user reads.
        let event = SessionEvent::Texts(texts);
        let shown = self.reports.deliver(event);
        Box::pin(async move {
            if !shown.await {
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
