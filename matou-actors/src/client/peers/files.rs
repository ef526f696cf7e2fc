//! Files, offered and on their way: what the user wants of them, and what their sessions report.
//!
//! A session owns its files. Kept here is what the user sees of them, and those that wait for a
//! session.

use std::path::PathBuf;

use slog::debug;

use super::outcome::Item;
use super::transfers::{PeerTransferStage, TransferEntry};
use super::{PeerAction, Peers, Situation, Wake};
use crate::client::api::event::{Direction, ErrorCode, Event, TransferInfo, TransferState};
use crate::client::api::settings::Policy;
use crate::client::ids::{SessionNumber, TransferId};
use crate::client::messages::{FileEvent, Named, OutgoingFile, SessionCommand};
use crate::protocol::FoldedName;
use crate::transfer::Moved;

// What the user wants.
impl Peers {
    pub(crate) fn list_transfers(&mut self) {
        let transfers = self.transfers.list();
        self.emit(Event::Transfers { transfers });
    }

    /// Begins to receive an offered file.
    pub(crate) fn take(&mut self, id: TransferId, folder: Option<PathBuf>) {
        let unattended = self.settings.accept_files != Policy::Ask;
        self.answer_offer(id, SessionCommand::TakeFile { id, unattended, folder });
    }

    pub(crate) fn refuse(&mut self, id: TransferId, reason: &str) {
        self.answer_offer(id, SessionCommand::RefuseFile { id, reason: reason.into() });
    }

    fn answer_offer(&mut self, id: TransferId, answer: SessionCommand) {
        let entry = self.transfers.get_mut(id).filter(|entry| entry.is_offered());
        let Some(entry) = entry else {
            let what = self.transfers.describe(id);
            let what = what.map(|what| format!(" ({what})")).unwrap_or_default();
            return self.error(
                ErrorCode::Transfer,
                format!("no file is offered under #{id}{what}; /transfers lists them"),
            );
        };
        (entry.stage, entry.announced) = (PeerTransferStage::InSession, true);
        let session = entry.session;
        self.command(session, answer);
    }

    pub(crate) fn cancel(&mut self, id: TransferId) {
        let Some(entry) = self.transfers.get_mut(id) else {
            return self.error(
                ErrorCode::Transfer,
                match self.transfers.describe(id) {
                    Some(what) => format!("#{id} cannot be cancelled: {what}"),
                    None => format!("there is no transfer #{id}; /transfers lists them"),
                },
            );
        };
        if matches!(entry.stage, PeerTransferStage::Waiting(_)) {
            return self.fail(id, "you cancelled it".into());
        }
        entry.stage = PeerTransferStage::InSession;
        let session = entry.session;
        self.command(session, SessionCommand::CancelFile { id });
    }

    /// Accepts what this user offers.
    pub(super) fn take_offers_of(&mut self, key: &FoldedName, at: &Situation<'_>) {
        for id in self.offers_of(key) {
            self.take_soon(id, at);
        }
    }

    /// Announces the offers of a user who was ignored.
    pub(crate) fn present_offers_of(&mut self, key: &FoldedName, at: &Situation<'_>) {
        for id in self.offers_of(key) {
            self.present_offer(id, at);
        }
    }

    fn offers_of(&self, key: &FoldedName) -> Vec<TransferId> {
        let offered = self.transfers.iter().filter(|entry| entry.is_offered());
        let theirs = offered.filter(|entry| entry.info.with.folded() == *key);
        theirs.map(|entry| entry.info.id).collect()
    }

    /// Sends a file over an open session, or has it wait for another one: those that are open may
    /// take no files any more.
    pub(super) fn send_file(&mut self, key: &FoldedName, id: TransferId, at: &Situation<'_>) {
        let Some(with) = self.conversations.get(key) else {
            return self.fail(id, "not sent: the private session has ended".into());
        };
        let usable = |session: &&SessionNumber| {
            self.sessions.get(session).is_some_and(|live| live.open.is_some() && live.takes_files)
        };
        let Some(session) = with.sessions().iter().find(usable).copied() else {
            return self.wait_for_connection(key, id, at);
        };
        let Some(entry) = self.transfers.get_mut(id) else { return };
        if let PeerTransferStage::Waiting(file) =
            std::mem::replace(&mut entry.stage, PeerTransferStage::InSession)
        {
            entry.session = Some(session);
            self.command(Some(session), SessionCommand::SendFile(file));
        }
    }

