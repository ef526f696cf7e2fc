//! One outgoing transfer: from its offer to its receipt. Decides; `source_files` reads.

use std::collections::HashMap;

use super::effect::{SourceDone, SourceError, SourceJob};
use super::manifest::{Entry, FOLDER, Manifest};
use crate::exchange::digest::{FolderDigest, finish};
use crate::exchange::messages::End;
use crate::protocol::v2::{
    CancelReason, Digest, EntryPath, FileFrame, MessageFrame, OfferKind, UnixMillis,
};

/// Bytes hashed in one go before other transfers get their turn.
pub(super) const HASH_STEP: u64 = 4 * 1024 * 1024;

/// A file or folder on its way to the other side.
#[derive(Debug)]
pub(super) struct Sending {
    transfer: u64,
    pub(super) manifest: Manifest,
    state: SendingState,
    next: usize,
    haves: HashMap<EntryPath, (u64, UnixMillis, Digest)>,
    /// HAVE received before TAKE.
    had: u64,
    folder: FolderDigest,
    last: Option<Digest>,
    /// Bytes that the other side has or that are on their way to it.
    pub(super) moved: u64,
}

#[derive(Debug)]
enum SendingState {
    Offered,
    /// Both sides hash what the other side has already.
    Proving(Box<Proof>),
    /// This many HAVE are still to come.
    AwaitHaves(u64),
    /// The next entry is due.
    Between,
    /// An entry is being opened; with the hash that the other side has of it, it may be skipped.
    Opening(Box<Entry>, Option<Digest>),
    /// A file that the other side has whole is compared with the local one, whose hash it must
    /// have.
    Comparing {
        entry: Box<Entry>,
        position: u64,
        theirs: Digest,
    },
    /// ENTRY is due.
    Begun(Box<Entry>, u64),
    /// DATA or END is due.
    Moving(Box<Entry>, u64),
    /// DATA or END of a pipe is due, once there is something to read.
    Piping {
        entry: Box<Entry>,
        ready: bool,
    },
    AwaitReceipt(Digest),
}

#[derive(Debug)]
struct Proof {
    entry: Entry,
    is_open: bool,
    position: u64,
    have: u64,
    own: Option<Digest>,
    theirs: Option<Digest>,
}

/// The outcome of a step, in this order.
#[derive(Debug, Default)]
pub(super) struct SendingStep {
    /// On the file connection.
    pub(super) frames: Vec<FileFrame>,
    pub(super) message: Option<MessageFrame>,
    pub(super) job: Option<SourceJob>,
}

impl Sending {
    pub(super) fn new(transfer: u64, manifest: Manifest) -> Self {
        Self {
            transfer,
            manifest,
            state: SendingState::Offered,
            next: 0,
            haves: HashMap::new(),
            had: 0,
            folder: FolderDigest::default(),
            last: None,
            moved: 0,
        }
    }

    /// OFFER.
    pub(super) fn offer(&self) -> MessageFrame {
        MessageFrame::Offer {
            transfer: self.transfer,
            kind: self.manifest.kind,
            name: self.manifest.name.clone(),
            size: self.manifest.size.map_or(-1, |size| i64::try_from(size).unwrap_or(i64::MAX)),
            files: u32::try_from(self.manifest.entries.len()).unwrap_or(u32::MAX),
            modified: self.manifest.modified,
        }
    }

    pub(super) fn is_offered(&self) -> bool {
        matches!(self.state, SendingState::Offered)
    }

    /// TAKE.
    pub(super) fn taken(&mut self, have: u64) {
        if !self.is_offered() {
            return;
        }
        self.state = match self.manifest.kind {
            OfferKind::Folder if have > self.had => SendingState::AwaitHaves(have - self.had),
            OfferKind::File if have > 0 && self.manifest.size.is_some_and(|size| have <= size) => {
                let entry = self.manifest.entries.first().cloned();
                self.next = 1;
                entry.map_or(SendingState::Between, |entry| {
                    let (is_open, position, own, theirs) = (false, 0, None, None);
                    SendingState::Proving(Box::new(Proof {
                        entry,
                        is_open,
                        position,
                        have,
                        own,
                        theirs,
                    }))
                })
            }
            _ => SendingState::Between,
        };
    }

    /// PROOF of the other side.
    pub(super) fn proved(&mut self, have: u64, hash: Digest) {
        if let SendingState::Proving(proof) = &mut self.state
            && proof.have == have
        {
            proof.theirs = Some(hash);
        }
        self.agree();
    }

