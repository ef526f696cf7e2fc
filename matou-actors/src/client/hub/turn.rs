//! What happens after each message to the hub.
//!
//! Every message is an [`Apply`], every timer a [`Hub::later`]: waiting events are sent, and
//! signing out continues, without a handler that has to remember it.

use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::{Hub, Leaving, UNREAD};
use crate::client::api::event::Event;
use crate::client::messages::{FileEvent, LinkReport, RunCommand, SessionEvent, SessionReport};

/// A message to the hub.
pub(super) trait Apply: Message<Result = ()> {
    /// Applies the message; returns what its sender has to wait for before it sends another.
    fn apply(self, hub: &mut Hub, ctx: &mut Context<Hub>) -> Wait;
}

/// What the sender of a message waits for.
#[derive(Debug)]
pub(super) enum Wait {
    /// Nothing: it sends a bounded number.
    No,
    /// Until the user's side has taken all events.
    Events,
    /// Until the user's side is not far behind.
    FewerEvents,
    /// The same, and until the other end is dropped.
    Room(oneshot::Receiver<()>),
}

impl<M: Apply> Handler<M> for Hub {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, message: M, ctx: &mut Self::Context) -> Self::Result {
        let wait = message.apply(self, ctx);
        self.settle(ctx);
        let events = match wait {
            Wait::No => None,
            Wait::Events => self.events.backpressure(),
            _ if self.events.waiting() <= UNREAD => None,
            _ => self.events.backpressure(),
        };
        Box::pin(async move {
            if let Wait::Room(room) = wait {
                // An error is what is waited for.
                let _ = room.await;
            }
            if let Some(events) = events {
                // The hub is gone, and with it the wait.
                let _ = events.await;
            }
        })
    }
}

impl Hub {
    /// Does something in a while, as if by a message.
    pub(super) fn later(
        ctx: &mut Context<Self>,
        delay: Duration,
        act: impl FnOnce(&mut Self, &mut Context<Self>) + 'static,
    ) -> SpawnHandle {
        ctx.run_later(delay, move |hub, ctx| {
            act(hub, ctx);
            hub.settle(ctx);
        })
    }

    /// Emits the outcome of `work`, done elsewhere.
    pub(super) fn emit_later(
        &self,
        work: impl Future<Output = Option<Event>> + 'static,
        ctx: &mut Context<Self>,
    ) {
        ctx.spawn(work.into_actor(self).map(|event, hub, ctx| {
            if let Some(event) = event {
                hub.emit(event);
                hub.settle(ctx);
            }
        }));
    }

    /// Continues with signing out, and with the events that wait.
    pub(super) fn settle(&mut self, ctx: &mut Context<Self>) {
        self.leave_if_done(ctx);
        if let Some(permit) = self.events.permit() {
            ctx.spawn(permit.into_actor(self).map(|permit, hub, ctx| {
                hub.events.resume(permit);
                hub.settle(ctx);
            }));
        } else if self.leaving == Leaving::Over && !self.events.is_full() {
            ctx.stop();
        }
    }
}

impl Apply for RunCommand {
    fn apply(self, hub: &mut Hub, ctx: &mut Context<Hub>) -> Wait {
        let Self { command, checked } = self;
        hub.run(command, checked, ctx)
    }
}

impl Apply for LinkReport {
    fn apply(self, hub: &mut Hub, ctx: &mut Context<Hub>) -> Wait {
        let Self { standing, roster, events, by_server } = self;
        hub.server.update(standing, roster);
        for event in events {
            hub.link_event(event, ctx);
        }
        if by_server { Wait::Events } else { Wait::No }
    }
}

impl Apply for SessionReport {
    fn apply(self, hub: &mut Hub, ctx: &mut Context<Hub>) -> Wait {
        let Self { session, event } = self;
        let wait = match event {
            // The peer decides how many there are.
            SessionEvent::Texts(_) | SessionEvent::File(FileEvent::Offered { .. }) => Wait::Events,
            _ => Wait::No,
        };
        if matches!(event, SessionEvent::Over { .. }) {
            hub.sessions.ended(session);
        }
        hub.with_peers(ctx, |peers, at| peers.session_event(session, event, at));
        wait
    }
}
