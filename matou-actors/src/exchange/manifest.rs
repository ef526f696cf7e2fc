//! What is sent: one file, or all of a folder.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags};
use walkdir::WalkDir;

use crate::protocol::v2::{EntryPath, OfferKind, Text, UnixMillis};
use crate::transfer::ChosenFile;

/// The deepest folder, and the most entries, that are sent.
const MAX_DEPTH: usize = 64;
const MAX_ENTRIES: usize = 1_000_000;

/// Flags of ENTRY.
pub(super) const EXECUTABLE: i32 = 1;
pub(super) const FOLDER: i32 = 2;

/// Everything that is sent, in order: folders before what they hold.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) kind: OfferKind,
    pub(super) name: Text<255>,
    pub(super) root: PathBuf,
    pub(super) entries: Vec<Entry>,
    /// Of a pipe it is not known.
    pub(super) size: Option<u64>,
    pub(super) modified: UnixMillis,
    /// Links and special files, which are not sent.
    pub(super) skipped: u64,
    chosen: Option<Arc<ChosenFile>>,
    /// The chosen file, open: it may have moved by the time it is taken.
    opened: Option<File>,
    /// The pipe that is sent instead of a file.
    pub(super) pipe: Option<File>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: EntryPath,
    pub(super) size: u64,
    pub(super) modified: UnixMillis,
    pub(super) flags: i32,
}

impl Manifest {
    /// Looks at what was chosen; an error for the user.
    pub(super) fn of(chosen: &Arc<ChosenFile>) -> Result<Self, String> {
        let path = chosen.path();
        if chosen.is_pipe() {
            return Self::of_pipe(chosen);
        }
        if chosen.is_folder() { Self::of_folder(path) } else { Self::of_file(chosen) }
    }

    fn of_pipe(chosen: &Arc<ChosenFile>) -> Result<Self, String> {
        let pipe = chosen.take_pipe().map_err(|error| error.to_string())?;
        let name = name_of(chosen.path());
        let path = EntryPath::parse(name.as_str()).unwrap_or_else(unnamed);
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let modified = UnixMillis(i64::try_from(since.as_millis()).unwrap_or(0));
        Ok(Self {
            kind: OfferKind::File,
            name,
            root: chosen.path().to_owned(),
            size: None,
            modified,
            entries: vec![Entry { path, size: 0, modified, flags: 0 }],
            skipped: 0,
            chosen: None,
            opened: None,
            pipe: Some(pipe),
        })
    }

    fn of_file(chosen: &Arc<ChosenFile>) -> Result<Self, String> {
        let path = chosen.path();
        let source = chosen.open().map_err(|error| error.to_string())?;
        let status = source.file.metadata().map_err(|error| unreadable(path, &error))?;
        let name = name_of(path);
        let entry_path = EntryPath::parse(name.as_str()).unwrap_or_else(unnamed);
        let executable = status.permissions().mode() & 0o100 != 0;
        let entry = Entry {
            path: entry_path,
            size: status.len(),
            modified: modified(&status),
            flags: if executable { EXECUTABLE } else { 0 },
        };
        Ok(Self {
            kind: OfferKind::File,
            name,
            root: path.to_owned(),
            size: Some(entry.size),
            modified: entry.modified,
            entries: vec![entry],
            skipped: 0,
            chosen: Some(Arc::clone(chosen)),
            opened: Some(source.file),
            pipe: None,
        })
    }

    fn of_folder(path: &Path) -> Result<Self, String> {
        let status = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        let (mut size, mut skipped) = (0_u64, 0_u64);
        let walk = WalkDir::new(path).min_depth(1).sort_by_file_name();
        for found in walk {
            let found = found.map_err(|error| {
                let at = error.path().unwrap_or(path).to_owned();
                let error = error.into_io_error().unwrap_or_else(|| io::Error::other("a loop"));
                unreadable(&at, &error)
            })?;
            if found.depth() > MAX_DEPTH {
                return Err(format!(
                    "{} has folders nested more than {MAX_DEPTH} deep",
                    found.path().display()
                ));
            }
            if folders.len() + files.len() >= MAX_ENTRIES {
                return Err(format!("{} has more than {MAX_ENTRIES} entries", path.display()));
            }
            let kind = found.file_type();
            let relative = found.path().strip_prefix(path).ok().and_then(Path::to_str);
            let Some(entry_path) = relative.and_then(EntryPath::parse) else {
                let shown = found.path().display();
                return Err(format!("the name of {shown} is not UTF-8, or too long; rename it"));
            };
            if !kind.is_file() && !kind.is_dir() {
                skipped += 1;
                continue;
            }
            let status = found.metadata().map_err(|error| {
                let error = error.into_io_error().unwrap_or_else(|| io::Error::other("a loop"));
                unreadable(found.path(), &error)
            })?;
            let modified = modified(&status);
            if kind.is_dir() {
                folders.push(Entry { path: entry_path, size: 0, modified, flags: FOLDER });
            } else {
                let executable = status.permissions().mode() & 0o100 != 0;
                let flags = if executable { EXECUTABLE } else { 0 };
                size = size.saturating_add(status.len());
                files.push(Entry { path: entry_path, size: status.len(), modified, flags });
            }
        }
        folders.append(&mut files);
        Ok(Self {
            kind: OfferKind::Folder,
            name: name_of(path),
            root: path.to_owned(),
            entries: folders,
            size: Some(size),
            modified: modified(&status),
            skipped,
            chosen: None,
            opened: None,
            pipe: None,
        })
    }

    /// Opens a file of it as it is now; an error for the user.
    pub(super) fn open(&mut self, entry: &Entry) -> Result<File, String> {
        if let Some(file) = self.opened.take() {
            return Ok(file);
        }
        if let Some(chosen) = &self.chosen {
            return chosen.open().map(|source| source.file).map_err(|error| error.to_string());
        }
        let path = self.root.join(entry.path.as_str());
        // NONBLOCK: what was a file may be a FIFO by now.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let opened = rustix::fs::open(&path, flags, Mode::empty());
        let file = opened.map(File::from).map_err(|errno| unreadable(&path, &errno.into()))?;
        let is_file = file.metadata().is_ok_and(|status| status.is_file());
        if is_file { Ok(file) } else { Err(format!("{} is no longer a file", path.display())) }
    }
}

/// When something was modified.
pub(super) fn modified(status: &Metadata) -> UnixMillis {
    UnixMillis(status.mtime().saturating_mul(1000).saturating_add(status.mtime_nsec() / 1_000_000))
}

fn name_of(path: &Path) -> Text<255> {
    let absolute = std::path::absolute(path).ok();
    let name = absolute.as_deref().unwrap_or(path).components().next_back();
    let name = name.map(|name| name.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
    Text::new(&name).unwrap_or_default()
}

fn unnamed() -> EntryPath {
    EntryPath::parse("unnamed").unwrap_or_else(|| unreachable!("it is a path"))
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}
