//! One incoming transfer: from its offer to its receipt.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use super::digest::{FolderDigest, finish};
use super::manifest::{EXECUTABLE, FOLDER};
use super::messages::{End, Hash, Offer};
use super::output::Output;
use super::part::{Part, length};
use super::sending::HASH_STEP;
use super::tree::{Present, Tree, set_mode_and_time};
use crate::protocol::v2::{
    CancelReason, Digest, EntryPath, FileFrame, MessageFrame, OfferKind, PublicKey, UnixMillis,
};
use crate::transfer::{DownloadError, Downloads, ReservedSpace};

/// What is there already counts in pages.
const PAGE: u64 = 4096;
/// Bytes of a file that are written and hashed at once.
const RUN: u64 = 256 * 1024;
/// How many bytes are written before the disk is asked what it has left.
const CHECK_EVERY: u64 = 8 * 1024 * 1024;

/// A file or folder on its way to this side.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) offer: Offer,
    state: State,
    entries: u32,
    /// Bytes of all entries that have begun.
    begun: u64,
    /// The files of a folder that are here from an earlier attempt, as HAVE described them.
    listed: HashMap<EntryPath, (u64, Digest)>,
    digest: FolderDigest,
    /// Bytes that are here.
    pub(super) moved: u64,
    checked: u64,
    /// Room for bytes of the next entry.
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Offered,
    /// What is there of a file is being hashed.
    Proving {
        place: Destination,
        hasher: blake3::Hasher,
        position: u64,
        have: u64,
    },
    /// What is there of a folder is being hashed, file by file.
    Listing {
        place: Destination,
        left: Vec<Present>,
        current: Option<(Present, File, blake3::Hasher, u64)>,
    },
    /// ENTRY is awaited; `begun` has the hash of what is there of a file.
    Between {
        place: Destination,
        begun: Option<(blake3::Hasher, u64)>,
    },
    Growing {
        place: Destination,
        growing: Box<Growing>,
    },
}

/// Where it grows.
#[derive(Debug)]
struct Destination {
    part: Part,
    room: ReservedSpace,
    tree: Option<Tree>,
}

/// An entry that has begun.
#[derive(Debug)]
struct Growing {
    path: EntryPath,
    /// Of a pipe it is not known.
    size: Option<u64>,
    modified: UnixMillis,
    flags: i32,
    file: Option<File>,
    hasher: blake3::Hasher,
    position: u64,
    /// The last bytes before `position`, which are not written or hashed yet.
    pending: Vec<u8>,
    pending_count: usize,
    /// The sender skips it: it is there already, with this hash.
    skipped: Option<Digest>,
}

/// What follows from the end of an entry.
#[derive(Debug)]
pub(super) enum Ended {
    /// More entries come.
    More,
    /// All of it is on disk, at this path.
    Whole { path: PathBuf, hash: Hash },
}

impl Receiving {
    pub(super) fn new(offer: Offer) -> Self {
        let digest = FolderDigest::default();
        Self {
            offer,
            state: State::Offered,
            entries: 0,
            begun: 0,
            listed: HashMap::new(),
            digest,
            moved: 0,
            checked: 0,
            buffer: Vec::new(),
        }
    }

    pub(super) fn is_offered(&self) -> bool {
        matches!(self.state, State::Offered)
    }

    /// Where it grows, once it was taken.
    pub(super) fn path(&self) -> Option<PathBuf> {
        match &self.state {
            State::Offered => None,
            State::Proving { place, .. }
            | State::Listing { place, .. }
            | State::Between { place, .. }
            | State::Growing { place, .. } => Some(place.part.path()),
        }
    }

    /// Where what is there of it stays, and that as words to end a sentence with.
    pub(super) fn kept(&self) -> Option<(PathBuf, String)> {
        let path = self.path()?;
        let shown = path.display();
        let kept = match self.offer.size {
            Some(_) => format!("; {shown} resumes when it is offered again"),
            None => format!("; {shown} has what came so far, and cannot go on"),
        };
        Some((path, kept))
    }

