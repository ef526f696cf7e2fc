//! An incomplete file or folder: `NAME.part`, and beside it `NAME.part.meta`, which identifies its
//! offer, so that the same offer resumes there after a cut, a cancel or a restart.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::messages::Offer;
use super::names::numbered;
use crate::protocol::v2::{OfferKind, PublicKey};
use crate::transfer::rename_new;
use crate::trust::Fingerprint;

const PART: &str = ".part";
const META: &str = ".part.meta";
/// How many taken names are passed over before giving up.
const MAX_NAMES: u32 = 10_000;
/// How many unfinished ones of one name are looked through.
const MAX_PARTS: u32 = 100;
/// The largest file of this kind.
const MAX_META: u64 = 4096;

/// The offer, as it is recorded beside its part.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Meta {
    key: String,
    name: String,
    /// Of a pipe it is not known.
    size: Option<u64>,
    modified: i64,
    folder: bool,
}

/// An incomplete file or folder, locked: while this lives no other transfer resumes it.
#[derive(Debug)]
pub(super) struct Part {
    folder: OwnedFd,
    folder_path: PathBuf,
    /// `NAME.part`, with a number if need be.
    growing: String,
    meta: String,
    name: String,
    /// The file, or the folder.
    pub(super) handle: OwnedFd,
    /// It was there before.
    pub(super) resumed: bool,
    _lock: File,
}

impl Part {
    /// Finds the part of this offer, or creates it.
    pub(super) fn open(
        folder: OwnedFd,
        folder_path: PathBuf,
        offer: &Offer,
        peer: &PublicKey,
    ) -> io::Result<Self> {
        let is_folder = offer.kind == OfferKind::Folder;
        let wanted = Meta {
            key: Fingerprint::of(peer).to_string(),
            name: offer.name.clone(),
            size: offer.size,
            modified: offer.modified,
            folder: is_folder,
        };
        // The bytes of a pipe are available once.
        let may_go_on = |tries| tries < MAX_PARTS && offer.size.is_some();
        for tries in 0..MAX_NAMES {
            let stem = numbered(&offer.name, tries);
            let (part, meta) = (format!("{stem}{PART}"), format!("{stem}{META}"));
            let there = may_go_on(tries).then(|| reopen(&folder, &part, &meta, &wanted)).flatten();
            let resumed = there.is_some();
            let (handle, lock) =
                match there.map_or_else(|| begin(&folder, &part, &meta, &wanted), Ok) {
                    Ok(opened) => opened,
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    Err(error) => return Err(error),
                };
            let (growing, name) = (part, offer.name.clone());
            return Ok(Self {
                folder,
                folder_path,
                growing,
                meta,
                name,
                handle,
                resumed,
                _lock: lock,
            });
        }
        Err(io::Error::other("too many files of that name"))
    }

    /// Where it grows.
    pub(super) fn path(&self) -> PathBuf {
        self.folder_path.join(&self.growing)
    }

