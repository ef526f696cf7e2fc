//! Writing the files of one incoming transfer.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use super::digest::{PIECE, finish, hash_pieces};
use super::messages::Offer;
use super::part::{Part, length};
use super::source_files::hash_file;
use super::transfers::effect::{TargetDone, TargetJob, There};
use super::transfers::receiving::resumable;
use super::tree::{Tree, set_mode_and_time};
use super::yielding::Yielding;
use crate::protocol::v2::{EntryPath, OfferKind, PublicKey, UnixMillis};
use crate::transfer::{DownloadError, Downloads, ReservedSpace};

/// Bytes of a file that are written and hashed at once: hashing is fastest in long runs that end
/// where a power of two of its chunks does.
const RUN: u64 = 256 * 1024;
/// How many bytes are written before the disk is asked what it has left.
const CHECK_EVERY: u64 = 8 * 1024 * 1024;

/// Where one incoming transfer grows.
#[derive(Debug)]
pub(super) struct TargetFiles {
    part: Part,
    space: ReservedSpace,
    /// Of a folder.
    tree: Option<Tree>,
    growing: Option<Growing>,
    /// The hash of the received part, or of a file that is present.
    hasher: blake3::Hasher,
    present: Option<(EntryPath, File)>,
    checked: u64,
    /// Room for bytes of the next entry.
    buffer: Vec<u8>,
    yielding: Rc<Yielding>,
}

/// The file that grows.
#[derive(Debug)]
struct Growing {
    file: File,
    hasher: blake3::Hasher,
    position: u64,
    /// The last bytes before `position`, which are not written or hashed yet.
    pending: Vec<u8>,
    pending_count: usize,
    yielding: Rc<Yielding>,
}

impl TargetFiles {
    /// Finds the part of an offer, or creates it; an error for the user.
    pub(super) fn prepare(
        offer: &Offer,
        downloads: &Downloads,
        peer: &PublicKey,
        yielding: Rc<Yielding>,
    ) -> Result<(Self, TargetDone), String> {
        let (folder, folder_path) = downloads.open().map_err(|error| error.to_string())?;
        let cannot = |error: io::Error| {
            DownloadError::Folder { folder: folder_path.clone(), error }.to_string()
        };
        let kept = folder.try_clone().map_err(cannot)?;
        let part = Part::open(folder, folder_path.clone(), offer, peer).map_err(cannot)?;
        let (tree, there) = look(&part, offer).map_err(cannot)?;
        let space = reserve(&part, offer, &there, downloads, &kept, &folder_path)?;
        let path = part.path();
        let files = Self {
            part,
            space,
            tree,
            growing: None,
            hasher: blake3::Hasher::new(),
            present: None,
            checked: 0,
            buffer: Vec::new(),
            yielding,
        };
        Ok((files, TargetDone::Prepared { path, there }))
    }

    /// Does a job other than [`TargetJob::Prepare`].
    pub(super) fn perform(&mut self, job: &TargetJob) -> io::Result<TargetDone> {
        match job {
            TargetJob::Prepare { .. } => {}
            TargetJob::HashPart { from, until } => {
                let file = File::from(self.part.handle.try_clone()?);
                hash_file(&file, &mut self.hasher, *from, *until)?;
                return Ok(TargetDone::Hashed(finish(&self.hasher)));
            }
            TargetJob::HashPresent { path, from, until } => {
                return self.hash_present(path, *from, *until);
            }
            TargetJob::MakeFolder { path, modified } => {
                self.tree()?.make_folder(path, *modified)?;
            }
            TargetJob::Keep { path } => return Ok(TargetDone::Kept(self.tree()?.keep(path)?)),
            TargetJob::Grow { offset } => self.grow(*offset)?,
            TargetJob::Flush => {
                let growing = self.growing()?;
                growing.write_pending()?;
                return Ok(TargetDone::Hashed(finish(&growing.hasher)));
            }
            TargetJob::Place { path, modified, executable } => {
                let grown = self.take_grown()?;
                self.tree()?.place(&grown.file, path, *modified, *executable)?;
                self.reuse(grown);
            }
            TargetJob::Sync { modified, executable } => {
                let grown = self.take_grown()?;
                grown.file.sync_data()?;
                set_mode_and_time(&grown.file, *modified, *executable)?;
                self.reuse(grown);
            }
            TargetJob::Complete { modified } => return self.complete(*modified),
            TargetJob::Discard => self.part.remove(),
        }
        Ok(TargetDone::Done)
    }

    /// Where the next bytes of DATA belong, at most `most`.
    pub(super) fn room(&mut self, most: usize) -> Option<&mut [u8]> {
        self.growing.as_mut().map(|growing| growing.room(most))
    }

