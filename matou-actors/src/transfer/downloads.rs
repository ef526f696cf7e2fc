//! The folder that received files go to, and the file that is being received.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::extension;
use super::naming::FileStamp;
use super::space::{Share, Space};

/// How many taken names are passed over before giving up.
const MAX_NAMES: u32 = 10_000;

/// Where received files go. Everything here blocks on the disk.
#[derive(Debug)]
pub struct Downloads {
    folder: Mutex<Folder>,
    reserve: u64,
    space: Arc<Space>,
}

#[derive(Clone, Debug)]
struct Folder {
    given: PathBuf,
    /// The folder without any link on the way to it, as it was when first used: a later replacement
    /// is not followed.
    resolved: Option<PathBuf>,
}

/// Why a file cannot be received, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// Not enough space.
    #[error(
        "{} has {free} bytes free, but the file needs {size}, and {reserve} are kept in reserve{}; free some space or choose another downloads folder",
        folder.display(), others(*owed)
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
        /// Bytes that files on their way still need.
        owed: u64,
    },
    /// The folder, or the file in it, cannot be used.
    #[error("cannot write to the downloads folder {}: {error}; check it or choose another one", folder.display())]
    Folder {
        /// The downloads folder.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file was complete and has been removed meanwhile.
    #[error("all of the file arrived, but {} was removed meanwhile; ask for it again", part.display())]
    Gone {
        /// Where it was.
        part: PathBuf,
    },
    /// The file is whole and could not be given its name.
    #[error("the file is complete, but could not be renamed from {}: {error}", part.display())]
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
    room: ReservedSpace,
}

/// Bytes of a disk that are set aside for a file on its way, or for a folder.
#[derive(Debug)]
pub(crate) struct ReservedSpace {
    share: Share,
    reserve: u64,
}

impl Downloads {
    /// The folder at `path`, made when it is needed; downloads leave `reserve` bytes free.
    pub fn new(path: PathBuf, reserve: u64) -> Self {
        let folder = Folder { given: path, resolved: None };
        Self { folder: Mutex::new(folder), reserve, space: Arc::default() }
    }

    /// From the next file on, files go to `path`, which is made if need be; where that is without
    /// links.
    pub fn move_to(&self, path: PathBuf) -> Result<PathBuf, DownloadError> {
        let mut folder = Folder { given: path, resolved: None };
        let (_, resolved) = folder.open()?;
        *self.folder.lock().unwrap_or_else(PoisonError::into_inner) = folder;
        Ok(resolved)
    }

    /// Where files go; without links once it was used.
    pub fn folder(&self) -> PathBuf {
        let folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        folder.resolved.as_ref().unwrap_or(&folder.given).clone()
    }

    /// Free bytes in the folder, when they can be known.
    pub fn free(&self) -> Option<u64> {
        free_bytes(&self.open().ok()?.0).ok()
    }

    /// Begins a file of `size` bytes: checks the space, of which files on their way keep what they
    /// still need, and makes a new `STEM.part` (mode 0600) that was not there before, link or not.
    pub fn begin(&self, stamp: FileStamp, size: u64) -> Result<PartFile, DownloadError> {
        let (folder, folder_path) = self.open()?;
        let unusable =
            |error: io::Error| DownloadError::Folder { folder: folder_path.clone(), error };
        let room = self.set_aside(&folder, &folder_path, size)?;
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (file, name) = first_free(&stamp, "part", |name| {
            rustix::fs::openat(&folder, name, flags, Mode::RUSR | Mode::WUSR)
        })
        .map_err(unusable)?;
        Ok(PartFile { folder, folder_path, file: file.into(), name, stamp, room })
    }

    /// The same for another folder, made if need be.
    pub(crate) fn elsewhere(&self, path: PathBuf) -> Self {
        let folder = Folder { given: path, resolved: None };
        Self { folder: Mutex::new(folder), reserve: self.reserve, space: Arc::clone(&self.space) }
    }

    /// Sets `size` bytes aside on the disk of `folder`, of which files on their way keep what they
    /// still need.
    pub(crate) fn set_aside(
        &self,
        folder: &OwnedFd,
        folder_path: &Path,
        size: u64,
    ) -> Result<ReservedSpace, DownloadError> {
        let unusable =
            |error: io::Error| DownloadError::Folder { folder: folder_path.to_owned(), error };
        let free = free_bytes(folder).map_err(unusable)?;
        let device = rustix::fs::fstat(folder).map_err(|errno| unusable(errno.into()))?.st_dev;
        let reserve = self.reserve;
        let room = free.saturating_sub(reserve);
        let share = self.space.take(device, size, room).map_err(|owed| {
            let folder = folder_path.to_owned();
            DownloadError::Space { folder, size, free, reserve, owed }
        })?;
        Ok(ReservedSpace { share, reserve })
    }

