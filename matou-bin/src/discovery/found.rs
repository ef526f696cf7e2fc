//! Servers that were found, as values.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use matou_actors::trust::{Fingerprint, KnownServers};

use crate::sanitize::sanitize;

/// The most servers that are listed: anybody in the network can announce some.
const MAX_SERVERS: usize = 64;
/// The most addresses of one server that are tried.
const MAX_PLACES: usize = 16;

/// A server that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundServer {
    /// As announced, safe to display.
    pub(crate) name: String,
    /// Different for each start of a server, safe to display; empty if unknown.
    pub(crate) id: String,
    /// The room that it serves together with others, safe to display; empty if it is alone.
    pub(crate) cluster: String,
    /// Where it listens, the best address first.
    pub(crate) places: Vec<Place>,
    /// The places at which a key was seen before.
    pub(crate) known: Vec<Place>,
    /// The keys that were seen there.
    pub(crate) keys: Vec<Fingerprint>,
    /// Other servers of the same room.
    pub(crate) others: Vec<FoundServer>,
}

/// An address and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// With the number of the interface, if it is link-local.
    pub(crate) address: SocketAddr,
    /// The name of the interface, if the address is link-local.
    pub(crate) interface: Option<String>,
}

/// What was received about servers, packet by packet.
#[derive(Debug, Default)]
pub(super) struct Collection(BTreeMap<String, FoundServer>);

impl FoundServer {
    /// How the client names it: the first address.
    pub(crate) fn address(&self) -> String {
        let known = self.all().find_map(|member| member.known.first());
        known.or(self.places.first()).map(Place::to_string).unwrap_or_default()
    }

    /// The addresses to try. An address at which a key is expected is never replaced by another
    /// one, since anybody can announce both together.
    pub(crate) fn candidates(&self) -> &[Place] {
        if self.known.is_empty() { &self.places } else { &self.known }
    }

    pub(crate) fn is_known(&self) -> bool {
        self.all().any(|member| !member.known.is_empty())
    }
}

impl Place {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, interface: None }
    }

    fn rank(&self) -> u8 {
        match self.address.ip() {
            address if address.is_loopback() => 0,
            IpAddr::V4(v4) if !v4.is_link_local() => 1,
            IpAddr::V6(v6) if !v6.is_unicast_link_local() => 2,
            IpAddr::V4(_) => 3,
            IpAddr::V6(_) => 4,
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        (self.rank(), self.address).cmp(&(other.rank(), other.address))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => {
                write!(f, "[{}%{interface}]:{}", self.address.ip(), self.address.port())
            }
            None => self.address.fmt(f),
        }
    }
}

impl Collection {
    /// Adds what was received about the server with that full name.
    pub(super) fn add(
        &mut self,
        full_name: &str,
        name: &str,
        id: &str,
        cluster: &str,
        places: impl IntoIterator<Item = Place>,
    ) {
        if self.0.len() >= MAX_SERVERS && !self.0.contains_key(full_name) {
            return;
        }
        let server = self.0.entry(full_name.to_owned()).or_insert_with(|| FoundServer {
            name: sanitize(name).into_owned(),
            id: sanitize(id).into_owned(),
            cluster: sanitize(cluster).into_owned(),
            places: Vec::new(),
            known: Vec::new(),
            keys: Vec::new(),
            others: Vec::new(),
        });
        for place in places {
            if server.places.len() < MAX_PLACES && !server.places.contains(&place) {
                server.places.push(place);
            }
        }
    }

    /// Forgets a server that has withdrawn its announcement.
    pub(super) fn remove(&mut self, full_name: &str) {
        self.0.remove(full_name);
    }

