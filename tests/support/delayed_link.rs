//! A link between two networks whose packets arrive late, as over a distance.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::network::Network;

const LONGEST_PACKET: usize = 65_536;

/// A TUN interface in each of two networks and a thread that moves packets between them. It works
/// until it is dropped.
pub(crate) struct DelayedLink {
    /// The thread ends when this is closed.
    _open: UnixStream,
}

/// A packet on its way.
struct InFlight {
    due: Instant,
    to: usize,
    bytes: Vec<u8>,
}

impl DelayedLink {
    /// Creates an interface of that name in each network; packets take `delay` in each direction.
    pub(crate) fn between(ends: [(&Network, String); 2], delay: Duration) -> Result<Self, String> {
        let [one, other] = ends.map(|(network, name)| network.within(move || tun::create(&name)));
        let ends = [one?, other?];
        let (open, closed) = UnixStream::pair().map_err(|error| error.to_string())?;
        std::thread::spawn(move || forward(&ends, &closed, delay));
        Ok(Self { _open: open })
    }
}

fn forward(ends: &[File; 2], closed: &UnixStream, delay: Duration) {
    let mut in_flight: VecDeque<InFlight> = VecDeque::new();
    let mut buffer = vec![0; LONGEST_PACKET];
    loop {
        let left = in_flight.front().map(|it| it.due.saturating_duration_since(Instant::now()));
        // Rounded up: not too early, and not in a busy loop.
        let left = left.map(|left| u16::try_from(left.as_millis() + 1).unwrap());
        let [one, other] = ends;
        let mut ready = [one.as_fd(), other.as_fd(), closed.as_fd()]
            .map(|file| PollFd::new(file, PollFlags::POLLIN));
        poll(&mut ready, left.map_or(PollTimeout::NONE, PollTimeout::from)).unwrap();
        if ready[2].any().unwrap() {
            return;
        }
        for (from, mut end) in ends.iter().enumerate() {
            while let Ok(length @ 1..) = end.read(&mut buffer) {
                let bytes = buffer[..length].to_vec();
                in_flight.push_back(InFlight { due: Instant::now() + delay, to: 1 - from, bytes });
            }
        }
        while in_flight.front().is_some_and(|it| it.due <= Instant::now()) {
            let InFlight { to, bytes, .. } = in_flight.pop_front().unwrap();
            // Like a wire: what cannot be delivered is lost.
            let _ = (&ends[to]).write(&bytes);
        }
    }
}

/// TUN interfaces have no other way in than this call.
#[allow(unsafe_code, missing_docs, reason = "an ioctl")]
mod tun {
    use super::{AsRawFd, File, OFlag, OpenOptions, OpenOptionsExt};

    const IFF_TUN: i16 = 0x1;
    const IFF_NO_PI: i16 = 0x1000;

    /// `struct ifreq` of the kernel.
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        flags: i16,
        rest: [u8; 22],
    }

    nix::ioctl_write_ptr_bad!(set_interface, nix::request_code_write!(b'T', 202, 4), Request);

    /// A TUN interface in the network of this thread, for as long as the file is open.
    pub(super) fn create(name: &str) -> Result<File, String> {
        let path = "/dev/net/tun";
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path)
            .map_err(|error| format!("{path}: {error}"))?;
        let mut request = Request { name: [0; 16], flags: IFF_TUN | IFF_NO_PI, rest: [0; 22] };
        // A shorter name: the last byte stays zero.
        request.name[..name.len().min(15)].copy_from_slice(&name.as_bytes()[..name.len().min(15)]);
        // SAFETY: the file is open, and the kernel reads and writes at most a `struct ifreq`, which
        // is as large as `Request`.
        unsafe { set_interface(file.as_raw_fd(), &raw const request) }
            .map_err(|error| format!("{path}: {error}"))?;
        Ok(file)
    }
}
