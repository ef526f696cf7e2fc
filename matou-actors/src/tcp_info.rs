//! What Linux knows of a TCP connection (`TCP_INFO`, tcp(7)).
//!
//! The kernel's structure grows from version to version, and a kernel fills in as much of it as it is
//! asked for. What is asked for here are its beginnings, no longer than they need to be: libc has
//! the structure of the newest kernel, over which an older one makes nix panic.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::libc;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::GetStruct;

/// Whether a connection still takes what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpState {
    /// It does.
    Sending,
    /// Its sending half was shut down.
    ShutDown,
    /// There is no connection any more.
    Closed,
}

/// Some of what the kernel knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Info {
    pub(crate) state: TcpState,
    /// Of a round trip, in microseconds.
    pub(crate) round_trip: u32,
    /// What waits to be sent, in bytes, or to be acknowledged, in segments: zero when nothing does.
    pub(crate) waiting: u64,
}

/// Asks the kernel, Linux 4.6 or later.
pub(crate) fn tcp_info(socket: &impl AsFd) -> io::Result<Info> {
    // From the kernel's tcp_states.h.
    const ESTABLISHED: u8 = 1;
    const CLOSE: u8 = 7;
    const CLOSE_WAIT: u8 = 8;

    let info = getsockopt(socket, Longer)?;
    let state = match info.beginning.state {
        ESTABLISHED | CLOSE_WAIT => TcpState::Sending,
        CLOSE => TcpState::Closed,
        _ => TcpState::ShutDown,
    };
    let waiting = u64::from(info.notsent_bytes) + u64::from(info.beginning.unacked);
    Ok(Info { state, round_trip: info.beginning.rtt, waiting })
}

/// How many bytes the other end has acknowledged, Linux 4.6 or later.
pub(crate) fn acknowledged(socket: &impl AsFd) -> io::Result<u64> {
    Ok(getsockopt(socket, Longer)?.bytes_acked)
}

/// How many bytes the other end has acknowledged, and how many more it has room for; `None` before
/// Linux 5.4.
pub(crate) fn window(socket: &impl AsFd) -> io::Result<Option<(u64, u64)>> {
    if !knows_window(&rustix::system::uname().release().to_string_lossy()) {
        return Ok(None);
    }
    let info = getsockopt(socket, Longest)?;
    Ok(Some((info.before.bytes_acked, info.snd_wnd.into())))
}

/// Whether a kernel of this release, such as `6.1.0-18-amd64`, fills in [`Since54`].
fn knows_window(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (5, 4),
        _ => false,
    }
}

/// How long neither data nor an acknowledgement has come from the other end.
pub(crate) fn silence(socket: &impl AsFd) -> io::Result<Duration> {
    let info = getsockopt(socket, Shorter)?;
    Ok(Duration::from_millis(info.last_data_recv.min(info.last_ack_recv).into()))
}

/// What every kernel has.
#[repr(C)]
#[derive(Clone, Copy)]
struct Beginning {
    state: u8,
    _ca_state_to_options: [u8; 7],
    _rto_to_rcv_mss: [u32; 4],
    unacked: u32,
    _sacked_to_fackets: [u32; 4],
    _last_sent: [u32; 2],
    last_data_recv: u32,
    last_ack_recv: u32,
    _pmtu_and_rcv_ssthresh: [u32; 2],
    rtt: u32,
    _rttvar_to_total_retrans: [u32; 8],
}

/// What kernels have since Linux 4.6.
#[repr(C)]
#[derive(Clone, Copy)]
struct Since46 {
    beginning: Beginning,
    _rates: [u64; 2],
    bytes_acked: u64,
    _bytes_received: u64,
    _segments: [u32; 2],
    notsent_bytes: u32,
    _min_rtt: u32,
}

/// What kernels have since Linux 5.4.
#[repr(C)]
#[derive(Clone, Copy)]
struct Since54 {
    before: Since46,
    _data_segs_in_to_rcv_ooopack: [u32; 19],
    snd_wnd: u32,
}

#[derive(Clone, Copy)]
struct Shorter;

nix::getsockopt_impl!(Shorter, libc::IPPROTO_TCP, libc::TCP_INFO, Beginning, GetStruct<Beginning>);

#[derive(Clone, Copy)]
struct Longer;

nix::getsockopt_impl!(Longer, libc::IPPROTO_TCP, libc::TCP_INFO, Since46, GetStruct<Since46>);

#[derive(Clone, Copy)]
struct Longest;

nix::getsockopt_impl!(Longest, libc::IPPROTO_TCP, libc::TCP_INFO, Since54, GetStruct<Since54>);

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_structures_are_beginnings_of_the_kernels_and_no_longer_than_its_old_ones() {
        assert_eq!((size_of::<Beginning>(), size_of::<Since46>()), (104, 152));
        assert_eq!(offset_of!(Beginning, unacked), offset_of!(libc::tcp_info, tcpi_unacked));
        assert_eq!(
            offset_of!(Beginning, last_data_recv),
            offset_of!(libc::tcp_info, tcpi_last_data_recv)
        );
        assert_eq!(
            offset_of!(Beginning, last_ack_recv),
            offset_of!(libc::tcp_info, tcpi_last_ack_recv)
        );
        assert_eq!(offset_of!(Beginning, rtt), offset_of!(libc::tcp_info, tcpi_rtt));
        assert_eq!(offset_of!(Since46, bytes_acked), offset_of!(libc::tcp_info, tcpi_bytes_acked));
        assert_eq!(
            offset_of!(Since46, notsent_bytes),
            offset_of!(libc::tcp_info, tcpi_notsent_bytes)
        );
        assert_eq!(offset_of!(Since54, snd_wnd), offset_of!(libc::tcp_info, tcpi_snd_wnd));
        assert_eq!(size_of::<Since54>(), 232);
    }

    #[test]
    fn a_connection_has_its_kernel_figures() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(tcp_info(&stream).unwrap().state, TcpState::Sending);
        assert!(silence(&stream).unwrap() < Duration::from_secs(60));
        // Of nothing but the handshake, and whatever an end has room for at first.
        if knows_window(&rustix::system::uname().release().to_string_lossy()) {
            let (acknowledged, room) = window(&stream).unwrap().unwrap();
            assert!(acknowledged < 2 && room > 1000, "{acknowledged} {room}");
        }
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(tcp_info(&stream).unwrap().state, TcpState::ShutDown);
    }
}
