//! The thread of a file connection: TLS over a socket that does not block, and the engine.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BytesMut};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::{Connection, Writer};

use super::engine::Engine;
use super::front::{data_front, frame_length};
use super::handle::{Exchange, FrameSender, Queued, handles};
use super::messages::{ExchangeOrder, Report, Settings};
use super::output::{MOST_DATA, OutgoingFrames};
use super::yielding::Yielding;
use crate::protocol::Decode as _;
use crate::protocol::v2::{FileFrame, MAX_DATA};

/// Bytes taken from the socket at once.
const READ: usize = 64 * 1024;
/// Bytes to read before writing gets its turn.
const READ_TURN: usize = 1024 * 1024;
/// For the last bytes of a connection that is closed.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// An encrypted connection: its socket, and the state of TLS.
#[derive(Debug)]
pub struct EncryptedStream {
    /// The socket.
    pub socket: TcpStream,
    /// After the handshake.
    pub tls: Connection,
}

/// Starts the thread; `report` is called on it, and must not block.
pub fn start(
    stream: EncryptedStream,
    settings: Settings,
    report: impl Fn(Report) + Send + 'static,
) -> io::Result<(Exchange, FrameSender)> {
    let (exchange, frames, orders, woken) = handles()?;
    stream.socket.set_nonblocking(true)?;
    thread::Builder::new().name("files".into()).spawn(move || {
        let engine = Engine::new(settings, Instant::now());
        let yielding = engine.yielding();
        let worker = Worker {
            stream,
            engine,
            orders,
            woken,
            buffer: vec![0; READ],
            unused: vec![0; READ],
            plain: BytesMut::new(),
            data: None,
            out: OutgoingFrames::default(),
            socket_full: false,
            ready: Ready { socket: true, orders: true },
            yielding,
        };
        worker.run(&report);
    })?;
    Ok((exchange, frames))
}

struct Worker {
    stream: EncryptedStream,
    engine: Engine,
    orders: Receiver<Queued>,
    woken: UnixStream,
    /// For what is read from the socket.
    buffer: Vec<u8>,
    /// For DATA of transfers that are over.
    unused: Vec<u8>,
    /// Bytes that are not a whole frame yet.
    plain: BytesMut,
    /// The transfer whose DATA is being read, and how much of it is still to come.
    data: Option<(u64, usize)>,
    /// Frames for the other side.
    out: OutgoingFrames,
    socket_full: bool,
    ready: Ready,
    yielding: Rc<Yielding>,
}

/// What there is to read, as far as is known.
#[derive(Clone, Copy, Debug)]
struct Ready {
    socket: bool,
    orders: bool,
}

/// Why the connection ends.
enum ConnectionEnd {
    /// It was closed from here.
    Closed,
    Lost(String),
}

impl From<io::Error> for ConnectionEnd {
    fn from(error: io::Error) -> Self {
        Self::Lost(match error.kind() {
            io::ErrorKind::UnexpectedEof => "the file connection was cut".into(),
            _ => format!("the file connection broke: {error}"),
        })
    }
}

impl Worker {
    fn run(mut self, report: &dyn Fn(Report)) {
        // One piece of work waits at most: the rest stays in its files.
        self.stream.tls.set_buffer_limit(None);
        let mut leftovers = Some(self.take_leftovers());
        let stop = loop {
            let turned = leftovers.take().unwrap_or(Ok(())).and_then(|()| self.turn());
            if let Err(stop) = turned {
                break stop;
            }
            for event in self.engine.take_reports() {
                report(event);
            }
            if let Err(error) = self.wait() {
                break error.into();
            }
        };
        let reason = match stop {
            ConnectionEnd::Closed => {
                self.close();
                "the private session ended".to_owned()
            }
            ConnectionEnd::Lost(reason) => reason,
        };
        self.engine.lost(&reason);
        for event in self.engine.take_reports() {
            report(event);
        }
        report(Report::Ended { reason });
    }

    /// Does what can be done without waiting.
    fn turn(&mut self) -> Result<(), ConnectionEnd> {
        if self.ready.orders {
            self.take_orders()?;
        }
        if self.ready.socket {
            self.read()?;
        }
        self.write()
    }

    fn take_orders(&mut self) -> Result<(), ConnectionEnd> {
        let mut wakes = [0; 64];
        while (&self.woken).read(&mut wakes).is_ok_and(|read| read > 0) {}
        loop {
            match self.orders.try_recv() {
                Ok((ExchangeOrder::Close, _)) | Err(TryRecvError::Disconnected) => {
                    return Err(ConnectionEnd::Closed);
                }
                Ok((order, _place)) => self.engine.order(order),
                Err(TryRecvError::Empty) => return Ok(()),
            }
        }
    }

    /// Handles what was decrypted together with the greeting.
    fn take_leftovers(&mut self) -> Result<(), ConnectionEnd> {
        let state = self.stream.tls.process_new_packets();
        let state = state.map_err(|error| io::Error::other(error.to_string()))?;
        self.take_plain(state.plaintext_bytes_to_read())
    }

