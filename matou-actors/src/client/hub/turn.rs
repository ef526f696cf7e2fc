//! What happens behind each message to the hub, whatever it was.
//!
//! Every message is an [`Apply`], every timer a [`Hub::later`]: events that wait go out, and
//! signing out goes on, without a handler that has to remember it.

use std::time::Duration;

use actix::prelude::*;

use super::{Hub, Leaving, UNREAD};
use crate::client::connection::outbox::Outbox;
use crate::client::messages::{LinkEvent, LinkReport, Run, SessionEvent, SessionReport};
use crate::transfer::Report;

/// A message to the hub.
pub(super) trait Apply: Message<Result = ()> {
    /// Does what the message says; what its sender has to wait for before it sends another.
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
    /// The same, and until this outbox has room again.
    Outbox(Outbox),
}

impl<M: Apply> Handler<M> for Hub {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, message: M, ctx: &mut Self::Context) -> Self::Result {
        let wait = message.apply(self, ctx);
        self.settle(ctx);
        let events = match wait {
            Wait::FewerEvents | Wait::Outbox(_) if self.events.waiting() <= UNREAD => None,
            Wait::Events | Wait::FewerEvents | Wait::Outbox(_) => self.events.backpressure(),
            Wait::No => None,
        };
        Box::pin(async move {
            if let Wait::Outbox(outbox) = wait {
                outbox.pace().await;
            }
            if let Some(events) = events {
                // The hub is gone: so is the wait for it.
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

    /// Goes on with signing out, and with the events that wait.
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

impl Apply for Run {
    fn apply(self, hub: &mut Hub, ctx: &mut Context<Hub>) -> Wait {
        let Self { command, checked } = self;
        hub.run(command, checked, ctx).map_or(Wait::FewerEvents, Wait::Outbox)
    }
}

impl Apply for LinkReport {
    fn apply(self, hub: &mut Hub, ctx: &mut Context<Hub>) -> Wait {
        let Self { generation, event } = self;
        let current = generation == hub.generation;
        match event {
            LinkEvent::Up { local, server } if current => hub.link_up(local, server, ctx),
            LinkEvent::Frames(frames) => {
                for frame in frames.into_iter().filter(|_| current) {
                    hub.frame(frame, ctx);
                }
                return Wait::Events;
            }
            LinkEvent::Down { reason, retry } if current => hub.link_down(reason, retry, ctx),
            LinkEvent::Up { .. } | LinkEvent::Down { .. } => {}
        }
        Wait::No
    }
}

impl Apply for SessionReport {
    fn apply(self, hub: &mut Hub, ctx: &mut Context<Hub>) -> Wait {
        let Self { session, event } = self;
        match event {
            SessionEvent::PortsOpen(ports) => hub.ports_open(session, ports),
            SessionEvent::Up { peer, outbox, files } => {
                hub.session_up(session, peer, outbox, files, ctx);
            }
            SessionEvent::Frames(frames) => {
                hub.session_frames(session, frames);
                return Wait::Events;
            }
            SessionEvent::TalkDown { reason } => hub.talk_down(session, &reason, ctx),
            SessionEvent::Header { size, free } => hub.header_seen(session, size, free, ctx),
            SessionEvent::FilesDown { reason, violation } => {
                hub.files_down(session, &reason, violation, ctx);
            }
            SessionEvent::Down { reason } => hub.session_down(session, &reason),
        }
        Wait::No
    }
}

impl Apply for Report {
    fn apply(self, hub: &mut Hub, ctx: &mut Context<Hub>) -> Wait {
        hub.transfer_moved(self, ctx);
        Wait::No
    }
}
