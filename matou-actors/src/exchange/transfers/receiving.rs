//! One incoming transfer: from its offer to its receipt. Decides; `target_files` writes.

use std::collections::HashMap;
use std::path::PathBuf;

use super::effect::{Kept, PresentFile, TargetDone, TargetJob, There};
use super::manifest::{EXECUTABLE, FOLDER};
use super::sending::HASH_STEP;
use crate::exchange::digest::{FolderDigest, finish};
use crate::exchange::messages::{End, Offer};
use crate::protocol::v2::{
    CancelReason, Digest, EntryPath, FileFrame, MessageFrame, OfferKind, UnixMillis,
};

/// Bytes that are present already count in whole pages of this size.
const PAGE: u64 = 4096;

/// A file or folder on its way to this side.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) offer: Offer,
    state: ReceivingState,
    /// Where it grows, once it was taken.
    path: Option<PathBuf>,
    entries: u32,
    /// Bytes of all entries that have begun.
    begun: u64,
    /// The files of a folder that are here from an earlier attempt, as HAVE described them.
    listed: HashMap<EntryPath, (u64, Digest)>,
    digest: FolderDigest,
    /// Bytes that are here.
    pub(super) moved: u64,
}

#[derive(Debug)]
enum ReceivingState {
    Offered,
    /// The user takes it.
    Preparing,
    /// The part of a file is being hashed.
    Proving {
        position: u64,
        have: u64,
    },
    /// The part of a folder is being hashed, file by file, the current one up to a position.
    Listing {
        left: Vec<PresentFile>,
        current: Option<(PresentFile, u64)>,
    },
    /// ENTRY is awaited; a file may resume after this many bytes, which both sides have hashed.
    Between {
        proved: Option<u64>,
    },
    /// The place of an entry is being made.
    Beginning(Box<Growing>),
    /// DATA or END is awaited.
    Growing(Box<Growing>),
    /// The last bytes of an entry are being written; it must have this hash.
    Flushing(Box<Growing>, Digest),
    /// An entry, which has this hash, gets its place.
    Placing(Digest),
    /// All of it, which has this hash, gets its name.
    Completing(Digest),
}

/// An entry that has begun.
#[derive(Debug)]
struct Growing {
    path: EntryPath,
    /// Of a pipe it is not known.
    size: Option<u64>,
    modified: UnixMillis,
    flags: i32,
    position: u64,
    takes_data: bool,
    /// The sender skips it: it is already present, with this hash.
    skipped: Option<Digest>,
}

/// The fields of ENTRY.
#[derive(Debug)]
pub(super) struct EntryStart {
    pub(super) path: EntryPath,
    pub(super) size: u64,
    pub(super) modified: UnixMillis,
    pub(super) flags: i32,
    pub(super) offset: u64,
}

/// The outcome of a step.
#[derive(Debug)]
pub(super) enum ReceivingStep {
    Nothing,
    Job(TargetJob),
    /// PROOF.
    Message(MessageFrame),
    /// HAVE.
    Frame(FileFrame),
    /// All of it is on disk, at this path.
    Whole {
        path: PathBuf,
        hash: Digest,
    },
}

/// How many present bytes of a file of that size are kept and resumed after.
pub(in crate::exchange) fn resumable(there: u64, size: Option<u64>) -> u64 {
    let there = there.min(size.unwrap_or(0));
    there - there % PAGE
}

impl Receiving {
    pub(super) fn new(offer: Offer) -> Self {
        Self {
            offer,
            state: ReceivingState::Offered,
            path: None,
            entries: 0,
            begun: 0,
            listed: HashMap::new(),
            digest: FolderDigest::default(),
            moved: 0,
        }
    }

    pub(super) fn is_offered(&self) -> bool {
        matches!(self.state, ReceivingState::Offered)
    }

    /// Where its part remains.
    pub(super) fn kept(&self) -> Option<Kept> {
        let path = self.path.clone()?;
        let shown = path.display();
        let words = match self.offer.size {
            Some(_) => format!("; {shown} resumes when it is offered again"),
            None => format!("; {shown} keeps what was received, and cannot be resumed"),
        };
        Some(Kept { path, words })
    }

    /// The user takes it, into this folder or the downloads folder.
    pub(super) fn take(&mut self, folder: Option<PathBuf>) -> TargetJob {
        self.state = ReceivingState::Preparing;
        TargetJob::Prepare { offer: self.offer.clone(), folder }
    }

    /// It has no place: it is still offered.
    pub(super) fn not_prepared(&mut self) {
        self.state = ReceivingState::Offered;
    }

    /// It has a place: TAKE, with how many bytes are already present.
    pub(super) fn prepared(&mut self, path: PathBuf, there: There) -> (MessageFrame, u64) {
        self.path = Some(path);
        let (have, bytes);
        (self.state, have, bytes) = match there {
            There::Files(left) => {
                let have = u64::try_from(left.len()).unwrap_or(u64::MAX);
                (ReceivingState::Listing { left, current: None }, have, 0)
            }
            There::Bytes(0) => (ReceivingState::Between { proved: None }, 0, 0),
            There::Bytes(have) => (ReceivingState::Proving { position: 0, have }, have, have),
        };
        (MessageFrame::Take { transfer: self.offer.transfer, have }, bytes)
    }

