//! An internet in network namespaces: a server in the middle, and homes behind routers.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::delayed_link::DelayedLink;
use super::network::Network;
use crate::harness;

/// Where the server is.
const SERVER_V4: &str = "203.0.113.1";
const SERVER_V6: &str = "2001:db8:ffff::1";

/// The private ports of a computer behind a router that remaps ports, and the offset.
pub(crate) const MOVED_PORTS: RangeInclusive<u16> = 6000..=6039;
const MOVED_BY: u16 = 20_000;

/// The device between a computer and the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Router {
    /// Nothing: the computer has public addresses, and all others can reach it.
    None,
    /// A router that translates nothing: the computer has public addresses, behind a firewall.
    Routes(Firewall),
    /// A router with one public address that keeps the ports of what it translates.
    KeepsPorts(Firewall),
    /// A router with one public address that maps a port of a computer to another one, the same for
    /// all destinations. Only for [`MOVED_PORTS`].
    MovesPorts(Firewall),
    /// A router with one public address that uses another port for each connection.
    RandomPorts(Firewall),
}

/// What a router does with connections from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Firewall {
    Drops,
    Resets,
}

/// Which protocols the internet speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    /// Routers that translate do so with IPv6 too.
    V6,
    /// IPv4, translated or not, and IPv6, never translated: as at most homes that have both.
    Both,
}

pub(crate) struct Internet {
    /// The network in the middle.
    pub(crate) network: Network,
    family: Family,
    homes: usize,
}

/// A computer, and the router that it is behind.
pub(crate) struct Home {
    /// The network of the computer.
    pub(crate) computer: Network,
    router: Option<Network>,
    _link: DelayedLink,
}

/// The addresses of a home, for one family.
struct Addresses {
    /// Of the computer.
    computer: String,
    /// Of the router in its own network, if there is a router.
    gateway: String,
    /// Of the network of both.
    prefix: String,
    length: u8,
    /// Of the router on the internet, if it translates.
    outside: Option<String>,
}

impl Internet {
    /// An internet without homes. Where that cannot be made the test says that it is skipped.
    pub(crate) fn new(family: Family) -> Option<Self> {
        let make =
            || {
                let network = Network::new()?;
                network.batch("ip -batch -", &format!(
                "address add {SERVER_V4}/32 dev lo\naddress add {SERVER_V6}/128 dev lo nodad\n"
            ))?;
                network.within(forward_packets)?;
                // Checks that it exists, before anything depends on it.
                network.batch("nft -f -", "table inet probe\ndelete table inet probe\n")?;
                Ok(Self { network, family, homes: 0 })
            };
        make().map_err(|why: String| harness::skipped(&why)).ok()
    }

    /// The address of the server for all homes.
    pub(crate) fn server(&self) -> IpAddr {
        let address = if self.family == Family::V6 { SERVER_V6 } else { SERVER_V4 };
        address.parse().unwrap()
    }

    /// A home whose packets take `delay` to the middle.
    pub(crate) fn home(&mut self, router: Router, delay: Duration) -> Home {
        self.homes += 1;
        self.connect(router, self.homes, delay).unwrap()
    }

