//! One connection to the server: an actor, which owns its socket and what waits to be written to it.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use actix::prelude::*;
use slog::{Logger, warn};
use tokio::io::AsyncRead;
use tokio::sync::oneshot;

use super::handshake::foreign_words;
use super::reach::{Alternatives, Reached, Trust, Unreachable, reach};
use crate::client::api::event::LinkSecurity;
use crate::client::api::server_name::ServerName;
use crate::client::connection::drive::drive_connection;
use crate::client::connection::frames::Frames;
use crate::client::connection::send_queue::{Full, Pace, SendQueue};
use crate::client::messages::{ConnectionCommand, ConnectionEvent, ConnectionReport};
use crate::protocol::v2::{PasswordProof, Text};
use crate::protocol::{ClaimedName, ClientFrame, CodecError, Decode, Kind, MessageText, v1, v2};

/// Bytes that may wait for the server.
const SEND_QUEUE: usize = 1024 * 1024;
/// How often it is reported how much a connection that is being closed has still to write.
const LOOK: Duration = Duration::from_millis(250);

/// What HELLO says of this program.
const PROGRAM: &str = concat!("Matou ", env!("CARGO_PKG_VERSION"));

/// The revision that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Revision {
    Revision1,
    Revision2,
}

/// What a connection is made from.
#[derive(Debug)]
pub(crate) struct ConnectionSetup {
    pub(crate) generation: u64,
    pub(crate) server: ServerName,
    /// The last event that was seen; 0 is none.
    pub(crate) last_sequence: u64,
    pub(crate) alternatives: Alternatives,
    pub(crate) trust: Trust,
    pub(crate) reports: Recipient<ConnectionReport>,
    pub(crate) logger: Logger,
}

/// Reaches the server, reads and writes frames until either side ends, and does what
/// [`ConnectionCommand`]s say.
#[derive(Debug)]
pub(crate) struct ServerConnection {
    setup: ConnectionSetup,
    queue: SendQueue,
    /// The revision that is spoken, once the server is reached.
    revision: Rc<Cell<Revision>>,
    /// What HELLO proves about the server's password.
    password: Rc<Cell<PasswordProof>>,
    /// Bytes that were last reported as not yet written.
    unwritten: usize,
}

impl ServerConnection {
    pub(crate) fn new(setup: ConnectionSetup) -> Self {
        let queue = SendQueue::new(SEND_QUEUE, Pace::Progress);
        let (revision, password) = (Revision::Revision1, PasswordProof::None);
        let (revision, password) = (Rc::new(Cell::new(revision)), Rc::new(Cell::new(password)));
        Self { setup, queue, revision, password, unwritten: 0 }
    }

    /// By `do_send`: these reports are bounded by what the link asked for. Frames, whose number the
    /// server decides, wait for an answer.
    fn report(&self, event: ConnectionEvent) {
        self.setup.reports.do_send(ConnectionReport { generation: self.setup.generation, event });
    }

    /// Queues a frame in the revision that is spoken.
    fn push(&self, frame: &v2::ClientFrame) -> Result<(), Full> {
        match (self.revision.get(), frame) {
            (Revision::Revision2, v2::ClientFrame::Revision1(ClientFrame::Join(username))) => {
                self.queue.push(&hello(username, self.password.get(), self.setup.last_sequence))
            }
            (Revision::Revision2, _) | (_, v2::ClientFrame::Revision1(_)) => self.queue.push(frame),
            // Of users with keys only a server of revision 2 speaks.
            (Revision::Revision1, _) => Ok(()),
        }
    }

    fn say(
        &self,
        text: MessageText,
        action: bool,
        room: oneshot::Sender<()>,
        ctx: &mut Context<Self>,
    ) {
        let pushed = match (action, self.revision.get()) {
            (false, _) => self.push(&ClientFrame::Say(text).into()),
            (true, Revision::Revision1) => self.push(&ClientFrame::Say(text.as_action()).into()),
            (true, Revision::Revision2) => {
                self.queue.push(&v2::ClientFrame::Say { flags: v2::ACTION, text })
            }
        };
        if pushed.is_err() {
            self.report(ConnectionEvent::NotSaid);
        }
        let queue = self.queue.clone();
        let wait = async move {
            queue.pace().await;
            drop(room);
        };
        ctx.spawn(wait.into_actor(self));
    }

    fn send(&self, frame: &v2::ClientFrame) {
        if self.push(frame).is_err() {
            let frame = frame.kind().map(Kind::name);
            warn!(self.setup.logger, "the server accepts no more frames"; "frame" => frame);
        }
    }

    fn recall(&self, before: u64, count: u32) {
        if self.queue.push(&v2::ClientFrame::History { before, count }).is_err() {
            warn!(self.setup.logger, "the server accepts no more frames"; "frame" => "HISTORY");
        }
    }