    fn read(&mut self) -> Result<(), ConnectionEnd> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = self.read_into(&mut buffer);
        self.buffer = buffer;
        read
    }

    fn read_into(&mut self, buffer: &mut [u8]) -> Result<(), ConnectionEnd> {
        let mut turn = 0;
        while turn < READ_TURN {
            let read = match (&self.stream.socket).read(buffer) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            turn += read;
            self.yielding.yield_core();
            let was_all = read < buffer.len();
            let mut encrypted = buffer.get(..read).unwrap_or_default();
            while !encrypted.is_empty() {
                self.stream.tls.read_tls(&mut encrypted)?;
                let state = self.stream.tls.process_new_packets();
                let state = state.map_err(|error| io::Error::other(error.to_string()))?;
                self.take_plain(state.plaintext_bytes_to_read())?;
                if state.peer_has_closed() {
                    return Err(ConnectionEnd::Lost(
                        "the other side closed the file connection".into(),
                    ));
                }
            }
            if was_all {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Handles this many decrypted bytes.
    fn take_plain(&mut self, mut count: usize) -> Result<(), ConnectionEnd> {
        let now = Instant::now();
        while count > 0 {
            count -= match self.data {
                Some((transfer, left)) => self.take_data(transfer, left, count, now)?,
                None => self.take_frame(count, now)?,
            };
        }
        Ok(())
    }

    /// Takes bytes of DATA to where they are written from; how many.
    fn take_data(
        &mut self,
        transfer: u64,
        left: usize,
        count: usize,
        now: Instant,
    ) -> Result<usize, ConnectionEnd> {
        let most = left.min(count);
        let taken = if let Some(room) = self.engine.data_room(transfer, most) {
            self.stream.tls.reader().read_exact(room)?;
            let taken = room.len();
            self.engine.data_filled(transfer, taken, now);
            taken
        } else {
            let taken = most.min(self.unused.len());
            let unused = self.unused.get_mut(..taken).unwrap_or_default();
            self.stream.tls.reader().read_exact(unused)?;
            taken
        };
        self.data = (taken < left).then_some((transfer, left - taken));
        Ok(taken)
    }

    /// Takes bytes of another frame, or of the front of DATA; how many.
    fn take_frame(&mut self, count: usize, now: Instant) -> Result<usize, ConnectionEnd> {
        let there = self.plain.len();
        let taken = frame_length(&self.plain).saturating_sub(there).min(count);
        self.plain.resize(there + taken, 0);
        self.stream.tls.reader().read_exact(self.plain.get_mut(there..).unwrap_or_default())?;
        if let Some(data) = data_front(&self.plain) {
            self.data = Some(data);
            self.plain.clear();
            return Ok(taken);
        }
        let frame = FileFrame::decode(&self.plain);
        let frame = frame.map_err(|error| {
            ConnectionEnd::Lost(format!("the other side breaks the protocol: {error}"))
        })?;
        if let Some((frame, length)) = frame {
            self.plain.advance(length);
            self.engine.file_frame(frame, now);
        }
        Ok(taken)
    }

    /// Writes until the socket is full, or there is nothing more to send.
    fn write(&mut self) -> Result<(), ConnectionEnd> {
        let mut turn = 0;
        loop {
            while self.stream.tls.wants_write() {
                match self.stream.tls.write_tls(&mut &self.stream.socket) {
                    Ok(written) => {
                        turn += written;
                        self.yielding.yield_core();
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.socket_full = true;
                        return Ok(());
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error.into()),
                }
            }
            self.socket_full = false;
            let tls = &mut self.stream.tls;
            if self.out.take(|part| write_all(&mut tls.writer(), part))? {
                continue;
            }
            let now = Instant::now();
            if turn >= READ_TURN || !self.engine.settings().rate.wait(now).is_zero() {
                return Ok(());
            }
            self.out.clear();
            if !self.engine.work(self.most_data(), &mut self.out, now) {
                return Ok(());
            }
            self.yielding.yield_core();
            if self.out.len() == 0 {
                // It hashed, which takes time as well.
                turn += READ_TURN / 16;
            }
            self.engine.settings().rate.pay(self.out.len(), now);
        }
    }

    /// Bytes of a file that are read at once: few where a limit of speed counts them.
    fn most_data(&self) -> usize {
        let is_limited = self.engine.settings().rate.get().is_some();
        if is_limited { MAX_DATA } else { MOST_DATA }
    }

    /// Waits for the socket, an order or the next turn of the limit of speed.
    fn wait(&mut self) -> io::Result<()> {
        let mut interest = PollFlags::IN;
        let mut limit = None;
        if self.socket_full {
            interest |= PollFlags::OUT;
        } else if self.engine.has_work() {
            limit = Some(self.engine.settings().rate.wait(Instant::now()));
        }
        let mut polled = vec![
            PollFd::from_borrowed_fd(self.stream.socket.as_fd(), interest),
            PollFd::from_borrowed_fd(self.woken.as_fd(), PollFlags::IN),
        ];
        let pipes = self.engine.dry_pipes();
        polled.extend(pipes.map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::IN)));
        let limit = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(limit.subsec_nanos()),
        });
        match poll(&mut polled, limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        // An error or the end is found by reading.
        let mut ready = polled.iter().map(|of| !(of.revents() - PollFlags::OUT).is_empty());
        let mut next = || ready.next().unwrap_or(false);
        self.ready = Ready { socket: next(), orders: next() };
        let has_input = ready.any(|is_ready| is_ready);
        drop(polled);
        if has_input {
            self.engine.look_at_pipes();
        }
        Ok(())
    }

    /// Ends the connection in the way that TLS wants.
    fn close(&mut self) {
        self.stream.tls.send_close_notify();
        // What the other side no longer reads is lost with the connection.
        let _ = self.stream.socket.set_nonblocking(false);
        let _ = self.stream.socket.set_write_timeout(Some(LAST_WORDS));
        while self.stream.tls.wants_write() {
            if self.stream.tls.write_tls(&mut &self.stream.socket).is_err() {
                return;
            }
        }
    }
}

/// Writes all of both, in the same records.
fn write_all(writer: &mut Writer<'_>, mut parts: [IoSlice<'_>; 2]) -> io::Result<()> {
    let mut parts = &mut parts[..];
    while parts.iter().any(|part| !part.is_empty()) {
        match writer.write_vectored(parts)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut parts, written),
        }
    }
    Ok(())
}