    /// The user takes it: TAKE, and how much is there already; an error for the user, after which
    /// it is still offered.
    pub(super) fn take(
        &mut self,
        downloads: &Downloads,
        peer: &PublicKey,
    ) -> Result<(MessageFrame, u64), String> {
        let (folder, folder_path) = downloads.open().map_err(|error| error.to_string())?;
        let cannot = |error: std::io::Error| {
            DownloadError::Folder { folder: folder_path.clone(), error }.to_string()
        };
        let kept = folder.try_clone().map_err(cannot)?;
        let part = Part::open(folder, folder_path.clone(), &self.offer, peer).map_err(cannot)?;
        let prepared = self.prepare(part, &kept, &folder_path, downloads);
        let (state, have) = prepared?;
        self.state = state;
        let bytes = if self.offer.kind == OfferKind::File { have } else { 0 };
        Ok((MessageFrame::Take { transfer: self.offer.transfer, have }, bytes))
    }

    fn prepare(
        &self,
        part: Part,
        folder: &std::os::fd::OwnedFd,
        folder_path: &std::path::Path,
        downloads: &Downloads,
    ) -> Result<(State, u64), String> {
        let cannot = |error: std::io::Error| {
            DownloadError::Folder { folder: folder_path.to_owned(), error }.to_string()
        };
        let set_aside = |there: u64| {
            let needed = self.offer.size.unwrap_or(0).saturating_sub(there);
            let room = downloads.set_aside(folder, folder_path, needed);
            room.map_err(|error| {
                if !part.resumed {
                    part.remove();
                }
                error.to_string()
            })
        };
        if self.offer.kind == OfferKind::Folder {
            let tree = Tree::new(part.handle.try_clone().map_err(cannot)?);
            let left = if part.resumed { tree.present().map_err(cannot)? } else { Vec::new() };
            let there = left.iter().map(|present| present.size).fold(0, u64::saturating_add);
            let have = u64::try_from(left.len()).unwrap_or(u64::MAX);
            let place = Destination { room: set_aside(there)?, part, tree: Some(tree) };
            return Ok((State::Listing { place, left, current: None }, have));
        }
        let there = length(&part.handle).map_err(cannot)?.min(self.offer.size.unwrap_or(0));
        let have = there - there % PAGE;
        let place = Destination { room: set_aside(have)?, part, tree: None };
        let hasher = blake3::Hasher::new();
        Ok(if have > 0 {
            (State::Proving { place, hasher, position: 0, have }, have)
        } else {
            (State::Between { place, begun: None }, 0)
        })
    }

    /// Whether something can be done without the other side.
    pub(super) fn has_work(&self) -> bool {
        matches!(self.state, State::Proving { .. } | State::Listing { .. })
    }

    /// Does the next piece of work: as of `Sending`.
    pub(super) fn work(&mut self, out: &mut Output) -> Result<Option<MessageFrame>, End> {
        match std::mem::replace(&mut self.state, State::Offered) {
            State::Proving { place, mut hasher, position, have } => {
                let until = position.saturating_add(HASH_STEP).min(have);
                let file = File::from(place.part.handle.try_clone().map_err(|e| disk(&e))?);
                hash(&file, &mut hasher, position, until).map_err(|error| disk(&error))?;
                if until < have {
                    self.state = State::Proving { place, hasher, position: until, have };
                    return Ok(None);
                }
                let (transfer, digest) = (self.offer.transfer, finish(&hasher));
                self.state = State::Between { place, begun: Some((hasher, have)) };
                Ok(Some(MessageFrame::Proof { transfer, have, hash: digest }))
            }
            State::Listing { place, left, current } => {
                self.state = self.list(place, left, current, out);
                Ok(None)
            }
            waiting => {
                self.state = waiting;
                Ok(None)
            }
        }
    }

    /// Hashes on, and appends HAVE for a file that is hashed.
    fn list(
        &mut self,
        place: Destination,
        mut left: Vec<Present>,
        current: Option<(Present, File, blake3::Hasher, u64)>,
        out: &mut Output,
    ) -> State {
        let next = current.or_else(|| {
            let present = left.pop()?;
            let file = place.tree.as_ref()?.open_present(&present.path).ok();
            // One that cannot be read is sent again: its HAVE fits nothing.
            let file = file.or_else(|| File::open("/dev/null").ok())?;
            Some((present, file, blake3::Hasher::new(), 0))
        });
        let Some((present, file, mut hasher, position)) = next else {
            return State::Between { place, begun: None };
        };
        let until = position.saturating_add(HASH_STEP).min(present.size);
        let readable = hash(&file, &mut hasher, position, until).is_ok();
        if readable && until < present.size {
            return State::Listing { place, left, current: Some((present, file, hasher, until)) };
        }
        let modified = if readable { present.modified } else { UnixMillis(i64::MIN) };
        let Present { path, size, .. } = present;
        let (transfer, hash) = (self.offer.transfer, finish(&hasher));
        if readable {
            self.listed.insert(path.clone(), (size, hash));
        }
        out.push(&FileFrame::Have { transfer, path, size, modified, hash });
        State::Listing { place, left, current: None }
    }

