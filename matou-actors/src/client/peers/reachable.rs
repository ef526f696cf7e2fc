//! Which addresses a client connects to when a server names them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::protocol::PortPair;

/// Ports below this one belong to the system's services.
const FIRST_PORT: u16 = 1024;

/// Checks the tuple of a PVCOESTADST: where a private peer is said to listen, by a server that
/// is at `server`. An error says why one must not connect there.
pub(crate) fn check(address: IpAddr, ports: PortPair, server: IpAddr) -> Result<(), String> {
    for port in [ports.message.get(), ports.file.get()] {
        if port < FIRST_PORT {
            return Err(format!("port {port} is reserved for the system (below {FIRST_PORT})"));
        }
    }
    let server = Reach::of(server);
    match Reach::of(address) {
        Reach::Never(what) => Err(format!("{address} is {what}")),
        Reach::LinkLocal => Err(format!("{address} is link-local")),
        Reach::Loopback if server != Reach::Loopback => {
            Err(format!("{address} is this machine itself, but the server is not on it"))
        }
        Reach::Private if !matches!(server, Reach::Loopback | Reach::Private) => {
            Err(format!("{address} is a private address, but the server has a public one"))
        }
        _ => Ok(()),
    }
}

/// Whether neither port belongs to the system's services.
pub(crate) fn has_user_ports(ports: PortPair) -> bool {
    ports.message.get() >= FIRST_PORT && ports.file.get() >= FIRST_PORT
}

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Never(&'static str),
    LinkLocal,
    Loopback,
    Private,
    Public,
}

impl Reach {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => Self::of_v6(v6),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            // Cloud metadata services that do not hide at a link-local address.
            [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => {
                Self::Never("a cloud's metadata service")
            }
            [0, ..] => Self::Never("unspecified"),
            [169, 254, 169, 254] => Self::Never("a cloud's metadata service"),
            [169, 254, ..] => Self::LinkLocal,
            [224..=239, ..] => Self::Never("multicast"),
            [240..=255, ..] => Self::Never("broadcast or reserved"),
            [127, ..] => Self::Loopback,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Self::Private,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address.is_loopback() {
            return Self::Loopback;
        }
        if address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) {
            return Self::Never("a cloud's metadata service");
        }
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0] => Self::Never("unspecified"),
            // An address that only leads to an IPv4 address is judged as that address.
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] => {
                Self::of_v4(embedded(high, low))
            }
            [0x2002, high, low, ..] => Self::of_v4(embedded(high, low)),
            [0xff00..=0xffff, ..] => Self::Never("multicast"),
            [0xfe80..=0xfebf, ..] => Self::LinkLocal,
            [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Self::Private,
            _ => Self::Public,
        }
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    fn allowed(address: &str, server: &str) -> bool {
        let port = NonZeroU16::new(1024).unwrap();
        let ports = PortPair { message: port, file: port };
        check(address.parse().unwrap(), ports, server.parse().unwrap()).is_ok()
    }

    #[test]
    fn some_addresses_are_never_connected_to() {
        let never = [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "169.254.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "::",
            "ff02::1",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
        ];
        for address in never {
            for server in ["127.0.0.1", "192.168.0.1", "8.8.8.8", "::1"] {
                assert!(!allowed(address, server), "{address} {server}");
            }
        }
    }

    #[test]
    fn loopback_only_from_a_server_on_this_machine() {
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
            assert!(allowed(address, "127.0.0.1"), "{address}");
            assert!(allowed(address, "::1"), "{address}");
            assert!(!allowed(address, "192.168.0.1"), "{address}");
            assert!(!allowed(address, "8.8.8.8"), "{address}");
        }
    }

    #[test]
    fn private_addresses_only_from_a_server_at_one() {
        for address in ["10.0.0.1", "172.31.0.1", "192.168.1.2", "100.64.0.1", "fd12::1"] {
            for server in ["127.0.0.1", "10.9.9.9", "fd00::1", "100.127.0.1"] {
                assert!(allowed(address, server), "{address} {server}");
            }
            assert!(!allowed(address, "8.8.8.8"), "{address}");
            assert!(!allowed(address, "2001:db8::1"), "{address}");
        }
        for server in ["127.0.0.1", "10.9.9.9", "8.8.8.8"] {
            assert!(allowed("9.9.9.9", server) && allowed("2600::1", server));
        }
    }

    #[test]
    fn ports_below_1024_are_refused() {
        let port = |port| NonZeroU16::new(port).unwrap();
        let (address, low, high) = ("9.9.9.9".parse().unwrap(), port(1023), port(1024));
        for (message, file) in [(low, high), (high, low)] {
            assert!(check(address, PortPair { message, file }, address).is_err());
        }
    }
}
