//! A TCP proxy that treats a connection as networks do: delays it, splits it into bytes, stalls,
//! resets, ends or cuts it, and flips bits.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How often a pump looks whether it should stop.
const TICK: Duration = Duration::from_millis(20);

/// What happens to one direction of a connection; offsets count the bytes of that direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Each piece waits this long.
    Delay(Duration),
    /// One byte at a time.
    Bytewise,
    /// After this many bytes nothing moves any more, and nothing is closed.
    Stall(usize),
    /// After this many bytes both ends are reset.
    Reset(usize),
    /// After this many bytes this direction ends; the other one continues.
    End(usize),
    /// After this many bytes both ends are closed in an orderly way.
    Cut(usize),
    /// All bits of the byte at this offset are inverted.
    Flip(usize),
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    /// From the one that connected to the one that listens.
    pub(crate) up: Fault,
    /// The other way.
    pub(crate) down: Fault,
}

/// A proxy; dropping it cuts whatever still goes through it.
pub(crate) struct Proxy {
    /// Where to connect to.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: SocketAddr,
    /// The faults of the next connections, in order; the last ones apply to all further
    /// connections.
    faults: Mutex<Vec<Faults>>,
    accepted: AtomicUsize,
    stopped: AtomicBool,
}

/// The two ends of a proxied connection.
struct Pair {
    near: TcpStream,
    far: TcpStream,
    over: AtomicBool,
}

impl Faults {
    pub(crate) const NONE: Self = Self { up: Fault::None, down: Fault::None };

    pub(crate) fn up(up: Fault) -> Self {
        Self { up, ..Self::NONE }
    }

    pub(crate) fn down(down: Fault) -> Self {
        Self { down, ..Self::NONE }
    }

    pub(crate) fn both(fault: Fault) -> Self {
        Self { up: fault, down: fault }
    }
}

impl Proxy {
    /// Proxies all connections to `target` with the same faults.
    pub(crate) fn always(target: SocketAddr, faults: Faults) -> Self {
        Self::start(target, vec![faults])
    }

    /// Proxies the first connection with these faults and all others with none.
    pub(crate) fn once(target: SocketAddr, faults: Faults) -> Self {
        Self::start(target, vec![Faults::NONE, faults])
    }

    /// How many connections were accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    fn start(target: SocketAddr, faults: Vec<Faults>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target,
            faults: Mutex::new(faults),
            accepted: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                accepting.accepted.fetch_add(1, Ordering::SeqCst);
                connect(&accepting, near);
            }
        });
        Self { address, shared }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn connect(shared: &Arc<Shared>, near: TcpStream) {
    let faults = {
        let mut faults = shared.faults.lock().unwrap();
        if faults.len() > 1 { faults.pop().unwrap() } else { faults[0] }
    };
    // A target that is gone refuses: so does the proxy, by closing.
    let Ok(far) = TcpStream::connect(shared.target) else { return };
    for stream in [&near, &far] {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(TICK)).unwrap();
        stream.set_write_timeout(Some(TICK)).unwrap();
    }
    let pair = Arc::new(Pair { near, far, over: AtomicBool::new(false) });
    for (fault, up) in [(faults.up, true), (faults.down, false)] {
        let (shared, pair) = (Arc::clone(shared), Arc::clone(&pair));
        thread::spawn(move || {
            let (from, to) = if up { (&pair.near, &pair.far) } else { (&pair.far, &pair.near) };
            let stopped =
                || pair.over.load(Ordering::SeqCst) || shared.stopped.load(Ordering::SeqCst);
            let ended = pump(from, to, fault, &stopped);
            match ended {
                Over::Ended => {
                    let _ = to.shutdown(Shutdown::Write);
                }
                Over::Cut => pair.over.store(true, Ordering::SeqCst),
                Over::Reset => {
                    for stream in [&pair.near, &pair.far] {
                        socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
                    }
                    pair.over.store(true, Ordering::SeqCst);
                }
            }
            // The sockets close when the other pump has released them too.
        });
    }
}

enum Over {
    Ended,
    Cut,
    Reset,
}

/// Moves bytes until the end of the stream, the fault, or `stopped`.
fn pump(mut from: &TcpStream, to: &TcpStream, fault: Fault, stopped: &dyn Fn() -> bool) -> Over {
    let limit = match fault {
        Fault::Stall(after) | Fault::Reset(after) | Fault::End(after) | Fault::Cut(after) => after,
        Fault::None | Fault::Delay(_) | Fault::Bytewise | Fault::Flip(_) => usize::MAX,
    };
    let (mut buffer, mut moved) = (vec![0; 64 * 1024], 0);
    while moved < limit {
        let space = buffer.len().min(limit - moved);
        let read = match from.read(&mut buffer[..space]) {
            Ok(0) => return Over::Ended,
            Ok(read) => read,
            Err(error) if is_timeout(&error) && !stopped() => continue,
            Err(_) => return Over::Cut,
        };
        let piece = &mut buffer[..read];
        if let Fault::Flip(at) = fault
            && let Some(byte) = at.checked_sub(moved).and_then(|at| piece.get_mut(at))
        {
            *byte = !*byte;
        }
        if let Fault::Delay(time) = fault {
            thread::sleep(time);
        }
        let step = if fault == Fault::Bytewise { 1 } else { read };
        for part in piece.chunks(step) {
            if !write(to, part, stopped) {
                return Over::Cut;
            }
        }
        moved += read;
    }
    match fault {
        Fault::Reset(_) => Over::Reset,
        Fault::End(_) => {
            let _ = to.shutdown(Shutdown::Write);
            discard(from, &mut buffer, stopped);
            Over::Ended
        }
        Fault::Stall(_) => {
            // A reset is still forwarded.
            while !stopped() && matches!(from.take_error(), Ok(None)) {
                thread::sleep(TICK);
            }
            Over::Cut
        }
        _ => Over::Cut,
    }
}

/// Reads and drops further input from a sender that does not know that it is discarded.
fn discard(mut from: &TcpStream, buffer: &mut [u8], stopped: &dyn Fn() -> bool) {
    loop {
        match from.read(buffer) {
            Ok(1..) => {}
            Err(error) if is_timeout(&error) && !stopped() => {}
            Ok(0) | Err(_) => return,
        }
    }
}

/// Writes all of `bytes`; whether that went well.
fn write(mut to: &TcpStream, mut bytes: &[u8], stopped: &dyn Fn() -> bool) -> bool {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if is_timeout(&error) && !stopped() => {}
            Err(_) => return false,
        }
    }
    true
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
