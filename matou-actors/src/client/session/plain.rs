//! The actor of a private session of revision 1, which is not encrypted: it owns both connections, the
//! texts that wait for one and the files that wait for the other.

use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::Logger;
use tokio::io::AsyncRead;
use tokio::sync::oneshot;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::private_session::{
    LINGER, PrivateSession, ReportSender, SessionLifecycle, SessionOutput,
};
use crate::client::connection::drive::drive_connection;
use crate::client::connection::frames::Frames;
use crate::client::connection::sockets::{self, Listeners, SocketPair};
use crate::client::files::{FileConnection, FileContext, FileInput};
use crate::client::ids::SessionNumber;
use crate::client::messages::{
    FileEvent, FileSeen, GiveUp, PrivateText, SessionCommand, SessionEvent, SessionReport,
};
use crate::protocol::{CodecError, PeerFrame, PortPair, Username};
use crate::transfer::TransferReport;

/// How the two connections are established.
#[derive(Clone, Debug)]
pub(crate) enum PlainRole {
    /// Src: wait for the peer, and for no one else.
    Listen { address: IpAddr, ports: Option<RangeInclusive<u16>>, peer: IpAddr },
    /// Dst: connect to the peer.
    Dial { address: IpAddr, ports: PortPair, source: Option<IpAddr> },
}

/// What a session is started with.
#[derive(Debug)]
pub(crate) struct PlainSetup {
    pub(crate) id: SessionNumber,
    pub(crate) peer: Username,
    pub(crate) role: PlainRole,
    pub(crate) connect_timeout: Duration,
    pub(crate) files: FileContext,
    pub(crate) reports: Recipient<SessionReport>,
    pub(crate) logger: Logger,
}

/// Makes the two connections, then does what [`SessionCommand`]s say.
pub(crate) struct PlainSession {
    setup: PlainSetup,
    lifecycle: SessionLifecycle,
    /// `None` until both connections are there.
    open: Option<Open>,
    /// The answer to an offer that was just reported.
    offered: Option<ResponseFuture<()>>,
}

#[derive(Debug)]
struct Open {
    writing: SessionOutput,
    /// What reads and writes the message connection, until that has ended.
    talk: Option<SpawnHandle>,
    files: FileConnection,
}

impl PlainSession {
    pub(crate) fn new(setup: PlainSetup) -> Self {
        let lifecycle = SessionLifecycle::new(ReportSender::new(setup.id, setup.reports.clone()));
        Self { setup, lifecycle, open: None, offered: None }
    }

    fn report_files(&mut self, events: Vec<FileEvent>) {
        for event in events {
            if matches!(event, FileEvent::Offered { .. }) {
                let answer = self.lifecycle.reports.deliver(SessionEvent::File(event));
                self.offered = Some(Box::pin(async move {
                    answer.await;
                }));
            } else {
                self.lifecycle.report(SessionEvent::File(event));
            }
        }
    }

    fn connect(&mut self, ctx: &mut Context<Self>) {
        let connect = match self.setup.role.clone() {
            PlainRole::Listen { address, ports, peer } => {
                match Listeners::bind(address, ports.as_ref()) {
                    Ok(listeners) => {
                        self.lifecycle.report(SessionEvent::PortsOpen(listeners.ports));
                        let logger = self.setup.logger.clone();
                        let accept = async move { listeners.accept(peer, &logger).await };
                        futures::future::Either::Left(accept)
                    }
                    Err(reason) => return self.lifecycle.fail(reason),
                }
            }
            PlainRole::Dial { address, ports, source } => {
                futures::future::Either::Right(sockets::dial(address, ports, source))
            }
        };
        let limit = self.setup.connect_timeout;
        ctx.spawn(timeout(limit, connect).into_actor(self).map(|pair, session, ctx| {
            session.turn(ctx, |session, ctx| session.connected(pair, ctx));
        }));
    }