    /// The open sessions take no more files, since one was refused or broke: another session does,
    /// and a peer who talks with the user accepts it without being asked.
    fn wait_for_connection(&mut self, key: &FoldedName, id: TransferId, at: &Situation<'_>) {
        let Some(with) = self.conversations.get_mut(key) else { return };
        let name = with.name().clone();
        if !at.joined {
            let reason = format!(
                "not sent: the file connection with {name} is closed, and the server is needed \
                 to make another; send it again once you are connected"
            );
            return self.fail(id, reason);
        }
        if with.is_given_up() {
            let reason = format!(
                "not sent: the file connection is closed, and {name} or you left the server \
                 meanwhile, so that the name may belong to another person now; /close {name} first, \
                 then send it again"
            );
            return self.fail(id, reason);
        }
        if with.wait(Item::File(id)).is_err() {
            return self.fail(id, format!("not sent to {name}: too much is queued already"));
        }
        self.pursue_another(key, at);
    }

    /// Ends a file that did not arrive whole.
    pub(super) fn fail(&mut self, id: TransferId, reason: String) {
        let Some(entry) = self.transfers.remove(id) else { return };
        if let Some(with) = self.conversations.get_mut(&entry.info.with.folded()) {
            with.withdraw(id);
        }
        if entry.announced {
            let TransferInfo { direction, with, path, .. } = entry.info;
            let path = path.filter(|_| direction == Direction::Outgoing);
            let refused = entry.refused;
            self.emit(Event::FileFailed { id, direction, with, path, refused, reason });
        }
    }

    /// Announces an offer, and answers it as the settings say.
    fn present_offer(&mut self, id: TransferId, at: &Situation<'_>) {
        let Some(entry) = self.transfers.get_mut(id) else { return };
        let live = entry.session.and_then(|session| self.sessions.get(&session));
        let Some(address) = live.and_then(|live| live.open) else { return };
        entry.announced = true;
        let standing = live.and_then(|live| live.standing);
        let (from, size, free) = (entry.info.with.clone(), entry.info.size, entry.free);
        let named = entry.named.clone();
        let (name, entries) =
            named.map(|named| (Some(named.name), named.entries)).unwrap_or_default();
        let policy = self.policy(&from, self.settings.accept_files, standing, at);
        let is_too_large = size.unwrap_or(u64::MAX) > self.settings.accept_limit;
        self.emit(Event::FileOffered { id, from, name, entries, size, address, free });
        match policy {
            Policy::Always if is_too_large => {}
            Policy::Ask | Policy::Known | Policy::Compared => {}
            Policy::Always => self.take_soon(id, at),
            Policy::Never => self.refuse(id, "files are refused by your settings"),
        }
    }

    pub(super) fn take_if_offered(&mut self, id: TransferId) {
        if self.transfers.get(id).is_some_and(TransferEntry::is_offered) {
            self.take(id, None);
        }
    }

    /// Takes an offer unasked, at once or when the rate allows it.
    fn take_soon(&mut self, id: TransferId, at: &Situation<'_>) {
        let delay = self.accept_rate.delay(at.now);
        if delay.is_zero() {
            return self.take(id, None);
        }
        self.wake_in(delay, Wake::Take(id));
    }
}

// What sessions report.
impl Peers {
    pub(super) fn file_event(
        &mut self,
        session: SessionNumber,
        event: FileEvent,
        at: &Situation<'_>,
    ) {
        match event {
            FileEvent::Offered { id, size, free, named } => {
                self.offered(session, (id, size, free, named), at);
            }
            FileEvent::Received { id, size, skipped } => self.received(id, size, skipped),
            FileEvent::Begun { id, path, size } => self.begun(id, path, size),
            FileEvent::Moved { id, moved } => self.moved(id, moved),
            FileEvent::Whole { id, path, size, changed } => self.whole(id, path, size, changed),
            FileEvent::NotTaken { id, reason } => {
                if let Some(entry) = self.transfers.get_mut(id) {
                    entry.stage = PeerTransferStage::Offered;
                }
                self.error(
                    ErrorCode::Transfer,
                    format!("file #{id} not taken: {reason}, then /take {id} again"),
                );
            }
            FileEvent::Failed { id, refused, reason } => {
                if let Some(entry) = self.transfers.get_mut(id) {
                    entry.refused = refused;
                }
                self.fail(id, reason);
            }
            FileEvent::GaveBack(file) => self.gave_back(session, file, at),
            FileEvent::Violation { reason } => {
                if let Some(live) = self.sessions.get(&session) {
                    let peer = live.peer.clone();
                    self.error(
                        ErrorCode::Protocol,
                        format!("no more files from {peer} over this connection: {reason}"),
                    );
                }
            }
        }
    }

