//! The order of signing out.
//!
//! 1. After `Finish`: whatever the user typed or sent comes to its end, requests included.
//! 2. Files that still move are cut; PVDISCO goes to every peer and DISCO to the server, each
//!    behind what was queued, and each connection is shut down once its send queue is empty.
//! 3. When the others have closed too and the keys that were seen are on the disk, or nothing moves any
//!    more, `Closed` is announced, as the last event. The server reads slowly what was typed fast: that is waited for.
//! 4. When it is taken, the actors stop.

use std::time::{Duration, Instant};

use actix::prelude::*;

use super::drain_timeout::{DrainTimeout, Outstanding};
use super::{Hub, Leaving};
use crate::client::api::event::Event;
use crate::client::messages::LinkCommand;

/// How long nothing may move before the user does not wait any more.
const PATIENCE: Duration = Duration::from_secs(4);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(250);

impl Hub {
    /// Signs out once nothing is under way.
    pub(super) fn finish(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::WhenDone;
            self.command_link(LinkCommand::Finish);
        }
    }

    /// Continues signing out if that waited for something that has just ended.
    pub(super) fn leave_if_done(&mut self, ctx: &mut Context<Self>) {
        self.close_if_empty();
        let busy = self.server.is_signing_in() || self.peers.is_busy();
        if self.leaving != Leaving::WhenDone || busy {
            return;
        }
        self.leave(ctx);
    }

    /// Signs out now.
    pub(super) fn leave(&mut self, ctx: &mut Context<Self>) {
        if matches!(self.leaving, Leaving::Now | Leaving::Over) {
            return;
        }
        self.leaving = Leaving::Now;
        for event in self.pending.give_up("you are not signed in") {
            self.emit(event);
        }
        self.with_peers(ctx, |peers, _| peers.leave());
        self.command_link(LinkCommand::Leave);
        let mut drain = DrainTimeout::new(PATIENCE, Instant::now(), self.outstanding());
        ctx.run_interval(LOOK, move |hub, ctx| {
            if drain.is_over(Instant::now(), hub.outstanding()) {
                hub.give_up(ctx);
                hub.settle(ctx);
            }
        });
        self.close_if_empty();
    }

    fn outstanding(&self) -> Outstanding {
        let (unacknowledged, unwritten) = self.server.outstanding();
        Outstanding { unacknowledged, unwritten: unwritten + self.peers.unwritten() }
    }

    /// Waits no more for what the others do not take.
    fn give_up(&mut self, ctx: &mut Context<Self>) {
        if self.leaving != Leaving::Now {
            return;
        }
        self.command_link(LinkCommand::GiveUp);
        self.with_peers(ctx, |peers, _| peers.give_up());
        // The disk does not respond.
        self.unsaved = 0;
        self.close_if_empty();
    }

    /// Sends `Closed` once every connection is closed and every key that was seen is saved: the program ends then,
    /// and would not know a key again.
    pub(super) fn close_if_empty(&mut self) {
        let closed = self.server.has_left() && self.peers.is_empty() && self.unsaved == 0;
        if self.leaving == Leaving::Now && closed {
            self.leaving = Leaving::Over;
            self.emit(Event::Closed);
        }
    }
}
