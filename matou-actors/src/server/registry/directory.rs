//! Who has joined, under which name, and by which addresses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use crate::protocol::v2::PublicKey;
use crate::protocol::{ClaimedName, Username};
use crate::server::accept::bans::Moment;
use crate::server::ids::{MemberId, Route};
use crate::server::registry::bound_names::{BoundNames, OtherKey, TooManyNewNames};
use crate::server::registry::names::{NameTaken, Names, is_of_one_script};
use crate::server::registry::refused::Refused;
use crate::server::room::event::MemberKey;
use crate::server::shrink_sparse::ShrinkSparse as _;
use crate::trust::Fingerprint;

/// All who have joined, by connection and by name.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    names: Names<MemberId>,
    /// Those that belong to keys, whether their owners are here or not.
    pub(crate) bound: BoundNames,
    members: HashMap<MemberId, Member>,
    /// How many of them are connected to this process.
    here: usize,
}

/// A user who has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) place: Location,
    pub(crate) name: Username,
    pub(crate) addresses: Addresses,
    pub(crate) key: MemberKey,
}

/// Where a member's connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Here(Route),
    /// On another node of the cluster.
    Elsewhere(MemberId),
}

/// The two ends of a client's connection, as the server sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Where the client comes from.
    pub(crate) peer: IpAddr,
    /// The address by which the client reached the server.
    pub(crate) local: IpAddr,
}

impl Directory {
    /// A directory in which `reserved` cannot be taken, nor, by other keys, `bound` names.
    pub(crate) fn new(reserved: Option<&Username>, bound: BoundNames) -> Self {
        let mut names = Names::default();
        if let Some(name) = reserved {
            // The first claim of an empty register cannot clash.
            let _ = names.claim(MemberId::RESERVED, name);
        }
        Self { names, bound, members: HashMap::new(), here: 0 }
    }

    /// Admits a client under the name that it claims.
    pub(crate) fn join(
        &mut self,
        route: Route,
        claimed: &ClaimedName,
        addresses: Addresses,
        key: MemberKey,
        now: Moment,
    ) -> Result<&Member, Refused> {
        let name = claimed.parse()?;
        self.bound.check(&name, key.as_deref(), now).map_err(|OtherKey| Refused::OtherKey)?;
        self.names.claim(route.id.into(), &name).map_err(|NameTaken| Refused::Taken)?;
        let admitted = self.admit(&name, key.as_deref(), addresses, now);
        if let Err(refused) = admitted {
            self.names.release(&name);
            return Err(refused);
        }
        self.here += 1;
        let member = Member { place: Location::Here(route), name, addresses, key };
        Ok(self.members.entry(route.id.into()).insert_entry(member).into_mut())
    }

    /// Checks a name that is not in use, and binds it to the key.
    fn admit(
        &mut self,
        name: &Username,
        key: Option<&PublicKey>,
        addresses: Addresses,
        now: Moment,
    ) -> Result<(), Refused> {
        if !is_of_one_script(name) {
            return Err(Refused::MixedScripts);
        }
        let Some(key) = key else { return Ok(()) };
        let bound = self.bound.bind(name, key, addresses.peer, now);
        bound.map_err(|TooManyNewNames| Refused::TooManyNewNames)
    }

    /// Removes a client; its name is free at once, for others only if it belongs to no key.
    pub(crate) fn leave(&mut self, id: MemberId, now: Moment) -> Option<Member> {
        let member = self.members.remove(&id)?;
        self.members.shrink_sparse();
        self.here -= usize::from(member.route().is_some());
        if self.names.holder(&member.name) == Some(&id) {
            self.names.release(&member.name);
        }
        if let Some(key) = &member.key {
            self.bound.note_use(&member.name, key, now);
        }
        Some(member)
    }

    /// Forgets names whose time is over; those who are here are using theirs.
    pub(crate) fn expire_names(&mut self, now: Moment) {
        for Member { name, key, .. } in self.members.values() {
            if let Some(key) = key {
                self.bound.note_use(name, key, now);
            }
        }
        self.bound.expire(now);
    }

    /// The member with exactly that name and key: the same user on a connection that is lost, or on
    /// another machine.
    pub(crate) fn same_user(&self, claimed: &ClaimedName, key: &PublicKey) -> Option<MemberId> {
        let holder = self.find(claimed)?;
        let is_same =
            holder.name.as_str() == claimed.as_str() && holder.key.as_deref() == Some(key);
        is_same.then(|| holder.id())
    }

    /// Takes over the addresses of a member elsewhere, which its node sends with its steps.
    pub(crate) fn learn(&mut self, from: &Member) {
        if let Some(member) = self.members.get_mut(&from.id())
            && member.route().is_none()
        {
            member.addresses = from.addresses;
        }
    }