    fn close(&mut self, ctx: &mut Context<Self>) {
        self.queue.close();
        self.report_unwritten();
        ctx.run_interval(LOOK, |connection, _| connection.report_unwritten());
    }

    fn report_unwritten(&mut self) {
        let unwritten = self.queue.waiting();
        if std::mem::replace(&mut self.unwritten, unwritten) != unwritten {
            self.report(ConnectionEvent::Unwritten(unwritten));
        }
    }
}

/// The frame that joins in revision 2.
fn hello(username: &ClaimedName, password: PasswordProof, last_sequence: u64) -> v2::ClientFrame {
    v2::ClientFrame::Hello {
        username: username.clone(),
        program: Text::new(PROGRAM).unwrap_or_default(),
        password,
        last_sequence,
    }
}

impl Actor for ServerConnection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (server, queue) = (self.setup.server.clone(), self.queue.clone());
        let (reports, generation) = (self.setup.reports.clone(), self.setup.generation);
        let (trust, revision) = (self.setup.trust.clone(), Rc::clone(&self.revision));
        let password = Rc::clone(&self.password);
        let alternatives = self.setup.alternatives;
        let life = async move {
            match reach(&server, &trust, alternatives).await {
                Ok(reached) => {
                    password.set(reached.password);
                    live(generation, &server, reached, &revision, &queue, &reports).await
                }
                Err(Unreachable { is_other_key: true, reason, retry }) => {
                    // The mailbox is the link's, which reads all that its connection reports.
                    reports
                        .do_send(ConnectionReport { generation, event: ConnectionEvent::OtherKey });
                    (reason, retry)
                }
                Err(Unreachable { reason, retry, .. }) => (reason, retry),
            }
        };
        ctx.spawn(life.into_actor(self).map(|(reason, retry), connection, ctx| {
            connection.report(ConnectionEvent::Down { reason, retry });
            ctx.stop();
        }));
    }
}

impl Handler<ConnectionCommand> for ServerConnection {
    type Result = ();

    fn handle(&mut self, command: ConnectionCommand, ctx: &mut Self::Context) {
        match command {
            ConnectionCommand::Say { text, action, room } => self.say(text, action, room, ctx),
            ConnectionCommand::Send(frame) => self.send(&frame),
            ConnectionCommand::Recall { before, count } => self.recall(before, count),
            ConnectionCommand::Close => self.close(ctx),
            ConnectionCommand::HangUp => ctx.stop(),
        }
    }
}

/// The life of a connection that has reached the server; returns why it ended, and whether another attempt
/// makes sense.
async fn live(
    generation: u64,
    name: &ServerName,
    reached: Reached,
    revision: &Cell<Revision>,
    queue: &SendQueue,
    reports: &Recipient<ConnectionReport>,
) -> (String, bool) {
    let Reached { stream, local, server, addresses, security, .. } = reached;
    let dialect = match &security {
        LinkSecurity::Plain => Revision::Revision1,
        LinkSecurity::Encrypted { .. } => Revision::Revision2,
    };
    revision.set(dialect);
    // Once in its life.
    let event = ConnectionEvent::Up { local, server, addresses, security };
    reports.do_send(ConnectionReport { generation, event });
    let (input, output) = tokio::io::split(stream);
    let mut foreign = false;
    let writing = queue.write_to(output);
    // How long the server may take to read all that was said is decided elsewhere.
    let reason = match dialect {
        Revision::Revision1 => {
            let input = Frames::<_, v1::ServerFrame>::new(input);
            let reading = read(generation, input, reports, &mut foreign);
            drive_connection(reading, writing, None).await
        }
        Revision::Revision2 => {
            let input = Frames::<_, v2::ServerFrame>::new(input);
            let reading = read(generation, input, reports, &mut foreign);
            drive_connection(reading, writing, None).await
        }
    };
    if foreign { (foreign_words(name), false) } else { (reason, true) }
}

/// Reports frames until the connection ends. `foreign` is set when the first bytes are not a frame.
async fn read<F: Decode + Into<v2::ServerFrame>>(
    generation: u64,
    mut input: Frames<impl AsyncRead + Unpin, F>,
    reports: &Recipient<ConnectionReport>,
    foreign: &mut bool,
) -> String {
    let mut spoke = false;
    loop {
        match input.next().await {
            Ok(frames) if frames.is_empty() => return "the server closed the connection".into(),
            Ok(frames) => {
                spoke = true;
                let event = ConnectionEvent::Frames(frames.into_iter().map(Into::into).collect());
                if reports.send(ConnectionReport { generation, event }).await.is_err() {
                    return "the client has closed".into();
                }
            }
            // The end of the stream without the end that TLS wants.
            Err(CodecError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return "the connection was cut".into();
            }
            Err(CodecError::Io(error)) => return format!("the connection broke: {error}"),
            Err(CodecError::Frame(error)) => {
                *foreign = !spoke;
                return format!("the server breaks the protocol: {error}");
            }
        }
    }
}