    /// Renames a complete and synced part, overwriting nothing, and syncs the folder; returns its
    /// path.
    pub(super) fn finish(&self) -> io::Result<PathBuf> {
        self.check_place()?;
        for tries in 0..MAX_NAMES {
            let name = numbered(&self.name, tries);
            match rename_new(&self.folder, &self.growing, &name) {
                Ok(()) => {
                    // Without it nothing is lost: it is removed when it is old.
                    let _ = rustix::fs::unlinkat(&self.folder, &self.meta, AtFlags::empty());
                    rustix::fs::fsync(&self.folder)?;
                    return Ok(self.folder_path.join(name));
                }
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::ISDIR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(io::Error::other("too many files of that name"))
    }

    /// Removes it: the content is useless.
    pub(super) fn remove(&self) {
        if self.check_place().is_err() {
            return;
        }
        let path = self.path();
        // What cannot be removed is removed when it is old.
        let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
        let _ = rustix::fs::unlinkat(&self.folder, &self.meta, AtFlags::empty());
    }

    fn check_place(&self) -> io::Result<()> {
        let open = rustix::fs::fstat(&self.handle)?;
        let there = rustix::fs::statat(&self.folder, &self.growing, AtFlags::SYMLINK_NOFOLLOW)?;
        if (open.st_dev, open.st_ino) != (there.st_dev, there.st_ino) {
            return Err(io::Error::other("something else took its place"));
        }
        Ok(())
    }
}

/// Resumes a part if it is of the same offer and not in use.
fn reopen(folder: &OwnedFd, part: &str, meta: &str, wanted: &Meta) -> Option<(OwnedFd, File)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let lock = File::from(rustix::fs::openat(folder, meta, flags, Mode::empty()).ok()?);
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
    let mut text = String::new();
    (&lock).take(MAX_META).read_to_string(&mut text).ok()?;
    let found: Meta = serde_json::from_str(&text).ok()?;
    if found != *wanted {
        return None;
    }
    let handle = rustix::fs::openat(folder, part, part_flags(wanted.folder), Mode::empty()).ok()?;
    let status = rustix::fs::fstat(&handle).ok()?;
    let kind = rustix::fs::FileType::from_raw_mode(status.st_mode);
    let fits = if wanted.folder { kind.is_dir() } else { kind.is_file() && status.st_nlink == 1 };
    fits.then_some((handle, lock))
}

fn begin(folder: &OwnedFd, part: &str, meta: &str, wanted: &Meta) -> io::Result<(OwnedFd, File)> {
    let new = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let private = Mode::RUSR | Mode::WUSR;
    let handle = if wanted.folder {
        rustix::fs::mkdirat(folder, part, Mode::RWXU)?;
        rustix::fs::openat(folder, part, part_flags(true), Mode::empty())?
    } else {
        rustix::fs::openat(folder, part, new, private)?
    };
    let written = rustix::fs::openat(folder, meta, new, private).map_err(io::Error::from);
    let written = written.and_then(|lock| {
        let mut lock = File::from(lock);
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        lock.write_all(serde_json::to_string(wanted).unwrap_or_default().as_bytes())?;
        Ok(lock)
    });
    match written {
        Ok(lock) => Ok((handle, lock)),
        Err(error) => {
            let flags = if wanted.folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            let _ = rustix::fs::unlinkat(folder, part, flags);
            Err(error)
        }
    }
}

fn part_flags(is_folder: bool) -> OFlags {
    let safe = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    if is_folder { OFlags::RDONLY | OFlags::DIRECTORY | safe } else { OFlags::RDWR | safe }
}

/// Removes parts in `folder` that were not touched for `days`.
pub fn remove_old_parts(folder: &Path, days: u64) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let keep = Duration::from_secs(days.saturating_mul(24 * 60 * 60));
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(META)) else { continue };
        let part = folder.join(format!("{stem}{PART}"));
        let age = |path: &Path| {
            let modified = std::fs::symlink_metadata(path).and_then(|status| status.modified());
            SystemTime::now().duration_since(modified.ok()?).ok()
        };
        let youngest = age(&entry.path()).into_iter().chain(age(&part)).min();
        if youngest.is_some_and(|age| age > keep) && is_ours(&entry.path()) {
            // What cannot be removed is tried again at the next start.
            let _ = std::fs::remove_file(&part).or_else(|_| std::fs::remove_dir_all(&part));
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether a file is a record as written beside parts, and not in use.
fn is_ours(meta: &Path) -> bool {
    let read = || -> Option<Meta> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::open(meta, flags, Mode::empty()).ok()?);
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
        let mut text = String::new();
        (&file).take(MAX_META).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    };
    read().is_some()
}

/// Whether `text` is a record as written beside parts.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn is_readable_meta(text: &str) -> bool {
    serde_json::from_str::<Meta>(text).is_ok()
}

/// Bytes of a file.
pub(super) fn length(file: &impl AsFd) -> io::Result<u64> {
    let status = rustix::fs::fstat(file)?;
    Ok(u64::try_from(status.st_size).unwrap_or(0))
}
