//! What sessions of both revisions have in common: they settle after each event, report, slow their
//! user down, and close after what was sent.

use std::time::{Duration, Instant};

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::client::connection::send_queue::{Pace, SendQueue};
use crate::client::ids::SessionNumber;
use crate::client::messages::{GiveUp, SessionCommand, SessionEvent, SessionReport};
use crate::protocol::Encode;

/// For the peer to close after a goodbye, and for the last confirmation to leave.
pub(super) const LINGER: Duration = Duration::from_secs(2);
/// Bytes that may wait for a peer: some two thousand messages of the longest kind.
const SEND_QUEUE: usize = 1024 * 1024;
/// How long the peer of a closed session may take nothing of what is still queued.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(4);
/// How often it is reported how much a closed session has still to write.
const LOOK: Duration = Duration::from_millis(250);

/// Where a session reports.
#[derive(Clone, Debug)]
pub(super) struct ReportSender {
    session: SessionNumber,
    hub: Recipient<SessionReport>,
}

impl ReportSender {
    pub(super) fn new(session: SessionNumber, hub: Recipient<SessionReport>) -> Self {
        Self { session, hub }
    }

    /// By `do_send`: these reports are bounded by what the hub asked for, by the number of files,
    /// or sent once in the session's life. Texts and offers, whose number the peer decides, are
    /// delivered with an answer.
    pub(super) fn report(&self, event: SessionEvent) {
        self.hub.do_send(SessionReport { session: self.session, event });
    }

    /// Reports what the peer sent; resolves once more of it may follow, to false when the client has
    /// closed.
    pub(super) fn deliver(&self, event: SessionEvent) -> impl Future<Output = bool> + use<> {
        let report = self.hub.send(SessionReport { session: self.session, event });
        async move { report.await.is_ok() }
    }
}

/// What an open session has to write.
#[derive(Debug)]
pub(super) struct SessionOutput {
    pub(super) queue: SendQueue,
    /// The session was closed from here.
    give_up: Option<GiveUp>,
    /// Bytes that were last reported as not yet written.
    unwritten: usize,
}

impl SessionOutput {
    pub(super) fn new() -> Self {
        Self { queue: SendQueue::new(SEND_QUEUE, Pace::Once), give_up: None, unwritten: 0 }
    }

    /// Whether the session was closed from here.
    pub(super) fn is_closed(&self) -> bool {
        self.give_up.is_some()
    }
}

/// The outcome of a goodbye.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goodbye {
    first: bool,
    waiting: usize,
    give_up: GiveUp,
}

/// How far a session is in its life.
#[derive(Debug)]
pub(super) struct SessionLifecycle {
    pub(super) reports: ReportSender,
    /// It failed: nothing else has to be waited for before it ends.
    pub(super) failed: Option<String>,
    /// When it has to be checked although nothing happens.
    wake: Option<(Instant, SpawnHandle)>,
    /// The hub knows, or will, that it is over.
    ended: bool,
}

