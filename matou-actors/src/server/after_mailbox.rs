//! Work that is done after an actor's mailbox is empty.

use std::pin::Pin;
use std::task::{Context as Task, Poll};

use actix::fut::ActorFuture;
use actix::prelude::{Actor, AsyncContext, Context};

/// An actor that handles everything in its mailbox before it acts on it.
///
/// actix empties a mailbox without a pause: answering in between would let clients refill it faster
/// than it empties, and starve the rest of the event loop.
pub(crate) trait AfterMailbox: Actor<Context = Context<Self>> + Sized {
    /// Runs each time the actor was woken and its mailbox is empty: after messages, timers and
    /// whatever `task` was registered with.
    fn after_mailbox(&mut self, ctx: &mut Context<Self>, task: &mut Task<'_>);
}

/// Runs [`AfterMailbox::after_mailbox`] until the actor ends; to be called once, in `started`.
pub(crate) fn run_after_mailbox<A: AfterMailbox>(ctx: &mut Context<A>) {
    ctx.spawn(Run);
}

struct Run;

impl<A: AfterMailbox> ActorFuture<A> for Run {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut A,
        ctx: &mut Context<A>,
        task: &mut Task<'_>,
    ) -> Poll<()> {
        actor.after_mailbox(ctx, task);
        Poll::Pending
    }
}
