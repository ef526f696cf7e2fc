//! The client's centre: one actor that owns the state and routes everything.
//!
//! What it decides it decides by asking the pure structs ([`SignIn`], [`Roster`],
//! [`Conversation`], [`Lane`], [`Transfers`]); the files below perform what follows:
//!
//! - `commands`: what the user wants.
//! - `server`: reaching the server, signing in, and its frames.
//! - `requests`: private requests; `sessions`: what comes of them.
//! - `offers`: files for the user to take; `files`: those on their way.
//! - `closing`: the order of signing out.

mod closing;
mod commands;
mod files;
mod lanes;
mod offers;
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

use super::backoff::Backoff;
use super::conversation::{Conversation, SessionId, Ticket};
use super::early::Early;
use super::handle::Inside;
use super::lane::Lane;
use super::link::Link;
use super::messages::Run;
use super::outbox::Outbox;
use super::outlet::Outlet;
use super::roster::Roster;
use super::server_name::ServerName;
use super::session::Session;
use super::sign_in::SignIn;
use super::transfers::Transfers;
use super::{ClientSettings, Command, Event, TransferId};
use crate::protocol::{Username, UsernameKey};
use crate::transfer::{Downloads, Source, Transfer};

/// For a file system to say what is at a path.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// Events that the user's own commands may leave unread before commands wait.
const UNREAD: usize = 10_000;

/// The client.
#[derive(Debug)]
pub(super) struct Hub {
    settings: ClientSettings,
    logger: Logger,
    outlet: Outlet,
    commands: Option<mpsc::Receiver<Command>>,

    server: Option<ServerName>,
    link: Option<LiveLink>,
    generation: u64,
    /// How often a name was asked for.
    asked: u64,
    sign_in: SignIn,
    roster: Roster,
    /// The user's own messages that have not come back from the server yet.
    unheard: u64,
    backoff: Backoff,
    /// The wait for the next attempt, to reach the server or to take the name back.
    retry: Option<SpawnHandle>,
    /// Commands that wait for the first sign-in.
    early: Early,
    /// The first sign-in is complete, and who is here is known.
    ready: bool,

    conversations: HashMap<UsernameKey, Conversation>,
    sessions: HashMap<SessionId, LiveSession>,
    ignored: HashSet<UsernameKey>,
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
    lane: Lane,
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
    pub(super) fn new(settings: ClientSettings, logger: Logger, inside: Inside) -> Self {
        let downloads = Downloads::new(settings.downloads.clone(), settings.disk_reserve);
        Self {
            sign_in: SignIn::new(settings.username.clone()),
            settings,
            logger,
            outlet: Outlet::new(inside.events),
            commands: Some(inside.commands),
            server: None,
            link: None,
            generation: 0,
            asked: 0,
            roster: Roster::default(),
            unheard: 0,
            backoff: Backoff::default(),
            retry: None,
            early: Early::default(),
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

    fn tell(&mut self, event: Event) {
        self.outlet.tell(event);
    }

    fn error(&mut self, message: impl Into<String>) {
        self.tell(Event::Error { message: message.into() });
    }

    fn notice(&mut self, message: impl Into<String>) {
        self.tell(Event::Notice { message: message.into() });
    }

    fn ticket(&mut self) -> Ticket {
        self.numbers += 1;
        Ticket(self.numbers)
    }

    /// Waits for room for the events that wait, if any do. To be called after each message.
    fn flush(&mut self, ctx: &mut Context<Self>) {
        if let Some(place) = self.outlet.place() {
            ctx.spawn(place.into_actor(self).map(|place, hub, ctx| {
                hub.outlet.refill(place);
                hub.flush(ctx);
            }));
        } else if self.leaving == Leaving::Over && !self.outlet.is_full() {
            ctx.stop();
        }
    }

    /// The answer to whoever brought a batch: once all that came of it is on its way.
    fn credit(&mut self, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        self.flush(ctx);
        match self.outlet.credit() {
            None => Box::pin(std::future::ready(())),
            Some(credit) => Box::pin(async move {
                // The hub is gone: so is the wait for it.
                let _ = credit.await;
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
