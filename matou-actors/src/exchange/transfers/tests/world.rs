//! Two sides joined in memory: disks, connections with delays, and a clock that are all made up.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;

use super::super::Transfers;
use super::super::effect::{Effect, SourceError, TargetDone, TargetJob};
use super::disk::{Chosen, Disk, Source, Target};
use crate::exchange::messages::Report;
use crate::protocol::v2::{DataRun, FileFrame, MAX_DATA, MessageFrame, OfferKind};

pub(super) struct World {
    pub(super) sides: [Side; 2],
    pub(super) rng: Rng,
    pub(super) now: Instant,
    /// The longest time that a frame is on its way.
    pub(super) delay: Duration,
    /// How long a step takes.
    pub(super) step: Duration,
    /// Bytes of files that were sent.
    pub(super) data: usize,
    /// Which job fails, counted from here.
    pub(super) failing_job: Option<usize>,
}

pub(super) struct Side {
    pub(super) transfers: Transfers<Chosen>,
    pub(super) reports: Vec<(Instant, Report)>,
    pub(super) disk: Disk,
    sources: BTreeMap<u64, Source>,
    targets: BTreeMap<u64, Target>,
    /// Frames on their way here, and when they arrive.
    messages: VecDeque<(Instant, MessageFrame)>,
    frames: VecDeque<(Instant, FileFrame)>,
}

impl Side {
    fn new(asked: bool, now: Instant, disk: Disk) -> Self {
        Self {
            transfers: Transfers::new(asked, now),
            reports: Vec::new(),
            disk,
            sources: BTreeMap::new(),
            targets: BTreeMap::new(),
            messages: VecDeque::new(),
            frames: VecDeque::new(),
        }
    }

    /// How often the transfer has ended here.
    pub(super) fn ends(&self, transfer: u64) -> usize {
        let is_end = |report: &Report| match report {
            Report::Sent { transfer, .. }
            | Report::Received { transfer, .. }
            | Report::Failed { transfer, unnumbered: false, .. } => Some(*transfer),
            _ => None,
        };
        self.reports.iter().filter(|(_, report)| is_end(report) == Some(transfer)).count()
    }

    /// The transfers that have begun here in either direction.
    pub(super) fn begun(&self) -> Vec<u64> {
        let begun = self.reports.iter().filter_map(|(_, report)| match report {
            Report::Numbered { transfer, .. } => Some(*transfer),
            Report::Offered(offer) => Some(offer.transfer),
            _ => None,
        });
        begun.collect()
    }

    /// Received bytes of the transfer with that name.
    pub(super) fn come(&self, name: &str) -> usize {
        let growing = self.targets.values().filter(|target| target.name == name);
        self.disk.size(name) + growing.map(|target| target.growing.len()).sum::<usize>()
    }

    pub(super) fn open_files(&self) -> usize {
        self.sources.len() + self.targets.len()
    }

    fn perform_target(&mut self, transfer: u64, job: &TargetJob) -> TargetDone {
        if let TargetJob::Prepare { offer, .. } = job {
            let is_folder = offer.kind == OfferKind::Folder;
            let target = Target { name: offer.name.clone(), is_folder, growing: Vec::new() };
            let there = self.disk.prepare(&target, offer.size);
            self.targets.insert(transfer, target);
            return TargetDone::Prepared { path: PathBuf::from(&offer.name), there };
        }
        let target = self.targets.get_mut(&transfer).expect("a target that was prepared");
        let done = self.disk.perform(target, job);
        if matches!(job, TargetJob::Sync { .. }) {
            self.keep(transfer);
        }
        done
    }

