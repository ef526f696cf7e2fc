//! Handles the frames of the other side.

use std::time::Instant;

use super::receiving::{EntryStart, Receiving};
use super::{MOST_AT_ONCE, Timed, Transfers};
use crate::exchange::messages::{End, Offer, Report};
use crate::exchange::names::safe_name;
use crate::protocol::v2::{CancelReason, FileFrame, MessageFrame, OfferKind, RefuseReason};

/// The largest folder, in entries.
const MOST_ENTRIES: u32 = 1_000_000;
/// The size of an offer whose size is not known.
const UNKNOWN: i64 = -1;

impl<C> Transfers<C> {
    /// A frame was received on the message connection.
    pub(in crate::exchange) fn message_frame(&mut self, frame: MessageFrame, now: Instant) {
        match frame {
            MessageFrame::Offer { transfer, kind, name, size, files, modified } => {
                let size = (size != UNKNOWN).then(|| u64::try_from(size)).transpose();
                let offer = size.ok().map(|size| Offer {
                    transfer,
                    kind,
                    name: safe_name(name.as_str()),
                    size,
                    entries: files,
                    modified: modified.0,
                });
                self.offered(transfer, offer);
            }
            MessageFrame::Take { transfer, have } => {
                let Some(of) = self.sending.get_mut(&transfer) else { return };
                if !of.transfer.is_offered() {
                    return;
                }
                let manifest = &of.transfer.manifest;
                let (path, size) = (manifest.root.clone(), manifest.size);
                let is_file = manifest.kind == OfferKind::File;
                of.transfer.taken(have);
                self.schedule(transfer);
                let have = if is_file { have.min(size.unwrap_or(0)) } else { 0 };
                self.report(Report::Begun { transfer, path, size, have });
            }
            MessageFrame::Proof { transfer, have, hash } => {
                if let Some(of) = self.sending.get_mut(&transfer) {
                    of.transfer.proved(have, hash);
                    self.schedule(transfer);
                }
            }
            MessageFrame::Refuse { transfer, reason } if self.sending.contains_key(&transfer) => {
                self.remove(transfer);
                let (unnumbered, refused, reason) = (false, true, why_refused(reason));
                self.report(Report::Failed { transfer, unnumbered, refused, reason });
            }
            MessageFrame::Cancel { transfer, reason } if self.remove(transfer) => {
                self.fail(transfer, why_cancelled(reason));
            }
            MessageFrame::Receipt { transfer, hash } => {
                let Some(of) = self.sending.get_mut(&transfer) else { return };
                if !of.transfer.is_receipt(hash) {
                    let reason = "the other side confirmed a different file than the one sent";
                    return self.end(transfer, End::new(CancelReason::WrongHash, reason));
                }
                let manifest = &of.transfer.manifest;
                let size = manifest.size.unwrap_or(of.transfer.moved);
                let skipped = manifest.skipped;
                self.last_progress(transfer, now);
                self.remove(transfer);
                self.report(Report::Sent { transfer, size, skipped });
            }
            _ => {}
        }
    }

    fn offered(&mut self, transfer: u64, offer: Option<Offer>) {
        let odd = transfer % 2 == 1;
        let is_theirs = odd != self.asked;
        if !is_theirs || self.receiving.contains_key(&transfer) {
            return;
        }
        let offer = offer.filter(|offer| {
            let is_file = offer.kind != OfferKind::Folder;
            offer.entries <= MOST_ENTRIES
                && if is_file { offer.entries == 1 } else { offer.size.is_some() }
        });
        let known = |offer: &Offer| matches!(offer.kind, OfferKind::File | OfferKind::Folder);
        match offer.filter(known) {
            Some(offer) if self.receiving.len() < MOST_AT_ONCE => {
                self.report(Report::Offered(offer.clone()));
                self.receiving.insert(transfer, Timed::new(Receiving::new(offer)));
            }
            Some(_) => {
                let reason = RefuseReason::Refused;
                self.message(MessageFrame::Refuse { transfer, reason });
            }
            None => {
                let reason = RefuseReason::TooLarge;
                self.message(MessageFrame::Refuse { transfer, reason });
            }
        }
    }

    /// A frame other than DATA was received on the file connection; for a transfer that is over it
    /// is ignored.
    pub(in crate::exchange) fn file_frame(&mut self, frame: FileFrame, now: Instant) {
        match frame {
            FileFrame::Entry { transfer, path, size, modified, flags, offset } => {
                let start = EntryStart { path, size, modified, flags, offset };
                if let Some(of) = self.receiving.get_mut(&transfer) {
                    let next = of.transfer.begin(start);
                    self.follow(transfer, next, now);
                }
            }
            FileFrame::End { transfer, hash } => {
                if let Some(of) = self.receiving.get_mut(&transfer) {
                    let next = of.transfer.end(hash);
                    self.follow(transfer, next, now);
                }
            }
            FileFrame::Have { transfer, path, size, modified, hash } => {
                if let Some(of) = self.sending.get_mut(&transfer) {
                    of.transfer.has(path, size, modified, hash);
                    self.schedule(transfer);
                }
            }
            FileFrame::Data { .. }
            | FileFrame::Session { .. }
            | FileFrame::Use {}
            | FileFrame::Unknown { .. } => {}
        }
    }
}

fn why_refused(reason: RefuseReason) -> String {
    match reason {
        RefuseReason::Refused => "the other side refused it".into(),
        RefuseReason::NoSpace => "the other side has no space for it".into(),
        RefuseReason::TooLarge => "it is too large for the other side".into(),
        RefuseReason::CannotWrite => "the other side cannot write it".into(),
        RefuseReason::Other(code) => format!("the other side cannot take it (reason {code})"),
    }
}

fn why_cancelled(reason: CancelReason) -> String {
    match reason {
        CancelReason::User => "the other side cancelled it".into(),
        CancelReason::FileChanged => "the file was changed while it was sent".into(),
        CancelReason::CannotRead => "the other side cannot read the file any more".into(),
        CancelReason::Disk => "the disk of the other side is full or cannot be written".into(),
        CancelReason::WrongHash => "what arrived is not what was sent; send it again".into(),
        CancelReason::SessionOver => "the private session ended".into(),
        CancelReason::Other(code) => format!("the other side ended it (reason {code})"),
    }
}
