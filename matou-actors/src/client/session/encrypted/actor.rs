//! The actor of a private session of revision 2: it meets the peer, and owns both connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use tokio::sync::{oneshot, watch};

use super::delivery::Delivery;
use super::examination::{Conclusion, Examination};
use super::files::{EncryptedFiles, ReportOutcome};
use super::incoming::IncomingFrames;
use super::message_connection::{ReceivedFrames, drive, read};
use super::setup::{EncryptedSetup, MeetingSetup};
use crate::client::connection::frames::Frames;
use crate::client::doctor::Evidence;
use crate::client::meeting::{
    MeetingPlan, MeetingPorts, MeetingReport, MeetingSide, Met, News, Secure, Surroundings, meet,
    own_candidates, own_networks,
};
use crate::client::messages::{
    ExchangeReport, FileEvent, GiveUp, PrivateText, SessionCommand, SessionEvent,
};
use crate::client::session::private_session::{
    LINGER, PrivateSession, ReportSender, SessionLifecycle, SessionOutput,
};
use crate::exchange::Report;
use crate::protocol::PeerFrame;
use crate::protocol::v2::MessageFrame;

/// The peer decides how often it says whether its user is typing; it is reported no more often.
const TYPING_EVERY: Duration = Duration::from_millis(500);

/// Meets the peer, then does what [`SessionCommand`]s say.
pub(crate) struct EncryptedSession {
    setup: EncryptedSetup,
    lifecycle: SessionLifecycle,
    /// What the server says, for the meeting.
    news: watch::Sender<News>,
    examination: Examination,
    /// `None` until both connections are there.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    writing: SessionOutput,
    talk: Talk,
    /// When the peer's typing was reported last.
    typing: Option<Instant>,
    delivery: Delivery,
    files: EncryptedFiles,
}

/// The message connection.
#[derive(Debug)]
enum Talk {
    /// What reads and writes it.
    Running(SpawnHandle),
    /// It has ended. The outcome of files is reported first, but not waited for longer than this: a
    /// disk may hold them up for ever.
    Over { reason: String, files_until: Instant },
}

impl EncryptedSession {
    pub(crate) fn new(setup: EncryptedSetup) -> Self {
        let offered = setup.meeting.candidates.clone();
        let news = watch::Sender::new(News { offered, ..News::default() });
        let lifecycle = SessionLifecycle::new(ReportSender::new(setup.id, setup.reports.clone()));
        let examination = Examination::Meeting(None);
        Self { setup, lifecycle, news, examination, open: None }
    }

    fn meet(&mut self, ctx: &mut Context<Self>) {
        let EncryptedSetup { meeting, identity, listen, .. } = &self.setup;
        let ports = match MeetingPorts::bind(*listen, self.setup.ports.as_ref()) {
            Ok(ports) => ports,
            Err(reason) => return self.lifecycle.fail(reason),
        };
        let listen = listen.filter(|only| !only.is_unspecified());
        let mut networks = own_networks();
        if let Some(only) = listen {
            networks.retain(|network| network.addr() == only);
        }
        let local = listen.unwrap_or(meeting.local);
        let own = own_candidates(local, &self.setup.addresses, &networks, ports.ports);
        let side = MeetingSide {
            session: meeting.session,
            asked: meeting.asked,
            identity: Arc::clone(identity),
            peer_key: meeting.key,
        };
        let around =
            Surroundings { networks: own_networks(), server: meeting.server, outside: None };
        let (limit, logger) = (self.setup.connect_timeout, self.setup.logger.clone());
        let plan = MeetingPlan { side, ports, around, server: meeting.show_to, limit, logger };
        if let Some(own) = own {
            self.lifecycle.report(SessionEvent::CandidatesReady(own));
        }
        let meeting = meet(plan, self.news.subscribe());
        ctx.spawn(meeting.into_actor(self).map(|(met, report), session, ctx| {
            session.turn(ctx, |session, ctx| session.met(met, report, ctx));
        }));
    }

    /// The meeting is over. Where the server relays it, the peer reports how its own went.
    fn met(&mut self, met: Result<Met, String>, report: MeetingReport, ctx: &mut Context<Self>) {
        if self.lifecycle.has_ended() {
            return;
        }
        self.lifecycle.report(SessionEvent::Met(Box::new(report.clone())));
        let (peer, networks) = (self.setup.peer.clone(), own_networks());
        let evidence = Evidence { peer, networks, report, by_peer: None };
        let failure = match met {
            Ok(met) => {
                self.begin(met, ctx);
                None
            }
            Err(reason) => Some(reason),
        };
        let relayed = self.news.borrow().ticket.is_some();
        let concluded = self.examination.met(evidence, failure, relayed, Instant::now());
        self.conclude(concluded);
    }

