//! Opens the listening sockets for `HOST:PORT`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};

use matou_actors::server::NetworkSettings;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::exit::Failure;

/// Listens on every address that `network.listen` resolves to.
///
/// `[::]` also accepts IPv4; without IPv6 support it falls back to 0.0.0.0.
pub(crate) fn listeners(network: &NetworkSettings) -> Result<Vec<TcpListener>, Failure> {
    let wanted = &network.listen;
    let mut listeners = Vec::new();
    for mut address in addresses(network)? {
        // All addresses of a host name share the port chosen for the first.
        if let (0, Some(first)) = (address.port(), listeners.first()) {
            address.set_port(port(first).map_err(|error| cannot(wanted, &error))?);
        }
        let listener = listen(address, network.backlog)
            .map_err(|error| cannot(&address.to_string(), &error))?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// The addresses that `network.listen` resolves to.
pub(crate) fn addresses(network: &NetworkSettings) -> Result<Vec<SocketAddr>, Failure> {
    let wanted = &network.listen;
    let mut addresses: Vec<SocketAddr> =
        wanted.to_socket_addrs().map_err(|error| cannot(wanted, &error))?.collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}

fn port(listener: &TcpListener) -> io::Result<u16> {
    Ok(listener.local_addr()?.port())
}

fn listen(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    match listen_exactly(address, backlog) {
        Err(error) if address.ip().is_unspecified() && address.is_ipv6() && no_ipv6(&error) => {
            listen_exactly((Ipv4Addr::UNSPECIFIED, address.port()).into(), backlog)
        }
        outcome => outcome,
    }
}

fn listen_exactly(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // Allows a restarted server to reuse its port while old connections linger.
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

fn no_ipv6(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable)
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn cannot(address: &str, error: &io::Error) -> Failure {
    let next = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; the port is in use: stop the program that uses it, or choose another port with \
             --listen HOST:PORT (port 0 is any free port)"
        }
        io::ErrorKind::PermissionDenied => "; choose port 1024 or above, or 0 for any free port",
        io::ErrorKind::AddrNotAvailable => {
            "; this machine does not have that address: [::] listens on all its addresses"
        }
        _ => "",
    };
    Failure::Runtime(format!("cannot listen on {address}: {error}{next}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(listen: &str) -> NetworkSettings {
        NetworkSettings { listen: listen.into(), ..NetworkSettings::default() }
    }

    #[test]
    fn port_0_is_any_free_port() {
        let listeners = listeners(&network("127.0.0.1:0")).unwrap();
        assert_ne!(port(&listeners[0]).unwrap(), 0);
    }

    #[test]
    fn the_unspecified_address_accepts_ipv4() {
        let listeners = listeners(&network("[::]:0")).unwrap();
        let port = port(&listeners[0]).unwrap();
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    }

    #[test]
    fn all_addresses_of_a_host_name_share_one_port() {
        let listeners = listeners(&network("localhost:0")).unwrap();
        let ports: Vec<_> = listeners.iter().map(|listener| port(listener).unwrap()).collect();
        assert!(ports.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_port_in_use_is_named_in_the_error() {
        let first = listeners(&network("127.0.0.1:0")).unwrap();
        let address = first[0].local_addr().unwrap().to_string();
        let error = listeners(&network(&address)).unwrap_err().to_string();
        assert!(error.contains(&address) && error.contains("in use"), "{error}");
    }
}
