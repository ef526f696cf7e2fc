//! What moves a file over one connection: Matou's movers, and bare loops to measure them by.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use matou_actors::transfer::{self, Progress};
use rustix::pipe::{PipeFlags, SpliceFlags};

use super::MIB;
use crate::error::{BenchError, Context, Outcome};

/// Bytes in the send buffer of a loop that holds it down.
const HELD: usize = 256 * 1024;
const PIPE: usize = 1024 * 1024;

/// How a file is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mover {
    /// `sendfile` and `splice`, nothing else, the send buffer held at 256 KiB.
    Splice,
    /// The movers that Matou's clients use.
    Matou,
    /// `sendfile` and `splice` with the kernel's own choice of send buffer.
    SpliceUnheld,
    /// `read` and `write` of 1 MiB.
    CopyMebibyte,
    /// `read` and `write` of 4 KiB.
    CopyPage,
}

impl Mover {
    /// All of them, in the order of the tables.
    pub(super) const ALL: [Self; 5] =
        [Self::Splice, Self::Matou, Self::SpliceUnheld, Self::CopyMebibyte, Self::CopyPage];

    /// The name in tables.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Splice => "bare sendfile + splice",
            Self::Matou => "Matou",
            Self::SpliceUnheld => "bare, send buffer not held",
            Self::CopyMebibyte => "bare read + write, 1 MiB",
            Self::CopyPage => "bare read + write, 4 KiB",
        }
    }

    /// Bytes that may lie in the receiving side's pipe, which no other count of memory has.
    pub(super) fn pipe_bytes(self) -> u64 {
        match self {
            Self::Splice | Self::Matou | Self::SpliceUnheld => MIB,
            Self::CopyMebibyte | Self::CopyPage => 0,
        }
    }

    /// Sends the whole file. Blocks.
    pub(super) fn send(self, file: &File, size: u64, socket: &TcpStream) -> Outcome<()> {
        match self {
            Self::Matou => {
                transfer::hold_send_buffer(socket).context("hold the send buffer")?;
                transfer::send_file(file, size, socket, &Progress::default())
                    .map_err(|error| BenchError::Invalid(error.to_string()))
            }
            Self::Splice => {
                let socket2 = socket2::SockRef::from(socket);
                socket2.set_send_buffer_size(HELD).context("hold the send buffer")?;
                sendfile(file, size, socket).context("sendfile")
            }
            Self::SpliceUnheld => sendfile(file, size, socket).context("sendfile"),
            Self::CopyMebibyte => copy(file, socket, mebibyte(), size).context("send"),
            Self::CopyPage => copy(file, socket, 4096, size).context("send"),
        }
    }

    /// Receives the whole file. Blocks.
    pub(super) fn receive(self, socket: &TcpStream, size: u64, file: &File) -> Outcome<()> {
        match self {
            Self::Matou => {
                transfer::receive_file(socket, size, file, &Progress::default(), &|_| Ok(()))
                    .map_err(|error| BenchError::Invalid(error.to_string()))
            }
            Self::Splice | Self::SpliceUnheld => splice(socket, size, file).context("splice"),
            Self::CopyMebibyte => copy(socket, file, mebibyte(), size).context("receive"),
            Self::CopyPage => copy(socket, file, 4096, size).context("receive"),
        }
    }
}

/// Moves a file from one thread to another, and returns when it is whole.
pub(super) fn pair(mover: Mover, source: &Path, copy: &File, size: u64) -> Outcome<()> {
    let (sender, receiver) = connection()?;
    let source = File::open(source).context("open the file")?;
    let sending = thread::spawn(move || mover.send(&source, size, &sender));
    mover.receive(&receiver, size, copy)?;
    sending.join().map_err(|_| BenchError::Invalid("the sending thread failed".into()))?
}

/// Two ends of a connection over loopback.
pub(super) fn connection() -> Outcome<(TcpStream, TcpStream)> {
    let what = || "connect over loopback".to_owned();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context(what())?;
    let one = TcpStream::connect(listener.local_addr().context(what())?).context(what())?;
    let (other, _) = listener.accept().context(what())?;
    for end in [&one, &other] {
        end.set_nodelay(true).context(what())?;
    }
    Ok((one, other))
}

fn sendfile(file: &File, size: u64, socket: &TcpStream) -> io::Result<()> {
    let mut at = 0;
    while at < size {
        let count = usize::try_from(size - at).unwrap_or(PIPE).min(64 * PIPE);
        if rustix::fs::sendfile(socket, file, Some(&mut at), count)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

fn splice(socket: &TcpStream, size: u64, file: &File) -> io::Result<()> {
    let (output, input) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::pipe::fcntl_setpipe_size(&input, PIPE)?;
    let flags = SpliceFlags::MOVE;
    let mut left = size;
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(PIPE).min(PIPE);
        let mut full = rustix::pipe::splice(socket, None, &input, None, count, flags)?;
        if full == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= u64::try_from(full).unwrap_or(0);
        while full > 0 {
            full -= rustix::pipe::splice(&output, None, file, None, full, flags)?;
        }
    }
    Ok(())
}

fn copy(mut from: impl Read, mut to: impl Write, buffer: usize, size: u64) -> io::Result<()> {
    let mut buffer = vec![0; buffer];
    let mut left = size;
    while left > 0 {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all(buffer.get(..read).unwrap_or_default())?;
        left = left.saturating_sub(u64::try_from(read).unwrap_or(0));
    }
    Ok(())
}

fn mebibyte() -> usize {
    usize::try_from(MIB).unwrap_or(PIPE)
}
