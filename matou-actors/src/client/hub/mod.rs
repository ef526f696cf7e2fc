//! The client's centre: one actor that owns the state and routes everything.
//!
//! What it decides it decides by asking the pure structs ([`SignIn`], [`Roster`],
//! [`Conversation`], [`FileQueue`], [`Transfers`]); the files below perform what follows:
//!
//! - `commands`: what the user wants.
//! - `server`: reaching the server, signing in, and its frames.
//! - `requests`: private requests; `sessions`: what comes of them.
//! - `offers`: files for the user to take; `files`: those on their way.
//! - `closing`: the order of signing out.

mod closing;
mod commands;
mod drain_timeout;
mod event_sender;
mod file_connections;
mod files;
mod offers;
mod pending_commands;
mod requests;
mod server;
mod sessions;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::Logger;
use tokio::sync::mpsc;

use crate::client::api::command::Command;
use crate::client::api::event::Event;
use crate::client::api::handle::Inside;
use crate::client::api::server_name::ServerName;
use crate::client::api::settings::ClientSettings;
use crate::client::connection::outbox::Outbox;
use crate::client::files::file_queue::FileQueue;
use crate::client::files::transfers::Transfers;
use crate::client::ids::{RequestId, SessionId, TransferId};
use crate::client::link::actor::Link;
use crate::client::link::backoff::Backoff;
use crate::client::link::roster::Roster;
use crate::client::link::sign_in::SignIn;
use crate::client::messages::Run;
use crate::client::session::actor::Session;
use crate::client::session::conversation::Conversation;
use crate::protocol::{FoldedName, Username};
use crate::transfer::{Downloads, Source, Transfer};
use event_sender::EventSender;
use pending_commands::PendingCommands;

/// For a file system to say what is at a path.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// Events that the user's own commands may leave unread before commands wait.
const UNREAD: usize = 10_000;

/// The client.
#[derive(Debug)]
pub(crate) struct Hub {
    settings: ClientSettings,
    logger: Logger,
    events: EventSender,
    commands: Option<mpsc::Receiver<Command>>,

    server: Option<ServerName>,
    link: Option<LiveLink>,
    generation: u64,
    /// How often a name was asked for.
    asked: u64,
    sign_in: SignIn,
    roster: Roster,
    /// The user's own messages that have not come back from the server yet.
    unacknowledged: u64,
    backoff: Backoff,
    /// The wait for the next attempt, to reach the server or to take the name back.
    retry: Option<SpawnHandle>,
    /// Commands that wait for the first sign-in.
    pending: PendingCommands,
    /// The first sign-in is complete, and who is here is known.
    ready: bool,

    conversations: HashMap<FoldedName, Conversation>,
    sessions: HashMap<SessionId, LiveSession>,
    ignored: HashSet<FoldedName>,
    numbers: u64,

    transfers: Transfers,
    movers: HashMap<TransferId, Addr<Transfer>>,
    /// The sockets that offers wait in, which may outlive their session.
    offers: HashMap<TransferId, Offer>,
    downloads: Arc<Downloads>,

    leaving: Leaving,
}

/// The connection to the server, or the attempt at one.
#[derive(Debug)]
struct LiveLink {
    addr: Addr<Link>,
    outbox: Outbox,
    up: Option<Up>,
}

#[derive(Clone, Copy, Debug)]
struct Up {
    local: IpAddr,
    server: IpAddr,
    joined: Option<Instant>,
}

/// A private session, or the attempt at one.
#[derive(Debug)]
struct LiveSession {
    addr: Addr<Session>,
    peer: Username,
    /// `None` until both connections are there.
    open: Option<OpenSession>,
    /// The user, or the client on its way out, closed it.
    closed: bool,
    /// The message connection ended by itself: only files that were sent before may come.
    over: bool,
}

#[derive(Debug)]
struct OpenSession {
    address: SocketAddr,
    outbox: Outbox,
    files: Arc<TcpStream>,
    queue: FileQueue,
}