    /// A folder without entries is whole at once.
    pub(super) fn complete_if_empty(&mut self) -> ReceivingStep {
        if self.offer.entries > 0 || self.offer.kind != OfferKind::Folder {
            return ReceivingStep::Nothing;
        }
        self.complete(finish(&blake3::Hasher::new()))
    }

    /// Whether something can be done without the other side.
    pub(super) fn has_work(&self) -> bool {
        matches!(self.state, ReceivingState::Proving { .. } | ReceivingState::Listing { .. })
    }

    /// The next piece of work.
    pub(super) fn work(&mut self) -> ReceivingStep {
        match &mut self.state {
            ReceivingState::Proving { position, have } => {
                let until = position.saturating_add(HASH_STEP).min(*have);
                ReceivingStep::Job(TargetJob::HashPart { from: *position, until })
            }
            ReceivingState::Listing { left, current } => {
                if current.is_none() {
                    *current = left.pop().map(|present| (present, 0));
                }
                let Some((present, position)) = current else {
                    self.state = ReceivingState::Between { proved: None };
                    return ReceivingStep::Nothing;
                };
                let until = position.saturating_add(HASH_STEP).min(present.size);
                let path = present.path.clone();
                ReceivingStep::Job(TargetJob::HashPresent { path, from: *position, until })
            }
            _ => ReceivingStep::Nothing,
        }
    }

    /// ENTRY.
    pub(super) fn begin(&mut self, entry: EntryStart) -> Result<ReceivingStep, End> {
        let EntryStart { path, size, modified, flags, offset } = entry;
        // Entries may arrive while the list of present files is still being sent; not those of a
        // file.
        let proved = match &self.state {
            ReceivingState::Between { proved } => *proved,
            ReceivingState::Listing { .. } | ReceivingState::Proving { .. } => None,
            _ => return Err(lie("an entry begins inside another one")),
        };
        if self.entries >= self.offer.entries.max(1) {
            return Err(lie("more entries than offered"));
        }
        let is_folder = self.offer.kind == OfferKind::Folder;
        if !is_folder && size != self.offer.size.unwrap_or(0) {
            return Err(lie("the size of the file differs from the offer"));
        }
        self.begun = self.begun.saturating_add(size);
        if self.offer.size.is_some_and(|offered| self.begun > offered) {
            return Err(lie("the entries are larger than the offer"));
        }
        let (mut takes_data, mut skipped) = (false, None);
        let job = if is_folder && flags & FOLDER != 0 {
            TargetJob::MakeFolder { path: path.clone(), modified }
        } else if is_folder && offset > 0 {
            let listed = self.listed.get(&path).filter(|(listed, _)| *listed == size);
            let Some((_, hash)) = listed.filter(|_| offset == size) else {
                return Err(lie("it skips a file that is not there"));
            };
            skipped = Some(*hash);
            TargetJob::Keep { path: path.clone() }
        } else {
            if !is_folder && offset > 0 && proved != Some(offset) {
                return Err(lie("an entry begins at an offset that was not agreed"));
            }
            takes_data = true;
            TargetJob::Grow { offset }
        };
        let position = if takes_data || skipped.is_some() { offset } else { 0 };
        self.moved = self.moved.saturating_add(position);
        let size = self.offer.size.map(|_| size);
        let growing = Growing { path, size, modified, flags, position, takes_data, skipped };
        self.state = ReceivingState::Beginning(Box::new(growing));
        Ok(ReceivingStep::Job(job))
    }

    /// Whether this many bytes of DATA are expected now.
    pub(super) fn check_data(&self, count: usize) -> Result<(), End> {
        let ReceivingState::Growing(growing) = &self.state else {
            return Err(lie("data without an entry"));
        };
        let left = growing.size.unwrap_or(u64::MAX).saturating_sub(growing.position);
        let fits = u64::try_from(count).is_ok_and(|count| count <= left);
        if !growing.takes_data || !fits {
            return Err(lie("more data than the entry has"));
        }
        Ok(())
    }

    /// This many bytes of expected DATA were received; returns how many are still to come.
    pub(super) fn filled(&mut self, count: usize) -> u64 {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if let ReceivingState::Growing(growing) = &mut self.state {
            growing.position = growing.position.saturating_add(count);
            self.moved = self.moved.saturating_add(count);
        }
        self.offer.size.unwrap_or(0).saturating_sub(self.moved)
    }

    /// END.
    pub(super) fn end(&mut self, hash: Digest) -> Result<ReceivingStep, End> {
        match std::mem::replace(&mut self.state, ReceivingState::Preparing) {
            ReceivingState::Growing(growing) if growing.takes_data => {
                self.state = ReceivingState::Flushing(growing, hash);
                Ok(ReceivingStep::Job(TargetJob::Flush))
            }
            ReceivingState::Growing(growing) => {
                let there = growing.skipped.unwrap_or_else(|| finish(&blake3::Hasher::new()));
                self.entry_received(&growing, there, hash)
            }
            state => {
                self.state = state;
                Err(lie("the end of an entry that did not begin"))
            }
        }
    }

