//! Performs what [`Peers`] decides.

use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;

use super::Hub;
use crate::client::files::FileContext;
use crate::client::ids::SessionId;
use crate::client::messages::SessionEvent;
use crate::client::peers::{Action, Peers, Situation};
use crate::client::session::actor::{Role, Session, Setup};
use crate::protocol::Username;

impl Hub {
    /// Does something with the peers, and all that follows from it.
    pub(super) fn with_peers<R>(
        &mut self,
        ctx: &mut Context<Self>,
        act: impl FnOnce(&mut Peers, &Situation<'_>) -> R,
    ) -> R {
        let situation = Situation {
            me: self.server.me(),
            joined: self.server.is_joined(),
            route: self.server.route(),
            roster: self.server.roster(),
            now: Instant::now(),
        };
        let result = act(&mut self.peers, &situation);
        for action in self.peers.take_actions() {
            self.perform(action, ctx);
        }
        result
    }

    fn perform(&mut self, action: Action, ctx: &mut Context<Self>) {
        match action {
            Action::EmitUnlessBehind(event) if self.events.is_full() => drop(event),
            Action::Emit(event) | Action::EmitUnlessBehind(event) => self.emit(event),
            Action::Send(frame) => self.with_server(ctx, |server| server.send(frame)),
            Action::Start { id, peer, role } => self.start_session(id, peer, role, ctx),
            Action::Session(id, command) => {
                let session = self.sessions.get(&id).filter(|session| session.connected());
                match session {
                    // Bounded by what the user typed, and by the files that were offered.
                    Some(session) => session.do_send(command),
                    None => self.session_lost(id, ctx),
                }
            }
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

    fn start_session(
        &mut self,
        id: SessionId,
        peer: Username,
        role: Role,
        ctx: &mut Context<Self>,
    ) {
        let files =
            FileContext { downloads: Arc::clone(&self.downloads), ids: self.peers.transfer_ids() };
        let session = Session::new(Setup {
            id,
            peer,
            role,
            connect_timeout: self.settings.connect_timeout,
            files,
            reports: ctx.address().recipient(),
            logger: self.logger.clone(),
        });
        self.sessions.insert(id, session.start());
    }
}
