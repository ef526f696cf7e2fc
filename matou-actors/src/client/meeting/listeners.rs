//! The two ports of a meeting: listened on, and dialled from.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::ops::RangeInclusive;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpSocket};

use crate::client::connection::sockets::listen_on_two;
use crate::protocol::PortPair;

/// Connections that may wait for being accepted.
const BACKLOG: i32 = 64;

/// Two listeners, on all addresses unless the user named one.
#[derive(Debug)]
pub(crate) struct MeetingPorts {
    pub(super) messages: TcpListener,
    pub(super) files: TcpListener,
    pub(crate) ports: PortPair,
}

impl MeetingPorts {
    /// Listens on two ports: of the range if there is one, else any free ones.
    pub(crate) fn bind(
        address: Option<IpAddr>,
        range: Option<&RangeInclusive<u16>>,
    ) -> Result<Self, String> {
        let listening =
            listen_on_two(range, "listen for the other side", |port| listen(address, port));
        let ((messages, message), (files, file)) = listening?;
        Ok(Self { messages, files, ports: PortPair { message, file } })
    }
}

fn listen(address: Option<IpAddr>, port: u16) -> io::Result<(TcpListener, NonZeroU16)> {
    let bound = match address {
        Some(address) => bind(address, port),
        // One socket for both families, where the machine has both.
        None => bind(Ipv6Addr::UNSPECIFIED.into(), port)
            .or_else(|_| bind(Ipv4Addr::UNSPECIFIED.into(), port)),
    };
    let socket = bound?;
    if port == 0 {
        // Only now: the kernel would give a port that another meeting has.
        share_port(&socket)?;
    }
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from_std(socket.into())?;
    let port = listener.local_addr()?.port();
    let port = NonZeroU16::new(port).ok_or_else(|| io::Error::other("the listener has no port"))?;
    Ok((listener, port))
}

fn bind(address: IpAddr, port: u16) -> io::Result<Socket> {
    let socket = Socket::new(domain(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.is_unspecified())?;
    }
    // The range is small: its ports must not rest for a minute after each session.
    socket.set_reuse_address(port != 0)?;
    socket.bind(&SocketAddr::new(address, port).into())?;
    if port != 0 {
        share_port(&socket)?;
    }
    Ok(socket)
}

/// Dials from the port that is listened on, so that routers let the peer's dials in.
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    Ok(())
}

/// A socket that dials `to` from the port that is listened on.
pub(super) fn dialler_from(to: SocketAddr, port: u16) -> io::Result<TcpSocket> {
    let socket = Socket::new(domain(to.ip()), Type::STREAM, Some(Protocol::TCP))?;
    share_port(&socket)?;
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    if to.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SocketAddr::new(any, port).into())?;
    socket.set_nonblocking(true)?;
    Ok(TcpSocket::from_std_stream(socket.into()))
}

/// The same, or from any port where the system does not allow it.
pub(super) fn dialler(to: SocketAddr, from_port: u16) -> io::Result<TcpSocket> {
    dialler_from(to, from_port).or_else(|_| match to {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    })
}

fn domain(address: IpAddr) -> Domain {
    if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 }
}