    /// ENTRY.
    pub(super) fn begin(&mut self, entry: EntryStart) -> Result<(), End> {
        let EntryStart { path, size, modified, flags, offset } = entry;
        let state = std::mem::replace(&mut self.state, State::Offered);
        // Entries may come while the list of what is there is still being sent; not of a file.
        let (mut place, begun) = match state {
            State::Between { place, begun } => (place, begun),
            State::Listing { place, .. } | State::Proving { place, .. } => (place, None),
            other => {
                self.state = other;
                return Err(lie("an entry begins inside another one"));
            }
        };
        if self.entries >= self.offer.entries.max(1) {
            self.state = State::Between { place, begun };
            return Err(lie("more entries than offered"));
        }
        let is_file = self.offer.kind == OfferKind::File;
        self.begun = self.begun.saturating_add(size);
        if self.offer.size.is_some_and(|offered| self.begun > offered) {
            return Err(lie("the entries are larger than the offer"));
        }
        let mut skipped = None;
        let (mut hasher, mut position) = (blake3::Hasher::new(), 0);
        let file = if let Some(tree) = &mut place.tree {
            if flags & FOLDER != 0 {
                tree.make_folder(&path, modified).map_err(|error| disk(&error))?;
                None
            } else if offset > 0 {
                let listed = self.listed.get(&path).filter(|(listed, _)| *listed == size);
                let Some((_, hash)) = listed.filter(|_| offset == size) else {
                    return Err(lie("it skips a file that is not there"));
                };
                if !tree.keep(&path).map_err(|error| disk(&error))? {
                    return Err(lie("it skips a file that is there under another name"));
                }
                (skipped, position) = (Some(*hash), size);
                None
            } else {
                Some(tree.grow().map_err(|error| disk(&error))?)
            }
        } else {
            let mut file = File::from(place.part.handle.try_clone().map_err(|e| disk(&e))?);
            match begun {
                Some((there, have)) if offset == have => (hasher, position) = (there, have),
                _ if offset == 0 => file.set_len(0).map_err(|error| disk(&error))?,
                _ => return Err(lie("an entry begins at an offset that was not agreed")),
            }
            file.seek(SeekFrom::Start(position)).map_err(|error| disk(&error))?;
            Some(file)
        };
        if is_file && size != self.offer.size.unwrap_or(0) {
            return Err(lie("the size of the file differs from the offer"));
        }
        self.moved = self.moved.saturating_add(position);
        let size = self.offer.size.map(|_| size);
        let growing = Growing {
            path,
            size,
            modified,
            flags,
            file,
            hasher,
            position,
            pending: std::mem::take(&mut self.buffer),
            pending_count: 0,
            skipped,
        };
        self.state = State::Growing { place, growing: Box::new(growing) };
        Ok(())
    }

    /// Whether so many bytes of DATA may come now.
    pub(super) fn check_data(&self, count: usize) -> Result<(), End> {
        let State::Growing { growing, .. } = &self.state else {
            return Err(lie("data without an entry"));
        };
        let left = growing.size.unwrap_or(u64::MAX).saturating_sub(growing.position);
        let fits = u64::try_from(count).is_ok_and(|count| count <= left);
        if growing.file.is_none() || !fits {
            return Err(lie("more data than the entry has"));
        }
        Ok(())
    }

    /// Where the next bytes of DATA belong, at most `most`.
    pub(super) fn room(&mut self, most: usize) -> &mut [u8] {
        match &mut self.state {
            State::Growing { growing, .. } => growing.room(most),
            _ => &mut [],
        }
    }

    /// So many bytes were put there.
    pub(super) fn filled(&mut self, count: usize) -> Result<(), End> {
        let State::Growing { place, growing } = &mut self.state else { return Ok(()) };
        growing.filled(count).map_err(|error| disk(&error))?;
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.moved = self.moved.saturating_add(count);
        self.checked += count;
        if self.checked >= CHECK_EVERY {
            self.checked = 0;
            let left = self.offer.size.unwrap_or(0).saturating_sub(self.moved);
            place.room.wrote(&place.part.handle, left).map_err(|error| disk(&error))?;
        }
        Ok(())
    }