    /// This many bytes were put there, and `left` are still to come.
    pub(super) fn filled(&mut self, count: usize, left: u64) -> io::Result<()> {
        self.growing()?.filled(count)?;
        self.checked += u64::try_from(count).unwrap_or(u64::MAX);
        if self.checked >= CHECK_EVERY {
            self.checked = 0;
            self.space.wrote(&self.part.handle, left)?;
        }
        Ok(())
    }

    fn hash_present(&mut self, path: &EntryPath, from: u64, until: u64) -> io::Result<TargetDone> {
        if self.present.as_ref().is_none_or(|(present, _)| present != path) || from == 0 {
            let file = self.tree()?.open_present(path)?;
            self.present = Some((path.clone(), file));
            self.hasher = blake3::Hasher::new();
        }
        if let Some((_, file)) = &self.present {
            hash_file(file, &mut self.hasher, from, until)?;
        }
        Ok(TargetDone::Hashed(finish(&self.hasher)))
    }

    fn grow(&mut self, offset: u64) -> io::Result<()> {
        self.present = None;
        let file = match &self.tree {
            Some(tree) => tree.grow()?,
            None => File::from(self.part.handle.try_clone()?),
        };
        if self.tree.is_none() {
            file.set_len(offset)?;
            (&file).seek(SeekFrom::Start(offset))?;
        }
        let hasher = std::mem::take(&mut self.hasher);
        let hasher = if offset == 0 { blake3::Hasher::new() } else { hasher };
        let pending = std::mem::take(&mut self.buffer);
        let yielding = Rc::clone(&self.yielding);
        self.growing =
            Some(Growing { file, hasher, position: offset, pending, pending_count: 0, yielding });
        Ok(())
    }

    /// The file that has grown, all of which is written.
    fn take_grown(&mut self) -> io::Result<Growing> {
        self.growing.take().ok_or_else(no_entry)
    }

    fn reuse(&mut self, mut grown: Growing) {
        self.buffer = std::mem::take(&mut grown.pending);
    }

    fn complete(&mut self, modified: UnixMillis) -> io::Result<TargetDone> {
        if let Some(tree) = &mut self.tree {
            tree.finish(modified)?;
        }
        Ok(TargetDone::Complete(self.part.finish()?))
    }

    fn tree(&mut self) -> io::Result<&mut Tree> {
        self.tree.as_mut().ok_or_else(|| io::Error::other("it is not a folder"))
    }

    fn growing(&mut self) -> io::Result<&mut Growing> {
        self.growing.as_mut().ok_or_else(no_entry)
    }
}

fn no_entry() -> io::Error {
    io::Error::other("no entry has begun")
}

/// What is present of an offer.
fn look(part: &Part, offer: &Offer) -> io::Result<(Option<Tree>, There)> {
    if offer.kind != OfferKind::Folder {
        return Ok((None, There::Bytes(resumable(length(&part.handle)?, offer.size))));
    }
    let tree = Tree::new(part.handle.try_clone()?);
    let files = if part.resumed { tree.present()? } else { Vec::new() };
    Ok((Some(tree), There::Files(files)))
}

/// Reserves space for the remainder; a part created in vain is removed.
fn reserve(
    part: &Part,
    offer: &Offer,
    there: &There,
    downloads: &Downloads,
    folder: &OwnedFd,
    folder_path: &Path,
) -> Result<ReservedSpace, String> {
    let there = match there {
        There::Bytes(bytes) => *bytes,
        There::Files(files) => files.iter().map(|file| file.size).fold(0, u64::saturating_add),
    };
    let needed = offer.size.unwrap_or(0).saturating_sub(there);
    downloads.set_aside(folder, folder_path, needed).map_err(|error| {
        if !part.resumed {
            part.remove();
        }
        error.to_string()
    })
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

    fn filled(&mut self, count: usize) -> io::Result<()> {
        self.pending_count += count;
        self.position += u64::try_from(count).unwrap_or(0);
        if self.position.is_multiple_of(RUN) { self.write_pending() } else { Ok(()) }
    }

    /// Writes and hashes received bytes.
    fn write_pending(&mut self) -> io::Result<()> {
        let count = std::mem::take(&mut self.pending_count);
        let pending = self.pending.get(..count).unwrap_or_default();
        for piece in pending.chunks(PIECE) {
            self.file.write_all(piece)?;
            self.yielding.yield_core();
        }
        let start = self.position.saturating_sub(u64::try_from(count).unwrap_or(0));
        hash_pieces(&mut self.hasher, start, pending, &self.yielding);
        Ok(())
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // What is not written is sent again.
        let _ = self.write_pending();
    }
}
