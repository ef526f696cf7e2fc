//! The client's centre: one actor that owns the state and routes everything.
//!
//! What it decides it decides by asking the pure structs ([`SignIn`], [`Roster`], [`Peers`]); the
//! files below perform what follows:
//!
//! - `commands`: what the user wants.
//! - `server`: reaching the server, signing in, and its frames.
//! - `peers`: private sessions.
//! - `closing`: the order of signing out.
//! - `turn`: what happens behind each message.

mod closing;
mod commands;
mod drain_timeout;
mod peers;
mod server;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;
use slog::Logger;
use tokio::sync::mpsc;

use crate::client::api::command::Command;
use crate::client::api::event::Event;
use crate::client::api::handle::Inside;
use crate::client::api::server_name::ServerName;
use crate::client::api::settings::ClientSettings;
use crate::client::channels::event_sender::EventSender;
use crate::client::channels::feed::feed;
use crate::client::channels::pending_commands::PendingCommands;
use crate::client::connection::outbox::Outbox;
use crate::client::ids::SessionId;
use crate::client::link::actor::Link;
use crate::client::link::backoff::Backoff;
use crate::client::link::roster::Roster;
use crate::client::link::sign_in::SignIn;
use crate::client::peers::Peers;
use crate::client::session::actor::Session;
use crate::transfer::Downloads;

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
    /// The last message said that an operator disconnects the user.
    sent_away: bool,
    backoff: Backoff,
    /// The wait for the next attempt, to reach the server or to take the name back.
    retry: Option<SpawnHandle>,
    /// Commands that wait for the first sign-in.
    pending: PendingCommands,
    /// The first sign-in is complete, and who is here is known.
    ready: bool,

    peers: Peers,
    sessions: HashMap<SessionId, Addr<Session>>,
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

/// How far signing out is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// Not at all.
    No,
    /// Once nothing is under way.
    WhenDone,
    /// Connections are being closed.
    Now,
    /// `Closed` was sent.
    Over,
}

impl Hub {
    pub(crate) fn new(settings: ClientSettings, logger: Logger, inside: Inside) -> Self {
        let downloads = Downloads::new(settings.downloads.clone(), settings.disk_reserve);
        let peers = Peers::new(settings.clone(), logger.clone(), Instant::now());
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
            sent_away: false,
            unacknowledged: 0,
            backoff: Backoff::default(),
            retry: None,
            pending: PendingCommands::default(),
            ready: false,
            peers,
            sessions: HashMap::new(),
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
}

impl Actor for Hub {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(commands) = self.commands.take() {
            ctx.spawn(feed(commands, ctx.address().recipient()).into_actor(self));
        }
        match ServerName::parse(&self.settings.server) {
            Ok(server) => {
                self.server = Some(server);
                self.connect(ctx);
            }
            Err(message) => self.error(message),
        }
        self.settle(ctx);
    }
}
