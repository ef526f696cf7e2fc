//! The addresses by which others can reach the server.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use matou_actors::protocol::DEFAULT_PORT;

use crate::interfaces::own_addresses;

/// The most addresses that are suggested.
const MOST: usize = 4;

/// Values of `client --server` with which others reach a server that listens on `addresses`.
pub(super) fn server_names(addresses: &[SocketAddr]) -> Vec<String> {
    let own = own_addresses();
    let mut names: Vec<String> = Vec::new();
    for listening in addresses {
        let candidates: Vec<IpAddr> = match listening.ip() {
            IpAddr::V4(any) if any.is_unspecified() => {
                own.iter().copied().filter(IpAddr::is_ipv4).collect()
            }
            IpAddr::V6(any) if any.is_unspecified() => own.clone(),
            address => vec![address],
        };
        let usable = candidates.into_iter().filter(|address| is_reachable(*address));
        names.extend(usable.map(|address| server_name(address, listening.port())));
    }
    names.dedup();
    names.truncate(MOST);
    names
}

/// Loopback is this machine only; a link-local address needs an interface that differs for each.
fn is_reachable(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => Ipv6Addr::is_unicast_link_local(&v6),
    };
    !address.is_loopback() && !address.is_unspecified() && !link_local
}

fn server_name(address: IpAddr, port: u16) -> String {
    if port == DEFAULT_PORT {
        address.to_string()
    } else {
        SocketAddr::new(address, port).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(addresses: &[&str]) -> Vec<String> {
        let addresses: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        server_names(&addresses)
    }

    #[test]
    fn an_address_is_suggested_without_the_default_port() {
        assert_eq!(names(&["192.0.2.5:6286"]), ["192.0.2.5"]);
        assert_eq!(names(&["192.0.2.5:7000"]), ["192.0.2.5:7000"]);
        assert_eq!(names(&["[2001:db8::1]:7000"]), ["[2001:db8::1]:7000"]);
    }

    #[test]
    fn addresses_that_others_cannot_use_are_not_suggested() {
        assert!(names(&["127.0.0.1:6286", "[::1]:6286", "[fe80::1]:6286"]).is_empty());
        for name in names(&["[::]:6286", "0.0.0.0:6286"]) {
            assert!(is_reachable(name.parse().unwrap()), "{name}");
        }
    }
}
