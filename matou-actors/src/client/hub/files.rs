//! Files on their way, and those that wait for their turn.

use std::net::Shutdown;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::{Hub, Leaving, OpenSession};
use crate::client::api::event::{Direction, Event};
use crate::client::files::transfers::{Entry, Stage};
use crate::client::ids::{SessionId, TransferId};
use crate::client::messages::{LeaveFiles, WatchFiles, WatchFrom};
use crate::client::session::conversation::Item;
use crate::protocol::FoldedName;
use crate::transfer::{Cancel, Job, Orphan, Outcome, Report, Transfer, Verdict};

/// For what was sent before a session ended.
pub(super) const GRACE: Duration = Duration::from_secs(5);
pub(super) const CLOSED: &str = "the file connection is closed";

impl Hub {
    /// A file's session is open: it waits for its turn.
    pub(super) fn enqueue_file(
        &mut self,
        key: &FoldedName,
        id: TransferId,
        ctx: &mut Context<Self>,
    ) {
        let Some(with) = self.conversations.get(key) else {
            return self.fail(id, "not sent: the private session is over".into());
        };
        let usable = with.sessions().iter().filter_map(|session| {
            let queue = &self.sessions.get(session)?.open.as_ref()?.queue;
            queue.closed().is_none().then_some(*session)
        });
        let Some(session) = { usable }.next() else {
            return self.wait_for_connection(key, id, ctx);
        };
        if let Some(open) = self.open_session(session) {
            open.queue.enqueue(id);
        }
        if let Some(entry) = self.transfers.get_mut(id) {
            entry.session = Some(session);
        }
        self.next_file(session, ctx);
    }

    /// The open sessions take no files any more, since one was refused or broke: another session
    /// does, and a peer who talks with the user accepts it without being asked.
    fn wait_for_connection(&mut self, key: &FoldedName, id: TransferId, ctx: &mut Context<Self>) {
        let Some(with) = self.conversations.get_mut(key) else { return };
        let name = with.name().clone();
        if !self.sign_in.is_joined() {
            let reason = format!(
                "not sent: the file connection with {name} is closed, and the server is needed \
                 to make another; send it again once you are connected"
            );
            return self.fail(id, reason);
        }
        if with.is_given_up() {
            let reason = format!(
                "not sent: the file connection is closed, and {name} or you left the server \
                 meanwhile, so that the name may be somebody else's now; /close {name} first, then \
                 send it again"
            );
            return self.fail(id, reason);
        }
        if with.wait(Item::File(id)).is_err() {
            return self.fail(id, format!("not sent to {name}: too much waits already"));
        }
        self.pursue_another(key, ctx);
    }

    /// Ends a file that did not come over whole.
    pub(super) fn fail(&mut self, id: TransferId, reason: String) {
        let Some(entry) = self.transfers.remove(id) else { return };
        if let Some(with) = self.conversations.get_mut(&entry.info.with.folded()) {
            with.withdraw(id);
        }
        if let Some(open) = entry.session.and_then(|session| self.open_session(session)) {
            open.queue.over(id);
        }
        self.offers.remove(&id);
        self.movers.remove(&id);
        if entry.announced {
            self.emit(Event::FileFailed { id, reason });
        }
    }

    /// The user closed the session: its files are cut.
    pub(super) fn cut_files_of(&mut self, session: SessionId, reason: &str) {
        if let Some(live) = self.sessions.get(&session) {
            // Once in its life.
            live.addr.do_send(LeaveFiles);
        }
        for id in self.transfers.of(session) {
            match self.transfers.get(id).map(|entry| entry.stage) {
                Some(Stage::Taken | Stage::Moving) => self.cut(id, reason),
                Some(Stage::Offered) => self.drop_offer(id, reason),
                Some(Stage::Waiting) => self.fail(id, reason.into()),
                None => {}
            }
        }
        if let Some(open) = self.open_session(session) {
            open.queue.close(reason.into());
            // Nothing that was sent is lost by it: what is on its way still arrives.
            let _ = open.files.shutdown(Shutdown::Write);
        }
    }

    /// The session ended by itself. What was sent before may still come: what moves comes to its
    /// own end, and offers stand until the file connection says that they cannot be taken.
    pub(super) fn orphan_files_of(
        &mut self,
        session: SessionId,
        reason: &str,
        ctx: &mut Context<Self>,
    ) {
        for id in self.transfers.of(session) {
            if let Some(mover) = self.movers.get(&id) {
                // Once in its life.
                mover.do_send(Orphan);
            } else if self.transfers.get(id).is_some_and(|entry| entry.stage == Stage::Waiting) {
                self.fail(id, format!("not sent: {reason}"));
            }
        }
        if let Some(open) = self.open_session(session) {
            open.queue.close(reason.into());
        }
        Self::linger(session, ctx);
    }

    /// Gives a session that is over a little time for the files that were sent before.
    fn linger(session: SessionId, ctx: &mut Context<Self>) {
        Self::later(ctx, GRACE, move |hub, _| {
            let Some(live) = hub.sessions.get(&session).filter(|live| live.over) else { return };
            let queue = live.open.as_ref().map(|open| &open.queue);
            if queue.is_none_or(|queue| queue.incoming().is_none() && queue.sending().is_none()) {
                hub.hang_up(session);
            }
        });
    }

    /// Nothing else asks whether a session that is over is of use any more.
    pub(super) fn linger_if_over(&self, session: SessionId, ctx: &mut Context<Self>) {
        if self.sessions.get(&session).is_some_and(|live| live.over) {
            Self::linger(session, ctx);
        }
    }

    pub(super) fn open_session(&mut self, id: SessionId) -> Option<&mut OpenSession> {
        self.sessions.get_mut(&id)?.open.as_mut()
    }

