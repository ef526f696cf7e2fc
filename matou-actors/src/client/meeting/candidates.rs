//! Which addresses are offered to a peer, and which of those that a peer offers are dialled: a client
//! is no scanner, whatever a peer or server says.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::client::peers::reachable::{self, Reach};
use crate::protocol::PortPair;
use crate::protocol::v2::{Candidate, CandidateKind, Candidates};

/// Own addresses that are offered at most: the server adds one.
const MOST_OWN: usize = Candidates::MAX - 1;

/// The distance of what is in a network of this machine.
const NEAR: u8 = 1;

/// What this machine knows of the networks around it.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// The networks of its own interfaces, with its own addresses in them.
    pub(crate) networks: Vec<IpNet>,
    /// Where the server is.
    pub(crate) server: IpAddr,
    /// Where the server sees this machine, once that is known.
    pub(crate) outside: Option<IpAddr>,
}

/// The addresses to offer: the one by which the server is reached, those that the user configured,
/// and those of the other interfaces.
pub(crate) fn own_candidates(
    local: IpAddr,
    configured: &[IpAddr],
    networks: &[IpNet],
    ports: PortPair,
) -> Option<Candidates> {
    let local = local.to_canonical();
    let interfaces = networks.iter().map(IpNet::addr).filter(|address| is_worth_offering(*address));
    let all = std::iter::once((local, CandidateKind::Interface))
        .chain(configured.iter().map(|address| (*address, CandidateKind::Configured)))
        .chain(interfaces.map(|address| (address, CandidateKind::Interface)));
    let mut candidates: Vec<Candidate> = Vec::new();
    for (address, kind) in all {
        let known = candidates.iter().any(|other| other.address == address);
        if !known && candidates.len() < MOST_OWN {
            candidates.push(Candidate { address, ports, kind });
        }
    }
    Candidates::new(candidates)
}

/// The two addresses of a candidate that is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DialTarget {
    pub(crate) messages: SocketAddr,
    pub(crate) files: SocketAddr,
    /// It is in no network of this machine: there may be routers on the way.
    pub(crate) is_outside: bool,
}

/// Which candidates are dialled.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct DialChoice {
    /// The nearest first.
    pub(crate) targets: Vec<DialTarget>,
    /// The message ports of the others.
    pub(crate) not_dialled: Vec<SocketAddr>,
}

/// The candidates to dial.
///
/// Loopback is dialled only if the server says so and is on this machine itself; a private address
/// only if it is in a network of an own interface, or the server sees it and is in a private network
/// too, or sees both sides at one address; link-local ones only in a network of an own interface.
pub(crate) fn choose(offered: &Candidates, around: &Surroundings) -> DialChoice {
    let server = Reach::of(around.server);
    let is_seen = |candidate: &Candidate| candidate.kind == CandidateKind::SeenByServer;
    let on_this_machine = server == Reach::Loopback
        && offered
            .as_slice()
            .iter()
            .any(|candidate| is_seen(candidate) && Reach::of(candidate.address) == Reach::Loopback);
    let is_behind_same_router = around.outside.is_some_and(|outside| {
        let mut seen = offered.as_slice().iter().filter(|candidate| is_seen(candidate));
        seen.any(|candidate| candidate.address.to_canonical() == outside.to_canonical())
    });
    let distance = |candidate: &Candidate| -> Option<u8> {
        let address = candidate.address.to_canonical();
        if !reachable::has_user_ports(candidate.ports) {
            return None;
        }
        let is_near = around.networks.iter().any(|network| network.contains(&address));
        match Reach::of(address) {
            Reach::Loopback => on_this_machine.then_some(0),
            Reach::LinkLocal => (is_near && address.is_ipv4()).then_some(NEAR),
            Reach::Never(_) => None,
            _ if is_near => Some(NEAR),
            Reach::Public => Some(if is_seen(candidate) { 2 } else { 3 }),
            Reach::Private => {
                let is_vouched_for = is_seen(candidate) && server != Reach::Public;
                (is_vouched_for || is_behind_same_router).then_some(2)
            }
        }
    };
    let mut near_to_far: Vec<(u8, DialTarget)> = Vec::new();
    let mut not_dialled = Vec::new();
    for candidate in offered.as_slice() {
        let address = candidate.address.to_canonical();
        let Candidate { ports, .. } = candidate;
        let messages = (address, ports.message.get()).into();
        let Some(distance) = distance(candidate) else {
            not_dialled.push(messages);
            continue;
        };
        let files = (address, ports.file.get()).into();
        let target = DialTarget { messages, files, is_outside: distance > NEAR };
        if !near_to_far.iter().any(|(_, other)| *other == target) {
            near_to_far.push((distance, target));
        }
    }
    near_to_far.sort_by_key(|(distance, _)| *distance);
    let targets = near_to_far.into_iter().map(|(_, target)| target).collect();
    DialChoice { targets, not_dialled }
}

