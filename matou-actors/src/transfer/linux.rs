//! The movers without copies through this process: `sendfile` out, `splice` in.

use std::fs::File;
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags};

use super::chunk_sizer::ChunkSizer;
use super::mover::{MoveError, Progress, piece, wide};
use super::portable::{self, again};

/// The pipe between socket and file, and so the bytes that one `splice` moves at most: the
/// largest that an unprivileged process may ask for.
const PIPE: usize = 1024 * 1024;

pub(super) fn send(
    file: &File,
    size: u64,
    socket: &TcpStream,
    progress: &Progress,
) -> Result<(), MoveError> {
    let mut at = 0;
    // A blocking `sendfile` returns only when it has moved all that it was asked for.
    let mut chunk = ChunkSizer::new();
    while at < size {
        let (start, count) = (Instant::now(), piece(size - at, chunk.bytes()));
        let sent = again(|| Ok(rustix::fs::sendfile(socket, file, Some(&mut at), count)?));
        chunk = chunk.after(start.elapsed());
        match sent {
            Ok(0) => return Err(MoveError::Shrunk),
            Ok(sent) => progress.add(sent),
            Err(error) if cannot(&error) => {
                return portable::send(file, at, size, socket, progress);
            }
            Err(error) if is_of_the_file(&error) => return Err(MoveError::File(error)),
            Err(error) => return Err(MoveError::Socket(error)),
        }
    }
    Ok(())
}

pub(super) fn receive(
    socket: &TcpStream,
    size: u64,
    file: &File,
    progress: &Progress,
    wrote: &dyn Fn(u64) -> io::Result<()>,
) -> Result<(), MoveError> {
    if size == 0 {
        return Ok(());
    }
    let Ok((pipe, capacity)) = KernelPipe::new() else {
        return portable::receive(socket, size, file, progress, wrote);
    };
    let mut left = size;
    while left > 0 {
        if progress.stopped() {
            return Err(MoveError::Ended);
        }
        let taken = match splice(socket.as_fd(), pipe.input.as_fd(), piece(left, capacity)) {
            Ok(0) => return Err(MoveError::Ended),
            Ok(taken) => taken,
            Err(error) if cannot(&error) => {
                return portable::receive(socket, left, file, progress, wrote);
            }
            Err(error) => return Err(MoveError::Socket(error)),
        };
        left -= wide(taken);
        let way = pipe.empty_into(file, taken, progress)?;
        wrote(left).map_err(MoveError::File)?;
        if way == Way::Copied {
            return portable::receive(socket, left, file, progress, wrote);
        }
    }
    Ok(())
}

struct KernelPipe {
    output: OwnedFd,
    input: OwnedFd,
}

/// How the pipe's content reached the file.
#[derive(PartialEq, Eq)]
enum Way {
    Spliced,
    Copied,
}

impl KernelPipe {
    fn new() -> io::Result<(Self, usize)> {
        let (output, input) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        // Many pipes of one user are held to less; any size works.
        let capacity = rustix::pipe::fcntl_setpipe_size(&input, PIPE)
            .or_else(|_| rustix::pipe::fcntl_getpipe_size(&input))?;
        Ok((Self { output, input }, capacity))
    }

    fn empty_into(
        &self,
        mut file: &File,
        mut full: usize,
        progress: &Progress,
    ) -> Result<Way, MoveError> {
        while full > 0 {
            match splice(self.output.as_fd(), file.as_fd(), full) {
                Ok(0) => return Err(MoveError::File(io::ErrorKind::WriteZero.into())),
                Ok(moved) => {
                    full -= moved.min(full);
                    progress.add(moved);
                }
                Err(error) if cannot(&error) => {
                    let mut rest = vec![0; full];
                    let read = again(|| Ok(rustix::io::read(&self.output, &mut rest)?))
                        .map_err(MoveError::File)?;
                    file.write_all(rest.get(..read).unwrap_or_default())
                        .map_err(MoveError::File)?;
                    full -= read;
                    progress.add(read);
                    if full == 0 {
                        return Ok(Way::Copied);
                    }
                }
                Err(error) => return Err(MoveError::File(error)),
            }
        }
        Ok(Way::Spliced)
    }
}

fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, count: usize) -> io::Result<usize> {
    again(|| Ok(rustix::pipe::splice(from, None, to, None, count, SpliceFlags::MOVE)?))
}

/// The kernel cannot do this between these two: a buffer can.
fn cannot(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP))
}

/// `sendfile` says only what went wrong, not on which side.
fn is_of_the_file(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::IO | Errno::STALE | Errno::OVERFLOW | Errno::ACCESS)
    )
}
