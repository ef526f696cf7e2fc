//! The deadlines of a connection.

use std::time::Instant;

use actix::prelude::{Actor, AsyncContext, Context, SpawnHandle};

/// What may run out of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    /// To have an accepted name.
    Join,
    /// To complete the TLS handshake.
    Handshake,
    /// To end a frame that has begun.
    Frame,
    /// To take some of the queued bytes.
    Stall,
}

/// The deadlines that run. An idle client has none, and no room for them: there may be ten
/// thousand of them.
#[derive(Default)]
pub(super) struct Deadlines(Option<Box<Handles>>);

#[derive(Default)]
struct Handles {
    join: Option<SpawnHandle>,
    handshake: Option<SpawnHandle>,
    frame: Option<SpawnHandle>,
    stall: Option<SpawnHandle>,
    handshake_begun: Option<Instant>,
}

impl Deadlines {
    pub(super) fn is_set(&self, which: Deadline) -> bool {
        let handle = self.0.as_ref().and_then(|handles| match which {
            Deadline::Join => handles.join,
            Deadline::Handshake => handles.handshake,
            Deadline::Frame => handles.frame,
            Deadline::Stall => handles.stall,
        });
        handle.is_some()
    }

    pub(super) fn set(&mut self, which: Deadline, handle: SpawnHandle) {
        *self.0.get_or_insert_default().slot(which) = Some(handle);
    }

    /// When the handshake began; kept until the client has joined.
    pub(super) fn handshake_begun(&self) -> Option<Instant> {
        self.0.as_ref()?.handshake_begun
    }

    pub(super) fn begin_handshake(&mut self, now: Instant) {
        self.0.get_or_insert_default().handshake_begun = Some(now);
    }

    /// Forgets a deadline that was reached, or that is to be cancelled.
    pub(super) fn take(&mut self, which: Deadline) -> Option<SpawnHandle> {
        let handles = self.0.as_mut()?;
        let handle = handles.slot(which).take();
        let Handles { join, handshake, frame, stall, .. } = **handles;
        if join.or(handshake).or(frame).or(stall).is_none() {
            self.0 = None;
        }
        handle
    }

    pub(super) fn cancel<A>(&mut self, which: Deadline, ctx: &mut Context<A>)
    where
        A: Actor<Context = Context<A>>,
    {
        if let Some(handle) = self.take(which) {
            ctx.cancel_future(handle);
        }
    }
}

impl Handles {
    fn slot(&mut self, which: Deadline) -> &mut Option<SpawnHandle> {
        match which {
            Deadline::Join => &mut self.join,
            Deadline::Handshake => &mut self.handshake,
            Deadline::Frame => &mut self.frame,
            Deadline::Stall => &mut self.stall,
        }
    }
}
