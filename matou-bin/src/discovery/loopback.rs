//! The servers of this machine, also those that announce themselves nowhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use matou_actors::protocol::DEFAULT_PORT;

/// A refusal comes at once; a firewall that drops packets is not waited for.
const TIMEOUT: Duration = Duration::from_millis(100);
/// The most ports that are tried: others can announce any with an address of this machine.
const MAX_PORTS: usize = 8;

/// The loopback addresses at which a program listens on the default port or on one of those that
/// are announced with an address of this machine.
pub(super) fn listeners(announced: &[u16]) -> Vec<SocketAddr> {
    let mut ports = vec![DEFAULT_PORT];
    ports.extend(announced.iter().filter(|&&port| port != DEFAULT_PORT && port > 0));
    ports.truncate(MAX_PORTS);
    let hosts = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let listens = |it: &SocketAddr| TcpStream::connect_timeout(it, TIMEOUT).is_ok();
    // One address of each port is enough.
    let first = |port| hosts.map(|host| SocketAddr::new(host, port)).into_iter().find(listens);
    ports.into_iter().filter_map(first).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_announced_port_of_this_machine_is_found_at_its_loopback_address() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let found = listeners(&[address.port()]);
        assert!(found.contains(&address), "{found:?}");
        let more: Vec<u16> = vec![1; MAX_PORTS];
        assert!(!listeners(&[more, vec![address.port()]].concat()).contains(&address));
    }
}