    fn connect(&self, kind: Router, number: usize, delay: Duration) -> Result<Home, String> {
        let addresses = self.addresses(kind, number);
        let computer = Network::new()?;
        let router = (kind != Router::None).then(Network::new).transpose()?;
        let outer = router.as_ref().unwrap_or(&computer);
        let far = format!("home{number}");
        let ends = [(&self.network, far.clone()), (outer, "wan".to_owned())];
        let link = DelayedLink::between(ends, delay)?;

        let mut middle = vec![format!("link set {far} up")];
        let mut outside = vec!["link set wan up".to_owned()];
        let mut inside = Vec::new();
        if router.is_some() {
            outside.push(format!("link add lan type veth peer name lan netns {}", computer.path()));
            outside.push("link set lan up".to_owned());
            inside.push("link set lan up".to_owned());
        }
        for Addresses { computer, gateway, prefix, length, outside: public } in &addresses {
            let public_prefix = public.as_ref().map_or(format!("{prefix}/{length}"), Clone::clone);
            middle.push(format!("route add {public_prefix} dev {far}"));
            let everything = if prefix.contains(':') { "::/0" } else { "0.0.0.0/0" };
            let no_wait = if prefix.contains(':') { "nodad" } else { "" };
            outside.push(format!("route add {everything} dev wan"));
            if let Some(public) = public {
                outside.push(format!("address add {public} dev wan {no_wait}"));
            }
            if router.is_some() {
                outside.push(format!("address add {gateway}/{length} dev lan {no_wait}"));
                inside.push(format!("address add {computer}/{length} dev lan {no_wait}"));
                inside.push(format!("route add {everything} via {gateway}"));
            } else {
                outside.push(format!("address add {computer}/{length} dev wan {no_wait}"));
            }
        }
        self.network.batch("ip -batch -", &middle.join("\n"))?;
        outer.batch("ip -batch -", &outside.join("\n"))?;
        computer.batch("ip -batch -", &inside.join("\n"))?;
        if let Some(router) = &router {
            router.within(forward_packets)?;
            router.batch("nft -f -", &self.rules(kind, &addresses))?;
        }
        computer.batch("nft -f -", &canary(&addresses))?;
        Ok(Home { computer, router, _link: link })
    }

    fn addresses(&self, kind: Router, number: usize) -> Vec<Addresses> {
        let translates = !matches!(kind, Router::None | Router::Routes(_));
        let v4 = || {
            let network = if translates { "192.168" } else { "198.18" };
            Addresses {
                computer: format!("{network}.{number}.2"),
                gateway: format!("{network}.{number}.1"),
                prefix: format!("{network}.{number}.0"),
                length: 24,
                outside: translates.then(|| format!("198.51.100.{number}")),
            }
        };
        let v6 = |translates: bool| {
            let network = if translates { "fd00:0" } else { "2001:db8" };
            Addresses {
                computer: format!("{network}:{number}::2"),
                gateway: format!("{network}:{number}::1"),
                prefix: format!("{network}:{number}::"),
                length: 64,
                outside: translates.then(|| format!("2001:db8:{number}:ff::1")),
            }
        };
        match self.family {
            Family::V4 => vec![v4()],
            Family::V6 => vec![v6(translates)],
            Family::Both => vec![v4(), v6(false)],
        }
    }

    /// What a router lets pass, and what it translates.
    fn rules(&self, kind: Router, addresses: &[Addresses]) -> String {
        let (firewall, translations) = match kind {
            Router::None => return String::new(),
            Router::Routes(firewall) => (firewall, Vec::new()),
            Router::KeepsPorts(firewall) | Router::MovesPorts(firewall) => {
                (firewall, vec!["masquerade".to_owned()])
            }
            Router::RandomPorts(firewall) => (firewall, self.random_ports()),
        };
        let outside = addresses.iter().filter_map(|it| it.outside.as_ref());
        let moving = match kind {
            Router::MovesPorts(_) => outside.map(|it| move_ports(it)).collect(),
            _ => String::new(),
        };
        let refuse = match firewall {
            Firewall::Drops => "drop",
            Firewall::Resets => "reject with tcp reset",
        };
        let translated = if self.family == Family::V6 { "ipv6" } else { "ipv4" };
        let translations: Vec<_> = translations
            .iter()
            .map(|how| format!("oifname wan meta nfproto {translated} {how}"))
            .collect();
        let translation = translations.join("\n");
        let refuse = format!("iifname wan meta l4proto tcp ct state != established {refuse}");
        format!(
            "table inet router {{
                chain through {{
                    type filter hook forward priority 0
                    {refuse}
                }}
                chain to_itself {{
                    type filter hook input priority 0
                    {refuse}
                }}
                chain translation {{
                    type nat hook postrouting priority 100
                    {moving}
                    {translation}
                }}
            }}\n"
        )
    }

    /// How a router translates that uses another port for each connection: the port of a computer
    /// (32768 and above), the one that the server sees and the one that a peer sees are never the
    /// same. With one range for all, one dial in 64,000 would use the port that the other side
    /// dials, and two users would connect that a test expects not to.
    fn random_ports(&self) -> Vec<String> {
        let server = self.server();
        let ip = if server.is_ipv6() { "ip6" } else { "ip" };
        let ranges =
            [(format!("{ip} daddr {server}"), "1024-16383"), (String::new(), "16384-32767")];
        ranges
            .map(|(to, ports)| format!("{to} meta l4proto tcp masquerade to :{ports} fully-random"))
            .into()
    }
}