    /// END.
    pub(super) fn end(&mut self, hash: Digest) -> Result<Ended, End> {
        let state = std::mem::replace(&mut self.state, State::Offered);
        let State::Growing { mut place, mut growing } = state else {
            self.state = state;
            return Err(lie("the end of an entry that did not begin"));
        };
        growing.write_pending().map_err(|error| disk(&error))?;
        self.buffer = std::mem::take(&mut growing.pending);
        let there = growing.skipped.unwrap_or_else(|| finish(&growing.hasher));
        let size = growing.size.unwrap_or(growing.position);
        let differs = growing.position != size || there != hash;
        if differs {
            place.part.remove();
            let reason = "what arrived is not what was sent; it was removed";
            return Err(End::new(CancelReason::WrongHash, reason));
        }
        self.entries += 1;
        if let Some(tree) = &mut place.tree {
            self.digest.add(growing.path.as_str(), size, hash);
            if let Some(file) = &growing.file {
                let executable = growing.flags & EXECUTABLE != 0;
                let placed = tree.place(file, &growing.path, growing.modified, executable);
                placed.map_err(|error| disk(&error))?;
            }
        } else if let Some(file) = &growing.file {
            file.sync_data().map_err(|error| disk(&error))?;
            let executable = growing.flags & EXECUTABLE != 0;
            set_mode_and_time(file, growing.modified, executable).map_err(|error| disk(&error))?;
        }
        if self.entries < self.offer.entries {
            self.state = State::Between { place, begun: None };
            return Ok(Ended::More);
        }
        self.finish(place, hash)
    }

    /// A folder without entries is whole at once.
    pub(super) fn finish_if_empty(&mut self) -> Result<Option<Ended>, End> {
        if self.offer.entries > 0 || self.offer.kind != OfferKind::Folder {
            return Ok(None);
        }
        match std::mem::replace(&mut self.state, State::Offered) {
            State::Listing { place, .. } | State::Between { place, .. } => {
                self.finish(place, finish(&blake3::Hasher::new())).map(Some)
            }
            other => {
                self.state = other;
                Ok(None)
            }
        }
    }

    fn finish(&mut self, mut place: Destination, last: Digest) -> Result<Ended, End> {
        let mut hash = last;
        if let Some(tree) = &mut place.tree {
            tree.finish(UnixMillis(self.offer.modified)).map_err(|error| disk(&error))?;
            hash = self.digest.finish();
        }
        let path = place.part.finish().map_err(|error| disk(&error))?;
        Ok(Ended::Whole { path, hash })
    }
}

impl Growing {
    /// Where the next bytes belong: runs end where a power of two of the hash's chunks does.
    fn room(&mut self, most: usize) -> &mut [u8] {
        let pending = u64::try_from(self.pending_count).unwrap_or(0);
        let written = self.position.saturating_sub(pending);
        let run = usize::try_from(RUN - written % RUN).unwrap_or(usize::MAX);
        let end = self.pending_count.saturating_add(most).min(run);
        if self.pending.len() < end {
            self.pending.resize(end, 0);
        }
        self.pending.get_mut(self.pending_count..end).unwrap_or_default()
    }

    fn filled(&mut self, count: usize) -> std::io::Result<()> {
        self.pending_count += count;
        self.position += u64::try_from(count).unwrap_or(0);
        if self.position.is_multiple_of(RUN) { self.write_pending() } else { Ok(()) }
    }

    /// Writes and hashes what came.
    fn write_pending(&mut self) -> std::io::Result<()> {
        let count = std::mem::take(&mut self.pending_count);
        let pending = self.pending.get(..count).unwrap_or_default();
        if let Some(file) = &mut self.file {
            file.write_all(pending)?;
        }
        self.hasher.update(pending);
        Ok(())
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // What is not written is sent again.
        let _ = self.write_pending();
    }
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

fn disk(error: &std::io::Error) -> End {
    End::new(CancelReason::Disk, format!("cannot write it: {error}"))
}

fn lie(what: &str) -> End {
    End::new(CancelReason::WrongHash, format!("the other side breaks the protocol: {what}"))
}

fn hash(
    file: &File,
    hasher: &mut blake3::Hasher,
    mut position: u64,
    end: u64,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    while position < end {
        let most = usize::try_from(end - position).unwrap_or(usize::MAX).min(buffer.len());
        let room = buffer.get_mut(..most).unwrap_or_default();
        let read = file.read_at(room, position)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(room.get(..read).unwrap_or_default());
        position += u64::try_from(read).unwrap_or(0);
    }
    Ok(())
}
