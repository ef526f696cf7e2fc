//! The movers through a buffer: for systems and file systems that cannot do better.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;

use super::mover::{MoveError, Progress, piece, wide};

const BUFFER: usize = 1024 * 1024;

pub(super) fn send(
    file: &File,
    from: u64,
    size: u64,
    mut socket: &TcpStream,
    progress: &Progress,
) -> Result<(), MoveError> {
    let mut buffer = vec![0; BUFFER];
    let mut at = from;
    while at < size {
        let wanted = buffer.get_mut(..piece(size - at, BUFFER)).unwrap_or_default();
        let read = again(|| file.read_at(wanted, at)).map_err(MoveError::File)?;
        if read == 0 {
            return Err(MoveError::Shrunk);
        }
        socket.write_all(wanted.get(..read).unwrap_or_default()).map_err(MoveError::Socket)?;
        at += wide(read);
        progress.add(read);
    }
    Ok(())
}

pub(super) fn receive(
    mut socket: &TcpStream,
    size: u64,
    mut file: &File,
    progress: &Progress,
    wrote: &dyn Fn(u64) -> io::Result<()>,
) -> Result<(), MoveError> {
    let mut buffer = vec![0; BUFFER];
    let mut left = size;
    while left > 0 {
        if progress.stopped() {
            return Err(MoveError::Ended);
        }
        let wanted = buffer.get_mut(..piece(left, BUFFER)).unwrap_or_default();
        let read = again(|| socket.read(wanted)).map_err(MoveError::Socket)?;
        if read == 0 {
            return Err(MoveError::Ended);
        }
        file.write_all(wanted.get(..read).unwrap_or_default()).map_err(MoveError::File)?;
        left -= wide(read);
        progress.add(read);
        wrote(left).map_err(MoveError::File)?;
    }
    Ok(())
}

/// Repeats `call` while a signal interrupts it.
pub(super) fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
