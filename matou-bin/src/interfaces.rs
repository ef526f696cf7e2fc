//! The network interfaces of this machine.

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// Prefixes of the names of interfaces between this machine and its own containers and virtual
/// machines. Other machines have the same addresses, so that a client connecting to one of these
/// reaches itself.
const VIRTUAL: [&str; 5] = ["docker", "br-", "veth", "virbr", "cni"];

/// Whether the interface with this name leads to containers or virtual machines only.
pub(crate) fn is_virtual(name: &str) -> bool {
    VIRTUAL.iter().any(|prefix| name.starts_with(prefix))
}

/// The addresses of the interfaces that are up and not virtual, IPv4 first since it is easier to
/// dictate.
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let mut addresses: Vec<IpAddr> = interfaces
        .filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP))
        .filter(|interface| !is_virtual(&interface.interface_name))
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        })
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_of_containers_and_bridges_are_virtual() {
        for name in ["docker0", "docker_gwbridge", "br-1f2e3d", "veth12ab", "virbr0", "cni0"] {
            assert!(is_virtual(name), "{name}");
        }
        for name in ["eth0", "wlan0", "enp3s0", "br0", "lo", "tailscale0", "my-docker0"] {
            assert!(!is_virtual(name), "{name}");
        }
    }
}