    /// HAVE, which may arrive before TAKE, on another connection.
    pub(super) fn has(&mut self, path: EntryPath, size: u64, modified: UnixMillis, hash: Digest) {
        match &mut self.state {
            SendingState::Offered => self.had += 1,
            SendingState::AwaitHaves(left) if *left > 1 => *left -= 1,
            SendingState::AwaitHaves(_) => self.state = SendingState::Between,
            _ => return,
        }
        // More than there are entries are of no use.
        if self.haves.len() < self.manifest.entries.len() {
            self.haves.insert(path, (size, modified, hash));
        }
    }

    /// Whether RECEIPT with this hash is the right one.
    pub(super) fn is_receipt(&mut self, hash: Digest) -> bool {
        // The last entry has ended, and it may not have been this side's turn since.
        if matches!(self.state, SendingState::Between) && self.next >= self.manifest.entries.len() {
            self.state = SendingState::AwaitReceipt(self.whole());
        }
        matches!(self.state, SendingState::AwaitReceipt(expected) if expected == hash)
    }

    /// There is something to read in the pipe.
    pub(super) fn pipe_ready(&mut self) {
        if let SendingState::Piping { ready, .. } = &mut self.state {
            *ready = true;
        }
    }

    /// Whether something can be done without the other side.
    pub(super) fn has_work(&self) -> bool {
        match &self.state {
            SendingState::Proving(proof) => proof.own.is_none(),
            SendingState::Comparing { .. }
            | SendingState::Between
            | SendingState::Begun(..)
            | SendingState::Moving(..) => true,
            SendingState::Piping { ready, .. } => *ready,
            SendingState::Offered
            | SendingState::AwaitHaves(_)
            | SendingState::Opening(..)
            | SendingState::AwaitReceipt(_) => false,
        }
    }

