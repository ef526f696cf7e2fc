//! A file that is to be sent.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FileType, Mode, OFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// An open regular file.
#[derive(Debug)]
pub struct Source {
    /// The file.
    pub file: File,
    /// Its size in bytes when it was opened.
    pub size: u64,
    written: ContentVersion,
}

/// When a file's content was written last, in seconds and nanoseconds, and its size.
type ContentVersion = (i64, i64, u64);

/// A file that the user chose to send later: whatever takes its path meanwhile is not sent.
#[derive(Debug)]
pub struct ChosenFile {
    path: PathBuf,
    size: Option<u64>,
    is_folder: bool,
    /// What is read instead of a file.
    pipe: Option<Arc<Pipe>>,
    /// Device and number.
    inode: (u64, u64),
    /// Open since it was chosen; of many files only the first.
    held: Mutex<Option<(File, OwnedSemaphorePermit)>>,
}

/// A pipe, or whatever else is read once and to its end.
#[derive(Debug)]
pub struct Pipe(Mutex<Option<File>>);

impl From<File> for Pipe {
    fn from(input: File) -> Self {
        Self(Mutex::new(Some(input)))
    }
}

/// Why a file cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be opened or looked at.
    #[error("cannot read {}: {error}; check the path", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is a folder.
    #[error("{} is a folder; pack it into one file, such as with `tar -czf FILE.tar.gz FOLDER`, and send that", path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
    },
    /// It is not a regular file.
    #[error("{} is {kind}; only regular files can be sent", path.display())]
    NotAFile {
        /// Which one.
        path: PathBuf,
        /// What it is instead.
        kind: &'static str,
    },
    /// It was removed, or another file has its path now.
    #[error("{} was removed or replaced before its turn came; to send what is there now, send it again", path.display())]
    Gone {
        /// Which path.
        path: PathBuf,
    },
    /// It is a pipe that was read already.
    #[error("{} can be read only once, and that has begun; send it again from its beginning", path.display())]
    Read {
        /// What it is called.
        path: PathBuf,
    },
    /// Its size differs from its content, as in `/proc` and `/sys`.
    #[error("{} does not contain the {size} bytes that its size says, which is usual for system files; copy it and send the copy", path.display())]
    Size {
        /// Which one.
        path: PathBuf,
        /// What it says.
        size: u64,
    },
}

impl Source {
    /// Opens `path` for sending. Blocks as long as the file system does; never on a FIFO or a
    /// device.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let unreadable =
            |error: io::Error| SourceError::Unreadable { path: path.to_owned(), error };
        // NONBLOCK: opening a FIFO would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            // A socket, or a device that is not there.
            Err(rustix::io::Errno::NXIO) => {
                return Err(SourceError::NotAFile { path: path.to_owned(), kind: "no file" });
            }
            Err(errno) => return Err(unreadable(errno.into())),
        };
        Self::of(file, path)
    }

    fn of(file: File, path: &Path) -> Result<Self, SourceError> {
        let unreadable =
            |error: io::Error| SourceError::Unreadable { path: path.to_owned(), error };
        let status = file.metadata().map_err(unreadable)?;
        let kind = match FileType::from_raw_mode(status.mode()) {
            FileType::RegularFile => {
                let size = status.len();
                if !has_bytes(&file, size).map_err(unreadable)? {
                    return Err(SourceError::Size { path: path.to_owned(), size });
                }
                return Ok(Self { file, size, written: written(&status) });
            }
            FileType::Directory => return Err(SourceError::Folder { path: path.to_owned() }),
            FileType::Fifo => "a pipe",
            FileType::Socket => "a socket",
            FileType::CharacterDevice | FileType::BlockDevice => "a device",
            _ => "no file",
        };
        Err(SourceError::NotAFile { path: path.to_owned(), kind })
    }

    /// Whether the file was written to since it was opened.
    pub fn has_changed(&self) -> bool {
        self.file.metadata().is_ok_and(|status| written(&status) != self.written)
    }
}

impl ChosenFile {
    /// Takes `path` without keeping it open.
    pub fn choose_path(path: &Path) -> Result<Self, SourceError> {
        Self::choose(path.to_owned(), &Arc::new(Semaphore::new(0)))
    }

    /// Opens `path`, and keeps it open while `handles` has a permit for that.
    pub fn choose(path: PathBuf, handles: &Arc<Semaphore>) -> Result<Self, SourceError> {
        let Source { file, size, .. } = match Source::open(&path) {
            Err(SourceError::Folder { .. }) => {
                let (inode, held) = ((0, 0), Mutex::new(None));
                // What is in it is counted when it is sent.
                let (size, pipe) = (None, None);
                return Ok(Self { path, size, is_folder: true, pipe, inode, held });
            }
            opened => opened?,
        };
        let inode = inode(&file, &path)?;
        let permit = Arc::clone(handles).try_acquire_owned().ok();
        let held = Mutex::new(permit.map(|permit| (file, permit)));
        Ok(Self { path, size: Some(size), is_folder: false, pipe: None, inode, held })
    }

