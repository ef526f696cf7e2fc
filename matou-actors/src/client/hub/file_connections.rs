//! The file connections of open sessions: which are of no more use, and when each ends.

use std::time::Duration;

use actix::prelude::*;

use super::files::{CLOSED, GRACE};
use super::{Hub, Leaving, LiveSession};
use crate::client::ids::SessionId;
use crate::client::messages::LeaveFiles;
use crate::transfer::abort;

/// For a sender to see that a file has arrived, which it looks for every 50 ms.
const SEEN: Duration = Duration::from_millis(500);

impl Hub {
    /// No file can be sent over a session any more; those that wait go over another one.
    pub(super) fn close_sending(
        &mut self,
        session: SessionId,
        reason: &str,
        ctx: &mut Context<Self>,
    ) {
        let Some(live) = self.sessions.get_mut(&session) else { return };
        let LiveSession { peer, open: Some(open), .. } = live else { return };
        let (key, closed) = (peer.folded(), live.closed || self.leaving == Leaving::Now);
        for id in open.queue.close(reason.into()) {
            if closed {
                self.fail(id, format!("not sent: {reason}"));
                continue;
            }
            if let Some(entry) = self.transfers.get_mut(id) {
                entry.session = None;
            }
            self.enqueue_file(&key, id, ctx);
        }
    }

    /// No file can come in over a session any more, and so none is sent over it any more either:
    /// the other side has to find a connection that works in both directions.
    pub(super) fn close_receiving(
        &mut self,
        session: SessionId,
        reason: &str,
        ctx: &mut Context<Self>,
    ) {
        let Some(live) = self.sessions.get_mut(&session) else { return };
        // Once or twice in its life.
        live.addr.do_send(LeaveFiles);
        if let Some(open) = &mut live.open {
            open.queue.close_receiving();
        }
        self.close_sending(session, reason, ctx);
    }

    /// Ends a file connection that is of no more use in either direction. What was sent over it
    /// has arrived; what comes in is not wanted, and who sends it has to learn that at once.
    pub(super) fn end_unused_connection(&mut self, session: SessionId) {
        let Some(live) = self.sessions.get(&session).filter(|live| !live.over) else { return };
        let Some(open) = &live.open else { return };
        if open.queue.is_done() {
            abort(&open.files);
        }
    }

    /// Sees to it that a refusal is learnt of although an own file is on the same connection: one
    /// that is not taken is sent again over another.
    pub(super) fn release_connection(&mut self, session: SessionId, ctx: &mut Context<Self>) {
        let Some(id) = self.open_session(session).and_then(|open| open.queue.sending()) else {
            return;
        };
        let before = self.transfers.get(id).map(|entry| entry.info.bytes);
        Self::later(ctx, GRACE, move |hub, ctx| {
            let sending = hub.open_session(session).and_then(|open| open.queue.sending());
            let Some(entry) = hub.transfers.get_mut(id).filter(|_| sending == Some(id)) else {
                return;
            };
            if Some(entry.info.bytes) != before {
                return hub.release_connection(session, ctx);
            }
            entry.again = !entry.was_again;
            entry.was_again = true;
            hub.cut(
                id,
                "it was not taken, and a file that came over the same connection ended early",
            );
        });
    }

    /// Ends a connection that is of no more use, once its other side has seen that a file which
    /// came over it has arrived: an end before that would make it a failure there.
    pub(super) fn end_soon(session: SessionId, ctx: &mut Context<Self>) {
        Self::later(ctx, SEEN, move |hub, ctx| {
            hub.end_if_cut(session, ctx);
            hub.end_unused_connection(session);
        });
    }

    /// Ends a connection in which a file was cut, once nothing comes in over it.
    pub(super) fn end_if_cut(&mut self, session: SessionId, ctx: &mut Context<Self>) {
        let Some(open) = self.open_session(session) else { return };
        if open.queue.has_to_end() && !open.queue.is_receiving_closed() {
            abort(&open.files);
            self.close_receiving(session, CLOSED, ctx);
        }
    }
}
