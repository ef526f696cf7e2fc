//! The folder that received files go to, and the file that is being received.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::extension::{SAMPLE, extension};
use super::naming::FileStamp;

/// How many taken names are passed over before giving up.
const MAX_NAMES: u32 = 10_000;

/// Where received files go. Everything here blocks on the disk.
#[derive(Debug)]
pub struct Downloads {
    given: PathBuf,
    reserve: u64,
    /// The folder without any link on the way to it, as it was when first used: whatever takes
    /// its place later is not followed.
    resolved: OnceLock<PathBuf>,
}

/// Why a file cannot be received, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// Not enough space.
    #[error(
        "{} has {free} bytes free, and the file needs {size} while {reserve} stay in reserve; make room or choose another downloads folder",
        folder.display()
    )]
    Space {
        /// The downloads folder.
        folder: PathBuf,
        /// The file's size in bytes.
        size: u64,
        /// Free bytes.
        free: u64,
        /// Bytes that must stay free.
        reserve: u64,
    },
    /// The folder, or the file in it, cannot be used.
    #[error("cannot write to the downloads folder {}: {error}; check it or choose another one", folder.display())]
    Folder {
        /// The downloads folder.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is whole and could not be given its name.
    #[error("the file is whole, but stays {}: {error}", part.display())]
    Name {
        /// Where it is.
        part: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// A file that is being received: `STEM.part` in the downloads folder.
#[derive(Debug)]
pub struct PartFile {
    folder: OwnedFd,
    folder_path: PathBuf,
    file: File,
    name: String,
    stamp: FileStamp,
}

impl Downloads {
    /// The folder at `path`, made when it is first needed; downloads leave `reserve` bytes free.
    pub fn new(path: PathBuf, reserve: u64) -> Self {
        Self { given: path, reserve, resolved: OnceLock::new() }
    }

    /// Free bytes in the folder, when they can be known.
    pub fn free(&self) -> Option<u64> {
        free_bytes(&self.open().ok()?.0).ok()
    }

    /// Begins a file of `size` bytes: checks the space, and makes a new `STEM.part` (mode 0600)
    /// that was not there before, link or not.
    pub fn begin(&self, stamp: FileStamp, size: u64) -> Result<PartFile, DownloadError> {
        let unusable =
            |error: io::Error| DownloadError::Folder { folder: self.given.clone(), error };
        let (folder, folder_path) = self.open().map_err(unusable)?;
        let free = free_bytes(&folder).map_err(unusable)?;
        if size.saturating_add(self.reserve) > free {
            let (folder, reserve) = (self.given.clone(), self.reserve);
            return Err(DownloadError::Space { folder, size, free, reserve });
        }
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (file, name) = first_free(&stamp, "part", |name| {
            rustix::fs::openat(&folder, name, flags, Mode::RUSR | Mode::WUSR)
        })
        .map_err(unusable)?;
        Ok(PartFile { folder, folder_path, file: file.into(), name, stamp })
    }

    fn open(&self) -> io::Result<(OwnedFd, PathBuf)> {
        let path = if let Some(path) = self.resolved.get() {
            path
        } else {
            std::fs::create_dir_all(&self.given)?;
            let path = self.given.canonicalize()?;
            self.resolved.get_or_init(|| path)
        };
        Ok((open_folder(path)?, path.clone()))
    }
}

impl PartFile {
    /// The file to write to.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it is while it is not whole.
    pub fn path(&self) -> PathBuf {
        self.folder_path.join(&self.name)
    }

    /// Gives the whole file its name, with the extension that its content shows, overwriting
    /// nothing; returns where it is now.
    pub fn finish(self) -> Result<PathBuf, DownloadError> {
        let mut sample = vec![0; SAMPLE];
        let seen = self.file.read_at(&mut sample, 0).unwrap_or_default();
        let extension = extension(sample.get(..seen).unwrap_or_default());
        let name = self.rename(extension);
        name.map(|name| self.folder_path.join(name))
            .map_err(|error| DownloadError::Name { part: self.path(), error })
    }

    fn rename(&self, extension: &str) -> io::Result<String> {
        let written = rustix::fs::fstat(&self.file)?;
        let present = rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        if (written.st_dev, written.st_ino) != (present.st_dev, present.st_ino) {
            return Err(io::Error::other("something else has taken its place"));
        }
        let ((), name) =
            first_free(&self.stamp, extension, |name| rename_new(&self.folder, &self.name, name))?;
        Ok(name)
    }
}

/// Tries the names of `stamp` in turn until `make` does not find one taken.
fn first_free<T>(
    stamp: &FileStamp,
    extension: &str,
    mut make: impl FnMut(&str) -> rustix::io::Result<T>,
) -> io::Result<(T, String)> {
    for tries in 0..MAX_NAMES {
        let name = stamp.name(extension, tries);
        match make(&name) {
            Ok(result) => return Ok((result, name)),
            Err(Errno::EXIST | Errno::LOOP) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(io::Error::other("too many files of that name"))
}

/// Renames without overwriting.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_new(folder: &OwnedFd, from: &str, to: &str) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
        // Some network file systems cannot; a second link cannot overwrite either.
        Err(Errno::INVAL | Errno::NOSYS) => link_new(folder, from, to),
        other => other,
    }
}

/// Renames without overwriting.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn rename_new(folder: &OwnedFd, from: &str, to: &str) -> rustix::io::Result<()> {
    link_new(folder, from, to)
}

fn link_new(folder: &OwnedFd, from: &str, to: &str) -> rustix::io::Result<()> {
    rustix::fs::linkat(folder, from, folder, to, AtFlags::empty())?;
    rustix::fs::unlinkat(folder, from, AtFlags::empty())
}

/// Opens a folder that was resolved before, following no link anywhere on the way.
fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, ResolveFlags, openat2};
        match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
            // Kernels before 5.6, and sandboxes that do not know the call.
            Err(Errno::NOSYS | Errno::PERM) => {}
            other => return Ok(other?),
        }
    }
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

fn free_bytes(folder: &impl AsFd) -> io::Result<u64> {
    let status = rustix::fs::fstatvfs(folder)?;
    Ok(status.f_bavail.saturating_mul(status.f_frsize))
}
