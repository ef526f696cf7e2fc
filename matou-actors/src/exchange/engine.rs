//! The transfers of one file connection with their files: performs what [`Transfers`] decides.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::messages::{ExchangeOrder, Report, Settings};
use super::output::OutgoingFrames;
use super::source_files::SourceFiles;
use super::target_files::TargetFiles;
use super::transfers::Transfers;
use super::transfers::effect::{Effect, SourceError, TargetDone, TargetJob};
use super::yielding::Yielding;
use crate::protocol::v2::FileFrame;
use crate::transfer::ChosenFile;

/// Reads and writes files, and knows no socket.
#[derive(Debug)]
pub(super) struct Engine {
    settings: Settings,
    transfers: Transfers<Arc<ChosenFile>>,
    sources: BTreeMap<u64, SourceFiles>,
    targets: BTreeMap<u64, TargetFiles>,
    reports: Vec<Report>,
    yielding: Rc<Yielding>,
}

impl Engine {
    pub(super) fn new(settings: Settings, start: Instant) -> Self {
        Self {
            transfers: Transfers::new(settings.asked, start),
            settings,
            sources: BTreeMap::new(),
            targets: BTreeMap::new(),
            reports: Vec::new(),
            yielding: Rc::default(),
        }
    }

    /// Yields to other threads between two pieces of work.
    pub(super) fn yielding(&self) -> Rc<Yielding> {
        Rc::clone(&self.yielding)
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes what happened.
    pub(super) fn take_reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// The user wants something, or a frame was received on the message connection.
    pub(super) fn order(&mut self, order: ExchangeOrder) {
        let now = Instant::now();
        match order {
            ExchangeOrder::Offer { key, chosen } => self.transfers.offer(key, chosen),
            ExchangeOrder::Withdraw { key } => self.transfers.withdraw(key),
            ExchangeOrder::Take { transfer, folder } => self.transfers.take(transfer, folder),
            ExchangeOrder::Refuse { transfer } => self.transfers.refuse(transfer),
            ExchangeOrder::Cancel { transfer } => self.transfers.cancel(transfer),
            ExchangeOrder::Frame(frame) => self.transfers.message_frame(frame, now),
            ExchangeOrder::Close => {}
        }
        self.perform(&mut OutgoingFrames::default(), now);
    }

    /// A frame was received on the file connection.
    pub(super) fn file_frame(&mut self, frame: FileFrame, now: Instant) {
        if let FileFrame::Data { transfer, bytes } = &frame {
            return self.data_received(*transfer, bytes.as_slice(), now);
        }
        self.transfers.file_frame(frame, now);
        self.perform(&mut OutgoingFrames::default(), now);
    }

    /// DATA was received, or a part of it.
    fn data_received(&mut self, transfer: u64, mut bytes: &[u8], now: Instant) {
        while let Some(room) = self.data_room(transfer, bytes.len()) {
            let (part, rest) = bytes.split_at(room.len());
            room.copy_from_slice(part);
            bytes = rest;
            self.data_filled(transfer, part.len(), now);
        }
    }

    /// Where the next bytes of DATA belong, at most `most` of them; `None` when they are to be
    /// dropped.
    pub(super) fn data_room(&mut self, transfer: u64, most: usize) -> Option<&mut [u8]> {
        if most == 0 {
            return None;
        }
        if !self.transfers.takes_data(transfer, most) {
            self.perform(&mut OutgoingFrames::default(), Instant::now());
            return None;
        }
        self.targets.get_mut(&transfer)?.room(most)
    }

    /// This many bytes were put where [`Self::data_room`] said.
    pub(super) fn data_filled(&mut self, transfer: u64, count: usize, now: Instant) {
        let left = self.transfers.data_received(transfer, count, now);
        if let Some(files) = self.targets.get_mut(&transfer)
            && let Err(error) = files.filled(count, left)
        {
            self.transfers.disk_failed(transfer, &error.to_string());
        }
        self.perform(&mut OutgoingFrames::default(), now);
    }

    #[cfg(test)]
    pub(super) fn turns(&self) -> usize {
        self.transfers.turns()
    }

    /// Whether there is something to do without the other side.
    pub(super) fn has_work(&self) -> bool {
        self.transfers.has_work()
    }

    /// The pipes that are waited for.
    pub(super) fn dry_pipes(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sources.values().filter_map(SourceFiles::dry_pipe)
    }

    /// Looks whether there is something to read in the pipes that are waited for.
    pub(super) fn look_at_pipes(&mut self) {
        for (transfer, files) in &mut self.sources {
            if files.becomes_ready() {
                self.transfers.pipe_ready(*transfer);
            }
        }
    }

    /// Does a piece of work of the transfer whose turn it is: appends frames for the file
    /// connection to `out`, with at most `most` bytes of a file. False when there is nothing to do.
    pub(super) fn work(&mut self, most: usize, out: &mut OutgoingFrames, now: Instant) -> bool {
        let works = self.transfers.work(most, now);
        self.perform(out, now);
        works
    }

    /// The connection is gone, and with it all transfers; what they have received is kept.
    pub(super) fn lost(&mut self, reason: &str) {
        self.transfers.lost(reason);
        self.perform(&mut OutgoingFrames::default(), Instant::now());
    }

    /// Does what was decided. Only work leads to frames for the file connection.
    fn perform(&mut self, out: &mut OutgoingFrames, now: Instant) {
        while let Some(effect) = self.transfers.effect() {
            match effect {
                Effect::Report(report) => self.reports.push(report),
                Effect::ReportFailed { transfer, mut reason, kept } => {
                    if let Some(kept) = kept.filter(|kept| kept.path.exists()) {
                        reason.push_str(&kept.words);
                    }
                    let (unnumbered, refused) = (false, false);
                    self.reports.push(Report::Failed { transfer, unnumbered, refused, reason });
                }
                Effect::Frame(frame) => out.push(&frame),
                Effect::Survey { key, chosen } => {
                    let (manifest, files) = match SourceFiles::survey(&chosen, self.yielding()) {
                        Ok((manifest, files)) => (Ok(manifest), Some(files)),
                        Err(reason) => (Err(reason), None),
                    };
                    let transfer = self.transfers.surveyed(key, manifest);
                    self.sources.extend(transfer.zip(files));
                }
                Effect::Source { transfer, job } => {
                    let done = match self.sources.get_mut(&transfer) {
                        Some(files) => files.perform(transfer, &job, out),
                        None => Err(SourceError::Unreadable("it is not open".into())),
                    };
                    self.transfers.source_done(transfer, &job, done, now);
                }
                Effect::Target { transfer, job } => {
                    let done = self.perform_target(transfer, &job);
                    self.transfers.target_done(transfer, &job, done, now);
                }
                Effect::Close { transfer } => {
                    self.sources.remove(&transfer);
                    self.targets.remove(&transfer);
                }
            }
        }
    }

    fn perform_target(&mut self, transfer: u64, job: &TargetJob) -> Result<TargetDone, String> {
        if let TargetJob::Prepare { offer, folder } = job {
            let elsewhere = folder.clone().map(|folder| self.settings.downloads.elsewhere(folder));
            let downloads = elsewhere.as_ref().unwrap_or(&self.settings.downloads);
            let (files, done) =
                TargetFiles::prepare(offer, downloads, &self.settings.peer, self.yielding())?;
            self.targets.insert(transfer, files);
            return Ok(done);
        }
        let files = self.targets.get_mut(&transfer).ok_or("it is not open")?;
        files.perform(job).map_err(|error| error.to_string())
    }
}
