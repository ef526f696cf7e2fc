//! A file that is to be sent.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};

/// An open regular file.
#[derive(Debug)]
pub struct Source {
    /// The file.
    pub file: File,
    /// Its size in bytes when it was opened.
    pub size: u64,
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
    /// It is no regular file.
    #[error("{} is {kind}, and only regular files can be sent; pack it into a file first", path.display())]
    NotAFile {
        /// Which one.
        path: PathBuf,
        /// What it is instead.
        kind: &'static str,
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
        let file = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| unreadable(errno.into()))?;
        let status = rustix::fs::fstat(file.as_fd()).map_err(|errno| unreadable(errno.into()))?;
        let kind = match FileType::from_raw_mode(status.st_mode) {
            FileType::RegularFile => {
                let size = u64::try_from(status.st_size).unwrap_or_default();
                return Ok(Self { file: file.into(), size });
            }
            FileType::Directory => "a folder",
            FileType::Fifo => "a pipe",
            FileType::Socket => "a socket",
            FileType::CharacterDevice | FileType::BlockDevice => "a device",
            _ => "no file",
        };
        Err(SourceError::NotAFile { path: path.to_owned(), kind })
    }
}
