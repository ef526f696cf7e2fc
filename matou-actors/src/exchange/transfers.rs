//! All transfers of one file connection: which frame belongs to which, whose turn it is, and what
//! follows. Knows no socket, file or clock: it yields [`Effect`]s.
//!
//! - `frames`: handles the frames of the other side.
//! - `sending`: one outgoing transfer; `manifest`: what it consists of.
//! - `receiving`: one incoming transfer.
//! - `effect`: what they want done with files, and the outcome.

pub(super) mod effect;
mod frames;
pub(super) mod manifest;
pub(super) mod receiving;
mod sending;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Instant;

use self::effect::{Effect, SourceDone, SourceError, SourceJob, TargetDone, TargetJob};
use self::manifest::Manifest;
use self::receiving::{Receiving, ReceivingStep};
use self::sending::{Sending, SendingStep};
use super::messages::{End, Report};
use crate::protocol::v2::{CancelReason, MessageFrame, RefuseReason};
use crate::transfer::{Moved, ProgressSampler};

/// Transfers in one direction, offers among them: each costs the receiver some descriptors.
const MOST_AT_ONCE: usize = 64;
/// Own transfers that may be queued after those.
const MOST_QUEUED: usize = 1_000;

/// The transfers of one connection. `C` is what the user chose to send.
#[derive(Debug)]
pub(super) struct Transfers<C> {
    /// The side that asked for the session numbers its transfers odd, the other even.
    asked: bool,
    next: u64,
    sending: BTreeMap<u64, Timed<Sending>>,
    /// Queued after them, with the keys of their orders.
    queued: VecDeque<(u64, C)>,
    /// How many are being surveyed.
    surveys: usize,
    receiving: BTreeMap<u64, Timed<Receiving>>,
    /// Whose turn it is next.
    turns: VecDeque<u64>,
    effects: VecDeque<Effect<C>>,
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

impl<C> Transfers<C> {
    pub(super) fn new(asked: bool, start: Instant) -> Self {
        Self {
            asked,
            next: if asked { 1 } else { 2 },
            sending: BTreeMap::new(),
            queued: VecDeque::new(),
            surveys: 0,
            receiving: BTreeMap::new(),
            turns: VecDeque::new(),
            effects: VecDeque::new(),
            start,
        }
    }

    /// The next effect, to be performed before any further input.
    pub(super) fn effect(&mut self) -> Option<Effect<C>> {
        if self.effects.is_empty() && self.sending.len() + self.surveys < MOST_AT_ONCE {
            let (key, chosen) = self.queued.pop_front()?;
            self.surveys += 1;
            return Some(Effect::Survey { key, chosen });
        }
        self.effects.pop_front()
    }

    /// The user wants to send something.
    pub(super) fn offer(&mut self, key: u64, chosen: C) {
        if self.queued.len() >= MOST_QUEUED {
            let reason = format!("{MOST_QUEUED} files are queued for this person already");
            return self.fail_unnumbered(key, reason);
        }
        self.queued.push_back((key, chosen));
    }

    /// The user does not want to send it any more; nothing when it has a number already.
    pub(super) fn withdraw(&mut self, key: u64) {
        if self.queued.iter().any(|(queued, _)| *queued == key) {
            self.queued.retain(|(queued, _)| *queued != key);
            self.fail_unnumbered(key, "you cancelled it".into());
        }
    }

    /// The chosen file or folder consists of this; returns the number of its transfer.
    pub(super) fn surveyed(&mut self, key: u64, manifest: Result<Manifest, String>) -> Option<u64> {
        self.surveys = self.surveys.saturating_sub(1);
        match manifest {
            Ok(manifest) => {
                let transfer = self.next;
                self.next += 2;
                self.report(Report::Numbered { key, transfer });
                let sending = Sending::new(transfer, manifest);
                self.message(sending.offer());
                self.sending.insert(transfer, Timed::new(sending));
                Some(transfer)
            }
            Err(reason) => {
                self.fail_unnumbered(key, reason);
                None
            }
        }
    }

    /// The user accepts an offer.
    pub(super) fn take(&mut self, transfer: u64, folder: Option<PathBuf>) {
        if let Some(of) = self.offered_transfer(transfer) {
            let job = of.take(folder);
            self.effects.push_back(Effect::Target { transfer, job });
        }
    }

