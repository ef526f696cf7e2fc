//! All transfers of one file connection: which frame belongs to which, and whose turn it is.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

use super::manifest::Manifest;
use super::messages::{End, Offer, Order, Report, Settings};
use super::names::safe_name;
use super::output::Output;
use super::receiving::{Ended, EntryStart, Receiving};
use super::sending::Sending;
use crate::protocol::v2::{CancelReason, FileFrame, MessageFrame, OfferKind, RefuseReason};
use crate::transfer::{ChosenFile, Moved, ProgressSampler};

/// Transfers in one direction, offers among them: each costs the receiver some descriptors.
const MOST_AT_ONCE: usize = 64;
/// Own transfers that may wait behind those.
const MOST_QUEUED: usize = 1_000;
/// The largest folder, in entries.
const MOST_ENTRIES: u32 = 1_000_000;
/// The size of an offer whose size is not known.
const UNKNOWN: i64 = -1;

/// The transfers of one connection. Reads and writes files, and knows no socket.
#[derive(Debug)]
pub(super) struct Engine {
    settings: Settings,
    next: u64,
    sending: BTreeMap<u64, Timed<Sending>>,
    /// Behind them, with the keys of their orders.
    queued: VecDeque<(u64, Arc<ChosenFile>)>,
    receiving: BTreeMap<u64, Timed<Receiving>>,
    /// Whose turn it is next.
    turns: VecDeque<u64>,
    reports: Vec<Report>,
    start: Instant,
}

/// A transfer, and when its progress is reported.
#[derive(Debug)]
struct Timed<T> {
    transfer: T,
    sampler: ProgressSampler,
}

impl<T> Timed<T> {
    fn new(transfer: T) -> Self {
        Self { transfer, sampler: ProgressSampler::default() }
    }
}

impl Engine {
    pub(super) fn new(settings: Settings, start: Instant) -> Self {
        let next = if settings.asked { 1 } else { 2 };
        Self {
            settings,
            next,
            sending: BTreeMap::new(),
            queued: VecDeque::new(),
            receiving: BTreeMap::new(),
            turns: VecDeque::new(),
            reports: Vec::new(),
            start,
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes what happened.
    pub(super) fn take_reports(&mut self) -> Vec<Report> {
        self.offer_queued();
        std::mem::take(&mut self.reports)
    }

    /// The user wants something, or a frame came on the message connection.
    pub(super) fn order(&mut self, order: Order) {
        match order {
            Order::Offer { key, .. } if self.queued.len() >= MOST_QUEUED => {
                let reason = format!("{MOST_QUEUED} files are queued for this person already");
                self.fail_unnumbered(key, reason);
            }
            Order::Offer { key, chosen } => {
                self.queued.push_back((key, chosen));
                self.offer_queued();
            }
            Order::Withdraw { key } => {
                if self.queued.iter().any(|(queued, _)| *queued == key) {
                    self.queued.retain(|(queued, _)| *queued != key);
                    self.fail_unnumbered(key, "you cancelled it".into());
                }
            }
            Order::Take { transfer, folder } => self.take(transfer, folder),
            Order::Refuse { transfer } => {
                if self.receiving.get(&transfer).is_some_and(|of| of.transfer.is_offered()) {
                    self.receiving.remove(&transfer);
                    let reason = RefuseReason::Refused;
                    self.message(MessageFrame::Refuse { transfer, reason });
                    self.fail(transfer, "you refused it".into());
                }
            }
            Order::Cancel { transfer } => {
                let end = End::new(CancelReason::User, "you cancelled it");
                self.end(transfer, end);
            }
            Order::Frame(frame) => self.message_came(frame),
            Order::Close => {}
        }
    }

    fn offer_queued(&mut self) {
        while self.sending.len() < MOST_AT_ONCE
            && let Some((key, chosen)) = self.queued.pop_front()
        {
            match Manifest::of(&chosen) {
                Ok(manifest) => self.offer(key, manifest),
                Err(reason) => self.fail_unnumbered(key, reason),
            }
        }
    }

    fn fail_unnumbered(&mut self, key: u64, reason: String) {
        let (transfer, unnumbered, refused) = (key, true, false);
        self.reports.push(Report::Failed { transfer, unnumbered, refused, reason });
    }

    fn offer(&mut self, key: u64, manifest: Manifest) {
        let transfer = self.next;
        self.next += 2;
        self.reports.push(Report::Numbered { key, transfer });
        let sending = Sending::new(transfer, manifest);
        self.message(sending.offer());
        self.sending.insert(transfer, Timed::new(sending));
    }

    fn take(&mut self, transfer: u64, folder: Option<std::path::PathBuf>) {
        let Some(of) = self.receiving.get_mut(&transfer).filter(|of| of.transfer.is_offered())
        else {
            return;
        };
        let elsewhere = folder.map(|folder| self.settings.downloads.elsewhere(folder));
        let downloads = elsewhere.as_ref().unwrap_or(&self.settings.downloads);
        match of.transfer.take(downloads, &self.settings.peer) {
            Ok((frame, have)) => {
                let path = of.transfer.path().unwrap_or_default();
                let size = of.transfer.offer.size;
                self.reports.push(Report::Begun { transfer, path, size, have });
                self.message(frame);
                self.schedule(transfer);
                let whole = self.receiving.get_mut(&transfer);
                match whole.map(|of| of.transfer.finish_if_empty()) {
                    Some(Ok(Some(ended))) => self.ended(transfer, ended),
                    Some(Err(end)) => self.end(transfer, end),
                    Some(Ok(None)) | None => {}
                }
            }
            Err(reason) => self.reports.push(Report::NotTaken { transfer, reason }),
        }
    }

    fn message_came(&mut self, frame: MessageFrame) {
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
                let (path, size) = (of.transfer.manifest.root.clone(), of.transfer.manifest.size);
                let file = of.transfer.manifest.kind == OfferKind::File;
                let taken = of.transfer.taken(have);
                self.schedule(transfer);
                let have = if file { have.min(size.unwrap_or(0)) } else { 0 };
                self.reports.push(Report::Begun { transfer, path, size, have });
                if let Err(end) = taken {
                    self.end(transfer, end);
                }
            }
            MessageFrame::Proof { transfer, have, hash } => {
                if let Some(of) = self.sending.get_mut(&transfer) {
                    of.transfer.proved(have, hash);
                    self.schedule(transfer);
                }
            }
            MessageFrame::Refuse { transfer, reason }
                if self.sending.remove(&transfer).is_some() =>
            {
                let (unnumbered, refused, reason) = (false, true, why_refused(reason));
                self.reports.push(Report::Failed { transfer, unnumbered, refused, reason });
            }
            MessageFrame::Cancel { transfer, reason } => {
                let was_sent = self.sending.remove(&transfer).is_some();
                let was_received = self.receiving.remove(&transfer).is_some();
                if was_sent || was_received {
                    self.fail(transfer, why_cancelled(reason));
                }
            }
            MessageFrame::Receipt { transfer, hash } => {
                let Some(of) = self.sending.get_mut(&transfer) else { return };
                if !of.transfer.is_receipt(hash) {
                    let reason = "the other side confirmed a different file than the one sent";
                    return self.end(transfer, End::new(CancelReason::WrongHash, reason));
                }
                let manifest = &of.transfer.manifest;
                let (size, skipped) =
                    (manifest.size.unwrap_or(of.transfer.moved), manifest.skipped);
                self.last_progress(transfer);
                self.sending.remove(&transfer);
                self.reports.push(Report::Sent { transfer, size, skipped });
            }
            _ => {}
        }
    }

