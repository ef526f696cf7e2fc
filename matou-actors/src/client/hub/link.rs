//! Performs what [`ServerLink`] decides.

use std::time::Instant;

use actix::prelude::*;

use super::Hub;
use crate::client::api::event::Event;
use crate::client::link::action::LinkAction;
use crate::client::link::actor::{Link, Setup};
use crate::client::link::reach::Trust;
use crate::client::link::server_link::ServerLink;
use crate::client::messages::{LinkCommand, LinkEvent, LinkReport};
use crate::protocol::Username;

impl Hub {
    /// Does something with the server, and all that follows from it.
    pub(super) fn with_server<R>(
        &mut self,
        ctx: &mut Context<Self>,
        act: impl FnOnce(&mut ServerLink) -> R,
    ) -> R {
        let result = act(&mut self.server);
        for action in self.server.take_actions() {
            self.perform_link(action, ctx);
        }
        result
    }

    /// Something happened on the connection to the server.
    pub(super) fn link_event(&mut self, report: LinkReport, ctx: &mut Context<Self>) {
        let LinkReport { generation, event } = report;
        let now = Instant::now();
        match event {
            LinkEvent::Up { local, server: at, security } => {
                self.with_server(ctx, |server| server.up(generation, local, at, security));
            }
            LinkEvent::Frames(frames) => {
                for frame in frames {
                    self.with_server(ctx, |server| server.frame(generation, frame, now));
                }
            }
            LinkEvent::NotSaid => self.with_server(ctx, |server| server.not_said(generation)),
            LinkEvent::Unwritten(bytes) => {
                self.with_server(ctx, |server| server.unwritten(generation, bytes));
            }
            LinkEvent::Down { reason, retry } => {
                self.with_server(ctx, |server| server.down(generation, reason, retry, now));
            }
        }
    }

    /// Whether the user sees what was said under that name.
    fn shows(&self, from: &Username) -> bool {
        self.server.me() == Some(from) || !self.peers.ignores(from)
    }

    fn perform_link(&mut self, action: LinkAction, ctx: &mut Context<Self>) {
        match action {
            LinkAction::Emit(Event::Joined { username, present }) => {
                self.emit(Event::Joined { username: username.clone(), present });
                self.with_peers(ctx, |peers, at| peers.arrived(&username, at));
            }
            LinkAction::Emit(event) => self.emit(event),
            LinkAction::Show { from, text, own } => {
                if own || !self.peers.ignores(&from) {
                    self.emit(Event::Message { from, text });
                }
            }
            LinkAction::ShowPast { message, missed } => {
                if self.shows(&message.from) {
                    self.emit(Event::HistoryMessage { message, missed });
                }
            }
            LinkAction::ShowOlder { mut messages, more } => {
                messages.retain(|message| self.shows(&message.from));
                self.emit(Event::History { messages, more });
            }
            LinkAction::Connect { generation, server, last_sequence } => {
                let (reports, logger) = (ctx.address().recipient(), self.logger.clone());
                let trust = Trust {
                    identity: self.settings.identity.clone(),
                    encryption: self.settings.encryption,
                    known_servers: self.settings.known_servers.clone(),
                    password: self.settings.password.clone(),
                };
                let link =
                    Link::new(Setup { generation, server, last_sequence, trust, reports, logger });
                self.link = Some(link.start());
            }
            LinkAction::Command(command) => {
                let hang_up = matches!(command, LinkCommand::HangUp);
                if let Some(link) = &self.link {
                    // Bounded: texts wait for room, and the set-up of sessions by what the user does.
                    link.do_send(command);
                }
                if hang_up {
                    self.link = None;
                }
            }
            LinkAction::Wake(delay, wake) => {
                Self::later(ctx, delay, move |hub, ctx| {
                    hub.with_server(ctx, |server| server.wake(wake, Instant::now()));
                });
            }
            LinkAction::Private(frame) => {
                self.with_peers(ctx, |peers, at| peers.frame(frame, at));
            }
            LinkAction::Left(who) => self.with_peers(ctx, |peers, _| {
                peers.peer_unreachable(&who.folded(), &format!("{who} left"));
            }),
            LinkAction::Lost => {
                self.with_peers(ctx, |peers, _| {
                    peers.all_unreachable("the connection to the server was lost");
                });
            }
            LinkAction::Ready => self.run_pending(ctx),
        }
    }
}
