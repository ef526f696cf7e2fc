//! One outgoing transfer: from its offer to its receipt.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt as _;

use super::digest::{FolderDigest, finish};
use super::manifest::{Entry, FOLDER, Manifest, modified};
use super::messages::{End, Hash};
use super::output::{MOST_DATA, Output};
use super::pipe::{PipeReader, PipeStep};
use crate::protocol::v2::{
    CancelReason, Digest, EntryPath, FileFrame, MessageFrame, OfferKind, UnixMillis,
};

/// Bytes hashed in one go before other transfers have their turn.
pub(super) const HASH_STEP: u64 = 4 * 1024 * 1024;

/// A file or folder on its way to the other side.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) transfer: u64,
    pub(super) manifest: Manifest,
    state: State,
    next: usize,
    haves: HashMap<EntryPath, (u64, UnixMillis, Digest)>,
    /// HAVE that came before TAKE.
    had: u64,
    folder: FolderDigest,
    last: Option<Hash>,
    /// Bytes that the other side has or that are on their way to it.
    pub(super) moved: u64,
}

#[derive(Debug)]
enum State {
    Offered,
    /// Both sides hash what the other side has already.
    Proving {
        current: Box<Current>,
        have: u64,
        own: Option<Digest>,
        theirs: Option<Digest>,
    },
    /// So many HAVE are still to come.
    AwaitHaves(u64),
    /// What the other side has whole is compared with the file here, whose hash it has to have.
    Comparing(Box<Current>, Digest),
    /// The next entry is due.
    Between,
    /// ENTRY is due.
    Begun(Box<Current>),
    /// DATA or END is due.
    Moving(Box<Current>),
    /// DATA or END of a pipe is due, once there is something to read.
    Piping(Box<PipeReader>, Entry),
    AwaitReceipt(Hash),
}

/// The file that is being sent.
#[derive(Debug)]
struct Current {
    entry: Entry,
    file: File,
    hasher: blake3::Hasher,
    position: u64,
}

impl Sending {
    pub(super) fn new(transfer: u64, manifest: Manifest) -> Self {
        Self {
            transfer,
            manifest,
            state: State::Offered,
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
        matches!(self.state, State::Offered)
    }

    /// TAKE.
    pub(super) fn taken(&mut self, have: u64) -> Result<(), End> {
        if !self.is_offered() {
            return Ok(());
        }
        self.state = match self.manifest.kind {
            OfferKind::Folder if have > self.had => State::AwaitHaves(have - self.had),
            OfferKind::File if have > 0 && self.manifest.size.is_some_and(|size| have <= size) => {
                let entry = self.manifest.entries.first().cloned();
                self.next = 1;
                let current = entry.map(|entry| self.open(entry)).transpose()?;
                current.map_or(State::Between, |current| State::Proving {
                    current: Box::new(current),
                    have,
                    own: None,
                    theirs: None,
                })
            }
            _ => State::Between,
        };
        Ok(())
    }

    /// PROOF of the other side.
    pub(super) fn proved(&mut self, have: u64, hash: Digest) {
        if let State::Proving { have: ours, theirs, .. } = &mut self.state
            && *ours == have
        {
            *theirs = Some(hash);
        }
        self.agree();
    }

    /// HAVE, which may come before TAKE: that takes another connection.
    pub(super) fn has(&mut self, path: EntryPath, size: u64, modified: UnixMillis, hash: Digest) {
        match &mut self.state {
            State::Offered => self.had += 1,
            State::AwaitHaves(left) if *left > 1 => *left -= 1,
            State::AwaitHaves(_) => self.state = State::Between,
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
        if matches!(self.state, State::Between) && self.next >= self.manifest.entries.len() {
            self.state = State::AwaitReceipt(self.whole());
        }
        matches!(self.state, State::AwaitReceipt(expected) if expected == hash)
    }

    /// Whether something can be done without the other side.
    pub(super) fn has_work(&self) -> bool {
        match &self.state {
            State::Proving { own, .. } => own.is_none(),
            State::Comparing(..) | State::Between | State::Begun(_) | State::Moving(_) => true,
            State::Piping(pipe, _) => pipe.is_ready(),
            State::Offered | State::AwaitHaves(_) | State::AwaitReceipt(_) => false,
        }
    }

    /// The pipe that is waited for.
    pub(super) fn dry_pipe(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Piping(pipe, _) if !pipe.is_ready() => Some(pipe.input()),
            _ => None,
        }
    }

    /// Looks whether there is something to read in the pipe that is waited for.
    pub(super) fn look_at_pipe(&mut self) {
        if let State::Piping(pipe, _) = &mut self.state {
            pipe.look();
        }
    }

    /// What a loss means for what is sent, to end a sentence with.
    pub(super) fn after_loss(&self) -> &'static str {
        match self.manifest.size {
            Some(_) => "send it again to resume it",
            None => "a pipe cannot be resumed: send it again from its beginning",
        }
    }

