//! What something that the user chose to send consists of.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use walkdir::WalkDir;

use super::transfers::manifest::{EXECUTABLE, Entry, FOLDER, Manifest};
use crate::protocol::v2::{EntryPath, OfferKind, Text, UnixMillis};
use crate::transfer::ChosenFile;

/// The deepest folder, and the most entries, that are sent.
const MAX_DEPTH: usize = 64;
const MAX_ENTRIES: usize = 1_000_000;

/// Where the bytes of a transfer come from.
#[derive(Debug)]
pub(super) enum SourceOrigin {
    Folder,
    /// The chosen file, open at first: it may have moved by the time it is taken.
    File(Arc<ChosenFile>, Option<File>),
    Pipe(File),
}

/// An error is for the user.
type Surveyed = Result<(Manifest, SourceOrigin), String>;

/// Lists what was chosen.
pub(super) fn survey(chosen: &Arc<ChosenFile>) -> Surveyed {
    if chosen.is_pipe() {
        return of_pipe(chosen);
    }
    if chosen.is_folder() { of_folder(chosen.path()) } else { of_file(chosen) }
}

fn of_pipe(chosen: &Arc<ChosenFile>) -> Surveyed {
    let pipe = chosen.take_pipe().map_err(|error| error.to_string())?;
    let name = name_of(chosen.path());
    let path = EntryPath::parse(name.as_str()).unwrap_or_else(unnamed);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let modified = UnixMillis(i64::try_from(since.as_millis()).unwrap_or(0));
    let manifest = Manifest {
        kind: OfferKind::File,
        name,
        root: chosen.path().to_owned(),
        size: None,
        modified,
        entries: vec![Entry { path, size: 0, modified, flags: 0 }],
        skipped: 0,
    };
    Ok((manifest, SourceOrigin::Pipe(pipe)))
}

fn of_file(chosen: &Arc<ChosenFile>) -> Surveyed {
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
    let manifest = Manifest {
        kind: OfferKind::File,
        name,
        root: path.to_owned(),
        size: Some(entry.size),
        modified: entry.modified,
        entries: vec![entry],
        skipped: 0,
    };
    Ok((manifest, SourceOrigin::File(Arc::clone(chosen), Some(source.file))))
}

fn of_folder(path: &Path) -> Surveyed {
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
    let manifest = Manifest {
        kind: OfferKind::Folder,
        name: name_of(path),
        root: path.to_owned(),
        entries: folders,
        size: Some(size),
        modified: modified(&status),
        skipped,
    };
    Ok((manifest, SourceOrigin::Folder))
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

pub(super) fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}