    /// What a loss means for the transfer, to end a sentence with.
    pub(super) fn after_loss(&self) -> &'static str {
        match self.manifest.size {
            Some(_) => "send it again to resume it",
            None => "a pipe cannot be resumed: send it again from its beginning",
        }
    }

    /// The next piece of work, with at most `most` bytes of a file.
    pub(super) fn work(&mut self, most: usize) -> SendingStep {
        let job = match std::mem::replace(&mut self.state, SendingState::Between) {
            SendingState::Between => return self.begin_next(),
            SendingState::Begun(entry, offset) => {
                let frames = vec![self.entry_frame(&entry, offset)];
                self.moved = self.moved.saturating_add(offset);
                self.state = SendingState::Moving(entry, offset);
                return SendingStep { frames, ..SendingStep::default() };
            }
            SendingState::Proving(proof) if proof.own.is_none() => {
                let job = if proof.is_open {
                    let until = proof.position.saturating_add(HASH_STEP).min(proof.have);
                    SourceJob::Hash { from: proof.position, until }
                } else {
                    SourceJob::Open(proof.entry.clone())
                };
                self.state = SendingState::Proving(proof);
                job
            }
            SendingState::Comparing { entry, position, theirs } => {
                let until = position.saturating_add(HASH_STEP).min(entry.size);
                self.state = SendingState::Comparing { entry, position, theirs };
                SourceJob::Hash { from: position, until }
            }
            SendingState::Moving(entry, position) => {
                let left = entry.size.saturating_sub(position);
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(most);
                self.state = SendingState::Moving(entry, position);
                if left > 0 { SourceJob::Read { from: position, count } } else { SourceJob::Check }
            }
            SendingState::Piping { entry, ready } => {
                self.state = SendingState::Piping { entry, ready };
                SourceJob::ReadPipe
            }
            waiting => {
                self.state = waiting;
                return SendingStep::default();
            }
        };
        SendingStep { job: Some(job), ..SendingStep::default() }
    }

    /// The outcome of the last job.
    pub(super) fn done(
        &mut self,
        job: &SourceJob,
        done: Result<SourceDone, SourceError>,
    ) -> Result<SendingStep, End> {
        let done = done.map_err(|error| self.failed(error))?;
        let mut follows = SendingStep::default();
        match (std::mem::replace(&mut self.state, SendingState::Between), job, done) {
            (SendingState::Proving(mut proof), _, SourceDone::Opened) => {
                proof.is_open = true;
                self.state = SendingState::Proving(proof);
            }
            (
                SendingState::Proving(mut proof),
                SourceJob::Hash { until, .. },
                SourceDone::Hashed(hash),
            ) => {
                proof.position = *until;
                if proof.position >= proof.have {
                    proof.own = Some(hash);
                    let (transfer, have) = (self.transfer, proof.have);
                    follows.message = Some(MessageFrame::Proof { transfer, have, hash });
                }
                self.state = SendingState::Proving(proof);
                self.agree();
            }
            (SendingState::Opening(entry, None), _, SourceDone::Opened) => {
                self.state = SendingState::Begun(entry, 0);
            }
            (SendingState::Opening(entry, Some(theirs)), _, SourceDone::Opened) => {
                self.state = SendingState::Comparing { entry, position: 0, theirs };
            }
            (
                SendingState::Comparing { entry, theirs, .. },
                SourceJob::Hash { until, .. },
                SourceDone::Hashed(hash),
            ) => {
                if *until < entry.size {
                    self.state = SendingState::Comparing { entry, position: *until, theirs };
                } else if hash == theirs {
                    follows.frames.push(self.entry_frame(&entry, entry.size));
                    self.moved = self.moved.saturating_add(entry.size);
                    follows.frames.push(self.end(&entry, theirs));
                } else {
                    self.state = SendingState::Begun(entry, 0);
                }
            }
            (
                SendingState::Moving(entry, position),
                SourceJob::Read { count, .. },
                SourceDone::Read,
            ) => {
                let count = u64::try_from(*count).unwrap_or(0);
                self.moved = self.moved.saturating_add(count);
                self.state = SendingState::Moving(entry, position.saturating_add(count));
            }
            (SendingState::Moving(entry, _), _, SourceDone::Unchanged(hash))
            | (SendingState::Piping { entry, .. }, _, SourceDone::PipeEnded(hash)) => {
                follows.frames.push(self.end(&entry, hash));
            }
            (SendingState::Piping { entry, ready }, _, SourceDone::PipeRead(count)) => {
                self.moved = self.moved.saturating_add(count);
                self.state = SendingState::Piping { entry, ready };
            }
            (SendingState::Piping { entry, .. }, _, SourceDone::PipeDry { ready }) => {
                self.state = SendingState::Piping { entry, ready };
            }
            (state, ..) => self.state = state,
        }
        Ok(follows)
    }

    /// Begins after what the other side has, or at the first byte, once both proofs are known.
    fn agree(&mut self) {
        if let SendingState::Proving(proof) = &self.state
            && let (Some(own), Some(theirs)) = (proof.own, proof.theirs)
        {
            let offset = if own == theirs { proof.have } else { 0 };
            self.state = SendingState::Begun(Box::new(proof.entry.clone()), offset);
        }
    }

    fn begin_next(&mut self) -> SendingStep {
        let mut follows = SendingStep::default();
        let Some(entry) = self.manifest.entries.get(self.next).cloned() else {
            self.state = SendingState::AwaitReceipt(self.whole());
            return follows;
        };
        self.next += 1;
        if self.manifest.size.is_none() {
            follows.frames.push(self.entry_frame(&entry, 0));
            self.state = SendingState::Piping { entry: Box::new(entry), ready: true };
            return follows;
        }
        if entry.flags & FOLDER != 0 {
            follows.frames.push(self.entry_frame(&entry, 0));
            follows.frames.push(self.end(&entry, finish(&blake3::Hasher::new())));
            return follows;
        }
        let theirs = self.haves.get(&entry.path).copied();
        let theirs =
            theirs.filter(|(size, modified, _)| (*size, *modified) == (entry.size, entry.modified));
        follows.job = Some(SourceJob::Open(entry.clone()));
        self.state = SendingState::Opening(Box::new(entry), theirs.map(|(.., hash)| hash));
        follows
    }

    /// The hash over all of it.
    fn whole(&mut self) -> Digest {
        match self.manifest.kind {
            OfferKind::Folder => self.folder.finish(),
            _ => self.last.unwrap_or_else(|| finish(&blake3::Hasher::new())),
        }
    }

    fn failed(&self, error: SourceError) -> End {
        match error {
            SourceError::Unreadable(reason) => End::new(CancelReason::CannotRead, reason),
            SourceError::Changed => {
                let entry = match &self.state {
                    SendingState::Proving(proof) => Some(&proof.entry),
                    SendingState::Opening(entry, _)
                    | SendingState::Comparing { entry, .. }
                    | SendingState::Begun(entry, _)
                    | SendingState::Moving(entry, _)
                    | SendingState::Piping { entry, .. } => Some(&**entry),
                    _ => None,
                };
                let root = self.manifest.root.clone();
                let path = entry.map_or(root, |entry| self.manifest.path_of(entry));
                let reason = format!("{} was changed meanwhile; send it again", path.display());
                End::new(CancelReason::FileChanged, reason)
            }
        }
    }

    /// END of an entry.
    fn end(&mut self, entry: &Entry, hash: Digest) -> FileFrame {
        if self.manifest.kind == OfferKind::Folder {
            self.folder.add(entry.path.as_str(), entry.size, hash);
        }
        self.last = Some(hash);
        self.state = SendingState::Between;
        FileFrame::End { transfer: self.transfer, hash }
    }

    fn entry_frame(&self, entry: &Entry, offset: u64) -> FileFrame {
        FileFrame::Entry {
            transfer: self.transfer,
            path: entry.path.clone(),
            size: entry.size,
            modified: entry.modified,
            flags: entry.flags,
            offset,
        }
    }
}