#[derive(Debug)]
struct Offer {
    socket: Arc<TcpStream>,
    address: IpAddr,
    free: Option<u64>,
}

/// How far signing out is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// Not at all.
    No,
    /// Once nothing is under way.
    WhenDone,
    /// Connections are being closed.
    Now,
    /// `Closed` was told.
    Over,
}

impl Hub {
    pub(crate) fn new(settings: ClientSettings, logger: Logger, inside: Inside) -> Self {
        let downloads = Downloads::new(settings.downloads.clone(), settings.disk_reserve);
        Self {
            sign_in: SignIn::new(settings.username.clone()),
            settings,
            logger,
            events: EventSender::new(inside.events),
            commands: Some(inside.commands),
            server: None,
            link: None,
            generation: 0,
            asked: 0,
            roster: Roster::default(),
            unacknowledged: 0,
            backoff: Backoff::default(),
            retry: None,
            pending: PendingCommands::default(),
            ready: false,
            conversations: HashMap::new(),
            sessions: HashMap::new(),
            ignored: HashSet::new(),
            numbers: 0,
            transfers: Transfers::default(),
            movers: HashMap::new(),
            offers: HashMap::new(),
            downloads: Arc::new(downloads),
            leaving: Leaving::No,
        }
    }

    fn emit(&mut self, event: Event) {
        self.events.emit(event);
    }

    fn error(&mut self, message: impl Into<String>) {
        self.emit(Event::Error { message: message.into() });
    }

    fn notice(&mut self, message: impl Into<String>) {
        self.emit(Event::Notice { message: message.into() });
    }

    fn request(&mut self) -> RequestId {
        self.numbers += 1;
        RequestId(self.numbers)
    }

    /// Waits for room for the events that wait, if any do. To be called after each message.
    fn flush(&mut self, ctx: &mut Context<Self>) {
        if let Some(permit) = self.events.permit() {
            ctx.spawn(permit.into_actor(self).map(|permit, hub, ctx| {
                hub.events.resume(permit);
                hub.flush(ctx);
            }));
        } else if self.leaving == Leaving::Over && !self.events.is_full() {
            ctx.stop();
        }
    }

    /// The answer to whoever brought a batch: once all that came of it is on its way.
    fn backpressure(&mut self, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        self.flush(ctx);
        match self.events.backpressure() {
            None => Box::pin(std::future::ready(())),
            Some(backpressure) => Box::pin(async move {
                // The hub is gone: so is the wait for it.
                let _ = backpressure.await;
            }),
        }
    }
}

impl Actor for Hub {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(commands) = self.commands.take() {
            ctx.spawn(feed(commands, ctx.address()).into_actor(self));
        }
        match ServerName::parse(&self.settings.server) {
            Ok(server) => {
                self.server = Some(server);
                self.connect(ctx);
            }
            Err(message) => self.error(message),
        }
        self.flush(ctx);
    }
}

/// Hands the user's commands to the hub, each once it is ready for it. The disk is asked here,
/// off the event loop, so that commands keep their order and the hub never waits.
async fn feed(mut commands: mpsc::Receiver<Command>, hub: Addr<Hub>) {
    while let Some(command) = commands.recv().await {
        let checked = match &command {
            Command::Send { path, .. } => {
                let path = path.clone();
                let check = tokio::task::spawn_blocking(move || {
                    Source::open(&path).map(|source| source.size).map_err(|error| error.to_string())
                });
                let checked = tokio::time::timeout(CHECK_TIMEOUT, check).await;
                Some(match checked {
                    Ok(Ok(checked)) => checked,
                    Ok(Err(_)) | Err(_) => Err("the file system does not answer; try later".into()),
                })
            }
            _ => None,
        };
        if hub.send(Run { command, checked }).await.is_err() {
            return;
        }
    }
    // Nobody drives the client any more.
    let _ = hub.send(Run { command: Command::Finish, checked: None }).await;
}
