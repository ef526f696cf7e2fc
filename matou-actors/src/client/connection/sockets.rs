//! Making the sockets of a client: options, listeners, and the two connections of a session.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::os::fd::AsFd;
use std::time::Duration;

use slog::{Logger, debug};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::protocol::PortPair;

/// How long a connection may be silent before the kernel probes the other side.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// Asked again so often.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Lost after this many unanswered probes.
const KEEPALIVE_PROBES: u32 = 6;
/// The same where another one takes its place: 25 s in all.
const REPLACEABLE_KEEPALIVE: Duration = Duration::from_secs(10);
const REPLACEABLE_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const REPLACEABLE_KEEPALIVE_PROBES: u32 = 3;
/// Bytes of messages that the kernel holds; it takes twice as much for its own accounts.
const MESSAGES: usize = 64 * 1024;

/// The two connections of a session.
#[derive(Debug)]
pub(crate) struct SocketPair {
    pub(crate) messages: TcpStream,
    pub(crate) files: TcpStream,
    pub(crate) peer: SocketAddr,
}

/// The two listeners of a session.
#[derive(Debug)]
pub(crate) struct Listeners {
    messages: TcpListener,
    files: TcpListener,
    pub(crate) ports: PortPair,
}

impl SocketPair {
    fn new(messages: TcpStream, files: TcpStream, peer: SocketAddr) -> io::Result<Self> {
        tune_for_messages(&messages)?;
        tune(&files)?;
        Ok(Self { messages, files, peer })
    }
}

/// Sends small frames at once, and detects a peer that has vanished.
pub(crate) fn tune(socket: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)
}

/// How long a way to the other end and back takes, as far as the kernel knows.
#[cfg(target_os = "linux")]
pub(crate) fn round_trip(socket: &impl AsFd) -> Option<Duration> {
    let info = crate::tcp_info::tcp_info(socket).ok()?;
    Some(Duration::from_micros(info.round_trip.into()))
}

/// Other kernels are not asked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn round_trip(_socket: &impl AsFd) -> Option<Duration> {
    None
}

/// Detects sooner that the other side has vanished, so that another connection can replace this
/// one.
pub(crate) fn notice_loss_soon(socket: &impl AsFd) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(REPLACEABLE_KEEPALIVE)
        .with_interval(REPLACEABLE_KEEPALIVE_INTERVAL)
        .with_retries(REPLACEABLE_KEEPALIVE_PROBES);
    SockRef::from(socket).set_tcp_keepalive(&keepalive)
}

/// The same for a message connection. What the other side reads slowly waits in the
/// send queue: the kernel says that a large buffer takes more only once a third of it is free, and
/// until then a slow reader looks like one that does not read.
pub(crate) fn tune_for_messages(socket: &impl AsFd) -> io::Result<()> {
    tune(socket)?;
    SockRef::from(socket).set_send_buffer_size(MESSAGES)
}