    /// The user refuses an offer.
    pub(super) fn refuse(&mut self, transfer: u64) {
        if self.offered_transfer(transfer).is_some() {
            self.remove(transfer);
            let reason = RefuseReason::Refused;
            self.message(MessageFrame::Refuse { transfer, reason });
            self.fail(transfer, "you refused it".into());
        }
    }

    /// The user ends a transfer.
    pub(super) fn cancel(&mut self, transfer: u64) {
        self.end(transfer, End::new(CancelReason::User, "you cancelled it"));
    }

    fn offered_transfer(&mut self, transfer: u64) -> Option<&mut Receiving> {
        let of = self.receiving.get_mut(&transfer).map(|of| &mut of.transfer);
        of.filter(|of| of.is_offered())
    }

    /// Whether this many bytes of DATA are expected; if not, they are dropped.
    pub(super) fn takes_data(&mut self, transfer: u64, count: usize) -> bool {
        let Some(of) = self.receiving.get(&transfer) else { return false };
        match of.transfer.check_data(count) {
            Ok(()) => true,
            Err(end) => {
                self.end(transfer, end);
                false
            }
        }
    }

    /// This many bytes of expected DATA were received; returns how many are still to come.
    pub(super) fn data_received(&mut self, transfer: u64, count: usize, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start);
        let Some(of) = self.receiving.get_mut(&transfer) else { return 0 };
        let left = of.transfer.filled(count);
        if let Some(moved) = of.sampler.sample(since, of.transfer.moved) {
            self.report(Report::Moved { transfer, moved });
        }
        left
    }

    /// The disk failed for received DATA.
    pub(super) fn disk_failed(&mut self, transfer: u64, reason: &str) {
        self.end(transfer, End::disk(reason));
    }

    /// There is something to read in the pipe of a transfer.
    pub(super) fn pipe_ready(&mut self, transfer: u64) {
        if let Some(of) = self.sending.get_mut(&transfer) {
            of.transfer.pipe_ready();
            self.schedule(transfer);
        }
    }

    #[cfg(test)]
    pub(super) fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Queues a transfer for its turn, once however often it is asked for.
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

    /// Decides on a piece of work of the transfer whose turn it is, with at most `most` bytes of a
    /// file. False when there is nothing to do.
    pub(super) fn work(&mut self, most: usize, now: Instant) -> bool {
        while let Some(transfer) = self.turns.pop_front() {
            if !self.is_working(transfer) {
                continue;
            }
            self.schedule(transfer);
            if let Some(of) = self.sending.get_mut(&transfer) {
                let follows = of.transfer.work(most);
                self.sent(transfer, follows, now);
            } else if let Some(of) = self.receiving.get_mut(&transfer) {
                let next = of.transfer.work();
                self.follow(transfer, Ok(next), now);
            }
            return true;
        }
        false
    }

    /// The outcome of a job for an outgoing transfer.
    pub(super) fn source_done(
        &mut self,
        transfer: u64,
        job: &SourceJob,
        done: Result<SourceDone, SourceError>,
        now: Instant,
    ) {
        let Some(of) = self.sending.get_mut(&transfer) else { return };
        match of.transfer.done(job, done) {
            Ok(follows) => self.sent(transfer, follows, now),
            Err(end) => self.end(transfer, end),
        }
    }

    fn sent(&mut self, transfer: u64, follows: SendingStep, now: Instant) {
        let since = now.saturating_duration_since(self.start);
        let Some(of) = self.sending.get_mut(&transfer) else { return };
        // Before a job nothing has moved yet.
        let moved = follows.job.is_none().then(|| of.sampler.sample(since, of.transfer.moved));
        if let Some(moved) = moved.flatten() {
            self.report(Report::Moved { transfer, moved });
        }
        let SendingStep { frames, message, job } = follows;
        self.effects.extend(frames.into_iter().map(Effect::Frame));
        self.effects.extend(message.map(|frame| Effect::Report(Report::Frame(frame))));
        self.effects.extend(job.map(|job| Effect::Source { transfer, job }));
    }

