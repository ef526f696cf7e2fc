//! The actor of the link to the server: it owns the state across connections, the present
//! connection and its timers, and reports to the hub, in one order.
//!
//! Everything it does is a [`LinkActor::turn`]: after each, the decisions of [`ServerLink`] are
//! performed, and what concerns the hub becomes one report.

use std::time::Instant;

use actix::prelude::*;
use slog::Logger;

use super::action::LinkAction;
use super::current::CurrentConnection;
use super::server_link::ServerLink;
use super::view::Standing;
use crate::client::api::server_name::ServerName;
use crate::client::api::settings::ClientSettings;
use crate::client::messages::{ConnectionEvent, ConnectionReport, LinkCommand, LinkReport};

/// The link to the server.
#[derive(Debug)]
pub(crate) struct LinkActor {
    /// Where to begin.
    servers: Vec<ServerName>,
    link: ServerLink,
    connection: CurrentConnection,
    /// What the hub knows.
    reported: Option<Standing>,
    hub: Recipient<LinkReport>,
    /// Reports that the server brought and the hub has not answered: nothing more is read meanwhile.
    unanswered: usize,
}

impl LinkActor {
    pub(crate) fn new(
        settings: &ClientSettings,
        logger: Logger,
        random: fastrand::Rng,
        hub: Recipient<LinkReport>,
    ) -> Self {
        Self {
            servers: settings.servers.clone(),
            link: ServerLink::new(settings, logger.clone(), random),
            connection: CurrentConnection::new(settings, logger),
            reported: None,
            hub,
            unanswered: 0,
        }
    }

    /// Does something, and all that follows from it.
    fn turn(&mut self, ctx: &mut Context<Self>, act: impl FnOnce(&mut ServerLink)) {
        act(&mut self.link);
        if let Some(report) = self.settle(ctx) {
            // Bounded by the user's commands, by timers and by the number of connections.
            self.hub.do_send(report);
        }
    }

    /// Performs what was decided; returns what concerns the hub.
    fn settle(&mut self, ctx: &mut Context<Self>) -> Option<LinkReport> {
        let mut events = Vec::new();
        for action in self.link.take_actions() {
            match action {
                LinkAction::Report(event) => events.push(event),
                LinkAction::Connect(attempt) => {
                    self.connection.open(attempt, ctx.address().recipient());
                }
                LinkAction::Command(command) => self.connection.command(command),
                LinkAction::Wake(delay, wake) => {
                    ctx.run_later(delay, move |actor, ctx| {
                        // While reports wait, nothing is read, so the silence is not the server's.
                        let is_behind = actor.unanswered > 0;
                        actor.turn(ctx, |link| {
                            if is_behind {
                                link.traffic_seen();
                            }
                            link.wake(wake, Instant::now());
                        });
                    });
                }
            }
        }
        let roster = self.link.changed_roster();
        let standing = Some(self.link.standing()).filter(|now| self.reported.as_ref() != Some(now));
        if standing.is_some() {
            self.reported.clone_from(&standing);
        } else if events.is_empty() && roster.is_none() {
            return None;
        }
        Some(LinkReport { standing, roster, events, by_server: false })
    }
}

impl Actor for LinkActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let servers = std::mem::take(&mut self.servers);
        self.turn(ctx, |link| link.start(servers));
    }
}

impl Handler<LinkCommand> for LinkActor {
    type Result = ();

    fn handle(&mut self, command: LinkCommand, ctx: &mut Self::Context) {
        self.turn(ctx, |link| match command {
            LinkCommand::Run { command, room } => link.run(command, room),
            LinkCommand::Send { generation, frame } => link.send_private(generation, frame),
            LinkCommand::Finish => link.finish(),
            LinkCommand::Leave => link.leave(),
            LinkCommand::GiveUp => link.give_up(),
        });
    }
}

impl Handler<ConnectionReport> for LinkActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, report: ConnectionReport, ctx: &mut Self::Context) -> Self::Result {
        if !matches!(report.event, ConnectionEvent::Frames(_)) {
            self.turn(ctx, |link| link.report(report, Instant::now()));
            return Box::pin(fut::ready(()));
        }
        self.link.report(report, Instant::now());
        let Some(report) = self.settle(ctx) else { return Box::pin(fut::ready(())) };
        self.unanswered += 1;
        let answer = self.hub.send(LinkReport { by_server: true, ..report });
        Box::pin(answer.into_actor(self).map(|answer, actor, ctx| {
            actor.unanswered -= 1;
            if answer.is_err() {
                // The client has closed.
                ctx.stop();
            }
        }))
    }
}
