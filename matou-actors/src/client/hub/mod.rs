//! The client's centre: one actor that owns the state and routes everything.
//!
//! What happens between users is decided by a pure struct, [`Peers`]; what goes on with the server by
//! the link to it, an actor of its own. The files below route between them:
//!
//! - `commands`: what the user wants; `actions`: what follows from what happened.
//! - `closing`: the order of signing out.
//! - `turn`: what happens behind each message.

mod actions;
mod closing;
mod commands;
mod drain_timeout;
#[cfg(test)]
mod tests;
mod turn;

use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;
use slog::Logger;
use tokio::sync::mpsc;

use crate::client::api::event::Event;
use crate::client::api::handle::{Inside, QueuedCommand};
use crate::client::api::settings::ClientSettings;
use crate::client::channels::event_sender::EventSender;
use crate::client::channels::feed::feed;
use crate::client::channels::pending_commands::PendingCommands;
use crate::client::link::actor::LinkActor;
use crate::client::link::view::ServerView;
use crate::client::peers::Peers;
use crate::client::people_file::{PeopleChanges, load};
use crate::client::session::running::Sessions;
use crate::exchange::remove_old_parts;
use crate::transfer::Downloads;
use crate::trust::KnownPeople;

/// Events that the user's own commands may leave unread before commands wait.
const UNREAD: usize = 10_000;

/// The client.
#[derive(Debug)]
pub(crate) struct Hub {
    settings: ClientSettings,
    events: EventSender,
    commands: Option<mpsc::UnboundedReceiver<QueuedCommand>>,

    /// The link to the server, once this actor has started.
    link: Option<Addr<LinkActor>>,
    server: ServerView,
    logger: Logger,
    /// Commands that wait for the first sign-in.
    pending: PendingCommands,

    peers: Peers,
    people_changes: PeopleChanges,
    /// Changes of known keys that are being written.
    unsaved: usize,
    sessions: Sessions,
    downloads: Arc<Downloads>,

    leaving: Leaving,
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
        let downloads = Arc::new(downloads);
        // Before anything else happens: a start may wait for the disk.
        let people = settings.known_people.as_deref().map_or(Ok(KnownPeople::default()), load);
        let peers =
            Peers::new(settings.clone(), logger.clone(), Instant::now()).with_people(people);
        let (transfers, kept) = (peers.transfer_ids(), Arc::clone(&downloads));
        let sessions = Sessions::new(settings.clone(), transfers, kept, logger.clone());
        Self {
            settings,
            events: EventSender::new(inside.events),
            commands: Some(inside.commands),
            link: None,
            server: ServerView::new(),
            logger,
            pending: PendingCommands::default(),
            peers,
            people_changes: PeopleChanges::default(),
            unsaved: 0,
            sessions,
            downloads,
            leaving: Leaving::No,
        }
    }

    fn emit(&mut self, event: Event) {
        self.events.emit(event);
    }
}

impl Actor for Hub {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(commands) = self.commands.take() {
            ctx.spawn(feed(commands, ctx.address().recipient()).into_actor(self));
        }
        let (folder, days) = (self.settings.downloads.clone(), self.settings.keep_partial_days);
        // It takes as long as the disk does, and nothing waits for it.
        drop(tokio::task::spawn_blocking(move || remove_old_parts(&folder, days)));
        let (logger, random) = (self.logger.clone(), fastrand::Rng::new());
        let link = LinkActor::new(&self.settings, logger, random, ctx.address().recipient());
        self.link = Some(link.start());
        self.settle(ctx);
    }
}
