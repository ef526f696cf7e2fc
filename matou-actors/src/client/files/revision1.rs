//! What a file connection of revision 1 cannot say, and what is done instead.
//!
//! PVFILE is the only frame of a file connection: there is none to refuse a file, to cancel one, or
//! to say that one has arrived. So:
//!
//! - **Refusing** a file whose bytes are all here reads past it. Any other file in the way can only
//!   be got rid of with the connection: nothing more is received or sent over it, and files that
//!   wait go over another one.
//! - **Cancelling**, or breaking off, ends the connection in that direction only, since a file may
//!   go the other way; and the whole connection as soon as none does, so that the other side
//!   learns of it even while it reads nothing.
//! - **An end** is seen by the other side only once it has read all before it, or by a sender at
//!   its next write. A connection of no more use is therefore aborted, and not before the sender
//!   of a file that came over it has seen that it arrived ([`SEEN`]).
//! - **A refusal behind an own file**: while the other side takes none of it, it does not learn
//!   that its own file was refused. After [`GRACE`] without progress the own file is given back,
//!   once, to go over another connection.
//! - **After the end of the session** files that were sent before it may still come; for [`GRACE`]
//!   the connection stays.
//!
//! In revision 2 there are frames for all of these, and none of this applies.

use std::time::{Duration, Instant};

use super::state::{Circumstances, Ends, FileEffect, FileState, Release, SessionPhase, WatchFrom};
use crate::client::ids::TransferId;

/// For a sender to see that a file has arrived, which it looks for every 50 ms.
const SEEN: Duration = Duration::from_millis(500);
/// How long to wait for what was sent before a session ended, and for an own file to be accepted.
const GRACE: Duration = Duration::from_secs(5);
const CLOSED: &str = "the file connection is closed";