    /// The outcome of the last job, except [`TargetJob::Prepare`].
    pub(super) fn done(
        &mut self,
        job: &TargetJob,
        done: Result<TargetDone, String>,
    ) -> Result<ReceivingStep, End> {
        if let (ReceivingState::Listing { .. }, TargetJob::HashPresent { until, .. }) =
            (&self.state, job)
        {
            return Ok(self.listed(*until, done.ok().as_ref()));
        }
        let done = done.map_err(|reason| End::disk(&reason))?;
        match (std::mem::replace(&mut self.state, ReceivingState::Preparing), job, done) {
            (
                ReceivingState::Proving { have, .. },
                TargetJob::HashPart { until, .. },
                TargetDone::Hashed(hash),
            ) => {
                if *until < have {
                    self.state = ReceivingState::Proving { position: *until, have };
                    return Ok(ReceivingStep::Nothing);
                }
                self.state = ReceivingState::Between { proved: Some(have) };
                let transfer = self.offer.transfer;
                Ok(ReceivingStep::Message(MessageFrame::Proof { transfer, have, hash }))
            }
            (ReceivingState::Beginning(_), _, TargetDone::Kept(false)) => {
                Err(lie("it skips a file that is there under another name"))
            }
            (ReceivingState::Beginning(growing), ..) => {
                self.state = ReceivingState::Growing(growing);
                Ok(ReceivingStep::Nothing)
            }
            (ReceivingState::Flushing(growing, hash), _, TargetDone::Hashed(there)) => {
                self.entry_received(&growing, there, hash)
            }
            (ReceivingState::Placing(hash), ..) => Ok(self.entry_placed(hash)),
            (ReceivingState::Completing(hash), _, TargetDone::Complete(path)) => {
                Ok(ReceivingStep::Whole { path, hash })
            }
            (state, ..) => {
                self.state = state;
                Ok(ReceivingStep::Nothing)
            }
        }
    }

    /// HAVE for a file that is hashed. One that cannot be read is sent again: its HAVE fits nothing.
    fn listed(&mut self, until: u64, done: Option<&TargetDone>) -> ReceivingStep {
        let ReceivingState::Listing { current, .. } = &mut self.state else {
            return ReceivingStep::Nothing;
        };
        let Some((present, position)) = current else { return ReceivingStep::Nothing };
        let hash = match done {
            Some(TargetDone::Hashed(_)) if until < present.size => {
                *position = until;
                return ReceivingStep::Nothing;
            }
            Some(TargetDone::Hashed(hash)) => Some(*hash),
            _ => None,
        };
        let PresentFile { path, size, modified } = present.clone();
        *current = None;
        if let Some(hash) = hash {
            self.listed.insert(path.clone(), (size, hash));
        }
        let modified = if hash.is_some() { modified } else { UnixMillis(i64::MIN) };
        let (transfer, hash) = (self.offer.transfer, hash.unwrap_or(Digest([0; 32])));
        ReceivingStep::Frame(FileFrame::Have { transfer, path, size, modified, hash })
    }

    /// All bytes of an entry are here, and have the hash `there`; they were sent with `hash`.
    fn entry_received(
        &mut self,
        entry: &Growing,
        there: Digest,
        hash: Digest,
    ) -> Result<ReceivingStep, End> {
        let size = entry.size.unwrap_or(entry.position);
        if entry.position != size || there != hash {
            let reason = "what arrived is not what was sent; it was removed";
            return Err(End::new(CancelReason::WrongHash, reason).discarding());
        }
        self.entries += 1;
        let is_folder = self.offer.kind == OfferKind::Folder;
        if is_folder {
            self.digest.add(entry.path.as_str(), size, hash);
        }
        if !entry.takes_data {
            return Ok(self.entry_placed(hash));
        }
        self.state = ReceivingState::Placing(hash);
        let (modified, executable) = (entry.modified, entry.flags & EXECUTABLE != 0);
        let path = entry.path.clone();
        Ok(ReceivingStep::Job(if is_folder {
            TargetJob::Place { path, modified, executable }
        } else {
            TargetJob::Sync { modified, executable }
        }))
    }

    fn entry_placed(&mut self, hash: Digest) -> ReceivingStep {
        if self.entries < self.offer.entries {
            self.state = ReceivingState::Between { proved: None };
            return ReceivingStep::Nothing;
        }
        self.complete(hash)
    }

    fn complete(&mut self, last: Digest) -> ReceivingStep {
        let is_folder = self.offer.kind == OfferKind::Folder;
        self.state =
            ReceivingState::Completing(if is_folder { self.digest.finish() } else { last });
        ReceivingStep::Job(TargetJob::Complete { modified: UnixMillis(self.offer.modified) })
    }
}

fn lie(what: &str) -> End {
    End::new(CancelReason::WrongHash, format!("the other side breaks the protocol: {what}"))
}