    /// The received part of a file stays when its transfer ends, unless it was renamed or
    /// discarded.
    fn keep(&mut self, transfer: u64) {
        let Some(target) = self.targets.get(&transfer) else { return };
        if let Some(part) = self.disk.parts.get_mut(&target.name)
            && !target.is_folder
        {
            part.insert(target.name.clone(), target.growing.clone());
        }
    }
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let now = Instant::now();
        let side = |asked| Side::new(asked, now, Disk::default());
        Self {
            sides: [side(true), side(false)],
            rng: Rng::with_seed(seed),
            now,
            delay: Duration::from_millis(50),
            step: Duration::from_micros(100),
            data: 0,
            failing_job: None,
        }
    }

    pub(super) fn offer(&mut self, side: usize, chosen: &Chosen) {
        self.sides[side].transfers.offer(7, chosen.clone());
        self.perform(side);
    }

    /// Offers the second side what it does not have whole.
    pub(super) fn offer_missing(&mut self, all: &[Chosen]) {
        for chosen in all {
            if !self.sides[1].disk.whole.contains_key(chosen.name) {
                self.offer(0, chosen);
            }
        }
    }

    pub(super) fn cancel(&mut self, side: usize, transfer: u64) {
        self.sides[side].transfers.cancel(transfer);
        self.perform(side);
    }

    /// Runs until nothing happens any more.
    pub(super) fn run(&mut self) {
        while self.step() {}
    }

    /// Cuts both connections with all that is on its way, and makes new ones.
    pub(super) fn cut(&mut self) {
        for side in 0..2 {
            self.sides[side].transfers.lost("cut");
            self.perform(side);
            assert_eq!(self.sides[side].open_files(), 0);
            let disk = std::mem::take(&mut self.sides[side].disk);
            self.sides[side] = Side::new(side == 0, self.now, disk);
        }
    }

    /// Performs one step; false when there is none.
    pub(super) fn step(&mut self) -> bool {
        self.now += self.step;
        let first = self.rng.usize(..6);
        if (0..6).any(|offset| self.act((first + offset) % 6)) {
            return true;
        }
        let arrivals = self.sides.iter().flat_map(|side| {
            let message = side.messages.front().map(|(at, _)| *at);
            message.into_iter().chain(side.frames.front().map(|(at, _)| *at))
        });
        let Some(next) = arrivals.min() else { return false };
        self.now = self.now.max(next);
        true
    }

    fn act(&mut self, action: usize) -> bool {
        let (index, now) = (action % 2, self.now);
        let side = &mut self.sides[index];
        match action / 2 {
            0 if side.messages.front().is_some_and(|(at, _)| *at <= now) => {
                let (_, frame) = side.messages.pop_front().unwrap();
                side.transfers.message_frame(frame, now);
            }
            1 if side.frames.front().is_some_and(|(at, _)| *at <= now) => {
                let (_, frame) = side.frames.pop_front().unwrap();
                match frame {
                    FileFrame::Data { transfer, bytes } => self.take(index, transfer, &bytes),
                    frame => side.transfers.file_frame(frame, now),
                }
            }
            2 if side.transfers.has_work() => drop(side.transfers.work(MAX_DATA, now)),
            _ => return false,
        }
        self.perform(index);
        true
    }

    fn take(&mut self, index: usize, transfer: u64, bytes: &DataRun) {
        let (side, bytes) = (&mut self.sides[index], bytes.as_slice());
        if side.transfers.takes_data(transfer, bytes.len()) {
            side.targets.get_mut(&transfer).unwrap().growing.extend_from_slice(bytes);
            side.transfers.data_received(transfer, bytes.len(), self.now);
        }
    }

    /// Whether it is the turn of the job that is to fail.
    fn fails(&mut self) -> bool {
        let Some(left) = &mut self.failing_job else { return false };
        if *left == 0 {
            self.failing_job = None;
            return true;
        }
        *left -= 1;
        false
    }

    fn perform(&mut self, index: usize) {
        while let Some(effect) = self.sides[index].transfers.effect() {
            let now = self.now;
            let failed = match &effect {
                Effect::Source { .. } | Effect::Target { .. } => self.fails(),
                _ => false,
            };
            let side = &mut self.sides[index];
            match effect {
                Effect::Report(Report::Frame(frame)) => self.send_message(1 - index, frame),
                Effect::Report(report) => self.report(index, report),
                Effect::ReportFailed { transfer, reason, .. } => {
                    let (unnumbered, refused) = (false, false);
                    let report = Report::Failed { transfer, unnumbered, refused, reason };
                    self.report(index, report);
                }
                Effect::Frame(frame) => self.send_file_frame(1 - index, frame),
                Effect::Survey { key, chosen } => {
                    let manifest = chosen.manifest();
                    let transfer = side.transfers.surveyed(key, Ok(manifest)).unwrap();
                    side.sources.insert(transfer, Source { chosen, open: Vec::new() });
                }
                Effect::Source { transfer, job } if failed => {
                    side.transfers.source_done(transfer, &job, Err(SourceError::Changed), now);
                }
                Effect::Source { transfer, job } => {
                    let source = side.sources.get_mut(&transfer).expect("an open source");
                    let (data, done) = source.perform(&job);
                    side.transfers.source_done(transfer, &job, Ok(done), now);
                    self.data += data.len();
                    if !data.is_empty() {
                        let bytes = DataRun::new(Bytes::from(data)).unwrap();
                        self.send_file_frame(1 - index, FileFrame::Data { transfer, bytes });
                    }
                }
                Effect::Target { transfer, job } if failed => {
                    side.transfers.target_done(transfer, &job, Err("full".into()), now);
                }
                Effect::Target { transfer, job } => {
                    let done = side.perform_target(transfer, &job);
                    side.transfers.target_done(transfer, &job, Ok(done), now);
                }
                Effect::Close { transfer } => {
                    side.keep(transfer);
                    side.sources.remove(&transfer);
                    side.targets.remove(&transfer);
                }
            }
        }
    }

    /// Every offer is accepted, and again if the disk failed.
    fn report(&mut self, index: usize, report: Report) {
        let offered = match &report {
            Report::Offered(offer) => Some(offer.transfer),
            Report::NotTaken { transfer, .. } => Some(*transfer),
            _ => None,
        };
        self.sides[index].reports.push((self.now, report));
        if let Some(transfer) = offered {
            self.sides[index].transfers.take(transfer, None);
        }
    }

    fn arrival(&mut self, last: Option<Instant>) -> Instant {
        let most = u64::try_from(self.delay.as_micros()).unwrap();
        let arrival = self.now + Duration::from_micros(self.rng.u64(..=most));
        last.map_or(arrival, |last| last.max(arrival))
    }

    fn send_message(&mut self, to: usize, frame: MessageFrame) {
        let arrival = self.arrival(self.sides[to].messages.back().map(|(at, _)| *at));
        self.sides[to].messages.push_back((arrival, frame));
    }

    fn send_file_frame(&mut self, to: usize, frame: FileFrame) {
        let arrival = self.arrival(self.sides[to].frames.back().map(|(at, _)| *at));
        self.sides[to].frames.push_back((arrival, frame));
    }
}