fn is_worth_offering(address: IpAddr) -> bool {
    !matches!(Reach::of(address), Reach::Loopback | Reach::LinkLocal | Reach::Never(_))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    fn ports(first: u16) -> PortPair {
        let port = |number| NonZeroU16::new(number).unwrap();
        PortPair { message: port(first), file: port(first + 1) }
    }

    fn offered(all: &[(&str, CandidateKind)]) -> Candidates {
        let all = all.iter().map(|(address, kind)| Candidate {
            address: address.parse().unwrap(),
            ports: ports(4000),
            kind: *kind,
        });
        Candidates::new(all.collect()).unwrap()
    }

    fn dialled(all: &[(&str, CandidateKind)], networks: &[&str], server: &str) -> Vec<String> {
        let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        let around = Surroundings { networks, server: server.parse().unwrap(), outside: None };
        let DialChoice { targets, not_dialled } = choose(&offered(all), &around);
        assert!(targets.len() + not_dialled.len() <= all.len());
        targets.iter().map(|target| target.messages.ip().to_string()).collect()
    }

    const OWN: CandidateKind = CandidateKind::Interface;
    const SEEN: CandidateKind = CandidateKind::SeenByServer;

    #[test]
    fn loopback_is_dialled_only_where_the_server_sees_it_on_this_machine() {
        let claimed = [("192.168.1.9", SEEN), ("127.0.0.1", OWN)];
        let lan = &["192.168.1.7/24"];
        assert_eq!(dialled(&claimed, lan, "127.0.0.1"), ["192.168.1.9"]);
        let local = [("127.0.0.1", SEEN), ("127.0.0.1", OWN)];
        assert_eq!(dialled(&local, lan, "127.0.0.1"), ["127.0.0.1"], "once");
        assert_eq!(dialled(&local, lan, "192.168.1.1"), [""; 0]);
    }

    #[test]
    fn a_private_address_is_dialled_only_near_by_or_if_a_private_server_sees_it() {
        let all = [("203.0.113.5", SEEN), ("10.0.0.5", OWN), ("192.168.1.9", OWN)];
        assert_eq!(
            dialled(&all, &["192.168.1.7/24"], "198.51.100.1"),
            ["192.168.1.9", "203.0.113.5"],
            "the own network first"
        );
        assert_eq!(dialled(&[("10.0.0.5", SEEN)], &[], "10.1.1.1"), ["10.0.0.5"]);
        assert_eq!(dialled(&[("10.0.0.5", SEEN)], &[], "198.51.100.1"), [""; 0]);
        let metadata = [("169.254.169.254", OWN), ("fe80::1", OWN), ("0.0.0.0", SEEN)];
        assert_eq!(dialled(&metadata, &["192.168.1.7/24"], "10.1.1.1"), [""; 0]);
        assert_eq!(
            dialled(&[("169.254.7.7", OWN)], &["169.254.1.1/16"], "10.1.1.1"),
            ["169.254.7.7"],
            "two computers with a cable between them"
        );
    }

    #[test]
    fn ports_of_the_system_are_not_dialled() {
        let low = Candidate {
            address: [203, 0, 113, 5].into(),
            ports: ports(1023),
            kind: CandidateKind::SeenByServer,
        };
        let server = [198, 51, 100, 1].into();
        let around = Surroundings { networks: vec![], server, outside: None };
        assert_eq!(choose(&Candidates::new(vec![low]).unwrap(), &around).targets, []);
    }

    #[test]
    fn private_addresses_behind_the_own_router_are_dialled() {
        let all = offered(&[("203.0.113.5", SEEN), ("10.0.0.5", OWN), ("192.168.1.9", OWN)]);
        let at = |outside: &str| Surroundings {
            networks: vec!["192.168.1.7/24".parse().unwrap()],
            server: [198, 51, 100, 1].into(),
            outside: Some(outside.parse().unwrap()),
        };
        let dialled = |outside| -> Vec<_> {
            let DialChoice { targets, .. } = choose(&all, &at(outside));
            targets.iter().map(|to| (to.messages.ip().to_string(), to.is_outside)).collect()
        };
        let near = ("192.168.1.9".to_owned(), false);
        let seen = ("203.0.113.5".to_owned(), true);
        assert_eq!(dialled("203.0.113.5"), [near.clone(), seen.clone(), ("10.0.0.5".into(), true)]);
        assert_eq!(dialled("203.0.113.6"), [near, seen], "another router");
    }

    #[test]
    fn the_address_towards_the_server_comes_first_and_none_twice() {
        let networks: Vec<IpNet> =
            ["10.0.0.5/24", "192.168.1.7/24", "127.0.0.1/8", "fe80::5/64", "fd00::5/64"]
                .map(|network| network.parse().unwrap())
                .to_vec();
        let configured = [IpAddr::from([203, 0, 113, 5])];
        let offered =
            own_candidates([192, 168, 1, 7].into(), &configured, &networks, ports(4000)).unwrap();
        let offered: Vec<_> = offered
            .as_slice()
            .iter()
            .map(|candidate| (candidate.address.to_string(), candidate.kind))
            .collect();
        let expected = [
            ("192.168.1.7", OWN),
            ("203.0.113.5", CandidateKind::Configured),
            ("10.0.0.5", OWN),
            ("fd00::5", OWN),
        ];
        assert_eq!(offered, expected.map(|(address, kind)| (address.to_owned(), kind)));
    }
}