    /// Sends the content of `pipe`, as if it was a file at `path`.
    pub fn piped(path: PathBuf, pipe: Arc<Pipe>) -> Self {
        let (inode, held) = ((0, 0), Mutex::new(None));
        Self { path, size: None, is_folder: false, pipe: Some(pipe), inode, held }
    }

    /// Where it was when it was chosen.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size then; of a pipe it is not known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Whether it is a folder, which only revision 2 sends.
    pub fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// Whether it is a pipe, which only revision 2 sends.
    pub fn is_pipe(&self) -> bool {
        self.pipe.is_some()
    }

    /// The pipe, once.
    pub(crate) fn take_pipe(&self) -> Result<File, SourceError> {
        let pipe = self.pipe.as_ref();
        let taken =
            pipe.and_then(|pipe| pipe.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        taken.ok_or_else(|| SourceError::Read { path: self.path.clone() })
    }

    /// The file as it is now, to be sent.
    pub fn open(&self) -> Result<Source, SourceError> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((file, _)) = held {
            // A file that was removed is not meant to be sent.
            if file.metadata().is_ok_and(|status| status.nlink() == 0) {
                return Err(SourceError::Gone { path: self.path.clone() });
            }
            return Source::of(file, &self.path);
        }
        let source = Source::open(&self.path)?;
        if inode(&source.file, &self.path)? == self.inode {
            Ok(source)
        } else {
            Err(SourceError::Gone { path: self.path.clone() })
        }
    }
}

fn inode(file: &File, path: &Path) -> Result<(u64, u64), SourceError> {
    let unreadable = |error| SourceError::Unreadable { path: path.to_owned(), error };
    let status = file.metadata().map_err(unreadable)?;
    Ok((status.dev(), status.ino()))
}

/// Whether `file` has a last byte where `size` says, and no first one when it says none.
fn has_bytes(file: &File, size: u64) -> io::Result<bool> {
    let read = file.read_at(&mut [0], size.saturating_sub(1))?;
    Ok((read > 0) == (size > 0))
}

fn written(status: &Metadata) -> ContentVersion {
    (status.mtime(), status.mtime_nsec(), status.len())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn refusal(path: impl AsRef<Path>) -> String {
        Source::open(path.as_ref()).unwrap_err().to_string()
    }

    #[test]
    fn only_folders_need_packing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refusal(folder.path()).contains("is a folder; pack it"));
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        for other in [Path::new("/dev/null"), &pipe, &folder.path().join("socket")] {
            let refusal = refusal(other);
            assert!(refusal.contains("only regular files") && !refusal.contains("pack"));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_with_another_size_than_it_says_is_refused() {
        for (path, size) in
            [("/proc/self/status", "0 bytes"), ("/sys/kernel/uevent_seqnum", "4096 bytes")]
        {
            let refusal = refusal(path);
            assert!(refusal.contains(size) && refusal.contains("send the copy"), "{refusal}");
        }
    }

    #[test]
    fn every_name_that_a_file_system_allows_can_be_sent() {
        let folder = tempfile::tempdir().unwrap();
        for name in [&b"-rf"[..], b"a\nb", b" ", b"'$(x)'\"`", b"\xff\xfe", b"~", b"#1", b"\x1b[2J"]
        {
            let path = folder.path().join(OsStr::from_bytes(name));
            std::fs::write(&path, b"12345").unwrap();
            assert_eq!(Source::open(&path).unwrap().size, 5);
        }
    }

    #[test]
    fn a_file_that_took_the_place_of_the_chosen_one_is_not_sent() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("file"), folder.path().join("other"));
        std::fs::write(&path, b"chosen").unwrap();
        std::fs::write(&other, b"another one").unwrap();
        let handles = Arc::new(Semaphore::new(1));
        let choose = || ChosenFile::choose(path.clone(), &handles).unwrap();
        let (held, not_held) = (choose(), choose());
        std::fs::rename(&path, folder.path().join("moved")).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(held.open().unwrap().size, 6, "it is open since it was chosen");
        assert!(matches!(not_held.open(), Err(SourceError::Gone { .. })));
        assert!(matches!(held.open(), Err(SourceError::Gone { .. })), "a second time");
        let removed = choose();
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(removed.open(), Err(SourceError::Gone { .. })));
        assert_eq!(handles.available_permits(), 1);
    }

    #[test]
    fn a_file_that_is_written_to_has_changed_although_its_size_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"before").unwrap();
        let source = Source::open(&path).unwrap();
        assert!(!source.has_changed());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        // The clock of the file system advances in ticks.
        while !source.has_changed() {
            assert!(std::time::Instant::now() < deadline);
            std::fs::write(&path, b"behind").unwrap();
        }
        assert_eq!(std::fs::metadata(&path).unwrap().len(), source.size);
    }
}
