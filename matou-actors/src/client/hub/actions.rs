//! Performs what [`Peers`] decide, and what follows from what the link to the server reports.

use actix::prelude::*;

use super::Hub;
use crate::client::background::{remember, verify};
use crate::client::ids::SessionNumber;
use crate::client::messages::{LinkCommand, LinkEvent, SessionEvent};
use crate::client::peers::{PeerAction, Peers, Situation};

impl Hub {
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

    /// Sends the link to the server a command. It lives as long as this actor.
    pub(super) fn command_link(&self, command: LinkCommand) {
        if let Some(link) = &self.link {
            // Bounded: the user's commands wait for it, and the set-up of sessions by what they do.
            link.do_send(command);
        }
    }

    /// Something happened to the link to the server.
    pub(super) fn link_event(&mut self, event: LinkEvent, ctx: &mut Context<Self>) {
        match event {
            LinkEvent::Emit(event) => {
                if let Some(event) = self.peers.shown(event, self.server.me()) {
                    self.emit(event);
                }
            }
            LinkEvent::Private(frame) => self.with_peers(ctx, |peers, at| peers.frame(frame, at)),
            LinkEvent::Arrived(who) => self.with_peers(ctx, |peers, at| peers.arrived(&who, at)),
            LinkEvent::Left(who) => self.with_peers(ctx, |peers, _| {
                peers.peer_unreachable(&who.folded(), &format!("{who} left"));
            }),
            LinkEvent::Lost => self.with_peers(ctx, |peers, _| {
                peers.all_unreachable("the connection to the server was lost");
            }),
            LinkEvent::Ready => self.run_pending(ctx),
        }
    }

    pub(super) fn perform(&mut self, action: PeerAction, ctx: &mut Context<Self>) {
        match action {
            PeerAction::EmitUnlessBehind(event) if self.events.is_full() => drop(event),
            PeerAction::Emit(event) | PeerAction::EmitUnlessBehind(event) => self.emit(event),
            PeerAction::Send(frame) => {
                let generation = self.server.generation();
                self.command_link(LinkCommand::Send { generation, frame });
            }
            PeerAction::Start { id, peer, way } => {
                if !self.sessions.start(id, peer, way, ctx.address().recipient()) {
                    self.session_lost(id, ctx);
                }
            }
            PeerAction::Session(id, command) => {
                if !self.sessions.command(id, command) {
                    self.session_lost(id, ctx);
                }
            }
            PeerAction::Remember { server, person } => {
                if let Some(file) = self.settings.known_people.clone() {
                    self.unsaved += 1;
                    let saved = remember(&self.people_changes, file, server, person);
                    ctx.spawn(saved.into_actor(self).map(|failure, hub, ctx| {
                        hub.unsaved = hub.unsaved.saturating_sub(1);
                        if let Some(event) = failure {
                            hub.emit(event);
                        }
                        hub.settle(ctx);
                    }));
                }
            }
            PeerAction::Verify { name, own, theirs } => {
                self.emit_later(verify(name, own, theirs), ctx);
            }
            PeerAction::Wake(delay, wake) => {
                Self::later(ctx, delay, |hub, ctx| {
                    hub.with_peers(ctx, |peers, at| peers.wake(wake, at));
                });
            }
        }
    }

    /// A session has gone, and may not have reported its end.
    fn session_lost(&mut self, id: SessionNumber, ctx: &mut Context<Self>) {
        let event = SessionEvent::Over { reason: "closed".into() };
        self.with_peers(ctx, |peers, at| peers.session_event(id, event, at));
    }
}
