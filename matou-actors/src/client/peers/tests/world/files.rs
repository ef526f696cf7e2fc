//! What a file connection between the two does.

use super::World;
use crate::client::files::{FileEffect, FileInput, TransferEnding, WatchFrom};
use crate::client::ids::SessionNumber;
use crate::client::messages::{FileEvent, OutgoingFile, SessionEvent};

impl World {
    pub(super) fn perform_file(&mut self, user: usize, id: SessionNumber, effect: FileEffect) {
        let broken = |reason: &str, ended| TransferEnding::Broken { reason: reason.into(), ended };
        let session = self.session(user, id).unwrap();
        let other = session.other.unwrap();
        let report = match effect {
            FileEffect::Send(file) => {
                let size = session.outgoing.get(&file).unwrap().file.size().unwrap();
                (session.on_wire, session.seen) = (Some((file, size)), false);
                return self.show_header(1 - user, other);
            }
            FileEffect::Receive { id: file, size } => {
                session.receiving = Some((file, size));
                return self.arrive(user, id);
            }
            FileEffect::Stop { id: file, reason } => {
                let sending = session.on_wire.is_some_and(|(sent, _)| sent == file);
                self.later(user, id, FileInput::Ended { id: file, ending: broken(&reason, false) });
                if sending {
                    self.session(user, id).unwrap().on_wire = None;
                    return self.end_incoming(1 - user, other);
                }
                return;
            }
            FileEffect::Watch(from) => {
                session.watching = true;
                if matches!(from, WatchFrom::Header) {
                    self.show_header(user, id);
                }
                return;
            }
            FileEffect::StopWatching => return session.watching = false,
            FileEffect::ShutdownWrite => return self.end_incoming(1 - user, other),
            FileEffect::Shutdown | FileEffect::Abort => {
                for (user, id) in [(user, id), (1 - user, other)] {
                    let cut = self.session(user, id).and_then(|session| session.on_wire.take());
                    if let Some((file, _)) = cut {
                        let ending = broken("the other side refused the file", true);
                        self.later(user, id, FileInput::Ended { id: file, ending });
                    }
                }
                return self.end_incoming(1 - user, other);
            }
            FileEffect::Orphan(_) => return,
            FileEffect::Offer { id, size } => {
                FileEvent::Offered { id, size: Some(size), free: None, named: None }
            }
            FileEffect::NotTaken { id, reason } => FileEvent::NotTaken { id, reason },
            FileEffect::Failed { id, reason } => FileEvent::Failed { id, refused: false, reason },
            FileEffect::GiveBack { id, resent } => {
                let file = session.outgoing.remove(&id).unwrap();
                FileEvent::GaveBack(OutgoingFile { resent, ..file })
            }
        };
        self.report(user, id, SessionEvent::File(report));
    }

    /// Shows the header of what the other end sends, if this end looks.
    fn show_header(&mut self, user: usize, id: SessionNumber) {
        let Some(session) = self.session(user, id).filter(|session| session.watching) else {
            return;
        };
        let other = session.other.unwrap();
        let Some(sender) = self.session(1 - user, other).filter(|sender| !sender.seen) else {
            return;
        };
        let Some((_, size)) = sender.on_wire else { return };
        sender.seen = true;
        let id_here = self.users[user].peers.transfer_ids().next();
        self.later(user, id, FileInput::HeaderSeen { id: id_here, size });
    }

    /// All of a file that this end takes is here.
    fn arrive(&mut self, user: usize, id: SessionNumber) {
        let session = self.session(user, id).unwrap();
        let (other, received) = (session.other.unwrap(), session.receiving.take());
        let sent = self.session(1 - user, other).and_then(|sender| sender.on_wire.take());
        let (Some((received, size)), Some((sent, _))) = (received, sent) else { return };
        for (user, id, file) in [(user, id, received), (1 - user, other, sent)] {
            let whole = FileEvent::Whole { id: file, path: "file".into(), size, changed: false };
            self.report(user, id, SessionEvent::File(whole));
            self.later(user, id, FileInput::Ended { id: file, ending: TransferEnding::Whole });
        }
    }

    /// The other end sends no more.
    fn end_incoming(&mut self, user: usize, id: SessionNumber) {
        if self.session(user, id).is_some_and(|session| session.watching) {
            let reason = "the other side closed the file connection".into();
            self.later(user, id, FileInput::ReceivingEnded { reason });
        }
    }
}