impl FileState {
    /// When [`super::FileInput::Tick`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let Ends { unused, release, linger, .. } = &self.ends;
        let release = release.map(|release| release.at);
        [*unused, release, *linger].into_iter().flatten().min()
    }

    /// Whether the session is over and only the end of running transfers is still expected of the
    /// connection.
    pub(crate) fn is_done(&self) -> bool {
        self.phase == SessionPhase::Closed || self.ends.done
    }

    pub(super) fn tick(&mut self, now: Instant) {
        if self.ends.unused.take_if(|at| *at <= now).is_some() && !self.end_cut() {
            self.end_unused();
        }
        if let Some(release) = self.ends.release.take_if(|release| release.at <= now) {
            self.release_now(release, now);
        }
        if self.ends.linger.take_if(|at| *at <= now).is_some() {
            self.ends.done |= self.incoming.is_none() && self.sending.is_none();
        }
    }

    /// Refuses the offer `id`: talk goes on, files that wait go over another connection, and the
    /// connection is closed once a file that goes the other way is through.
    pub(super) fn refuse(&mut self, id: TransferId, reason: &str, moment: Circumstances) {
        let Some(size) = self.remove_incoming(id) else { return };
        self.fail(id, reason);
        if !self.receiving_closed && !self.ends.cut && moment.unread >= size {
            // Files behind it may be here as well, and their sender believes that they arrived.
            self.effect(FileEffect::Watch(WatchFrom::Refused(size)));
        } else {
            self.close_receiving(reason);
            self.end_unused();
            self.release_later(moment.now);
        }
        self.linger_if_over(moment.now);
    }

    /// An incoming file broke off.
    pub(super) fn receiving_broke(&mut self, id: TransferId, reason: &str, moment: Circumstances) {
        self.remove_incoming(id);
        self.fail(id, reason);
        self.close_receiving(CLOSED);
        self.release_later(moment.now);
    }

    /// The own file broke off; `ended`: and the other side knows.
    pub(super) fn sending_broke(&mut self, reason: &str, ended: bool) {
        let Some(file) = self.sending.take() else { return };
        let give_back = file.give_back && self.phase == SessionPhase::Open;
        if !give_back {
            self.fail(file.id, reason);
        }
        self.close_sending(CLOSED);
        if !ended {
            self.effect(FileEffect::ShutdownWrite);
            self.ends.cut = true;
        }
        if give_back {
            self.effect(FileEffect::GiveBack { id: file.id, resent: true });
        }
    }

    pub(super) fn receiving_ended(&mut self, reason: &str) {
        if let Some(offer) = self.incoming.take_if(|file| !file.taken) {
            self.fail(offer.id, reason);
        }
        self.close_receiving(reason);
        // A sender that breaks the protocol is not left sending what is never read.
        self.end_unused();
        self.ends.done |= self.phase == SessionPhase::Over;
    }

    /// The session ended by itself: running transfers finish, and an offer stands until the
    /// connection shows that it cannot be taken.
    pub(super) fn talk_over(&mut self, reason: &str, now: Instant) {
        if self.phase != SessionPhase::Open {
            return;
        }
        self.phase = SessionPhase::Over;
        let moving = [
            self.incoming.as_ref().filter(|file| file.taken).map(|file| file.id),
            self.sending.as_ref().map(|file| file.id),
        ];
        for id in moving.into_iter().flatten() {
            self.effect(FileEffect::Orphan(id));
        }
        for file in std::mem::take(&mut self.queue) {
            self.fail(file.id, &format!("not sent: {reason}"));
        }
        self.sending_closed.get_or_insert(reason.into());
        self.linger_if_over(now);
    }

    /// The user closed the session: its files are cut, and nothing that was sent is lost by it.
    pub(super) fn close(&mut self, reason: &str) {
        self.phase = SessionPhase::Closed;
        self.effect(FileEffect::StopWatching);
        if let Some(offer) = self.incoming.take_if(|file| !file.taken) {
            self.effect(FileEffect::Shutdown);
            self.fail(offer.id, reason);
        }
        let moving =
            [self.incoming.as_ref().map(|file| file.id), self.sending.as_ref().map(|file| file.id)];
        for id in moving.into_iter().flatten() {
            self.effect(FileEffect::Stop { id, reason: reason.into() });
        }
        for file in std::mem::take(&mut self.queue) {
            self.fail(file.id, reason);
        }
        self.sending_closed.get_or_insert(reason.into());
        self.effect(FileEffect::ShutdownWrite);
    }

    /// Something ended: the connection may be of no more use.
    pub(super) fn end_soon(&mut self, now: Instant) {
        if self.sending_closed.is_some() {
            self.ends.unused.get_or_insert(now + SEEN);
        }
        self.linger_if_over(now);
    }

    fn linger_if_over(&mut self, now: Instant) {
        if self.phase == SessionPhase::Over {
            self.ends.linger.get_or_insert(now + GRACE);
        }
    }

    /// No file can be sent any more; those that wait go over another connection.
    fn close_sending(&mut self, reason: &str) {
        self.sending_closed.get_or_insert(reason.into());
        for file in std::mem::take(&mut self.queue) {
            self.effect(FileEffect::GiveBack { id: file.id, resent: file.resent });
        }
    }

    /// No more files can be received, so none are sent either: the other side has to find a
    /// connection that works in both directions.
    fn close_receiving(&mut self, reason: &str) {
        self.effect(FileEffect::StopWatching);
        self.receiving_closed = true;
        self.close_sending(reason);
    }

    /// Ends a connection that is no longer useful in either direction. What was sent over it has
    /// arrived; what is received is not wanted, and its sender has to learn that at once.
    fn end_unused(&mut self) {
        let idle = self.sending.is_none() && self.incoming.is_none();
        let closed = self.receiving_closed && self.sending_closed.is_some();
        if idle && closed && self.phase != SessionPhase::Over {
            self.effect(FileEffect::Abort);
        }
    }

    /// Ends a connection in which the own file was cut, once nothing is received over it.
    fn end_cut(&mut self) -> bool {
        let ends = self.ends.cut && self.incoming.is_none() && !self.receiving_closed;
        if ends {
            self.effect(FileEffect::Abort);
            self.close_receiving(CLOSED);
        }
        ends
    }

    /// Sees to it that the end of an incoming file is learnt of although an own file is on the
    /// same connection.
    fn release_later(&mut self, now: Instant) {
        self.ends.release = self.sending.as_ref().map(|file| Release {
            at: now + GRACE,
            id: file.id,
            bytes: file.bytes,
        });
    }

    fn release_now(&mut self, before: Release, now: Instant) {
        let Some(file) = self.sending.as_mut().filter(|file| file.id == before.id) else { return };
        if file.bytes != before.bytes {
            return self.release_later(now);
        }
        (file.give_back, file.resent) = (!file.resent, true);
        let reason = "it was not taken, and a file that came over the same connection ended early";
        self.effect(FileEffect::Stop { id: before.id, reason: reason.into() });
    }
}