    /// Reports all that will be known of the ways to the peer; without a session that is the end.
    fn conclude(&mut self, concluded: Option<Conclusion>) {
        let Some(conclusion) = concluded else { return };
        let failure = conclusion.failure();
        self.lifecycle.report(SessionEvent::Diagnosed(conclusion.evidence));
        if let Some(reason) = failure {
            self.lifecycle.fail(reason);
        }
    }

    fn begin(&mut self, met: Met, ctx: &mut Context<Self>) {
        let Met { messages, files } = met;
        let Secure { stream, peer } = messages;
        let MeetingSetup { asked, key, .. } = self.setup.meeting;
        let shared = self.setup.files.clone();
        let reports = ctx.address().recipient();
        let files = match EncryptedFiles::start(files.stream, asked, key, shared, reports) {
            Ok(files) => files,
            Err(error) => return self.lifecycle.fail(format!("the connection broke: {error}")),
        };
        self.lifecycle.report(SessionEvent::Up { peer });
        let writing = SessionOutput::new();
        let (input, output) = tokio::io::split(stream);
        let (session, queue) = (ctx.address().recipient(), writing.queue.clone());
        let driving = async move {
            let reading = read(Frames::new(input), session);
            drive(reading, &queue, output).await
        };
        let driving = ctx.spawn(driving.into_actor(self).map(|reason, session, ctx| {
            session.turn(ctx, |session, _| session.talk_over(reason));
        }));
        let (talk, delivery) = (Talk::Running(driving), Delivery::default());
        self.open = Some(Open { writing, talk, typing: None, delivery, files });
    }

    /// The message connection has ended, and so the session; the file connection is about to.
    fn talk_over(&mut self, reason: String) {
        let Some(open) = &mut self.open else { return };
        let unconfirmed = open.delivery.take_unconfirmed();
        open.files.close();
        open.talk = Talk::Over { reason, files_until: Instant::now() + LINGER };
        if !unconfirmed.is_empty() {
            self.lifecycle.report(SessionEvent::Unconfirmed(unconfirmed));
        }
    }

    /// Ends the message connection from here.
    fn end_talk(&mut self, reason: String, ctx: &mut Context<Self>) {
        if let Some(Open { talk: Talk::Running(driving), .. }) = &self.open {
            ctx.cancel_future(*driving);
            self.talk_over(reason);
        }
    }

    fn files_report(&mut self, report: Report, ctx: &mut Context<Self>) {
        let Some(open) = &mut self.open else { return };
        match open.files.report(report) {
            ReportOutcome::Nothing => {}
            ReportOutcome::Event(event) => self.lifecycle.report(SessionEvent::File(event)),
            ReportOutcome::Frame(frame) => {
                if open.writing.queue.push_control(&frame).is_err() {
                    // It asks for more than it reads: without this frame nothing about files holds.
                    self.end_talk("the other side stopped reading".into(), ctx);
                }
            }
            ReportOutcome::Ended(events) => {
                for event in events {
                    self.lifecycle.report(SessionEvent::File(event));
                }
            }
        }
    }

