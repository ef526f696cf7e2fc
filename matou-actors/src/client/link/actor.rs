//! The connection to the server: one actor for each connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix::prelude::*;
use slog::{Logger, warn};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::client::api::server_name::ServerName;
use crate::client::connection::drive::drive_connection;
use crate::client::connection::frames::Frames;
use crate::client::connection::outbox::{Outbox, Pace};
use crate::client::connection::sockets;
use crate::client::messages::{LinkCommand, LinkEvent, LinkReport};
use crate::protocol::{ClientFrame, CodecError, MessageText, ServerFrame};

/// For each address of the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that may wait for the server.
const OUTBOX: usize = 1024 * 1024;
/// How often it is reported how much a connection that is being closed has still to write.
const LOOK: Duration = Duration::from_millis(250);

/// What a connection is made from.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) generation: u64,
    pub(crate) server: ServerName,
    pub(crate) reports: Recipient<LinkReport>,
    pub(crate) logger: Logger,
}

/// Reaches the server, reads and writes frames until either side ends, and does what
/// [`LinkCommand`]s say.
#[derive(Debug)]
pub(crate) struct Link {
    setup: Setup,
    outbox: Outbox,
    /// Bytes that were last reported as not yet written.
    unwritten: usize,
}

impl Link {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { setup, outbox: Outbox::new(OUTBOX, Pace::Progress), unwritten: 0 }
    }

    /// By `do_send`: what is reported so is bounded by what the hub asked for. Frames, which the
    /// server sends, wait for an answer.
    fn report(&self, event: LinkEvent) {
        self.setup.reports.do_send(LinkReport { generation: self.setup.generation, event });
    }

    fn say(&self, text: MessageText, room: oneshot::Sender<()>, ctx: &mut Context<Self>) {
        if self.outbox.push(&ClientFrame::Say(text)).is_err() {
            self.report(LinkEvent::NotSaid);
        }
        let outbox = self.outbox.clone();
        let wait = async move {
            outbox.pace().await;
            drop(room);
        };
        ctx.spawn(wait.into_actor(self));
    }

    fn send(&self, frame: &ClientFrame) {
        if self.outbox.push(frame).is_err() {
            let frame = frame.kind().name();
            warn!(self.setup.logger, "the server takes no more frames"; "frame" => frame);
        }
    }

    fn close(&mut self, ctx: &mut Context<Self>) {
        self.outbox.close();
        self.report_unwritten();
        ctx.run_interval(LOOK, |link, _| link.report_unwritten());
    }

    fn report_unwritten(&mut self) {
        let unwritten = self.outbox.waiting();
        if std::mem::replace(&mut self.unwritten, unwritten) != unwritten {
            self.report(LinkEvent::Unwritten(unwritten));
        }
    }
}

impl Actor for Link {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (server, outbox) = (self.setup.server.clone(), self.outbox.clone());
        let (reports, generation) = (self.setup.reports.clone(), self.setup.generation);
        let life = async move { live(generation, &server, &outbox, &reports).await };
        ctx.spawn(life.into_actor(self).map(|(reason, retry), link, ctx| {
            link.report(LinkEvent::Down { reason, retry });
            ctx.stop();
        }));
    }
}

impl Handler<LinkCommand> for Link {
    type Result = ();

    fn handle(&mut self, command: LinkCommand, ctx: &mut Self::Context) {
        match command {
            LinkCommand::Say { text, room } => self.say(text, room, ctx),
            LinkCommand::Send(frame) => self.send(&frame),
            LinkCommand::Close => self.close(ctx),
            LinkCommand::HangUp => ctx.stop(),
        }
    }
}

/// The link's whole life; returns why it ended, and whether another attempt makes sense.
async fn live(
    generation: u64,
    name: &ServerName,
    outbox: &Outbox,
    reports: &Recipient<LinkReport>,
) -> (String, bool) {
    let (stream, local, server) = match connect(name).await {
        Ok(connected) => connected,
        Err(error) => return (format!("cannot reach {name}: {error}"), true),
    };
    // Once in its life.
    reports.do_send(LinkReport { generation, event: LinkEvent::Up { local, server } });
    let (input, output) = stream.into_split();
    let mut foreign = false;
    let reading = read(generation, Frames::new(input), reports, &mut foreign);
    // How long the server may take to read all that was said is the hub's decision.
    let reason = drive_connection(reading, outbox.write_to(output), None).await;
    if foreign {
        let next = "check the address and port (--server HOST:PORT), then /reconnect";
        return (format!("{name} is not a Matou server; {next}"), false);
    }
    (reason, true)
}

/// Reports frames until the connection ends. `foreign` is set when the first bytes are no frame.
async fn read(
    generation: u64,
    mut input: Frames<tokio::net::tcp::OwnedReadHalf, ServerFrame>,
    reports: &Recipient<LinkReport>,
    foreign: &mut bool,
) -> String {
    let mut spoke = false;
    loop {
        match input.next().await {
            Ok(frames) if frames.is_empty() => return "the server closed the connection".into(),
            Ok(frames) => {
                spoke = true;
                if reports
                    .send(LinkReport { generation, event: LinkEvent::Frames(frames) })
                    .await
                    .is_err()
                {
                    return "the client has closed".into();
                }
            }
            Err(CodecError::Io(error)) => return format!("the connection broke: {error}"),
            Err(CodecError::Frame(error)) => {
                *foreign = !spoke;
                return format!("the server breaks the protocol: {error}");
            }
        }
    }
}

/// Tries all addresses of the server in turn.
async fn connect(name: &ServerName) -> io::Result<(TcpStream, SocketAddr, SocketAddr)> {
    let mut last = io::Error::other("the name has no address");
    for address in tokio::net::lookup_host((name.host.as_str(), name.port)).await? {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                sockets::tune_for_messages(&stream)?;
                let local = stream.local_addr()?;
                return Ok((stream, local, address));
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}
