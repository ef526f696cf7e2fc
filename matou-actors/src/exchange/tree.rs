//! Writing a folder so that nothing leaves it: each component is opened from the handle of the one
//! above, no link is made or followed.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::names::{numbered, safe_name};
use super::transfers::effect::PresentFile;
use crate::protocol::v2::{EntryPath, UnixMillis};

/// Where an entry grows: no name from outside begins with a dot.
const GROWING: &str = ".part";
/// The deepest folder.
const MAX_DEPTH: usize = 64;
/// The most entries that are examined when a folder is resumed.
const MAX_ENTRIES: usize = 1_000_000;
/// Bytes of all names that are remembered, those of folders with the path to them.
const MAX_NAME_BYTES: usize = 256 * 1024 * 1024;
/// How many taken names are passed over before giving up.
const MAX_NAMES: u32 = 1_000;

/// A folder that is being received.
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
    /// Folders as the sender calls them, and where they are here, relative to the root.
    folders: HashMap<Box<str>, Box<str>>,
    /// Names in use in each folder here, without regard to case.
    used: HashMap<Box<str>, HashSet<Box<str>>>,
    name_bytes: usize,
    /// The times that folders get once they are complete.
    times: Vec<(Box<str>, UnixMillis)>,
    /// The folder that was written to last.
    last: Option<(Box<str>, Arc<OwnedFd>)>,
}

impl Tree {
    pub(super) fn new(root: OwnedFd) -> Self {
        Self {
            root,
            folders: HashMap::new(),
            used: HashMap::new(),
            name_bytes: 0,
            times: Vec::new(),
            last: None,
        }
    }

    /// The whole files that are present from an earlier attempt.
    pub(super) fn present(&self) -> io::Result<Vec<PresentFile>> {
        let mut found = Vec::new();
        let root = self.root.try_clone()?;
        scan(&root, "", 0, &mut found)?;
        Ok(found)
    }