    /// Does the next piece of work: appends frames for the file connection to `out`, with at most
    /// `most` bytes of a file, or returns one for the message connection, or neither.
    pub(super) fn work(
        &mut self,
        most: usize,
        out: &mut Output,
    ) -> Result<Option<MessageFrame>, End> {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Proving { mut current, have, own: None, theirs } => {
                let until = current.position.saturating_add(HASH_STEP).min(have);
                self.state = match current.hash_until(until) {
                    Ok(()) => State::Proving { current, have, own: None, theirs },
                    Err(reason) => return Err(End::new(CancelReason::CannotRead, reason)),
                };
                return Ok(self.proof());
            }
            State::Comparing(current, theirs) => self.compare(current, theirs, out)?,
            State::Between => self.begin_next(out)?,
            State::Begun(current) => {
                let (transfer, offset) = (self.transfer, current.position);
                out.push(&entry_frame(transfer, &current.entry, offset));
                self.moved = self.moved.saturating_add(offset);
                self.state = State::Moving(current);
            }
            State::Moving(current) => self.go_on(current, most, out)?,
            State::Piping(pipe, entry) => self.read_pipe(pipe, entry, out)?,
            waiting => self.state = waiting,
        }
        Ok(None)
    }

    /// PROOF, once all of what the other side has is hashed.
    fn proof(&mut self) -> Option<MessageFrame> {
        let State::Proving { current, have, own, .. } = &mut self.state else { return None };
        if current.position < *have {
            return None;
        }
        let (hash, have) = (finish(&current.hasher), *have);
        *own = Some(hash);
        self.agree();
        Some(MessageFrame::Proof { transfer: self.transfer, have, hash })
    }

    /// Begins behind what the other side has, or at the first byte, once both proofs are there.
    fn agree(&mut self) {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Proving { mut current, own: Some(own), theirs: Some(theirs), .. } => {
                if own != theirs {
                    (current.position, current.hasher) = (0, blake3::Hasher::new());
                }
                self.state = State::Begun(current);
            }
            other => self.state = other,
        }
    }

    fn begin_next(&mut self, out: &mut Output) -> Result<(), End> {
        let Some(entry) = self.manifest.entries.get(self.next).cloned() else {
            self.state = State::AwaitReceipt(self.whole());
            return Ok(());
        };
        self.next += 1;
        if let Some(pipe) = self.manifest.pipe.take() {
            out.push(&entry_frame(self.transfer, &entry, 0));
            self.state = State::Piping(Box::new(PipeReader::new(pipe)), entry);
            return Ok(());
        }
        let whole = self.haves.get(&entry.path).copied();
        let whole =
            whole.filter(|(size, modified, _)| (*size, *modified) == (entry.size, entry.modified));
        if let Some((_, _, theirs)) = whole {
            self.state = State::Comparing(Box::new(self.open(entry)?), theirs);
        } else if entry.flags & FOLDER != 0 {
            out.push(&entry_frame(self.transfer, &entry, 0));
            self.end(&entry, finish(&blake3::Hasher::new()), out);
        } else {
            self.state = State::Begun(Box::new(self.open(entry)?));
        }
        Ok(())
    }

    /// Hashes on, and skips the entry if the other side has the same bytes.
    fn compare(
        &mut self,
        mut current: Box<Current>,
        theirs: Digest,
        out: &mut Output,
    ) -> Result<(), End> {
        let size = current.entry.size;
        let until = current.position.saturating_add(HASH_STEP).min(size);
        current.hash_until(until).map_err(|reason| End::new(CancelReason::CannotRead, reason))?;
        if until < size {
            self.state = State::Comparing(current, theirs);
        } else if finish(&current.hasher) == theirs {
            out.push(&entry_frame(self.transfer, &current.entry, size));
            self.moved = self.moved.saturating_add(size);
            self.end(&current.entry, theirs, out);
        } else {
            (current.position, current.hasher) = (0, blake3::Hasher::new());
            self.state = State::Begun(current);
        }
        Ok(())
    }

    /// The hash over all of it.
    fn whole(&mut self) -> Hash {
        match self.manifest.kind {
            OfferKind::Folder => self.folder.finish(),
            _ => self.last.unwrap_or_else(|| finish(&blake3::Hasher::new())),
        }
    }

    fn open(&mut self, entry: Entry) -> Result<Current, End> {
        let cannot = |reason| End::new(CancelReason::CannotRead, reason);
        let file = self.manifest.open(&entry).map_err(cannot)?;
        let status = file.metadata().map_err(|error| cannot(error.to_string()))?;
        if (status.len(), modified(&status)) != (entry.size, entry.modified) {
            return Err(self.changed(&entry));
        }
        Ok(Current { entry, file, hasher: blake3::Hasher::new(), position: 0 })
    }

    fn changed(&self, entry: &Entry) -> End {
        let path = match self.manifest.kind {
            OfferKind::Folder => self.manifest.root.join(entry.path.as_str()),
            _ => self.manifest.root.clone(),
        };
        let reason = format!("{} was changed meanwhile; send it again", path.display());
        End::new(CancelReason::FileChanged, reason)
    }

    /// DATA, or END behind the last of it.
    fn go_on(
        &mut self,
        mut current: Box<Current>,
        most: usize,
        out: &mut Output,
    ) -> Result<(), End> {
        let left = current.entry.size.saturating_sub(current.position);
        if left > 0 {
            let run = usize::try_from(left).unwrap_or(MOST_DATA).min(most);
            match current.read_run(self.transfer, run, out) {
                Ok(true) => {}
                Ok(false) => return Err(self.changed(&current.entry)),
                Err(reason) => return Err(End::new(CancelReason::CannotRead, reason)),
            }
            self.moved = self.moved.saturating_add(u64::try_from(run).unwrap_or(0));
            self.state = State::Moving(current);
            return Ok(());
        }
        let status = current.file.metadata();
        let now = status.map(|status| (status.len(), modified(&status)));
        if !now.is_ok_and(|now| now == (current.entry.size, current.entry.modified)) {
            return Err(self.changed(&current.entry));
        }
        self.end(&current.entry, finish(&current.hasher), out);
        Ok(())
    }

    fn read_pipe(
        &mut self,
        mut pipe: Box<PipeReader>,
        entry: Entry,
        out: &mut Output,
    ) -> Result<(), End> {
        let step = pipe.step(self.transfer, out).map_err(|error| {
            let reason = format!("cannot read {}: {error}", self.manifest.root.display());
            End::new(CancelReason::CannotRead, reason)
        })?;
        match step {
            PipeStep::Ended(hash) => {
                self.end(&entry, hash, out);
                return Ok(());
            }
            PipeStep::Data(count) => self.moved = self.moved.saturating_add(count),
            PipeStep::Dry => {}
        }
        self.state = State::Piping(pipe, entry);
        Ok(())
    }

    fn end(&mut self, entry: &Entry, hash: Digest, out: &mut Output) {
        out.push(&FileFrame::End { transfer: self.transfer, hash });
        if self.manifest.kind == OfferKind::Folder {
            self.folder.add(entry.path.as_str(), entry.size, hash);
        }
        self.last = Some(hash);
        self.state = State::Between;
    }
}