    /// The outcome of a job for an incoming transfer; an error is for the user.
    pub(super) fn target_done(
        &mut self,
        transfer: u64,
        job: &TargetJob,
        done: Result<TargetDone, String>,
        now: Instant,
    ) {
        let Some(of) = self.receiving.get_mut(&transfer) else { return };
        match (job, done) {
            (TargetJob::Discard, _) => {}
            (TargetJob::Prepare { .. }, Ok(TargetDone::Prepared { path, there })) => {
                let size = of.transfer.offer.size;
                let (frame, have) = of.transfer.prepared(path.clone(), there);
                let next = of.transfer.complete_if_empty();
                self.report(Report::Begun { transfer, path, size, have });
                self.message(frame);
                self.schedule(transfer);
                self.follow(transfer, Ok(next), now);
            }
            (TargetJob::Prepare { .. }, Err(reason)) => {
                of.transfer.not_prepared();
                self.report(Report::NotTaken { transfer, reason });
            }
            (job, done) => {
                let next = of.transfer.done(job, done);
                self.follow(transfer, next, now);
            }
        }
    }

    fn follow(&mut self, transfer: u64, next: Result<ReceivingStep, End>, now: Instant) {
        match next {
            Ok(ReceivingStep::Nothing) => {}
            Ok(ReceivingStep::Job(job)) => self.effects.push_back(Effect::Target { transfer, job }),
            Ok(ReceivingStep::Message(frame)) => self.message(frame),
            Ok(ReceivingStep::Frame(frame)) => self.effects.push_back(Effect::Frame(frame)),
            Ok(ReceivingStep::Whole { path, hash }) => {
                self.last_progress(transfer, now);
                let received = self.receiving.get(&transfer).map(|of| &of.transfer);
                // Not as offered: a folder may have shrunk since, or was never that large.
                let size = received.map_or(0, |of| of.moved);
                self.remove(transfer);
                self.message(MessageFrame::Receipt { transfer, hash });
                self.report(Report::Received { transfer, path, size });
            }
            Err(end) => self.end(transfer, end),
        }
    }

    /// The connection is gone, and with it all transfers; what they have received is kept.
    pub(super) fn lost(&mut self, reason: &str) {
        self.queued.clear();
        let incoming: Vec<_> = self.receiving.keys().copied().collect();
        for transfer in incoming {
            let kept = self.receiving.get(&transfer).and_then(|of| of.transfer.kept());
            self.remove(transfer);
            let kept = kept.map(|kept| kept.words).unwrap_or_default();
            self.fail(transfer, format!("{reason}{kept}"));
        }
        let outgoing: Vec<_> = self.sending.keys().copied().collect();
        for transfer in outgoing {
            let after = self.sending.get(&transfer).map_or("", |of| of.transfer.after_loss());
            self.remove(transfer);
            self.fail(transfer, format!("{reason}; {after}"));
        }
    }

    fn last_progress(&mut self, transfer: u64, now: Instant) {
        let since = now.saturating_duration_since(self.start);
        let moved = if let Some(of) = self.receiving.get_mut(&transfer) {
            of.sampler.finish(since, of.transfer.moved)
        } else if let Some(of) = self.sending.get_mut(&transfer) {
            of.sampler.finish(since, of.transfer.moved)
        } else {
            None
        };
        if let Some(moved) = moved.filter(|moved: &Moved| moved.bytes > 0) {
            self.report(Report::Moved { transfer, moved });
        }
    }

    /// Ends a transfer from here.
    fn end(&mut self, transfer: u64, end: End) {
        let kept = self.receiving.get(&transfer).and_then(|of| of.transfer.kept());
        let End { code, reason, discards } = end;
        if discards {
            self.effects.push_back(Effect::Target { transfer, job: TargetJob::Discard });
        }
        if self.remove(transfer) {
            self.message(MessageFrame::Cancel { transfer, reason: code });
            self.effects.push_back(Effect::ReportFailed { transfer, reason, kept });
        }
    }

    /// Whether the transfer was there.
    fn remove(&mut self, transfer: u64) -> bool {
        let was_sent = self.sending.remove(&transfer).is_some();
        let was_received = self.receiving.remove(&transfer).is_some();
        if was_sent || was_received {
            self.effects.push_back(Effect::Close { transfer });
        }
        was_sent || was_received
    }

    fn fail_unnumbered(&mut self, key: u64, reason: String) {
        let (transfer, unnumbered, refused) = (key, true, false);
        self.report(Report::Failed { transfer, unnumbered, refused, reason });
    }

    fn fail(&mut self, transfer: u64, reason: String) {
        let (unnumbered, refused) = (false, false);
        self.report(Report::Failed { transfer, unnumbered, refused, reason });
    }

    fn message(&mut self, frame: MessageFrame) {
        self.report(Report::Frame(frame));
    }

    fn report(&mut self, report: Report) {
        self.effects.push_back(Effect::Report(report));
    }
}