impl Home {
    /// Connections that the computer tried to open to itself or to private networks that are not its
    /// own.
    pub(crate) fn forbidden_dials(&self) -> usize {
        self.counted("forbidden")
    }

    /// How often the computer tried to open a connection to another address than the server's.
    pub(crate) fn dials(&self) -> usize {
        self.counted("dials")
    }

    fn counted(&self, counter: &str) -> usize {
        let shown = format!("nft list counter inet canary {counter}");
        let shown = self.computer.batch(&shown, "").unwrap();
        let mut words = shown.split_whitespace().skip_while(|word| *word != "packets");
        words.nth(1).unwrap().parse().unwrap()
    }
}

impl fmt::Display for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (router, firewall) = match self {
            Self::None => return f.pad("no router"),
            Self::Routes(firewall) => ("routes", firewall),
            Self::KeepsPorts(firewall) => ("keeps ports", firewall),
            Self::MovesPorts(firewall) => ("moves ports", firewall),
            Self::RandomPorts(firewall) => ("random ports", firewall),
        };
        let firewall = match firewall {
            Firewall::Drops => "drops",
            Firewall::Resets => "resets",
        };
        f.pad(&format!("{router}, {firewall}"))
    }
}

/// The rule that maps the private ports at that address.
fn move_ports(outside: &str) -> String {
    let family = if outside.contains(':') { "ip6" } else { "ip" };
    let (first, last) = (MOVED_PORTS.start(), MOVED_PORTS.end());
    let ports: Vec<_> = MOVED_PORTS.map(|it| format!("{it} : {}", it + MOVED_BY)).collect();
    let ports = ports.join(", ");
    format!(
        "oifname wan tcp sport {first}-{last} snat {family} to {outside} : tcp sport map {{ {ports} }}\n"
    )
}

/// Counts what [`Home::forbidden_dials`] and [`Home::dials`] report.
fn canary(addresses: &[Addresses]) -> String {
    let mut own = String::new();
    for Addresses { prefix, length, .. } in addresses {
        let family = if prefix.contains(':') { "ip6" } else { "ip" };
        let _ = writeln!(own, "{family} daddr {prefix}/{length} accept");
    }
    format!(
        "table inet canary {{
            counter forbidden {{ }}
            counter dials {{ }}
            chain opened {{
                type filter hook output priority 0
                meta l4proto != tcp accept
                tcp flags & (syn | ack) != syn accept
                ip daddr {SERVER_V4} accept
                ip6 daddr {SERVER_V6} accept
                counter name dials
                {own}
                ip daddr {{ 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16 }} counter name forbidden
                ip6 daddr {{ ::1, fc00::/7, fe80::/10 }} counter name forbidden
            }}
        }}\n"
    )
}

fn forward_packets() -> Result<(), String> {
    // Of the network of this thread.
    ["ipv4/ip_forward", "ipv6/conf/all/forwarding"].iter().try_for_each(|name| {
        let path = format!("/proc/sys/net/{name}");
        std::fs::write(&path, "1").map_err(|error| format!("{path}: {error}"))
    })
}