impl SessionLifecycle {
    pub(super) fn new(reports: ReportSender) -> Self {
        Self { reports, failed: None, wake: None, ended: false }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn report(&self, event: SessionEvent) {
        self.reports.report(event);
    }

    /// Ends the session after what is done now; the first reason counts.
    pub(super) fn fail(&mut self, reason: String) {
        self.failed.get_or_insert(reason);
    }
}

/// The actor of a session, of either revision.
pub(super) trait PrivateSession:
    Actor<Context = Context<Self>> + Handler<SessionCommand>
{
    fn lifecycle(&mut self) -> &mut SessionLifecycle;

    /// While both connections are there.
    fn writing(&mut self) -> Option<&mut SessionOutput>;

    /// Closes both connections, and stops waiting.
    fn drop_connections(&mut self);

    /// Ends the message connection of a closed session: its peer reads nothing more.
    fn give_up(&mut self, ctx: &mut Context<Self>);

    /// Why nothing more can happen, if that is so at `now`.
    fn over(&self, now: Instant) -> Option<String>;

    /// When something has to be done without anything having happened.
    fn deadline(&self) -> Option<Instant>;

    /// Does what is due at `now`.
    fn tick(&mut self, now: Instant);

    /// Does something and whatever has to follow: the one way in which this actor acts.
    fn turn<R>(
        &mut self,
        ctx: &mut Context<Self>,
        act: impl FnOnce(&mut Self, &mut Context<Self>) -> R,
    ) -> R {
        let result = act(self, ctx);
        self.settle(ctx);
        result
    }

    /// Ends if nothing more can happen, and otherwise makes sure that due work is done in time.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        if self.lifecycle().ended {
            return;
        }
        let failed = self.lifecycle().failed.take();
        if let Some(reason) = failed.or_else(|| self.over(Instant::now())) {
            return self.end(reason, ctx);
        }
        let (next, planned) = (self.deadline(), self.lifecycle().wake.map(|(at, _)| at));
        if next == planned {
            return;
        }
        if let Some((_, wake)) = self.lifecycle().wake.take() {
            ctx.cancel_future(wake);
        }
        self.lifecycle().wake = next.map(|at| {
            let wake =
                ctx.run_later(at.saturating_duration_since(Instant::now()), |session, ctx| {
                    session.turn(ctx, |session, _| {
                        session.lifecycle().wake = None;
                        session.tick(Instant::now());
                    });
                });
            (at, wake)
        });
    }

    /// Closes what is open, and stops once the hub knows: its messages until then are answered.
    fn end(&mut self, reason: String, ctx: &mut Context<Self>) {
        self.lifecycle().ended = true;
        self.drop_connections();
        let known = self.lifecycle().reports.deliver(SessionEvent::Over { reason });
        let session = ctx.address();
        let stop = async move {
            known.await;
            // After everything else that was sent.
            session.do_send(SessionCommand::HangUp);
        };
        ctx.spawn(stop.into_actor(self));
    }

    /// Drops `room` once the next text may follow.
    fn make_room(&mut self, room: oneshot::Sender<()>, ctx: &mut Context<Self>) {
        let Some(writing) = self.writing().filter(|_| !room.is_closed()) else { return };
        let queue = writing.queue.clone();
        let wait = async move {
            queue.pace().await;
            drop(room);
        };
        ctx.spawn(wait.into_actor(self));
    }

    /// Says goodbye after what is queued; `None` if there is no connection.
    fn say_goodbye(&mut self, frame: &impl Encode, give_up: GiveUp) -> Option<Goodbye> {
        let writing = self.writing()?;
        let first = writing.give_up.replace(give_up).is_none();
        // When it is full the end of the connection says the same.
        let _ = writing.queue.push(frame);
        writing.queue.close();
        Some(Goodbye { first, waiting: writing.queue.waiting(), give_up })
    }

    /// Waits for the peer to take what was sent before the goodbye.
    fn await_end(&mut self, goodbye: Goodbye, ctx: &mut Context<Self>) {
        if goodbye.first {
            self.lifecycle().report(SessionEvent::Closing);
        }
        match goodbye.give_up {
            GiveUp::WhenStalled => Self::give_up_when_stalled(goodbye.waiting, ctx),
            GiveUp::WhenHungUp => {
                self.report_unwritten();
                ctx.run_interval(LOOK, |session, ctx| {
                    session.turn(ctx, |session, _| session.report_unwritten());
                });
            }
        }
    }

    fn report_unwritten(&mut self) {
        let Some(writing) = self.writing() else { return };
        let unwritten = writing.queue.waiting();
        if std::mem::replace(&mut writing.unwritten, unwritten) != unwritten {
            self.lifecycle().report(SessionEvent::Unwritten(unwritten));
        }
    }

    /// Gives a closed session up once its peer takes nothing more of what was `waiting`.
    fn give_up_when_stalled(waiting: usize, ctx: &mut Context<Self>) {
        ctx.run_later(CLOSE_TIMEOUT, move |session, ctx| {
            let Some(writing) = session.writing() else { return };
            if writing.give_up != Some(GiveUp::WhenStalled) {
                return;
            }
            let left = writing.queue.waiting();
            if left < waiting {
                Self::give_up_when_stalled(left, ctx);
            } else {
                session.turn(ctx, Self::give_up);
            }
        });
    }
}