/// The address to listen on for `peer`, while the server is reached from `local`.
///
/// It is that one, unless the peer cannot reach it: from another machine than the server's own,
/// or over the other family.
pub(crate) fn listen_address(local: IpAddr, peer: IpAddr) -> IpAddr {
    let (local, peer) = (local.to_canonical(), peer.to_canonical());
    if local.is_ipv4() == peer.is_ipv4() && local.is_loopback() == peer.is_loopback() {
        return local;
    }
    match peer {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

impl Listeners {
    /// Listens on two ports of `address`: of the range if there is one, else any free ones.
    pub(crate) fn bind(
        address: IpAddr,
        range: Option<&RangeInclusive<u16>>,
    ) -> Result<Self, String> {
        let (messages, files) = listen_on_two(range, &format!("listen on {address}"), |port| {
            listen(SocketAddr::new(address, port))
        })?;
        let ports = PortPair { message: port(&messages)?, file: port(&files)? };
        Ok(Self { messages, files, ports })
    }

    /// Accepts one connection on each, from `peer` only; the listeners close afterwards.
    pub(crate) async fn accept(self, peer: IpAddr, logger: &Logger) -> io::Result<SocketPair> {
        let messages = accept_from(self.messages, peer, logger);
        let files = accept_from(self.files, peer, logger);
        let ((messages, address), (files, _)) = tokio::try_join!(messages, files)?;
        SocketPair::new(messages, files, address)
    }
}

/// Connects to a peer, messages first; one attempt for each. `source` is the address by which the
/// server knows this client, and so the only one that the peer accepts.
pub(crate) async fn dial(
    address: IpAddr,
    ports: PortPair,
    source: Option<IpAddr>,
) -> io::Result<SocketPair> {
    let messages = dial_one(SocketAddr::new(address, ports.message.get()), source).await?;
    let files = dial_one(SocketAddr::new(address, ports.file.get()), source).await?;
    let peer = messages.peer_addr()?;
    SocketPair::new(messages, files, peer)
}

async fn dial_one(to: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = socket_for(to.ip())?;
    let source = source
        .map(|source| source.to_canonical())
        .filter(|source| source.is_ipv4() == to.is_ipv4())
        .filter(|source| source.is_loopback() == to.ip().is_loopback());
    if let Some(source) = source {
        // Without it the kernel chooses; the peer may then close the connection.
        let _ = socket.bind(SocketAddr::new(source, 0));
    }
    socket.connect(to).await
}

async fn accept_from(
    listener: TcpListener,
    peer: IpAddr,
    logger: &Logger,
) -> io::Result<(TcpStream, SocketAddr)> {
    loop {
        let (stream, from) = listener.accept().await?;
        if from.ip().to_canonical() == peer.to_canonical() {
            return Ok((stream, from));
        }
        debug!(logger, "closed a connection from another address"; "from" => %from, "peer" => %peer);
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket_for(address.ip())?;
    if address.port() != 0 {
        // The range is small: its ports must not rest for a minute after each session.
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(8)
}

fn socket_for(address: IpAddr) -> io::Result<TcpSocket> {
    match address {
        IpAddr::V4(_) => TcpSocket::new_v4(),
        IpAddr::V6(_) => TcpSocket::new_v6(),
    }
}

fn port(listener: &TcpListener) -> Result<NonZeroU16, String> {
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    NonZeroU16::new(address.port()).ok_or_else(|| "the listener has no port".into())
}

/// Listens on two ports: of the range if there is one, else any free ones. The error, for the user,
/// says that it cannot do `what`.
pub(crate) fn listen_on_two<L>(
    range: Option<&RangeInclusive<u16>>,
    what: &str,
    listen: impl Fn(u16) -> io::Result<L>,
) -> Result<(L, L), String> {
    let mut ports: Box<dyn Iterator<Item = u16>> = match range {
        Some(range) => Box::new(range.clone()),
        None => Box::new([0, 0].into_iter()),
    };
    let mut next = || {
        let mut last = None;
        for port in ports.by_ref() {
            match listen(port) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = Some(error),
            }
        }
        Err(match (range, last) {
            (Some(range), None) => used_up(range),
            (Some(range), Some(error)) if error.kind() == io::ErrorKind::AddrInUse => {
                used_up(range)
            }
            (_, error) => format!(
                "cannot {what}: {}; check private.listen and private.ports",
                error.unwrap_or_else(|| io::ErrorKind::AddrInUse.into())
            ),
        })
    };
    Ok((next()?, next()?))
}

fn used_up(range: &RangeInclusive<u16>) -> String {
    format!(
        "all ports of {}-{} are in use, and a private session needs two: close one, or widen \
         private.ports",
        range.start(),
        range.end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn listens_on_the_address_towards_the_server_unless_the_peer_cannot_reach_it() {
        let cases = [
            ("10.0.0.5", "10.0.0.6", "10.0.0.5"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "10.0.0.6", "0.0.0.0"),
            ("::1", "fd00::6", "::"),
            ("::ffff:10.0.0.5", "10.0.0.6", "10.0.0.5"),
            ("fd00::5", "10.0.0.6", "0.0.0.0"),
        ];
        for (local, peer, listen) in cases {
            assert_eq!(listen_address(at(local), at(peer)), at(listen), "{local} {peer}");
        }
    }

    #[actix_rt::test]
    async fn a_range_is_kept_to_and_a_used_up_one_is_a_clear_error() {
        // A range that was free a moment ago: two ports that the kernel gave.
        let free = Listeners::bind(at("127.0.0.1"), None).unwrap();
        let port = free.ports.message.get();
        let error = Listeners::bind(at("127.0.0.1"), Some(&(port..=port))).unwrap_err();
        assert!(error.contains("in use") && error.contains("private.ports"), "{error}");
        drop(free);
        let error = Listeners::bind(at("127.0.0.1"), Some(&(port..=port))).unwrap_err();
        assert!(error.contains("in use"), "one port is not enough: {error}");
    }
}
