//! The addresses of one room, and which of them is tried next.

use std::net::SocketAddr;

use super::reach::Alternatives;
use crate::client::api::server_name::ServerName;

/// The addresses of one room. A round tries each of them once: first the one that accepted the user last,
/// then the others in random order, so that the clients of a lost server do not all go to the same other one.
#[derive(Debug, Default)]
pub(super) struct Servers {
    entries: Vec<ServerEntry>,
    /// The one that is connected, or tried.
    current: usize,
    /// The one that accepted the user last.
    accepted: usize,
}

#[derive(Debug)]
struct ServerEntry {
    name: ServerName,
    /// Where it was reached last, and how many addresses of that family it has.
    reached: Option<(SocketAddr, usize)>,
    /// It is connected, or was when it was lost.
    is_reached: bool,
    /// How often it was lost in this round: once for each address makes sense.
    losses: usize,
    /// It was tried in this round.
    tried: bool,
    /// Another attempt would end in the same way, until the user says otherwise.
    barred: bool,
}

/// What follows from the failure of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextServer {
    /// Another one is tried at once.
    Other,
    /// All were tried: a new round begins after a while.
    Round,
    /// None is worth another attempt.
    Nothing,
}

impl Servers {
    pub(super) fn new(names: Vec<ServerName>) -> Self {
        let entry = |name| ServerEntry {
            name,
            reached: None,
            is_reached: false,
            losses: 0,
            tried: false,
            barred: false,
        };
        Self { entries: names.into_iter().map(entry).collect(), ..Self::default() }
    }

    /// The one that is connected, or tried.
    pub(super) fn current(&self) -> Option<&ServerName> {
        self.entries.get(self.current).map(|entry| &entry.name)
    }

    /// The same, or its present address where another address of the same name is tried next.
    pub(super) fn current_place(&self) -> String {
        let Some(entry) = self.entries.get(self.current) else { return String::new() };
        match entry.reached.filter(|_| entry.has_other_address()) {
            Some((address, _)) => address.to_string(),
            None => entry.name.to_string(),
        }
    }

    /// What there is beside the current one.
    pub(super) fn alternatives(&self) -> Alternatives {
        Alternatives {
            has_next: self.has_other(),
            is_replaceable: self.is_replaceable(),
            lost: self.lost_address(),
        }
    }

    /// Whether another one takes the place of the current one when it is lost.
    pub(super) fn is_replaceable(&self) -> bool {
        let current = self.entries.get(self.current).and_then(|entry| entry.reached);
        self.entries.len() > 1 || current.is_some_and(|(_, addresses)| addresses > 1)
    }

    /// The address of the current one that is not to be tried first.
    fn lost_address(&self) -> Option<SocketAddr> {
        let entry = self.entries.get(self.current).filter(|entry| entry.losses > 0)?;
        entry.reached.map(|(address, _)| address)
    }

    /// The current one is reached, at one of this many addresses of that family.
    pub(super) fn reach(&mut self, address: SocketAddr, addresses: usize) {
        if let Some(entry) = self.entries.get_mut(self.current) {
            (entry.reached, entry.is_reached) = (Some((address, addresses)), true);
        }
    }

    /// Whether another one is tried at once should the current one not answer.
    fn has_other(&self) -> bool {
        let mut others = self.entries.iter().enumerate().filter(|&(at, _)| at != self.current);
        others.any(|(_, entry)| !entry.tried && !entry.barred)
    }

    /// The current one has accepted the user.
    pub(super) fn accept(&mut self) {
        self.accepted = self.current;
    }

    /// The current one served for a while, so that all others can be tried at once.
    pub(super) fn end_round(&mut self) {
        for entry in &mut self.entries {
            (entry.tried, entry.losses) = (false, 0);
        }
    }

    /// The current one does not answer, or is lost. With `is_barred` another attempt would end in the same way.
    pub(super) fn fail(&mut self, is_barred: bool, random: &mut fastrand::Rng) -> NextServer {
        if let Some(entry) = self.entries.get_mut(self.current) {
            // An attempt that reaches none tries all its addresses.
            entry.tried = !entry.has_other_address();
            entry.losses += 1;
            entry.is_reached = false;
            entry.barred |= is_barred;
        }
        let open = |entry: &ServerEntry| !entry.tried && !entry.barred;
        let others = self.entries.iter().enumerate().filter(|(_, entry)| open(entry));
        let others: Vec<usize> = others.map(|(at, _)| at).collect();
        if let Some(&other) = random.choice(&others) {
            self.current = other;
            return NextServer::Other;
        }
        self.end_round();
        let usable = |at: &usize| self.entries.get(*at).is_some_and(|entry| !entry.barred);
        let first = Some(self.accepted).filter(usable);
        match first.or_else(|| (0..self.entries.len()).find(usable)) {
            Some(first) => {
                self.current = first;
                NextServer::Round
            }
            None => NextServer::Nothing,
        }
    }

    /// The user wants all of them to be tried, whatever happened.
    pub(super) fn reset(&mut self) {
        for entry in &mut self.entries {
            (entry.tried, entry.losses, entry.barred) = (false, 0, false);
        }
    }
}

