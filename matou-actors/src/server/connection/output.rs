//! The writing half of a connection.
//!
//! The shard writes batches through it directly: an actor message for each connection and batch
//! would cost as much as the system call. The connection writes frames for its client only,
//! and waits for the socket when it is full.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::socket::Socket;
use crate::protocol::v2::PublicKey;
use crate::server::connection::outbox::{MAX_SLICES, Outbox};
use crate::server::metrics::meters::ShardMeters;
use crate::server::reason::Reason;
use crate::server::room::batch::Welcome;
use crate::server::room::log::Span;

/// A socket and its outbox.
#[derive(Debug)]
pub(crate) struct Output {
    socket: Socket,
    outbox: Outbox,
    meters: Arc<ShardMeters>,
    /// The log offset up to which everything was queued.
    delivered: u64,
    written: u64,
    blocked: bool,
    closed: bool,
    welcomed: bool,
}

/// The result of a write.
#[derive(Debug)]
pub(crate) enum WriteProgress {
    /// Everything is written, or the connection is already waiting for the socket.
    Done,
    /// The socket is full: the connection has to wait until it is writable.
    Blocked,
    /// The connection has to end.
    Failed(Reason),
}

/// How much the client has accepted; if it is unchanged later on, the client is stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BytesTaken {
    written: u64,
    /// A socket becomes writable only when half of its unsent bytes are gone, which takes longer on a
    /// slow line than a client may be stalled.
    acknowledged: Option<u64>,
}

impl Output {
    pub(crate) fn new(socket: Socket, limit: usize, meters: Arc<ShardMeters>) -> Self {
        let outbox = Outbox::new(limit);
        Self {
            socket,
            outbox,
            meters,
            delivered: 0,
            written: 0,
            blocked: false,
            closed: false,
            welcomed: false,
        }
    }

    /// Changes how many bytes may be queued.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.outbox.set_limit(limit);
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(super) fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// The key that the client has proved; `None` on a plain connection.
    pub(crate) fn client_key(&self) -> Option<PublicKey> {
        self.socket.client_key()
    }

    /// For how long nothing has been received, if the system knows; see [`Socket::silence`].
    pub(crate) fn silence(&self) -> Option<Duration> {
        self.socket.silence()
    }

    /// Queued bytes.
    pub(crate) fn queued(&self) -> usize {
        self.outbox.queued() + self.socket.unsent()
    }

    /// The age of the oldest queued event.
    pub(super) fn lag(&self, now: Instant) -> Duration {
        let oldest = self.outbox.oldest();
        oldest.map_or(Duration::ZERO, |oldest| now.saturating_duration_since(oldest))
    }

    /// How much the client has accepted; a system call.
    pub(super) fn taken(&self) -> BytesTaken {
        BytesTaken { written: self.written, acknowledged: self.socket.acknowledged() }
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Queues nothing more.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the client joined the room before the end.
    pub(super) fn is_welcomed(&self) -> bool {
        self.welcomed
    }

    /// Writes a frame for this client only.
    pub(crate) fn send(&mut self, frame: Bytes) -> WriteProgress {
        self.push(|outbox| outbox.push_frame(frame).is_err())
    }

    /// Writes the answer and the roster for a newcomer.
    pub(crate) fn welcome(&mut self, welcome: Welcome) -> WriteProgress {
        self.delivered = welcome.start;
        self.outbox.set_dialect(welcome.dialect);
        self.welcomed = !self.closed;
        self.push(|outbox| {
            outbox.push_welcome(welcome.parts);
            false
        })
    }

    /// Writes the part of `span` that has not been delivered yet.
    pub(crate) fn deliver(&mut self, span: &Span) -> WriteProgress {
        let from = self.delivered;
        self.delivered = from.max(span.end);
        self.push(|outbox| outbox.push_span(span, from).is_err())
    }

    /// The socket may be writable again.
    pub(super) fn unblock(&mut self) -> WriteProgress {
        self.blocked = false;
        self.meters.queue_high_water.raise(self.queued());
        self.write(Socket::try_write)
    }

    /// Sends replies of the handshake, unless the connection is already waiting for the socket.
    pub(super) fn flush(&mut self) -> WriteProgress {
        if self.blocked { WriteProgress::Done } else { self.write(Socket::send_now) }
    }

    fn push(&mut self, queue: impl FnOnce(&mut Outbox) -> bool) -> WriteProgress {
        if self.closed {
            return WriteProgress::Done;
        }
        let overflow = queue(&mut self.outbox);
        let progress =
            if self.blocked { WriteProgress::Done } else { self.write(Socket::send_now) };
        if overflow && self.blocked {
            // Reported once: nothing more is queued from now on.
            self.closed = true;
            self.meters.queue_high_water.raise(self.queued());
            return WriteProgress::Failed(Reason::QueueOverflow(self.queued()));
        }
        progress
    }

    fn write(&mut self, one: fn(&mut Socket, &[u8]) -> io::Result<usize>) -> WriteProgress {
        while !self.outbox.is_empty() || self.socket.unsent() > 0 {
            match self.write_once(one) {
                Ok(written) => {
                    self.outbox.advance(written);
                    let bytes = u64::try_from(written).unwrap_or_default();
                    self.written += bytes;
                    self.meters.bytes_out.bump(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    self.meters.queue_high_water.raise(self.queued());
                    return WriteProgress::Blocked;
                }
                Err(error) => {
                    self.closed = true;
                    return WriteProgress::Failed(Reason::Io(error));
                }
            }
        }
        WriteProgress::Done
    }

    fn write_once(
        &mut self,
        one: fn(&mut Socket, &[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let filled = self.outbox.slices(&mut slices);
        match slices.get(..filled).unwrap_or_default() {
            [] => self.socket.flush().map(|()| 0),
            [only] => one(&mut self.socket, only),
            several => self.socket.try_write_vectored(several),
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use socket2::{Domain, Type};

    use super::*;
    use crate::server::connection::socket::Accepted;

    #[actix::test]
    async fn partial_drain_counts_as_progress() {
        const PATIENCE: Duration = Duration::from_secs(30);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        client.set_recv_buffer_size(8 * 1024).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.connect(&listener.local_addr().unwrap().into()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let socket = Socket::register(Accepted::of(stream)).unwrap();
        std::future::poll_fn(|task| socket.poll_writable(task)).await.unwrap();
        let mut output = Output::new(socket, usize::MAX / 2, Arc::default());
        assert!(matches!(output.send(vec![0; 4 << 20].into()), WriteProgress::Blocked));
        let before = output.taken();
        (&client).read_exact(&mut [0; 16 * 1024]).unwrap();
        let taken = async {
            while output.taken() == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, taken).await.unwrap();
        assert!(matches!(output.unblock(), WriteProgress::Blocked));
        assert_eq!(
            output.taken().written,
            before.written,
            "the socket is not writable before more is read"
        );
    }
}