    /// The ports of servers at one of the addresses `own`.
    pub(super) fn ports_at(&self, own: &[IpAddr]) -> Vec<u16> {
        let places = self.0.values().flat_map(|server| &server.places);
        let places = places.filter(|place| own.contains(&place.address.ip()));
        let mut ports: Vec<u16> = places.map(|place| place.address.port()).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// The servers that were found, known ones and those of this machine first. `local` are the loopback addresses
    /// at which programs listen, `own` the addresses of this machine.
    pub(super) fn finish(
        self,
        local: Vec<SocketAddr>,
        own: &[IpAddr],
        known: &KnownServers,
    ) -> Vec<FoundServer> {
        let mut servers: Vec<FoundServer> =
            self.0.into_values().filter(|server| !server.places.is_empty()).collect();
        let mut unannounced = FoundServer {
            name: "this machine".into(),
            id: String::new(),
            cluster: String::new(),
            places: Vec::new(),
            known: Vec::new(),
            keys: Vec::new(),
            others: Vec::new(),
        };
        for local in local {
            let is_it = |place: &Place| {
                let ip = place.address.ip();
                place.address.port() == local.port() && (ip.is_loopback() || own.contains(&ip))
            };
            let announced = servers.iter_mut().find(|server| server.places.iter().any(is_it));
            let server = announced.unwrap_or(&mut unannounced);
            if !server.places.iter().any(|place| place.address == local) {
                server.places.push(Place::new(local));
            }
        }
        if !unannounced.places.is_empty() {
            servers.push(unannounced);
        }
        for server in &mut servers {
            server.places.sort_by(Place::order);
            let seen =
                server.places.iter().filter_map(|it| Some((it, known.get(&it.to_string()).ok()??)));
            let (places, keys): (Vec<_>, Vec<_>) = seen.map(|(it, key)| (it.clone(), key)).unzip();
            (server.known, server.keys) = (places, keys);
        }
        servers.sort_by(|a, b| {
            // What a hasty Enter joins is a known one.
            let rank =
                |it: &FoundServer| (!it.is_known(), it.places.first().map(Place::rank) != Some(0));
            (rank(a), &a.name, a.address()).cmp(&(rank(b), &b.name, b.address()))
        });
        servers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

    fn places(addresses: &[&str]) -> Vec<Place> {
        addresses.iter().map(|it| Place::new(it.parse().unwrap())).collect()
    }

    fn texts(places: &[Place]) -> Vec<String> {
        places.iter().map(Place::to_string).collect()
    }

    #[test]
    fn addresses_of_several_packets_are_one_server() {
        let mut collection = Collection::default();
        collection.add("ship.x", "ship", "1", "", places(&["[2001:db8::1]:7"]));
        collection.add("ship.x", "ship", "1", "", places(&["192.0.2.1:7", "[2001:db8::1]:7"]));
        let found = collection.finish(vec![], &[], &KnownServers::default());
        assert_eq!(texts(&found[0].places), ["192.0.2.1:7", "[2001:db8::1]:7"]);
        assert_eq!((found.len(), found[0].is_known()), (1, false));
    }

    #[test]
    fn a_link_local_address_keeps_its_interface() {
        let address = "[fe80::1%3]:7".parse().unwrap();
        let place = Place { address, interface: Some("eth0".into()) };
        assert_eq!(place.to_string(), "[fe80::1%eth0]:7");
    }

    #[test]
    fn a_known_server_is_tried_at_its_known_addresses_only() {
        let mut collection = Collection::default();
        collection.add("ship.x", "ship", "1", "", places(&["192.0.2.66:7", "192.0.2.7:7"]));
        let known = KnownServers::parse(&format!("192.0.2.7:7 {KEY} 2026-01-01\n"));
        let found = collection.finish(vec![], &[], &known);
        assert!(found[0].is_known());
        assert_eq!(texts(found[0].candidates()), ["192.0.2.7:7"]);
        assert_eq!(found[0].address(), "192.0.2.7:7");
    }

    #[test]
    fn a_server_of_this_machine_is_found_once() {
        let own = ["192.0.2.7".parse().unwrap()];
        let local = || vec!["127.0.0.1:7".parse().unwrap(), "[::1]:7".parse().unwrap()];
        let mut collection = Collection::default();
        collection.add("a.x", "another", "1", "", places(&["192.0.2.8:7"]));
        collection.add("ship.x", "ship", "2", "", places(&["192.0.2.7:7"]));
        let found = collection.finish(local(), &own, &KnownServers::default());
        let names: Vec<_> = found.iter().map(|server| server.name.as_str()).collect();
        assert_eq!(names, ["ship", "another"]);
        assert_eq!(texts(&found[0].places), ["127.0.0.1:7", "[::1]:7", "192.0.2.7:7"]);

        let found = Collection::default().finish(local(), &own, &KnownServers::default());
        assert_eq!((found.len(), found[0].name.as_str()), (1, "this machine"));
    }

    #[test]
    fn known_servers_are_listed_first() {
        let mut collection = Collection::default();
        collection.add("a.x", "a", "1", "", places(&["192.0.2.6:7"]));
        collection.add("ship.x", "ship", "2", "", places(&["192.0.2.7:7"]));
        let known = KnownServers::parse(&format!("192.0.2.7:7 {KEY} 2026-01-01\n"));
        let own = ["192.0.2.6".parse().unwrap()];
        let found = collection.finish(vec!["127.0.0.1:7".parse().unwrap()], &own, &known);
        let names: Vec<_> = found.iter().map(|server| server.name.as_str()).collect();
        assert_eq!(names, ["ship", "a"]);
    }

    #[test]
    fn a_server_that_says_goodbye_is_not_listed() {
        let mut collection = Collection::default();
        collection.add("ship.x", "ship", "1", "", places(&["192.0.2.8:7"]));
        collection.remove("ship.x");
        assert!(collection.finish(vec![], &[], &KnownServers::default()).is_empty());
    }

    #[test]
    fn announcements_of_others_are_bounded_and_safe_to_display() {
        let mut collection = Collection::default();
        for number in 0..1000 {
            let addresses: Vec<Place> =
                (1..100).map(|port| Place::new(([192, 0, 2, 1], port).into())).collect();
            collection.add(&number.to_string(), "a\u{1b}[2J", "\u{7}", "", addresses);
        }
        let found = collection.finish(vec![], &[], &KnownServers::default());
        assert_eq!((found.len(), found[0].places.len()), (MAX_SERVERS, MAX_PLACES));
        assert!(!found[0].name.contains('\u{1b}') && !found[0].id.contains('\u{7}'));
    }
}
