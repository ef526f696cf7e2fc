//! The socket of a client: TCP, plain or encrypted.

use std::cell::RefCell;
use std::io::{self, IoSlice, Read as _};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::SendFlags;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::encryption::{Encryption, RecordBuffer};
use crate::protocol::v2::PublicKey;
use crate::trust::ServerTls;

/// An idle connection is probed after this time, then after each interval, this many times.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(10), 6);
/// How long the other end may leave anything unacknowledged, probes included: just short of the two
/// minutes after which the name of an unplugged client must be free again. A live client
/// acknowledges probes by itself, however quiet its user is.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(110);

/// Unsent bytes that the kernel takes for a client who does not read. Left to itself it takes
/// megabytes for each, and a thousand of those are enough to slow down every connection of the
/// machine; what waits beyond this is in the outbox, where it is shared and bounded.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;

/// The most bytes read from a client that is refused.
const REFUSED_READ: usize = 1024;

/// An accepted connection that belongs to no event loop yet.
#[derive(Debug)]
pub(crate) struct Accepted(std::net::TcpStream);

/// A client's connection on its event loop, plain or encrypted.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    encryption: Option<Box<Encryption>>,
}

impl Accepted {
    /// Takes a connection from the event loop that accepted it.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.into_std().map(Self)
    }

    /// Closes a connection that is not admitted. What it has sent is read, since closing with
    /// unread bytes sends a reset, which looks like a network fault.
    pub(crate) fn refuse(mut self) {
        let _ = self.0.shutdown(Shutdown::Write);
        let _ = self.0.read(&mut [0; REFUSED_READ]);
    }

    #[cfg(test)]
    pub(crate) fn of(stream: std::net::TcpStream) -> Self {
        stream.set_nonblocking(true).unwrap();
        Self(stream)
    }
}

impl Socket {
    /// Registers the connection with the current event loop, tuned for chat.
    pub(crate) fn register(Accepted(stream): Accepted) -> io::Result<Self> {
        tune(&stream)?;
        Ok(Self { stream: TcpStream::from_std(stream)?, encryption: None })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// Continues encrypted: everything read so far, and all later input, is TLS.
    pub(super) fn encrypt(&mut self, tls: ServerTls, records: Rc<RefCell<RecordBuffer>>) {
        self.encryption = Some(Box::new(Encryption::new(tls, records)));
    }

    /// The key that the client has proved; `None` on a plain connection.
    pub(super) fn client_key(&self) -> Option<PublicKey> {
        self.encryption.as_ref()?.client_key()
    }

    /// The exporter secret with which the client proves the password; `None` on a plain connection.
    pub(super) fn exporter(&self) -> Option<&[u8; 32]> {
        self.encryption.as_ref()?.exporter()
    }

    /// Drops it once the password is proved.
    pub(super) fn forget_exporter(&mut self) {
        if let Some(encryption) = &mut self.encryption {
            encryption.forget_exporter();
        }
    }

    pub(super) fn poll_readable(&self, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        if self.has_plaintext() {
            return Poll::Ready(Ok(()));
        }
        self.stream.poll_read_ready(task)
    }

    pub(super) fn poll_writable(&self, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(task)
    }

    /// Reads what is available; `WouldBlock` when nothing is, 0 when the stream has ended. TLS
    /// errors have the kind `InvalidData`.
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stream = &self.stream;
        match &mut self.encryption {
            None => stream.try_read(buffer),
            Some(encryption) => encryption.read(
                buffer,
                |room| stream.try_read(room),
                |bytes| send_now(stream, bytes),
            ),
        }
    }

    /// Takes bytes that were read before the connection was known to be encrypted.
    pub(super) fn take_ciphertext(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let stream = &self.stream;
        match &mut self.encryption {
            None => Ok(()),
            Some(encryption) => encryption.take(bytes, |bytes| send_now(stream, bytes)),
        }
    }