    fn run(&mut self, command: SessionCommand, ctx: &mut Context<Self>) {
        match command {
            SessionCommand::SendText { text, room } => self.send_text(text, room, ctx),
            SessionCommand::Typing(active) => {
                if let Some(open) = &self.open {
                    // A peer that reads too slowly for texts misses nothing.
                    let _ = open.writing.queue.push(&MessageFrame::Typing { state: active.into() });
                }
            }
            SessionCommand::Reach(candidates) => {
                self.news.send_modify(|news| news.offered = Some(candidates));
            }
            SessionCommand::Show(ticket) => {
                self.news.send_modify(|news| news.ticket = Some(ticket));
            }
            SessionCommand::PeerSaw(dialled) => {
                let concluded = self.examination.peer_reported(dialled);
                self.conclude(concluded);
            }
            SessionCommand::Go => self.news.send_modify(|news| news.go = true),
            SessionCommand::SendFile(file) => {
                let event = match &mut self.open {
                    Some(open) => open.files.send(file),
                    None => Some(FileEvent::GaveBack(file)),
                };
                if let Some(event) = event {
                    self.lifecycle.report(SessionEvent::File(event));
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

    fn send_text(&mut self, text: PrivateText, room: oneshot::Sender<()>, ctx: &mut Context<Self>) {
        let to = self.setup.peer.clone();
        let Some(open) = &mut self.open else {
            let text = text.into_plain();
            return self.lifecycle.report(SessionEvent::NotSent { to, text });
        };
        let frame = open.delivery.send(text.clone());
        let sent = frame.is_some_and(|frame| open.writing.queue.push(&frame).is_ok());
        let event = if sent {
            let id = self.setup.messages.next();
            open.delivery.sent(id, text.clone().into_plain());
            SessionEvent::Sent { text, id: Some(id) }
        } else {
            SessionEvent::NotSent { to, text: text.into_plain() }
        };
        self.lifecycle.report(event);
        self.make_room(room, ctx);
    }

    /// Says goodbye; files are cut.
    fn close(&mut self, give_up: GiveUp, ctx: &mut Context<Self>) {
        match self.say_goodbye(&MessageFrame::Revision1(PeerFrame::Close), give_up) {
            Some(goodbye) => self.await_end(goodbye, ctx),
            None => self.lifecycle.fail("closed".into()),
        }
    }

    fn on_files(&mut self, act: impl FnOnce(&mut EncryptedFiles)) {
        if let Some(open) = &mut self.open {
            act(&mut open.files);
        }
    }

    /// Handles received frames, except those for others; resolves once more may follow.
    fn receive(&mut self, frames: Vec<MessageFrame>) -> ResponseFuture<Option<String>> {
        let Some(open) = &mut self.open else { return Box::pin(async { None }) };
        let incoming = IncomingFrames::sort(frames, &mut open.delivery);
        let IncomingFrames { texts, confirmed, pings, typing, about_files, end } = incoming;
        for _ in 0..pings {
            // One that does not read its answers gets no more of them.
            let _ = open.writing.queue.push(&MessageFrame::Pong {});
        }
        let now = Instant::now();
        if let Some(active) = typing
            && open.typing.is_none_or(|last| now >= last + TYPING_EVERY)
        {
            open.typing = Some(now);
            self.lifecycle.report(SessionEvent::Typing(active));
        }
        if !confirmed.is_empty() {
            self.lifecycle.report(SessionEvent::Confirmed(confirmed));
        }
        if texts.is_empty() && about_files.is_empty() {
            return Box::pin(async { end });
        }
        let (queue, files) = (open.writing.queue.clone(), open.files.frames());
        let confirmation = (!texts.is_empty()).then(|| open.delivery.confirmation());
        // Even without a text: frames about files are read no faster than the user reads events.
        let shown = self.lifecycle.reports.deliver(SessionEvent::Texts(texts));
        Box::pin(async move {
            if !shown.await {
                return Some("the client has closed".into());
            }
            if let Some(confirmation) = confirmation {
                // A session that is closed from here confirms no more; the peer does not expect it.
                let _ = queue.push(&confirmation);
            }
            for frame in about_files {
                files.send(frame).await;
            }
            end
        })
    }
}

impl PrivateSession for EncryptedSession {
    fn lifecycle(&mut self) -> &mut SessionLifecycle {
        &mut self.lifecycle
    }

    fn writing(&mut self) -> Option<&mut SessionOutput> {
        self.open.as_mut().map(|open| &mut open.writing)
    }

    fn drop_connections(&mut self) {
        (self.open, self.examination) = (None, Examination::Over);
    }

    fn give_up(&mut self, ctx: &mut Context<Self>) {
        self.end_talk("the other side stopped reading".into(), ctx);
    }

    fn over(&self, now: Instant) -> Option<String> {
        let open = self.open.as_ref()?;
        match &open.talk {
            Talk::Over { reason, files_until } if open.files.has_ended() || *files_until <= now => {
                Some(reason.clone())
            }
            _ => None,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let files_until = match &self.open {
            Some(Open { talk: Talk::Over { files_until, .. }, .. }) => Some(*files_until),
            _ => None,
        };
        self.examination.deadline().into_iter().chain(files_until).min()
    }

    fn tick(&mut self, now: Instant) {
        let concluded = self.examination.tick(now);
        self.conclude(concluded);
    }
}

impl Actor for EncryptedSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.turn(ctx, Self::meet);
    }
}

impl Handler<SessionCommand> for EncryptedSession {
    type Result = ();

    fn handle(&mut self, command: SessionCommand, ctx: &mut Self::Context) {
        self.turn(ctx, |session, ctx| session.run(command, ctx));
    }
}

impl Handler<ExchangeReport> for EncryptedSession {
    type Result = ();

    fn handle(&mut self, ExchangeReport(report): ExchangeReport, ctx: &mut Self::Context) {
        self.turn(ctx, |session, ctx| session.files_report(report, ctx));
    }
}

impl Handler<ReceivedFrames> for EncryptedSession {
    type Result = ResponseFuture<Option<String>>;

    fn handle(
        &mut self,
        ReceivedFrames(frames): ReceivedFrames,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        self.turn(ctx, |session, _| session.receive(frames))
    }
}