    /// The folder, made if it is not there, and where it is.
    pub(crate) fn open(&self) -> Result<(OwnedFd, PathBuf), DownloadError> {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner).open()
    }
}

impl Folder {
    /// The folder, made if it is not there (any more).
    fn open(&mut self) -> Result<(OwnedFd, PathBuf), DownloadError> {
        self.open_or_make()
            .map_err(|error| DownloadError::Folder { folder: self.given.clone(), error })
    }

    fn open_or_make(&mut self) -> io::Result<(OwnedFd, PathBuf)> {
        if let Some(path) = &self.resolved {
            return Ok((open_or_make(path)?, path.clone()));
        }
        std::fs::create_dir_all(&self.given)?;
        let path = self.given.canonicalize()?;
        let folder = open_folder(&path)?;
        self.resolved = Some(path.clone());
        Ok((folder, path))
    }
}

impl ReservedSpace {
    /// Some of `file` was written, and `left` bytes are still to come; an error when the file
    /// system is filled so far that the reserve is touched.
    pub(crate) fn wrote(&self, file: &impl AsFd, left: u64) -> io::Result<()> {
        self.share.shrink(left);
        let free = free_bytes(file)?;
        if free < self.reserve {
            let reserve = self.reserve;
            let message = format!(
                "{free} bytes are free, and {reserve} are kept in reserve; free some space"
            );
            return Err(io::Error::new(io::ErrorKind::StorageFull, message));
        }
        Ok(())
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

    /// Some of the file was written, and `left` bytes are still to come; an error when the file
    /// system is filled so far that the reserve is touched.
    pub fn wrote(&self, left: u64) -> io::Result<()> {
        self.room.wrote(&self.file, left)
    }

    /// Whether the file is still where [`PartFile::path`] says.
    pub fn exists(&self) -> bool {
        self.check_place().is_ok()
    }

    /// Removes the file, which is of no use, if it is still where [`PartFile::path`] says.
    pub fn remove(&self) -> io::Result<()> {
        self.check_place()?;
        Ok(rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty())?)
    }

    /// Renames the whole file, with the extension that its content shows, overwriting nothing;
    /// returns its path.
    pub fn finish(self) -> Result<PathBuf, DownloadError> {
        let name = self.rename(extension::of_file(&self.file));
        name.map(|name| self.folder_path.join(name)).map_err(|error| {
            let part = self.path();
            if error.kind() == io::ErrorKind::NotFound {
                DownloadError::Gone { part }
            } else {
                DownloadError::Name { part, error }
            }
        })
    }

    fn rename(&self, extension: &str) -> io::Result<String> {
        self.check_place()?;
        let ((), name) =
            first_free(&self.stamp, extension, |name| rename_new(&self.folder, &self.name, name))?;
        Ok(name)
    }

    fn check_place(&self) -> io::Result<()> {
        let written = rustix::fs::fstat(&self.file)?;
        let present = rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        if (written.st_dev, written.st_ino) != (present.st_dev, present.st_ino) {
            return Err(io::Error::other("something else took its place"));
        }
        Ok(())
    }
}

/// The note about files under way, when there are some.
fn others(owed: u64) -> String {
    if owed == 0 { String::new() } else { format!(" and transfers under way need {owed}") }
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
pub(crate) fn rename_new(folder: &OwnedFd, from: &str, to: &str) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
        // Some network file systems cannot; a second link cannot overwrite either.
        Err(Errno::INVAL | Errno::NOSYS) => link_new(folder, from, to),
        other => other,
    }
}

/// Renames without overwriting.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
pub(crate) fn rename_new(folder: &OwnedFd, from: &str, to: &str) -> rustix::io::Result<()> {
    link_new(folder, from, to)
}

fn link_new(folder: &OwnedFd, from: &str, to: &str) -> rustix::io::Result<()> {
    rustix::fs::linkat(folder, from, folder, to, AtFlags::empty())?;
    rustix::fs::unlinkat(folder, from, AtFlags::empty())
}

/// Opens a folder that was resolved before, and makes it and those above it that are not there,
/// following no link anywhere on the way.
fn open_or_make(path: &Path) -> io::Result<OwnedFd> {
    match open_folder(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(error);
            };
            let made = rustix::fs::mkdirat(open_or_make(above)?, name, Mode::from_raw_mode(0o777));
            if !matches!(made, Ok(()) | Err(Errno::EXIST)) {
                made?;
            }
            open_folder(path)
        }
        other => other,
    }
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