    /// Writes what the socket accepts.
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stream = &self.stream;
        match &mut self.encryption {
            None => stream.try_write(bytes),
            Some(encryption) => {
                encryption.write(&[IoSlice::new(bytes)], |bytes| stream.try_write(bytes))
            }
        }
    }

    /// Writes what the socket accepts of several slices.
    pub(super) fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let stream = &self.stream;
        match &mut self.encryption {
            None => stream.try_write_vectored(slices),
            Some(encryption) => encryption.write(slices, |bytes| stream.try_write(bytes)),
        }
    }

    /// As [`Socket::try_write`], for a socket that is not known to be full: without asking the runtime,
    /// which costs a cache miss for each delivery.
    pub(super) fn send_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stream = &self.stream;
        match &mut self.encryption {
            None => send_now(stream, bytes),
            Some(encryption) => {
                encryption.write(&[IoSlice::new(bytes)], |bytes| send_now(stream, bytes))
            }
        }
    }

    /// Encrypted bytes that the socket has not accepted yet.
    pub(super) fn unsent(&self) -> usize {
        self.encryption.as_ref().map_or(0, |encryption| encryption.unsent())
    }

    /// Sends [`Socket::unsent`]; an error if the socket does not accept all of it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let stream = &self.stream;
        match &mut self.encryption {
            None => Ok(()),
            Some(encryption) => encryption.flush(|bytes| stream.try_write(bytes)),
        }
    }

    /// Whether bytes from the client are available that have not been read yet.
    pub(super) fn has_unread(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        self.has_plaintext()
            || SockRef::from(&self.stream).peek(&mut byte).is_ok_and(|count| count > 0)
    }

    fn has_plaintext(&self) -> bool {
        self.encryption.as_ref().is_some_and(|encryption| encryption.has_plaintext())
    }

    /// Closes the stream to the client.
    pub(super) fn shut_down_write(&mut self) -> io::Result<()> {
        let stream = &self.stream;
        if let Some(encryption) = &mut self.encryption {
            encryption.close(|bytes| stream.try_write(bytes));
        }
        SockRef::from(stream).shutdown(Shutdown::Write)
    }

    /// How long neither data nor an acknowledgement was received from the client; `None` where the
    /// system does not report it.
    ///
    /// The kernel's own timers do not find every unplugged client in time, which is why the
    /// liveness sweep exists beside them: keepalive probes stop as soon as something is to be sent,
    /// and the user timeout restarts with that, and is late by up to a minute when the local
    /// network reports that there is no such host.
    pub(super) fn silence(&self) -> Option<Duration> {
        let stream = &self.stream;
        #[cfg(target_os = "linux")]
        {
            crate::tcp_info::silence(stream).ok()
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = stream;
            None
        }
    }

    /// How many bytes the client's system has acknowledged; `None` where ours does not say.
    pub(super) fn acknowledged(&self) -> Option<u64> {
        let stream = &self.stream;
        #[cfg(target_os = "linux")]
        {
            crate::tcp_info::acknowledged(stream).ok()
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = stream;
            None
        }
    }
}

fn send_now(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match rustix::net::send(stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        // The runtime waits until a socket is writable only if it has seen it full itself.
        Err(Errno::AGAIN | Errno::INTR) => stream.try_write(bytes),
        sent => Ok(sent?),
    }
}

/// Sends what is written at once, and detects within two minutes that the other end was unplugged.
fn tune(stream: &std::net::TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let (idle, interval, probes) = KEEPALIVE;
    let keepalive =
        TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(probes);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
        socket.set_tcp_notsent_lowat(UNSENT)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_connection_is_tuned_for_people_who_are_unplugged_or_do_not_read() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        tune(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(10));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 6);
        let user_timeout = socket.tcp_user_timeout().unwrap().unwrap();
        assert!((60..120).contains(&user_timeout.as_secs()), "{user_timeout:?}");
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT);
    }

    #[actix::test]
    #[cfg(target_os = "linux")]
    async fn received_bytes_end_the_silence_of_the_peer() {
        use tokio::io::AsyncWriteExt as _;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let ours = Socket { stream, encryption: None };
        let long = Duration::from_millis(100);
        while ours.silence().unwrap() < long {
            tokio::time::sleep(long / 10).await;
        }
        let before = ours.silence().unwrap();
        theirs.write_all(b"x").await.unwrap();
        std::future::poll_fn(|task| ours.poll_readable(task)).await.unwrap();
        assert!(ours.silence().unwrap() < before + long);
        assert!(ours.silence().unwrap() < Duration::from_secs(60));
    }
}