    pub(crate) fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.get(&id)
    }

    /// The member with that name, without regard to case.
    pub(crate) fn find(&self, claimed: &ClaimedName) -> Option<&Member> {
        let name = claimed.parse().ok()?;
        self.members.get(self.names.holder(&name)?)
    }

    /// Those who use the key with that fingerprint.
    pub(crate) fn with_key(&self, key: Fingerprint) -> impl Iterator<Item = &Member> {
        self.members.values().filter(move |member| {
            member.key.as_ref().is_some_and(|held| Fingerprint::of(held) == key)
        })
    }

    /// How many have joined over a connection of this process.
    pub(crate) fn here(&self) -> usize {
        self.here
    }

    /// The checks of a name that need no decision of all nodes.
    pub(crate) fn check(
        &mut self,
        claimed: &ClaimedName,
        addresses: Addresses,
        key: Option<&PublicKey>,
        now: Moment,
    ) -> Result<Username, Refused> {
        let name = claimed.parse()?;
        self.bound.check(&name, key, now).map_err(|OtherKey| Refused::OtherKey)?;
        let is_same = key.is_some_and(|key| self.same_user(claimed, key).is_some());
        if !is_same && self.names.looks_taken(&name) {
            return Err(Refused::Taken);
        }
        self.admit(&name, key, addresses, now)?;
        Ok(name)
    }

    /// Adds a member whom all nodes have admitted.
    pub(crate) fn enter(&mut self, member: Member, now: Moment) {
        // Fails for a name that is reserved here and not on the node where it was claimed.
        let _ = self.names.claim(member.id(), &member.name);
        if let (Location::Elsewhere(_), Some(key)) = (member.place, member.key.as_deref())
            && self.bound.check(&member.name, Some(key), now).is_ok()
        {
            // Its node has counted the new names of its address.
            let _ = self.bound.bind(&member.name, key, Ipv4Addr::LOCALHOST.into(), now);
        }
        self.here += usize::from(member.route().is_some());
        self.members.insert(member.id(), member);
    }
}

impl Member {
    pub(crate) fn id(&self) -> MemberId {
        match self.place {
            Location::Here(route) => route.id.into(),
            Location::Elsewhere(id) => id,
        }
    }

    /// The way to its connection, if that is one of this process.
    pub(crate) fn route(&self) -> Option<Route> {
        match self.place {
            Location::Here(route) => Some(route),
            Location::Elsewhere(_) => None,
        }
    }
}