    /// Both connections are established, or `Err` after the time limit.
    fn connected(
        &mut self,
        pair: Result<io::Result<SocketPair>, Elapsed>,
        ctx: &mut Context<Self>,
    ) {
        self.lifecycle.fail(match (pair, &self.setup.role) {
            (Ok(Ok(pair)), _) => return self.begin(pair, ctx),
            (Err(_), PlainRole::Listen { .. }) => {
                "the other side did not connect in time; a firewall may be blocking it".into()
            }
            (Err(_), PlainRole::Dial { address, .. }) => {
                format!("{address} did not answer in time; a firewall may be blocking it")
            }
            (Ok(Err(error)), PlainRole::Listen { .. }) => format!("cannot accept: {error}"),
            (Ok(Err(error)), PlainRole::Dial { address, .. }) => {
                format!("cannot reach {address}: {error}")
            }
        });
    }

    fn begin(&mut self, pair: SocketPair, ctx: &mut Context<Self>) {
        if self.lifecycle.has_ended() {
            return;
        }
        let SocketPair { messages, files, peer } = pair;
        let (name, context) = (self.setup.peer.clone(), self.setup.files.clone());
        let files = match FileConnection::new(files, name, context, &ctx.address()) {
            Ok(files) => files,
            Err(error) => return self.lifecycle.fail(format!("the connection broke: {error}")),
        };
        self.lifecycle.report(SessionEvent::Up { peer });
        let writing = SessionOutput::new();
        let (reports, queue) = (self.lifecycle.reports.clone(), writing.queue.clone());
        let (input, output) = messages.into_split();
        let talk = async move {
            let reading = read(Frames::new(input), &reports);
            drive_connection(reading, queue.write_to(output), Some(LINGER)).await
        };
        let talk = ctx.spawn(talk.into_actor(self).map(|reason, session, ctx| {
            session.turn(ctx, |session, _| session.talk_ended(reason));
        }));
        self.open = Some(Open { writing, talk: Some(talk), files });
    }

    fn talk_ended(&mut self, reason: String) {
        let Some(open) = &mut self.open else { return };
        open.talk = None;
        let (unsent, closed) = (open.writing.queue.waiting() > 0, open.writing.is_closed());
        if unsent {
            self.lifecycle.report(SessionEvent::Unsent { reason: reason.clone() });
        }
        if !closed {
            self.on_files(|files| files.handle(FileInput::TalkOver { reason: reason.clone() }));
            self.lifecycle.report(SessionEvent::TalkOver { reason });
        }
    }

    fn on_files(&mut self, act: impl FnOnce(&mut FileConnection) -> Vec<FileEvent>) {
        if let Some(open) = &mut self.open {
            let events = act(&mut open.files);
            self.report_files(events);
        }
    }

    fn run(&mut self, command: SessionCommand, ctx: &mut Context<Self>) {
        match command {
            SessionCommand::SendText { text, room } => self.send_text(text, room, ctx),
            // Revision 1 has no candidates.
            SessionCommand::Reach(_)
            | SessionCommand::Show(_)
            | SessionCommand::Go
            | SessionCommand::Typing(_)
            | SessionCommand::PeerSaw(_) => {}
            SessionCommand::SendFile(file) => self.on_files(|files| files.send(file)),
            SessionCommand::TakeFile { id, folder: Some(_), .. } => {
                let reason = "files from a program of revision 1 go to the downloads folder; \
                              change it with /downloads FOLDER"
                    .into();
                self.lifecycle.report(SessionEvent::File(FileEvent::NotTaken { id, reason }));
            }
            SessionCommand::TakeFile { id, unattended, folder: None } => {
                self.on_files(|files| files.handle(FileInput::Take { id, unattended }));
            }
            SessionCommand::RefuseFile { id, reason } => {
                self.on_files(|files| files.handle(FileInput::Refuse { id, reason }));
            }
            SessionCommand::CancelFile { id } => {
                self.on_files(|files| files.handle(FileInput::Cancel { id }));
            }
            SessionCommand::Close { reason, give_up } => self.close(reason, give_up, ctx),
            SessionCommand::HangUp => ctx.stop(),
        }
    }