    fn offered(
        &mut self,
        session: SessionNumber,
        (id, size, free, named): (TransferId, Option<u64>, Option<u64>, Option<Named>),
        at: &Situation<'_>,
    ) {
        let Some(live) = self.sessions.get(&session).filter(|live| !live.closed) else { return };
        self.transfers.offered(id, live.peer.clone(), size, free, session);
        if let Some(entry) = self.transfers.get_mut(id) {
            entry.info.name = named.as_ref().map(|named| named.name.clone());
            entry.named = named;
        }
        let Some(live) = self.sessions.get(&session) else { return };
        if self.ignored.contains(&live.peer.folded()) {
            debug!(self.logger, "withheld a file offer"; "username" => live.peer.as_str());
        } else {
            self.present_offer(id, at);
        }
    }

    fn begun(&mut self, id: TransferId, path: PathBuf, size: Option<u64>) {
        let Some(entry) = self.transfers.get_mut(id) else { return };
        (entry.info.path, entry.info.size) = (Some(path), size);
        if entry.info.direction == Direction::Incoming {
            let info = TransferInfo { state: TransferState::Moving, ..entry.info.clone() };
            self.emit(Event::FileStarted(info));
        }
    }

    fn moved(&mut self, id: TransferId, Moved { bytes, rate }: Moved) {
        let Some(entry) = self.transfers.get_mut(id) else { return };
        entry.info.bytes = bytes;
        let size = entry.info.size;
        let progress = Event::FileProgress { id, bytes, size, rate };
        // A reader that is behind does not need intermediate progress.
        let news =
            if Some(bytes) == size { PeerAction::Emit } else { PeerAction::EmitUnlessBehind };
        self.actions.push(news(progress));
    }

    fn whole(&mut self, id: TransferId, path: PathBuf, size: u64, changed: bool) {
        let Some(entry) = self.transfers.remove(id) else { return };
        let (with, shown) = (entry.info.with, path.display().to_string());
        self.emit(match entry.info.direction {
            Direction::Incoming => Event::FileReceived { id, from: with, size, path },
            Direction::Outgoing => Event::FileSent { id, to: with, size, path, received: false },
        });
        if changed {
            self.error(ErrorCode::Transfer, format!(
                "{shown} changed while it was being sent, so the other side may have a mixture of \
                 old and new; send it again"
            ));
        }
    }

    /// RECEIPT was received.
    fn received(&mut self, id: TransferId, size: u64, skipped: u64) {
        let Some(entry) = self.transfers.remove(id) else { return };
        let (to, path) = (entry.info.with, entry.info.path.unwrap_or_default());
        let shown = path.display().to_string();
        self.emit(Event::FileSent { id, to, size, path, received: true });
        if skipped > 0 {
            self.notice(not_sent(skipped, &shown));
        }
    }

    /// A session takes no more files: this one goes over another.
    fn gave_back(&mut self, session: SessionNumber, file: OutgoingFile, at: &Situation<'_>) {
        if let Some(live) = self.sessions.get_mut(&session) {
            live.takes_files = false;
        }
        let id = file.id;
        let Some(entry) = self.transfers.get_mut(id) else { return };
        (entry.stage, entry.session, entry.info.bytes) =
            (PeerTransferStage::Waiting(file), None, 0);
        let key = entry.info.with.folded();
        if self.leaving {
            return self.fail(id, "not sent: you signed out".into());
        }
        self.send_file(&key, id, at);
    }
}

/// Links and special files of a folder that its receiver did not get.
fn not_sent(skipped: u64, folder: &str) -> String {
    match skipped {
        1 => format!("1 link or special file in {folder} was not sent"),
        _ => format!("{skipped} links and special files in {folder} were not sent"),
    }
}

#[cfg(test)]
mod tests {
    use super::not_sent;

    #[test]
    fn one_file_that_was_not_sent_is_singular() {
        assert_eq!(not_sent(1, "x"), "1 link or special file in x was not sent");
        assert_eq!(not_sent(2, "x"), "2 links and special files in x were not sent");
    }
}
