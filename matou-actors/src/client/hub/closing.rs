//! The order of signing out.
//!
//! 1. After `Finish`: whatever the user typed or sent comes to its end, requests included.
//! 2. Files that still move are cut; PVDISCO goes to every peer and DISCO to the server, each
//!    behind what was queued, and each connection is shut down once its outbox is empty.
//! 3. When the others have closed too, or at a deadline, `Closed` is told, as the last event.
//! 4. When it is taken, the actors stop.

use std::time::Duration;

use actix::prelude::*;

use super::{Hub, Leaving};
use crate::client::Event;
use crate::client::conversation::Conversation;
use crate::client::link::LINGER;
use crate::client::messages::HangUp;
use crate::protocol::ClientFrame;

/// For everything to be flushed and closed.
const DEADLINE: Duration = Duration::from_secs(2);

impl Hub {
    /// Signs out once nothing is under way.
    pub(super) fn finish(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::WhenDone;
        }
    }

    /// Goes on with signing out if that waited for what has just come to its end.
    pub(super) fn leave_if_done(&mut self, ctx: &mut Context<Self>) {
        self.close_if_empty(ctx);
        let signing_in = self.sign_in.is_asking() || self.sign_in.is_joined();
        let on_the_way = !self.ready && self.link.is_some() && signing_in;
        if self.leaving != Leaving::WhenDone || on_the_way || self.transfers.is_busy() {
            return;
        }
        let pending = |with: &Conversation| with.is_pending() || with.has_waiting();
        if self.conversations.values().any(pending) {
            return;
        }
        let unsent = std::mem::take(&mut self.early).len();
        if unsent > 0 {
            self.error(format!("{unsent} of your lines were not sent: you are not signed in"));
        }
        self.leave(ctx);
    }

    /// Signs out now.
    pub(super) fn leave(&mut self, ctx: &mut Context<Self>) {
        if matches!(self.leaving, Leaving::Now | Leaving::Over) {
            return;
        }
        self.leaving = Leaving::Now;
        if let Some(retry) = self.retry.take() {
            ctx.cancel_future(retry);
        }
        let sessions: Vec<_> = self.sessions.keys().copied().collect();
        for session in sessions {
            self.close_session(session, "you signed out");
        }
        for id in self.transfers.ids() {
            self.cancel(id, ctx);
        }
        match &self.link {
            Some(link) if link.up.is_some() => {
                if self.sign_in.is_joined() {
                    // When it is full the end of the connection says the same.
                    let _ = link.outbox.push(&ClientFrame::Leave);
                }
                link.outbox.close();
            }
            _ => self.drop_link(),
        }
        ctx.run_later(DEADLINE + LINGER, |hub, ctx| {
            hub.drop_link();
            for session in hub.sessions.values() {
                // Once in its life.
                session.addr.do_send(HangUp);
            }
            hub.sessions.clear();
            hub.movers.clear();
            hub.close_if_empty(ctx);
            hub.flush(ctx);
        });
        self.close_if_empty(ctx);
    }

    /// Tells `Closed` once every connection is closed.
    pub(super) fn close_if_empty(&mut self, ctx: &mut Context<Self>) {
        let closed = self.link.is_none() && self.sessions.is_empty() && self.movers.is_empty();
        if self.leaving == Leaving::Now && closed {
            self.leaving = Leaving::Over;
            self.tell(Event::Closed);
            self.flush(ctx);
        }
    }
}