    fn send_text(&mut self, text: PrivateText, room: oneshot::Sender<()>, ctx: &mut Context<Self>) {
        let text = text.into_plain();
        let not_sent = |text| SessionEvent::NotSent { to: self.setup.peer.clone(), text };
        let Some(open) = &self.open else { return self.lifecycle.report(not_sent(text)) };
        self.lifecycle.report(match open.writing.queue.push(&PeerFrame::Message(text.clone())) {
            Ok(()) => SessionEvent::Sent { text: text.into(), id: None },
            Err(_) => not_sent(text),
        });
        self.make_room(room, ctx);
    }

    /// Says goodbye; files are cut.
    fn close(&mut self, reason: String, give_up: GiveUp, ctx: &mut Context<Self>) {
        let Some(goodbye) = self.say_goodbye(&PeerFrame::Close, give_up) else {
            return self.lifecycle.fail("closed".into());
        };
        self.on_files(|files| files.handle(FileInput::Close { reason }));
        self.await_end(goodbye, ctx);
    }
}

impl PrivateSession for PlainSession {
    fn lifecycle(&mut self) -> &mut SessionLifecycle {
        &mut self.lifecycle
    }

    fn writing(&mut self) -> Option<&mut SessionOutput> {
        self.open.as_mut().map(|open| &mut open.writing)
    }

    fn drop_connections(&mut self) {
        self.open = None;
    }

    fn give_up(&mut self, ctx: &mut Context<Self>) {
        let Some(open) = &mut self.open else { return };
        if let Some(talk) = open.talk.take() {
            ctx.cancel_future(talk);
            if open.writing.queue.waiting() > 0 {
                self.lifecycle.report(SessionEvent::Unsent {
                    reason: "the other side stopped reading".into(),
                });
            }
        }
    }

    fn over(&self, _: Instant) -> Option<String> {
        let open = self.open.as_ref()?;
        (open.talk.is_none() && open.files.is_done()).then(|| "closed".into())
    }

    fn deadline(&self) -> Option<Instant> {
        self.open.as_ref().and_then(|open| open.files.deadline())
    }

    fn tick(&mut self, _: Instant) {
        self.on_files(|files| files.handle(FileInput::Tick));
    }
}

impl Actor for PlainSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.turn(ctx, Self::connect);
    }
}

impl Handler<SessionCommand> for PlainSession {
    type Result = ();

    fn handle(&mut self, command: SessionCommand, ctx: &mut Self::Context) {
        self.turn(ctx, |session, ctx| session.run(command, ctx));
    }
}

impl Handler<FileSeen> for PlainSession {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, seen: FileSeen, ctx: &mut Self::Context) -> Self::Result {
        self.turn(ctx, |session, _| session.on_files(|files| files.seen(seen)));
        self.offered.take().unwrap_or_else(|| Box::pin(async {}))
    }
}

impl Handler<TransferReport> for PlainSession {
    type Result = ();

    fn handle(&mut self, report: TransferReport, ctx: &mut Self::Context) {
        self.turn(ctx, |session, _| session.on_files(|files| files.report(report)));
    }
}

/// Reports texts until either side ends; returns why.
async fn read(
    mut input: Frames<impl AsyncRead + Unpin, PeerFrame>,
    reports: &ReportSender,
) -> String {
    loop {
        let frames: Vec<PeerFrame> = match input.next().await {
            Ok(frames) if frames.is_empty() => return "the other side disconnected".into(),
            Ok(frames) => frames,
            Err(CodecError::Io(error)) => return format!("the connection broke: {error}"),
            Err(CodecError::Frame(error)) => {
                return format!("the other side breaks the protocol: {error}");
            }
        };
        let (mut texts, mut closes) = (Vec::new(), false);
        for frame in frames {
            match frame {
                PeerFrame::Message(text) => texts.push(text.into()),
                PeerFrame::Close => {
                    closes = true;
                    break;
                }
            }
        }
        if !reports.deliver(SessionEvent::Texts(texts)).await {
            return "the client has closed".into();
        }
        if closes {
            return "the other side closed it".into();
        }
    }
}
