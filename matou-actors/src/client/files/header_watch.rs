//! Waits for input on a file connection, without reading more than a header.
//!
//! The connection is in blocking mode for the threads that move files, so it is watched from a
//! thread as well: it sleeps in `poll`, and unlike an event loop is not woken by the packets of a
//! file in the other direction.

use std::io::{self, Read};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::RecvFlags;
use rustix::pipe::PipeFlags;

use super::state::WatchFrom;
use crate::protocol::{Decode, FileHeader, FrameError};

/// The thread needs little stack; the default would be 2 MiB of address space.
const STACK: usize = 128 * 1024;
/// The other side sends no more.
#[cfg(target_os = "linux")]
const ENDED: PollFlags = PollFlags::RDHUP;
/// The other side is gone.
#[cfg(not(target_os = "linux"))]
const ENDED: PollFlags = PollFlags::HUP;

const CLOSED: &str = "the other side closed the file connection";

/// What a watch reports.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderSeen {
    /// A header, of a file of this many bytes. The watch continues for the end of the connection.
    Header(u64),
    /// No more files can arrive, and why; the last one.
    Down(String),
    /// The same, since the bytes are not a header.
    Violation(String),
}

/// A watch on one file connection; dropping it ends it.
#[derive(Debug)]
pub(super) struct HeaderWatch {
    _alive: OwnedFd,
}

impl HeaderWatch {
    /// Watches `files` for one header, or for the end of the connection under an offer, and
    /// reports what it sees from the watching thread.
    pub(super) fn start(
        files: Arc<TcpStream>,
        from: WatchFrom,
        report: impl Fn(HeaderSeen) + Send + 'static,
    ) -> io::Result<Self> {
        let (dropped, alive) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let thread = thread::Builder::new().name("file watch".into()).stack_size(STACK);
        thread.spawn(move || match watch(&files, from, &dropped, &report) {
            Ok(Some(reason)) => report(HeaderSeen::Down(reason)),
            Ok(None) => {}
            Err(error) => report(HeaderSeen::Down(format!("the file connection broke: {error}"))),
        })?;
        Ok(Self { _alive: alive })
    }
}

/// Bytes that wait in the socket: a file whose sender is gone can still be received.
pub(super) fn unread(files: &TcpStream) -> u64 {
    rustix::io::ioctl_fionread(files.as_fd()).unwrap_or_default()
}

/// Why no more files can arrive; `None` when the watch was dropped.
fn watch(
    files: &TcpStream,
    from: WatchFrom,
    dropped: &OwnedFd,
    report: &impl Fn(HeaderSeen),
) -> io::Result<Option<String>> {
    if let WatchFrom::Refused(size) = from {
        // All of it is here, so this does not wait.
        io::copy(&mut files.take(size), &mut io::sink())?;
    }
    let size = match from {
        WatchFrom::Offer(size) => size,
        WatchFrom::Header | WatchFrom::Refused(_) => match header(files, dropped)? {
            Header::Of(size) => {
                report(HeaderSeen::Header(size));
                size
            }
            Header::Never(reason) => return Ok(Some(reason)),
            Header::Invalid(error) => {
                report(HeaderSeen::Violation(format!(
                    "the other side breaks the protocol: {error}"
                )));
                return Ok(None);
            }
            Header::Dropped => return Ok(None),
        },
    };
    if sleep(files, dropped, ENDED)? == Woken::Dropped || unread(files) >= size {
        return Ok(None);
    }
    Ok(Some(CLOSED.into()))
}

enum Header {
    Of(u64),
    Never(String),
    Invalid(FrameError),
    Dropped,
}

fn header(files: &TcpStream, dropped: &OwnedFd) -> io::Result<Header> {
    let mut header = [0; FileHeader::LENGTH];
    let mut length = 0;
    loop {
        if sleep(files, dropped, PollFlags::IN | ENDED)? == Woken::Dropped {
            return Ok(Header::Dropped);
        }
        let rest = header.get_mut(length..).unwrap_or_default();
        match rustix::net::recv(files, rest, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => return Ok(Header::Never(CLOSED.into())),
            Ok((_, read)) => length += read,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        // Judged as it arrives: a wrong type shows before the size.
        match FileHeader::decode(header.get(..length).unwrap_or_default()) {
            Ok(Some((header, _))) => return Ok(Header::Of(header.size())),
            Ok(None) => {}
            Err(error) => return Ok(Header::Invalid(error)),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Woken {
    Dropped,
    Ready,
}

fn sleep(files: &TcpStream, dropped: &OwnedFd, flags: PollFlags) -> io::Result<Woken> {
    let mut fds = [PollFd::new(files, flags), PollFd::new(dropped, PollFlags::empty())];
    loop {
        match poll(&mut fds, None) {
            Ok(_) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    let [_, dropped] = &fds;
    Ok(if dropped.revents().is_empty() { Woken::Ready } else { Woken::Dropped })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Shutdown, TcpListener};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    fn watched() -> (HeaderWatch, TcpStream, Arc<TcpStream>, mpsc::Receiver<HeaderSeen>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let near = Arc::new(listener.accept().unwrap().0);
        let (sender, seen) = mpsc::channel();
        let watch = HeaderWatch::start(Arc::clone(&near), WatchFrom::Header, move |what| {
            let _ = sender.send(what);
        });
        (watch.unwrap(), far, near, seen)
    }

    #[test]
    fn nothing_past_the_header_is_read() {
        let (watch, mut far, mut near, seen) = watched();
        for byte in [0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 1] {
            far.write_all(&[byte]).unwrap();
        }
        far.write_all(b"\x02content").unwrap();
        assert_eq!(seen.recv_timeout(DEADLINE), Ok(HeaderSeen::Header(258)));
        drop(watch);
        assert!(seen.recv_timeout(DEADLINE).is_err(), "a dropped watch reports nothing");
        let mut content = [0; 7];
        Arc::get_mut(&mut near).unwrap().read_exact(&mut content).unwrap();
        assert_eq!(&content, b"content");
    }

    #[test]
    fn an_offer_whose_sender_is_gone_ends_unless_it_is_all_here() {
        for (content, down) in [(&b"ab"[..], false), (&b"a"[..], true)] {
            let (_watch, mut far, _near, seen) = watched();
            far.write_all(&[0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, 2]).unwrap();
            far.write_all(content).unwrap();
            assert_eq!(seen.recv_timeout(DEADLINE), Ok(HeaderSeen::Header(2)));
            far.shutdown(Shutdown::Both).unwrap();
            let announced = seen.recv_timeout(DEADLINE);
            assert_eq!(matches!(announced, Ok(HeaderSeen::Down(_))), down, "{announced:?}");
        }
    }

    #[test]
    fn a_negative_size_and_another_type_are_violations() {
        for bytes in [&[0, 0, 0, 14, 255, 255, 255, 255, 255, 255, 255, 255][..], &[0, 0, 0, 13]] {
            let (_watch, mut far, _near, seen) = watched();
            far.write_all(bytes).unwrap();
            let Ok(HeaderSeen::Violation(reason)) = seen.recv_timeout(DEADLINE) else { panic!() };
            assert!(reason.contains("breaks the protocol"), "{reason}");
        }
    }
}