    fn offered(&mut self, transfer: u64, offer: Option<Offer>) {
        let odd = transfer % 2 == 1;
        let is_theirs = odd != self.settings.asked;
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
                self.reports.push(Report::Offered(offer.clone()));
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

    /// A frame came on the file connection; of a transfer that is over it is of no interest.
    pub(super) fn file_came(&mut self, frame: FileFrame, now: Instant) {
        match frame {
            FileFrame::Entry { transfer, path, size, modified, flags, offset } => {
                let start = EntryStart { path, size, modified, flags, offset };
                let of = self.receiving.get_mut(&transfer);
                if let Some(Err(end)) = of.map(|of| of.transfer.begin(start)) {
                    self.end(transfer, end);
                }
            }
            FileFrame::Data { transfer, bytes } => self.data_came(transfer, bytes.as_slice(), now),
            FileFrame::End { transfer, hash } => {
                let of = self.receiving.get_mut(&transfer);
                match of.map(|of| of.transfer.end(hash)) {
                    Some(Ok(ended)) => self.ended(transfer, ended),
                    Some(Err(end)) => self.end(transfer, end),
                    None => {}
                }
            }
            FileFrame::Have { transfer, path, size, modified, hash } => {
                if let Some(of) = self.sending.get_mut(&transfer) {
                    of.transfer.has(path, size, modified, hash);
                    self.schedule(transfer);
                }
            }
            FileFrame::Session { .. } | FileFrame::Use {} | FileFrame::Unknown { .. } => {}
        }
    }

    /// DATA came, or a part of it.
    fn data_came(&mut self, transfer: u64, mut bytes: &[u8], now: Instant) {
        while let Some(room) = self.data_room(transfer, bytes.len()) {
            let (part, rest) = bytes.split_at(room.len());
            room.copy_from_slice(part);
            bytes = rest;
            self.data_filled(transfer, part.len(), now);
        }
    }

    /// Where the next bytes of DATA belong, at most so many; `None` when they are of no use.
    pub(super) fn data_room(&mut self, transfer: u64, most: usize) -> Option<&mut [u8]> {
        if most == 0 {
            return None;
        }
        if let Err(end) = self.receiving.get_mut(&transfer)?.transfer.check_data(most) {
            self.end(transfer, end);
        }
        Some(self.receiving.get_mut(&transfer)?.transfer.room(most))
    }

    /// So many bytes were put where [`Self::data_room`] said.
    pub(super) fn data_filled(&mut self, transfer: u64, count: usize, now: Instant) {
        let Some(of) = self.receiving.get_mut(&transfer) else { return };
        match of.transfer.filled(count) {
            Ok(()) => {
                let since = now.saturating_duration_since(self.start);
                if let Some(moved) = of.sampler.sample(since, of.transfer.moved) {
                    self.reports.push(Report::Moved { transfer, moved });
                }
            }
            Err(end) => self.end(transfer, end),
        }
    }

    #[cfg(test)]
    pub(super) fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Gives a transfer its turn behind the others, once however often it is asked for.
    fn schedule(&mut self, transfer: u64) {
        if !self.turns.contains(&transfer) {
            self.turns.push_back(transfer);
        }
    }

    /// Whether there is something to do without the other side.
    pub(super) fn has_work(&self) -> bool {
        self.turns.iter().any(|transfer| self.is_working(*transfer))
    }

    fn is_working(&self, transfer: u64) -> bool {
        self.sending.get(&transfer).is_some_and(|of| of.transfer.has_work())
            || self.receiving.get(&transfer).is_some_and(|of| of.transfer.has_work())
    }

    /// The pipes that are waited for.
    pub(super) fn dry_pipes(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sending.values().filter_map(|of| of.transfer.dry_pipe())
    }

    /// Looks whether there is something to read in the pipes that are waited for.
    pub(super) fn look_at_pipes(&mut self) {
        let mut ready = Vec::new();
        for (transfer, of) in &mut self.sending {
            if of.transfer.dry_pipe().is_some() {
                of.transfer.look_at_pipe();
                ready.push(*transfer);
            }
        }
        for transfer in ready {
            self.schedule(transfer);
        }
    }

    /// Does a piece of work of the transfer whose turn it is: appends frames for the file
    /// connection to `out`, with at most `most` bytes of a file. False when there is nothing to do.
    pub(super) fn work(&mut self, most: usize, out: &mut Output, now: Instant) -> bool {
        while let Some(transfer) = self.turns.pop_front() {
            if !self.is_working(transfer) {
                continue;
            }
            let since = now.saturating_duration_since(self.start);
            let (done, moved) = if let Some(of) = self.sending.get_mut(&transfer) {
                let done = of.transfer.work(most, out);
                (done, of.sampler.sample(since, of.transfer.moved))
            } else if let Some(of) = self.receiving.get_mut(&transfer) {
                (of.transfer.work(out), None)
            } else {
                continue;
            };
            if let Some(moved) = moved {
                self.reports.push(Report::Moved { transfer, moved });
            }
            match done {
                Ok(frame) => {
                    if let Some(frame) = frame {
                        self.message(frame);
                    }
                    self.schedule(transfer);
                }
                Err(end) => self.end(transfer, end),
            }
            return true;
        }
        false
    }

    /// The connection is gone, and with it all transfers; what is there of them is kept.
    pub(super) fn lost(&mut self, reason: &str) {
        self.queued.clear();
        let incoming = std::mem::take(&mut self.receiving);
        for (transfer, of) in incoming {
            let kept = of.transfer.kept().map(|(_, kept)| kept);
            self.fail(transfer, format!("{reason}{}", kept.unwrap_or_default()));
        }
        for (transfer, of) in std::mem::take(&mut self.sending) {
            self.fail(transfer, format!("{reason}; {}", of.transfer.after_loss()));
        }
    }

    fn ended(&mut self, transfer: u64, ended: Ended) {
        let Ended::Whole { path, hash } = ended else { return };
        self.last_progress(transfer);
        let received = self.receiving.remove(&transfer).map(|of| of.transfer);
        let size = received.map_or(0, |of| of.offer.size.unwrap_or(of.moved));
        self.message(MessageFrame::Receipt { transfer, hash });
        self.reports.push(Report::Received { transfer, path, size });
    }

    fn last_progress(&mut self, transfer: u64) {
        let since = self.start.elapsed();
        let moved = if let Some(of) = self.receiving.get_mut(&transfer) {
            of.sampler.finish(since, of.transfer.moved)
        } else if let Some(of) = self.sending.get_mut(&transfer) {
            of.sampler.finish(since, of.transfer.moved)
        } else {
            None
        };
        if let Some(moved) = moved.filter(|moved: &Moved| moved.bytes > 0) {
            self.reports.push(Report::Moved { transfer, moved });
        }
    }

    /// Ends a transfer from here.
    fn end(&mut self, transfer: u64, end: End) {
        let kept = self.receiving.get(&transfer).and_then(|of| of.transfer.kept());
        let was_sent = self.sending.remove(&transfer).is_some();
        let was_received = self.receiving.remove(&transfer).is_some();
        if !was_sent && !was_received {
            return;
        }
        let End { code, mut reason } = end;
        self.message(MessageFrame::Cancel { transfer, reason: code });
        if let Some((_, kept)) = kept.filter(|(path, _)| path.exists()) {
            reason.push_str(&kept);
        }
        self.fail(transfer, reason);
    }

    fn fail(&mut self, transfer: u64, reason: String) {
        let (unnumbered, refused) = (false, false);
        self.reports.push(Report::Failed { transfer, unnumbered, refused, reason });
    }

    fn message(&mut self, frame: MessageFrame) {
        self.reports.push(Report::Frame(frame));
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
