//! A private session: one actor for its two connections.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use slog::Logger;
use tokio::time::timeout;

use crate::client::connection::drive::drive_connection;
use crate::client::connection::frames::Frames;
use crate::client::connection::outbox::{Outbox, Pace};
use crate::client::connection::sockets::{self, Listeners, Pair};
use crate::client::files::header_watch::{HeaderWatch, Seen};
use crate::client::ids::SessionId;
use crate::client::messages::{
    HangUp, LeaveFiles, SessionEvent, SessionReport, WatchFiles, WatchFrom,
};
use crate::protocol::{CodecError, PeerFrame, PortPair};
use crate::transfer::Downloads;

/// Bytes that may wait for a peer: some two thousand messages of the longest kind.
const OUTBOX: usize = 1024 * 1024;
/// For the peer to close after a goodbye.
const LINGER: Duration = Duration::from_secs(2);

/// How the two connections come about.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    /// Src: wait for the peer, and for no one else.
    Listen { address: IpAddr, ports: Option<RangeInclusive<u16>>, peer: IpAddr },
    /// Dst: connect to the peer.
    Dial { address: IpAddr, ports: PortPair, source: Option<IpAddr> },
}

/// Makes the two connections, then carries messages and watches for files.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) role: Role,
    pub(crate) connect_timeout: Duration,
    pub(crate) downloads: Arc<Downloads>,
    pub(crate) hub: Recipient<SessionReport>,
    pub(crate) logger: Logger,
    pub(crate) files: Option<Arc<TcpStream>>,
    pub(crate) watch: Option<HeaderWatch>,
}

// What a session reports by `do_send` it reports once in its life, or once for each file.
impl Session {
    fn report(&self, event: SessionEvent) {
        self.hub.do_send(SessionReport { session: self.id, event });
    }

    fn end(&mut self, reason: String, ctx: &mut Context<Self>) {
        self.report(SessionEvent::Down { reason });
        ctx.stop();
    }

    fn begin(&mut self, pair: Pair, ctx: &mut Context<Self>) {
        let files = match prepare(&pair.messages, pair.files) {
            Ok(files) => Arc::new(files),
            Err(error) => return self.end(format!("the connection broke: {error}"), ctx),
        };
        let outbox = Outbox::new(OUTBOX, Pace::Once);
        self.report(SessionEvent::Up {
            peer: pair.peer,
            outbox: outbox.clone(),
            files: Arc::clone(&files),
        });
        self.files = Some(files);
        self.watch_files(WatchFrom::Header);
        let (id, hub) = (self.id, self.hub.clone());
        let talk = async move { talk(id, pair.messages, &outbox, &hub).await };
        ctx.spawn(talk.into_actor(self).map(|reason, session, _| {
            session.report(SessionEvent::TalkDown { reason });
        }));
    }

    fn watch_files(&mut self, from: WatchFrom) {
        let Some(files) = self.files.clone() else { return };
        let (session, hub, downloads) = (self.id, self.hub.clone(), Arc::clone(&self.downloads));
        let watch = HeaderWatch::start(files, from, move |seen| {
            let event = match seen {
                Seen::Header(size) => SessionEvent::Header { size, free: downloads.free() },
                Seen::Down(reason) => SessionEvent::FilesDown { reason, violation: false },
                Seen::Violation(reason) => SessionEvent::FilesDown { reason, violation: true },
            };
            hub.do_send(SessionReport { session, event });
        });
        match watch {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => {
                let reason = format!("the file connection cannot be watched: {error}");
                self.report(SessionEvent::FilesDown { reason, violation: false });
            }
        }
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let connect = match self.role.clone() {
            Role::Listen { address, ports, peer } => match Listeners::bind(address, ports.as_ref())
            {
                Ok(listeners) => {
                    self.report(SessionEvent::PortsOpen(listeners.ports));
                    let logger = self.logger.clone();
                    let accept = async move { listeners.accept(peer, &logger).await };
                    futures::future::Either::Left(accept)
                }
                Err(reason) => return self.end(reason, ctx),
            },
            Role::Dial { address, ports, source } => {
                futures::future::Either::Right(sockets::dial(address, ports, source))
            }
        };
        let limit = self.connect_timeout;
        ctx.spawn(timeout(limit, connect).into_actor(self).map(|pair, session, ctx| {
            let reason = match (pair, &session.role) {
                (Ok(Ok(pair)), _) => return session.begin(pair, ctx),
                (Err(_), Role::Listen { .. }) => {
                    "the other side did not connect in time: a firewall may be in the way".into()
                }
                (Err(_), Role::Dial { address, .. }) => {
                    format!("cannot reach {address} in time: a firewall may be in the way")
                }
                (Ok(Err(error)), Role::Listen { .. }) => format!("cannot accept: {error}"),
                (Ok(Err(error)), Role::Dial { address, .. }) => {
                    format!("cannot reach {address}: {error}")
                }
            };
            session.end(reason, ctx);
        }));
    }
}

impl Handler<WatchFiles> for Session {
    type Result = ();

    fn handle(&mut self, watch: WatchFiles, _: &mut Self::Context) {
        self.watch_files(watch.from);
    }
}

impl Handler<LeaveFiles> for Session {
    type Result = ();

    fn handle(&mut self, _: LeaveFiles, _: &mut Self::Context) {
        self.watch = None;
    }
}

impl Handler<HangUp> for Session {
    type Result = ();

    fn handle(&mut self, _: HangUp, ctx: &mut Self::Context) {
        self.end("closed".into(), ctx);
    }
}

fn prepare(
    messages: &tokio::net::TcpStream,
    files: tokio::net::TcpStream,
) -> io::Result<TcpStream> {
    sockets::tune_for_messages(messages)?;
    sockets::tune(&files)?;
    let files = files.into_std()?;
    // Movers block; the watch for headers asks each read not to.
    files.set_nonblocking(false)?;
    Ok(files)
}

/// Carries messages until either side ends; returns why.
async fn talk(
    id: SessionId,
    stream: tokio::net::TcpStream,
    outbox: &Outbox,
    hub: &Recipient<SessionReport>,
) -> String {
    let (input, output) = stream.into_split();
    drive_connection(read(id, Frames::new(input), hub), outbox.write_to(output), Some(LINGER)).await
}

async fn read(
    session: SessionId,
    mut input: Frames<tokio::net::tcp::OwnedReadHalf, PeerFrame>,
    hub: &Recipient<SessionReport>,
) -> String {
    loop {
        let mut frames: Vec<PeerFrame> = match input.next().await {
            Ok(frames) if frames.is_empty() => return "the other side is gone".into(),
            Ok(frames) => frames,
            Err(CodecError::Io(error)) => return format!("the connection broke: {error}"),
            Err(CodecError::Frame(error)) => {
                return format!("the other side breaks the protocol: {error}");
            }
        };
        let end = frames.iter().position(|frame| *frame == PeerFrame::Close);
        frames.truncate(end.unwrap_or(frames.len()));
        if hub.send(SessionReport { session, event: SessionEvent::Frames(frames) }).await.is_err() {
            return "the client has closed".into();
        }
        if end.is_some() {
            return "the other side closed it".into();
        }
    }
}
