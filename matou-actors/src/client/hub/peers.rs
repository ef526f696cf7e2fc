//! Performs what [`Peers`] decides.

use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;

use super::Hub;
use crate::client::api::event::{ErrorCode, Event};
use crate::client::files::FileContext;
use crate::client::ids::SessionId;
use crate::client::messages::SessionEvent;
use crate::client::peers::{Action, Peers, Situation};
use crate::client::session::Way;
use crate::client::session::actor::{Session, Setup};
use crate::client::session::encrypted::{self, EncryptedSession};
use crate::client::session::encrypted_files::SharedFiles;
use crate::protocol::Username;
use crate::protocol::v2::PublicKey;
use crate::trust::{Fingerprint, Person, verification_words};

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
            server_key: self.server.server_key(),
            roster: self.server.roster(),
            now: Instant::now(),
            today: jiff::Zoned::now().date(),
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
            Action::Start { id, peer, way } => self.start_session(id, peer, way, ctx),
            Action::Remember { server, person } => self.remember(server, person, ctx),
            Action::Verify { name, own, theirs } => self.verify(name, own, theirs, ctx),
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

    fn start_session(&mut self, id: SessionId, peer: Username, way: Way, ctx: &mut Context<Self>) {
        let (reports, logger) = (ctx.address().recipient(), self.logger.clone());
        let connect_timeout = self.settings.connect_timeout;
        let role = match (way, self.settings.identity.clone()) {
            (Way::Plain(role), _) => role,
            // Without a key of the own the server knows of none, and nobody asks.
            (Way::Encrypted(_), None) => return self.session_lost(id, ctx),
            (Way::Encrypted(meeting), Some(identity)) => {
                let session = EncryptedSession::new(encrypted::Setup {
                    id,
                    peer,
                    meeting: *meeting,
                    identity,
                    listen: self.settings.private_listen,
                    ports: self.settings.private_ports.clone(),
                    addresses: self.settings.private_addresses.clone(),
                    connect_timeout,
                    messages: self.message_ids.clone(),
                    files: SharedFiles {
                        downloads: Arc::clone(&self.downloads),
                        ids: self.peers.transfer_ids(),
                        rate: self.rate.clone(),
                    },
                    reports,
                    logger,
                });
                self.sessions.insert(id, session.start().recipient());
                return;
            }
        };
        let files =
            FileContext { downloads: Arc::clone(&self.downloads), ids: self.peers.transfer_ids() };
        let setup = Setup { id, peer, role, connect_timeout, files, reports, logger };
        self.sessions.insert(id, Session::new(setup).start().recipient());
    }

    /// Keeps a key, off the event loop.
    fn remember(&mut self, server: String, person: Person, ctx: &mut Context<Self>) {
        let Some(file) = self.settings.known_people.clone() else { return };
        self.people_changes.push(server, person);
        let changes = self.people_changes.clone();
        let kept = tokio::task::spawn_blocking(move || changes.write_first(&file));
        ctx.spawn(kept.into_actor(self).map(|kept, hub, ctx| {
            if let Ok(Err(reason)) = kept {
                hub.error(ErrorCode::File, reason);
                hub.settle(ctx);
            }
        }));
    }

    /// Makes the words by which keys are compared, off the event loop: that takes a while.
    fn verify(
        &mut self,
        username: Username,
        own: PublicKey,
        theirs: PublicKey,
        ctx: &mut Context<Self>,
    ) {
        let words = tokio::task::spawn_blocking(move || verification_words(&own, &theirs));
        ctx.spawn(words.into_actor(self).map(move |words, hub, ctx| {
            if let Ok(words) = words {
                let fingerprint = Fingerprint::of(&theirs).to_string();
                hub.emit(Event::Verification { username, words: words.join(" "), fingerprint });
                hub.settle(ctx);
            }
        }));
    }
}