impl ServerEntry {
    /// Whether it is to be tried at another address once it is lost.
    fn has_other_address(&self) -> bool {
        let addresses = self.reached.map_or(1, |(_, addresses)| addresses);
        self.is_reached && self.losses.saturating_add(1) < addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The room of the servers a to d, and the luck of one client.
    struct Room(Servers, fastrand::Rng);

    impl Room {
        fn new(names: &[&str], seed: u64) -> Self {
            let names = names.iter().map(|name| ServerName::parse(name).unwrap()).collect();
            Self(Servers::new(names), fastrand::Rng::with_seed(seed))
        }

        fn current(&self) -> String {
            self.0.current().unwrap().host.clone()
        }

        fn fail(&mut self) -> NextServer {
            self.0.fail(false, &mut self.1)
        }

        /// The current server served for a while, and is lost.
        fn lose(&mut self) -> NextServer {
            self.0.accept();
            self.0.end_round();
            self.fail()
        }
    }

    #[test]
    fn the_first_of_the_list_is_tried_first_and_each_once_in_a_round() {
        let mut room = Room::new(&["a", "b", "c"], 1);
        assert_eq!(room.current(), "a");
        let mut tried = vec![room.current()];
        for _ in 0..2 {
            assert_eq!(room.fail(), NextServer::Other);
            tried.push(room.current());
        }
        tried.sort();
        assert_eq!(tried, ["a", "b", "c"]);
        assert!(!room.0.has_other(), "nothing is left in this round");
        assert_eq!((room.fail(), room.current()), (NextServer::Round, "a".into()));
    }

    #[test]
    fn a_round_begins_with_the_server_that_accepted_the_user_last() {
        let mut room = Room::new(&["a", "b"], 1);
        assert_eq!((room.fail(), room.current()), (NextServer::Other, "b".into()));
        assert_eq!((room.lose(), room.current()), (NextServer::Other, "a".into()));
        assert_eq!((room.fail(), room.current()), (NextServer::Round, "b".into()));
    }

    #[test]
    fn a_server_that_was_lost_is_not_the_next() {
        for seed in 0..100 {
            let mut room = Room::new(&["a", "b", "c"], seed);
            assert_eq!(room.lose(), NextServer::Other);
            assert_ne!(room.current(), "a");
        }
    }

    #[test]
    fn the_clients_of_a_lost_server_go_to_all_others() {
        let next = |seed| {
            let mut room = Room::new(&["a", "b", "c", "d"], seed);
            room.lose();
            room.current()
        };
        for other in ["b", "c", "d"] {
            assert!((0..100).filter(|&seed| next(seed) == other).count() > 15, "{other}");
        }
    }

    // Two servers that accept and fail at once would otherwise be tried without end.
    #[test]
    fn a_server_that_accepts_the_user_and_fails_at_once_was_tried() {
        let mut room = Room::new(&["a", "b"], 1);
        room.0.accept();
        assert_eq!(room.fail(), NextServer::Other);
        room.0.accept();
        assert_eq!(room.fail(), NextServer::Round);
    }

    #[test]
    fn a_barred_server_is_left_alone_until_the_user_wants_it_back() {
        let mut room = Room::new(&["a", "b"], 1);
        assert_eq!(room.0.fail(true, &mut room.1), NextServer::Other);
        assert_eq!((room.fail(), room.current()), (NextServer::Round, "b".into()));
        assert_eq!(room.0.fail(true, &mut room.1), NextServer::Nothing);
        room.0.reset();
        assert_eq!((room.fail(), room.current()), (NextServer::Other, "a".into()));
    }

    #[test]
    fn a_name_of_several_addresses_counts_as_that_many_servers() {
        let address = |last| SocketAddr::from(([192, 0, 2, last], 7));
        let mut room = Room::new(&["a:7"], 1);
        room.0.reach(address(1), 3);
        room.0.end_round();
        assert_eq!((room.0.current_place(), room.0.lost_address()), ("192.0.2.1:7".into(), None));
        assert_eq!((room.fail(), room.0.lost_address()), (NextServer::Other, Some(address(1))));
        room.0.reach(address(2), 3);
        assert_eq!((room.fail(), room.0.lost_address()), (NextServer::Other, Some(address(2))));
        room.0.reach(address(3), 3);
        assert_eq!(room.0.current_place(), "a:7");
        assert_eq!(room.fail(), NextServer::Round, "three were lost");
    }

    #[test]
    fn a_name_that_cannot_be_reached_at_any_address_was_tried() {
        let mut room = Room::new(&["a:7"], 1);
        room.0.reach(SocketAddr::from(([192, 0, 2, 1], 7)), 2);
        assert_eq!(room.lose(), NextServer::Other);
        assert_eq!(room.fail(), NextServer::Round);
    }

    #[test]
    fn one_server_is_tried_in_every_round() {
        let mut room = Room::new(&["a"], 1);
        assert!(!room.0.has_other());
        assert_eq!((room.lose(), room.fail()), (NextServer::Round, NextServer::Round));
        assert_eq!(Servers::default().fail(false, &mut fastrand::Rng::new()), NextServer::Nothing);
    }
}
