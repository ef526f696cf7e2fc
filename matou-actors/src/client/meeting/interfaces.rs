//! The addresses of this machine.

use std::net::IpAddr;

use ipnet::IpNet;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

/// How the interfaces of containers and virtual machines are called: their addresses lead nowhere
/// on other machines, or to the wrong one.
const VIRTUAL: [&str; 5] = ["docker", "br-", "veth", "virbr", "cni"];

/// The own addresses, each with the size of its network; none of those that only reach containers.
pub(crate) fn own_networks() -> Vec<IpNet> {
    let Ok(all) = getifaddrs() else { return Vec::new() };
    all.filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP))
        .filter(|interface| !is_virtual(&interface.interface_name))
        .filter_map(|interface| {
            let (address, mask) = (ip(interface.address?)?, ip(interface.netmask?)?);
            IpNet::with_netmask(address, mask).ok()
        })
        .collect()
}

fn is_virtual(name: &str) -> bool {
    VIRTUAL.iter().any(|prefix| name.starts_with(prefix))
}

fn ip(address: SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_loopback_with_its_network() {
        let networks = own_networks();
        assert!(networks.contains(&"127.0.0.1/8".parse().unwrap()), "{networks:?}");
    }

    #[test]
    fn interfaces_of_containers_are_told_from_those_of_the_machine() {
        for name in ["docker0", "br-4f2a", "veth12ab", "virbr0", "cni0"] {
            assert!(is_virtual(name), "{name}");
        }
        for name in ["eth0", "enp3s0", "wlan0", "bridge0", "lo"] {
            assert!(!is_virtual(name), "{name}");
        }
    }
}