impl Addresses {
    /// The address under which `other` reaches this client: the one it comes from, unless that
    /// is the server's own loopback and `other` is on another machine. Then it is the address by
    /// which `other` reached that machine.
    pub(crate) fn seen_by(self, other: Self) -> IpAddr {
        if self.peer.is_loopback() && !other.peer.is_loopback() { other.local } else { self.peer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::UsernameError;
    use crate::server::ids::ConnectionId;
    use crate::server::registry::bound_names::BindingRules;
    use crate::server::settings;

    fn route(id: u64) -> Route {
        Route { shard: 0, id: ConnectionId(id) }
    }

    fn claim(text: &str) -> ClaimedName {
        ClaimedName::unchecked(text).unwrap()
    }

    fn at(peer: [u8; 4], local: [u8; 4]) -> Addresses {
        Addresses { peer: peer.into(), local: local.into() }
    }

    fn at_start() -> Moment {
        Moment::at(0)
    }

    const LAN: [u8; 4] = [192, 168, 1, 7];
    const SERVER: [u8; 4] = [192, 168, 1, 1];
    const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

    #[test]
    fn a_reserved_name_and_those_that_look_like_it_cannot_be_taken() {
        let mut directory =
            Directory::new(Some(&Username::parse("Server").unwrap()), BoundNames::default());
        for name in ["server", "SERVER", "Ѕerver", "ｓｅｒｖｅｒ"] {
            let joined = directory.join(route(1), &claim(name), at(LAN, SERVER), None, at_start());
            assert_eq!(joined.unwrap_err(), Refused::Taken, "{name}");
        }
        assert_eq!(directory.find(&claim("server")), None);
    }

    #[test]
    fn an_invalid_name_is_refused_and_the_next_try_may_do() {
        let mut directory = Directory::new(None, BoundNames::default());
        let addresses = at(LAN, SERVER);
        let refused =
            directory.join(route(1), &claim("a b"), addresses, None, at_start()).unwrap_err();
        assert_eq!(refused, Refused::Invalid(UsernameError::Character(' ')));
        assert_eq!(
            directory
                .join(route(1), &claim("ab"), addresses, None, at_start())
                .unwrap()
                .name
                .as_str(),
            "ab"
        );
        assert_eq!(directory.find(&claim("AB")).unwrap().route(), Some(route(1)));
        assert_eq!(directory.leave(MemberId(1), at_start()).unwrap().name.as_str(), "ab");
        assert_eq!(directory.find(&claim("ab")), None);
        assert_eq!(directory.leave(MemberId(1), at_start()), None);
    }

    #[test]
    fn a_name_of_mixed_scripts_is_refused_and_not_held() {
        let mut directory = Directory::new(None, BoundNames::default());
        let addresses = at(LAN, SERVER);
        let mixed =
            directory.join(route(1), &claim("maτou"), addresses, None, at_start()).unwrap_err();
        assert_eq!(mixed, Refused::MixedScripts);
        assert!(directory.join(route(1), &claim("matou"), addresses, None, at_start()).is_ok());
    }

    #[test]
    fn the_same_user_is_known_by_name_and_key() {
        let mut directory = Directory::new(None, BoundNames::default());
        let key = PublicKey([1; 32]);
        let addresses = at(LAN, SERVER);
        directory.join(route(1), &claim("Ann"), addresses, Some(key.into()), at_start()).unwrap();
        directory.join(route(2), &claim("bob"), addresses, None, at_start()).unwrap();
        assert_eq!(directory.same_user(&claim("Ann"), &key), Some(MemberId(1)));
        assert_eq!(directory.same_user(&claim("ann"), &key), None, "another spelling");
        assert_eq!(directory.same_user(&claim("Ann"), &PublicKey([2; 32])), None, "another key");
        assert_eq!(directory.same_user(&claim("bob"), &key), None, "no key");
    }

    fn bound() -> Directory {
        let rules = BindingRules::new(&settings::NamesSettings::default());
        Directory::new(None, BoundNames::new(rules, []))
    }

    #[test]
    fn a_name_that_belongs_to_a_key_is_refused_to_others_although_its_user_is_away() {
        let mut directory = bound();
        let (addresses, ann) = (at(LAN, SERVER), PublicKey([1; 32]));
        directory.join(route(1), &claim("Ann"), addresses, Some(ann.into()), at_start()).unwrap();
        directory.leave(MemberId(1), at_start()).unwrap();
        for key in [None, Some(PublicKey([2; 32]).into())] {
            let joined = directory.join(route(2), &claim("ann"), addresses, key, at_start());
            assert_eq!(joined.unwrap_err(), Refused::OtherKey);
        }
        let again =
            directory.join(route(3), &claim("ANN"), addresses, Some(ann.into()), at_start());
        assert_eq!(again.unwrap().name.as_str(), "ANN");
    }

    #[test]
    fn a_failed_join_does_not_bind_a_name_in_use_without_a_key() {
        let mut directory = bound();
        let (addresses, key) = (at(LAN, SERVER), PublicKey([1; 32]));
        directory.join(route(1), &claim("bob"), addresses, None, at_start()).unwrap();
        let joined =
            directory.join(route(2), &claim("bob"), addresses, Some(key.into()), at_start());
        assert_eq!(joined.unwrap_err(), Refused::Taken);
        directory.leave(MemberId(1), at_start());
        assert!(directory.join(route(3), &claim("bob"), addresses, None, at_start()).is_ok());
    }

    #[test]
    fn a_new_name_too_many_is_refused_and_not_held() {
        let mut directory = bound();
        let addresses = at(LAN, SERVER);
        for (id, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
            let key = Some(PublicKey([1; 32]).into());
            let joined = directory.join(route(id), &claim(name), addresses, key, at_start());
            let refused = joined.err();
            assert_eq!(refused, (name == "d").then_some(Refused::TooManyNewNames));
        }
        assert!(directory.join(route(5), &claim("d"), addresses, None, at_start()).is_ok());
    }

    #[test]
    fn the_name_of_a_present_user_does_not_expire() {
        let mut directory = bound();
        let (addresses, ann) = (at(LAN, SERVER), PublicKey([1; 32]));
        directory.join(route(1), &claim("Ann"), addresses, Some(ann.into()), at_start()).unwrap();
        let later = Moment::at(1000 * 24 * 60 * 60);
        directory.expire_names(later);
        directory.leave(MemberId(1), later).unwrap();
        assert_eq!(
            directory.join(route(2), &claim("Ann"), addresses, None, later).unwrap_err(),
            Refused::OtherKey
        );
    }

    #[test]
    fn the_address_is_the_one_the_client_comes_from() {
        let (near, far) = (at(LAN, SERVER), at([192, 168, 1, 8], SERVER));
        assert_eq!(near.seen_by(far), IpAddr::from(LAN));
    }

    #[test]
    fn a_user_on_the_servers_machine_is_reached_at_the_servers_address() {
        let (local, remote) = (at(LOOPBACK, LOOPBACK), at(LAN, SERVER));
        assert_eq!(local.seen_by(remote), IpAddr::from(SERVER));
        assert_eq!(remote.seen_by(local), IpAddr::from(LAN));
        assert_eq!(local.seen_by(local), IpAddr::from(LOOPBACK));
    }
}
