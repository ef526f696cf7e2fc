//! The two movers: a file into a socket, a socket into a file. Both block.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How far a mover is, and whether it should continue; shared with the thread that supervises it.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    stopped: AtomicBool,
    taken: AtomicBool,
}

/// Why a file did not move whole.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The file has fewer bytes than promised.
    #[error("the file became shorter while it was sent")]
    Shrunk,
    /// The connection was ended inside the file, from the other side or by [`Progress::stop`].
    #[error("the sender stopped it, or the connection broke")]
    Ended,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Socket(io::Error),
    /// The file cannot be read or written.
    #[error("{0}")]
    File(io::Error),
}

/// Sends the first `size` bytes of `file` into `socket`, which must be in blocking mode, and
/// returns when the kernel has taken them all. Whatever the file grows by meanwhile is not sent.
///
/// On Linux the bytes go from page cache to socket without a copy through this process; where
/// that is not possible, and elsewhere, through a buffer of 1 MiB.
pub fn send_file(
    file: &File,
    size: u64,
    socket: &TcpStream,
    progress: &Progress,
) -> Result<(), MoveError> {
    #[cfg(target_os = "linux")]
    return super::linux::send(file, size, socket, progress);
    #[cfg(not(target_os = "linux"))]
    super::portable::send(file, 0, size, socket, progress)
}

/// Receives exactly `size` bytes from `socket`, which must be in blocking mode, into `file` from
/// its current position on, and reads nothing past them. After each piece `wrote` learns how many
/// bytes are left, and ends it with an error.
///
/// On Linux the bytes go through a pipe of 1 MiB that no copy leaves the kernel for; where that
/// is not possible, and elsewhere, through a buffer of 1 MiB.
pub fn receive_file(
    socket: &TcpStream,
    size: u64,
    file: &File,
    progress: &Progress,
    wrote: &dyn Fn(u64) -> io::Result<()>,
) -> Result<(), MoveError> {
    #[cfg(target_os = "linux")]
    return super::linux::receive(socket, size, file, progress, wrote);
    #[cfg(not(target_os = "linux"))]
    super::portable::receive(socket, size, file, progress, wrote)
}

impl Progress {
    /// Bytes moved so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Makes a receiving mover stop where it is: one that has bytes to read does not notice that
    /// its socket was shut down, and would continue for as long as more arrive.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// The other side is known to take the file.
    pub(super) fn note_taken(&self) {
        self.taken.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    pub(super) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(wide(bytes), Ordering::Relaxed);
    }
}

pub(super) fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// `most`, or what is left when that is less.
pub(super) fn piece(left: u64, most: usize) -> usize {
    usize::try_from(left).map_or(most, |left| left.min(most))
}