impl Current {
    /// Hashes on to this position; an error for the user.
    fn hash_until(&mut self, end: u64) -> Result<(), String> {
        let mut buffer = vec![0; 256 * 1024];
        while self.position < end {
            let most = usize::try_from(end - self.position).unwrap_or(usize::MAX);
            let most = most.min(buffer.len());
            let room = buffer.get_mut(..most).unwrap_or_default();
            let read = self.file.read_at(room, self.position).map_err(|error| error.to_string())?;
            if read == 0 {
                return Err("the file became shorter".into());
            }
            self.hasher.update(room.get(..read).unwrap_or_default());
            self.position += u64::try_from(read).unwrap_or(0);
        }
        Ok(())
    }

    /// Appends DATA with the next `run` bytes; false when the file does not have them any more.
    fn read_run(&mut self, transfer: u64, run: usize, out: &mut Output) -> Result<bool, String> {
        let read = out.push_data(transfer, run, |room| {
            self.file.read_exact_at(room, self.position)?;
            self.hasher.update(room);
            Ok::<_, std::io::Error>(())
        });
        match read {
            Ok(()) => {
                self.position += u64::try_from(run).unwrap_or(0);
                Ok(true)
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn entry_frame(transfer: u64, entry: &Entry, offset: u64) -> FileFrame {
    FileFrame::Entry {
        transfer,
        path: entry.path.clone(),
        size: entry.size,
        modified: entry.modified,
        flags: entry.flags,
        offset,
    }
}