    /// Opens a file that is present.
    pub(super) fn open_present(&self, path: &EntryPath) -> io::Result<File> {
        let (folder, name) = match path.as_str().rsplit_once('/') {
            Some((folder, name)) => (open_below(&self.root, folder, false)?, name),
            None => (Arc::new(self.root.try_clone()?), path.as_str()),
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Ok(File::from(rustix::fs::openat(&folder, name, flags, Mode::empty())?))
    }

    /// Makes a folder.
    pub(super) fn make_folder(&mut self, path: &EntryPath, modified: UnixMillis) -> io::Result<()> {
        let local = self.local_folder(path.as_str())?;
        open_below(&self.root, &local, true)?;
        self.times.push((local, modified));
        Ok(())
    }

    /// A file to write the next entry to.
    pub(super) fn grow(&self) -> io::Result<File> {
        let new = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(&self.root, GROWING, new, Mode::RUSR | Mode::WUSR);
        let opened = match open() {
            Err(Errno::EXIST) => {
                rustix::fs::unlinkat(&self.root, GROWING, AtFlags::empty())?;
                open()
            }
            other => other,
        };
        Ok(File::from(opened?))
    }

    /// Puts the file that grew, which is whole, where it belongs.
    pub(super) fn place(
        &mut self,
        file: &File,
        path: &EntryPath,
        modified: UnixMillis,
        executable: bool,
    ) -> io::Result<()> {
        set_mode_and_time(file, modified, executable)?;
        let (folder, name) = self.local(path)?;
        let parent = self.open_folder(&folder)?;
        // What an earlier attempt left there is replaced; a link is not followed.
        Ok(rustix::fs::renameat(&self.root, GROWING, &*parent, &*name)?)
    }

    /// An entry that is already present: its name is in use. False when its name here would differ
    /// from the sender's.
    pub(super) fn keep(&mut self, path: &EntryPath) -> io::Result<bool> {
        let (folder, name) = self.local(path)?;
        let sent = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        Ok((&*folder, &*name) == sent)
    }

    /// All entries are complete: folders get their times, and everything is synced.
    pub(super) fn finish(&mut self, modified: UnixMillis) -> io::Result<()> {
        self.last = None;
        // Already gone, unless an entry was cut.
        let _ = rustix::fs::unlinkat(&self.root, GROWING, AtFlags::empty());
        while let Some((path, modified)) = self.times.pop() {
            let folder = open_below(&self.root, &path, false)?;
            rustix::fs::futimens(&folder, &timestamps(modified))?;
        }
        rustix::fs::futimens(&self.root, &timestamps(modified))?;
        #[cfg(target_os = "linux")]
        rustix::fs::syncfs(&self.root)?;
        #[cfg(not(target_os = "linux"))]
        rustix::fs::sync();
        Ok(())
    }

    /// Where an entry belongs here: its folder, and its name there.
    fn local(&mut self, path: &EntryPath) -> io::Result<(Box<str>, Box<str>)> {
        let (folder, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        let folder = self.local_folder(folder)?;
        let name = self.free_name(&folder, name)?;
        Ok((folder, name))
    }

    /// Where a folder of the sender is here.
    fn local_folder(&mut self, path: &str) -> io::Result<Box<str>> {
        if path.is_empty() {
            return Ok("".into());
        }
        if let Some(known) = self.folders.get(path) {
            return Ok(known.clone());
        }
        if path.split('/').count() > MAX_DEPTH {
            return Err(io::Error::other("folders nested too deeply"));
        }
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let above = self.local_folder(above)?;
        let name = self.free_name(&above, name)?;
        let local: Box<str> =
            if above.is_empty() { name } else { format!("{above}/{name}").into() };
        self.remember(path.len() + local.len())?;
        self.folders.insert(path.into(), local.clone());
        Ok(local)
    }

    fn free_name(&mut self, folder: &str, name: &str) -> io::Result<Box<str>> {
        let safe = safe_name(name);
        self.remember(name.len())?;
        let used = self.used.entry(folder.into()).or_default();
        for tries in 0..MAX_NAMES {
            let name = numbered(&safe, tries);
            if used.insert(name.to_lowercase().into()) {
                return Ok(name.into());
            }
        }
        Err(io::Error::other("too many files of that name"))
    }

    fn remember(&mut self, bytes: usize) -> io::Result<()> {
        self.name_bytes += bytes;
        if self.name_bytes > MAX_NAME_BYTES {
            return Err(io::Error::other("the names of its entries are too long"));
        }
        Ok(())
    }

    fn open_folder(&mut self, path: &str) -> io::Result<Arc<OwnedFd>> {
        if let Some((last, folder)) = &self.last
            && **last == *path
        {
            return Ok(Arc::clone(folder));
        }
        let folder = open_below(&self.root, path, true)?;
        self.last = Some((path.into(), Arc::clone(&folder)));
        Ok(folder)
    }
}

/// Sets what a whole file gets beside its content.
pub(super) fn set_mode_and_time(
    file: &File,
    modified: UnixMillis,
    executable: bool,
) -> io::Result<()> {
    let mode = if executable { Mode::RWXU } else { Mode::RUSR | Mode::WUSR };
    rustix::fs::fchmod(file, mode)?;
    Ok(rustix::fs::futimens(file, &timestamps(modified))?)
}

fn timestamps(UnixMillis(millis): UnixMillis) -> Timestamps {
    let time =
        Timespec { tv_sec: millis.div_euclid(1000), tv_nsec: millis.rem_euclid(1000) * 1_000_000 };
    Timestamps { last_access: time, last_modification: time }
}

/// Opens a folder below `root`, component by component, following no link.
fn open_below(root: &OwnedFd, path: &str, make: bool) -> io::Result<Arc<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder = root.try_clone()?;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let opened = match rustix::fs::openat(&folder, part, flags, Mode::empty()) {
            Err(Errno::NOENT) if make => {
                rustix::fs::mkdirat(&folder, part, Mode::RWXU)?;
                rustix::fs::openat(&folder, part, flags, Mode::empty())
            }
            other => other,
        };
        folder = opened?;
    }
    Ok(Arc::new(folder))
}

fn scan(
    folder: &OwnedFd,
    prefix: &str,
    depth: usize,
    found: &mut Vec<PresentFile>,
) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if name.starts_with('.') || found.len() >= MAX_ENTRIES {
            continue;
        }
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        let status = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory if depth < MAX_DEPTH => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let below = rustix::fs::openat(folder, name, flags, Mode::empty())?;
                scan(&below, &path, depth + 1, found)?;
            }
            FileType::RegularFile => {
                if let Some(path) = EntryPath::parse(&path) {
                    let nanos = i64::try_from(status.st_mtime_nsec).unwrap_or(0);
                    let modified = UnixMillis(
                        status.st_mtime.saturating_mul(1000).saturating_add(nanos / 1_000_000),
                    );
                    let size = u64::try_from(status.st_size).unwrap_or(0);
                    found.push(PresentFile { path, size, modified });
                }
            }
            _ => {}
        }
    }
    Ok(())
}
