//! What Linux tells of a TCP connection (`TCP_INFO`, tcp(7)).

use std::io;
use std::net::TcpStream;

use nix::libc;

#[derive(Clone, Copy)]
struct TcpInfo;

nix::getsockopt_impl!(
    TcpInfo,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    libc::tcp_info,
    nix::sys::socket::sockopt::GetStruct<libc::tcp_info>
);

/// Whether a connection still takes what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It does.
    Sending,
    /// Its sending half was shut down.
    ShutDown,
    /// There is no connection any more.
    Closed,
}

/// Some of what the kernel knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Info {
    pub(super) state: State,
    /// Of a round trip, in microseconds.
    pub(super) round_trip: u32,
    /// What waits to be sent, in bytes, or to be acknowledged, in segments: zero when nothing does.
    pub(super) waiting: u64,
}

/// Asks the kernel.
pub(super) fn tcp_info(socket: &TcpStream) -> io::Result<Info> {
    // From the kernel's tcp_states.h.
    const ESTABLISHED: u8 = 1;
    const CLOSE: u8 = 7;
    const CLOSE_WAIT: u8 = 8;

    let info = nix::sys::socket::getsockopt(socket, TcpInfo)?;
    let state = match info.tcpi_state {
        ESTABLISHED | CLOSE_WAIT => State::Sending,
        CLOSE => State::Closed,
        _ => State::ShutDown,
    };
    let waiting = u64::from(info.tcpi_notsent_bytes) + u64::from(info.tcpi_unacked);
    Ok(Info { state, round_trip: info.tcpi_rtt, waiting })
}
