//! Performs what [`ServerLink`] and [`Peers`] decide.

use std::time::Instant;

use actix::prelude::*;

use super::Hub;
use crate::client::background::{remember, verify};
use crate::client::ids::SessionId;
use crate::client::link::action::LinkAction;
use crate::client::link::server_link::ServerLink;
use crate::client::messages::SessionEvent;
use crate::client::peers::{Action, Peers, Situation};

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

    /// Does something with the peers, and all that follows from it.
    pub(super) fn with_peers<R>(
        &mut self,
        ctx: &mut Context<Self>,
        act: impl FnOnce(&mut Peers, &Situation<'_>) -> R,
    ) -> R {
        let result = act(&mut self.peers, &Situation::now(&self.server));
        for action in self.peers.take_actions() {
            self.perform(action, ctx);
        }
        result
    }

    fn perform_link(&mut self, action: LinkAction, ctx: &mut Context<Self>) {
        match action {
            LinkAction::Emit(event) => {
                if let Some(event) = self.peers.shown(event, self.server.me()) {
                    self.emit(event);
                }
            }
            LinkAction::Connect(attempt) => self.link.open(attempt, ctx.address().recipient()),
            LinkAction::Command(command) => self.link.command(command),
            LinkAction::Wake(delay, wake) => {
                Self::later(ctx, delay, move |hub, ctx| {
                    // Then nothing that comes is read.
                    let is_behind = hub.events.is_full();
                    hub.with_server(ctx, |server| {
                        if is_behind {
                            server.heard();
                        }
                        server.wake(wake, Instant::now());
                    });
                });
            }
            LinkAction::Private(frame) => self.with_peers(ctx, |peers, at| peers.frame(frame, at)),
            LinkAction::Arrived(who) => self.with_peers(ctx, |peers, at| peers.arrived(&who, at)),
            LinkAction::Left(who) => self.with_peers(ctx, |peers, _| {
                peers.peer_unreachable(&who.folded(), &format!("{who} left"));
            }),
            LinkAction::Lost => self.with_peers(ctx, |peers, _| {
                peers.all_unreachable("the connection to the server was lost");
            }),
            LinkAction::Ready => self.run_pending(ctx),
        }
    }

    fn perform(&mut self, action: Action, ctx: &mut Context<Self>) {
        match action {
            Action::EmitUnlessBehind(event) if self.events.is_full() => drop(event),
            Action::Emit(event) | Action::EmitUnlessBehind(event) => self.emit(event),
            Action::Send(frame) => self.with_server(ctx, |server| server.send(frame)),
            Action::Start { id, peer, way } => {
                if !self.sessions.start(id, peer, way, ctx.address().recipient()) {
                    self.session_lost(id, ctx);
                }
            }
            Action::Session(id, command) => {
                if !self.sessions.command(id, command) {
                    self.session_lost(id, ctx);
                }
            }
            Action::Remember { server, person } => {
                if let Some(file) = self.settings.known_people.clone() {
                    self.emit_later(remember(&self.people_changes, file, server, person), ctx);
                }
            }
            Action::Verify { name, own, theirs } => self.emit_later(verify(name, own, theirs), ctx),
            Action::Wake(delay, wake) => {
                Self::later(ctx, delay, |hub, ctx| {
                    hub.with_peers(ctx, |peers, at| peers.wake(wake, at));
                });
            }
        }
    }

    /// A session is not there any more, and need not have reported its end.
    fn session_lost(&mut self, id: SessionId, ctx: &mut Context<Self>) {
        let event = SessionEvent::Over { reason: "closed".into() };
        self.with_peers(ctx, |peers, at| peers.session_event(id, event, at));
    }
}