    /// Sends the next file of a session if its turn has come.
    fn next_file(&mut self, session: SessionId, ctx: &mut Context<Self>) {
        let Some(open) = self.open_session(session) else { return };
        let Some(id) = open.queue.turn() else { return };
        let socket = Arc::clone(&open.files);
        let Some(entry) = self.transfers.get_mut(id) else { return };
        let Some(file) = entry.file.clone() else { return };
        entry.stage = Stage::Taken;
        let report = ctx.address().recipient();
        self.movers.insert(id, Transfer::new(id.0, Job::Send(file), socket, report).start());
    }

    pub(super) fn cut(&mut self, id: TransferId, reason: &str) {
        if let Some(mover) = self.movers.get(&id) {
            // Once for each wish of the user.
            mover.do_send(Cancel(reason.into()));
        }
    }

    /// Whether a file that was cut in `session` may go over another one with the same peer.
    fn may_go_on(&self, session: SessionId) -> bool {
        let live = self.sessions.get(&session).filter(|live| !live.over && !live.closed);
        let with = live.and_then(|live| self.conversations.get(&live.peer.folded()));
        let same = with.is_some_and(|with| with.sessions().contains(&session));
        same && self.leaving != Leaving::Now
    }

    /// A file broke off on its way. What goes the other way is another thing.
    fn broken(&mut self, id: TransferId, reason: String, ended: bool, ctx: &mut Context<Self>) {
        let Some(entry) = self.transfers.get(id) else { return };
        let (direction, session, again) = (entry.info.direction, entry.session, entry.again);
        if again && session.is_some_and(|session| self.may_go_on(session)) {
            self.take_back(id);
        } else {
            self.fail(id, reason);
        }
        let Some(session) = session else { return };
        match direction {
            Direction::Incoming => {
                self.close_receiving(session, CLOSED, ctx);
                self.release_connection(session, ctx);
            }
            Direction::Outgoing => {
                self.close_sending(session, CLOSED, ctx);
                let Some(open) = self.open_session(session).filter(|_| !ended) else { return };
                // An error means that it is closed already.
                let _ = open.files.shutdown(Shutdown::Write);
                open.queue.cut();
            }
        }
    }

    /// A file that was cut only to go over another connection waits for that.
    fn take_back(&mut self, id: TransferId) {
        let Some(entry) = self.transfers.get_mut(id) else { return };
        (entry.stage, entry.again, entry.info.bytes) = (Stage::Waiting, false, 0);
        if let Some(open) = entry.session.take().and_then(|session| self.open_session(session)) {
            open.queue.over(id);
        }
    }

    /// Finds another connection for a file that was taken back.
    fn send_again(&mut self, id: TransferId, ctx: &mut Context<Self>) {
        let waits = |entry: &&Entry| entry.stage == Stage::Waiting && entry.session.is_none();
        let key = self.transfers.get(id).filter(waits).map(|entry| entry.info.with.folded());
        if let Some(key) = key {
            self.enqueue_file(&key, id, ctx);
        }
    }

    fn whole(&mut self, id: TransferId, path: PathBuf, size: u64) {
        let Some(entry) = self.transfers.remove(id) else { return };
        self.offers.remove(&id);
        let with = entry.info.with;
        if let Some(session) = entry.session
            && let Some(live) = self.sessions.get_mut(&session)
        {
            let incoming = live.open.as_mut().is_some_and(|open| open.queue.over(id));
            if incoming && !live.closed {
                // Once for each file.
                live.addr.do_send(WatchFiles { from: WatchFrom::Header });
            }
        }
        self.emit(match entry.info.direction {
            Direction::Incoming => Event::FileReceived { id, from: with, size, path },
            Direction::Outgoing => Event::FileSent { id, to: with, size, path },
        });
    }
}

impl Hub {
    pub(super) fn transfer_moved(
        &mut self,
        Report { key, outcome }: Report,
        ctx: &mut Context<Self>,
    ) {
        let id = TransferId(key);
        let session = self.transfers.get(id).and_then(|entry| entry.session);
        match outcome {
            Outcome::Begun { path, size } => {
                if let Some(entry) = self.transfers.get_mut(id) {
                    entry.stage = Stage::Moving;
                    (entry.info.path, entry.info.size) = (Some(path), size);
                    let info = entry.info.clone();
                    if info.direction == Direction::Incoming {
                        self.emit(Event::FileStarted(info));
                    }
                }
            }
            Outcome::Moved(moved) => {
                if let Some(entry) = self.transfers.get_mut(id) {
                    entry.info.bytes = moved.bytes;
                    let (bytes, size, rate) = (moved.bytes, entry.info.size, moved.rate);
                    // A reader that is behind needs no news of the middle.
                    if bytes == size || !self.events.is_full() {
                        self.emit(Event::FileProgress { id, bytes, size, rate });
                    }
                }
            }
            Outcome::Ended(verdict) => {
                self.movers.remove(&id);
                match verdict {
                    Verdict::Whole { path, size, changed } => {
                        let shown = path.display().to_string();
                        self.whole(id, path, size);
                        if changed {
                            self.error(format!(
                                "{shown} was changed while it was sent, so the other side may \
                                 have a mixture of old and new; send it again"
                            ));
                        }
                    }
                    Verdict::NotBegun(reason) => self.not_begun(id, reason, ctx),
                    Verdict::Broken { reason, kept, ended } => {
                        let reason =
                            kept.map_or(reason.clone(), |kept| format!("{reason}; {kept}"));
                        self.broken(id, reason, ended, ctx);
                        self.send_again(id, ctx);
                    }
                }
                if let Some(session) = session {
                    self.next_file(session, ctx);
                    Self::end_soon(session, ctx);
                    self.linger_if_over(session, ctx);
                }
            }
        }
    }
}
