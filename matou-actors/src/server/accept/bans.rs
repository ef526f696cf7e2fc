//! Whom the operators do not want, by address or network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The most bans.
pub(super) const MOST: usize = 10_000;
/// The most bytes of a ban's reason, which has no control characters: each takes six in the file.
pub(crate) const LONGEST_REASON: usize = 256;

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// Who is banned; a single address is a /32 or a /128.
    pub network: IpNet,
    /// When the ban ends; `None` is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why, for the operators.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// All bans, one for each network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bans {
    by_network: BTreeMap<IpNet, Ban>,
    /// The prefix lengths that occur, so that a look-up tries no others.
    lengths: BTreeSet<(bool, u8)>,
}

/// There are too many bans already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {MOST} bans already; remove some, or ban whole networks")]
pub(crate) struct TooMany;

/// A text that names no network that can be banned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotANetwork {
    #[error("{0:?} is no address and no network; examples: 192.0.2.7, 192.0.2.0/24, 2001:db8::/64")]
    Unknown(String),
    #[error("{0} is everybody")]
    Everybody(IpNet),
}

impl Bans {
    /// Those of `listed` that hold at `now`; of several of the same network the last.
    pub(crate) fn of(
        listed: impl IntoIterator<Item = Ban>,
        now: Timestamp,
    ) -> Result<Self, TooMany> {
        let mut bans = Self::default();
        bans.by_network.extend(listed.into_iter().map(|ban| (ban.network, ban)));
        bans.expire(now);
        if bans.by_network.len() > MOST { Err(TooMany) } else { Ok(bans) }
    }

    /// Adds `ban`, in place of one of the same network; those that have ended are forgotten.
    pub(crate) fn add(&mut self, ban: Ban, now: Timestamp) -> Result<(), TooMany> {
        self.expire(now);
        if self.by_network.len() >= MOST && !self.by_network.contains_key(&ban.network) {
            return Err(TooMany);
        }
        self.by_network.insert(ban.network, ban);
        self.note_lengths();
        Ok(())
    }

    /// Removes the ban of exactly `network`; whether there was one.
    pub(crate) fn remove(&mut self, network: IpNet) -> bool {
        let removed = self.by_network.remove(&network).is_some();
        self.note_lengths();
        removed
    }

    /// Whether `address` is banned at `now`.
    pub(crate) fn is_banned(&self, address: IpAddr, now: Timestamp) -> bool {
        self.lengths.iter().filter(|(v4, _)| *v4 == address.is_ipv4()).any(|&(_, length)| {
            let network = IpNet::new(address, length).ok().map(|network| network.trunc());
            let ban = network.and_then(|network| self.by_network.get(&network));
            ban.is_some_and(|ban| !ban.has_ended(now))
        })
    }

    /// The bans that hold at `now`, in the order of their networks.
    pub(crate) fn in_force(&self, now: Timestamp) -> impl Iterator<Item = &Ban> {
        self.by_network.values().filter(move |ban| !ban.has_ended(now))
    }

    /// Forgets the bans that have ended.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        self.by_network.retain(|_, ban| !ban.has_ended(now));
        self.note_lengths();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_network.is_empty()
    }

    fn note_lengths(&mut self) {
        let networks = self.by_network.keys();
        self.lengths = networks.map(|net| (net.addr().is_ipv4(), net.prefix_len())).collect();
    }
}

impl Ban {
    fn has_ended(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// The network that `text` names: an address or a network, IPv4 in IPv6 as IPv4.
pub(crate) fn network(text: &str) -> Result<IpNet, NotANetwork> {
    let unknown = || NotANetwork::Unknown(text.to_owned());
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => text.parse::<IpNet>().map_err(|_| unknown())?.trunc(),
    };
    let network = match (network.addr().to_canonical(), network.prefix_len().checked_sub(96)) {
        (IpAddr::V4(v4), Some(length)) if network.addr().is_ipv6() => {
            IpNet::new(v4.into(), length).map_err(|_| unknown())?
        }
        _ => network,
    };
    if network.prefix_len() == 0 { Err(NotANetwork::Everybody(network)) } else { Ok(network) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ban(text: &str, until: Option<i64>) -> Ban {
        Ban { network: network(text).unwrap(), until: until.map(at), reason: String::new() }
    }

    fn bans(texts: &[&str]) -> Bans {
        let mut bans = Bans::default();
        for text in texts {
            bans.add(ban(text, None), at(0)).unwrap();
        }
        bans
    }

    fn many(count: usize) -> impl Iterator<Item = Ban> {
        let addresses = (0..u32::try_from(count).unwrap()).map(std::net::Ipv4Addr::from_bits);
        addresses.map(|address| ban(&address.to_string(), None))
    }

    #[test]
    fn an_address_is_banned_by_itself_and_by_its_networks() {
        let bans = bans(&["192.0.2.7", "198.51.100.0/24", "2001:db8:0:1::/64"]);
        let banned = |address: &str| bans.is_banned(address.parse().unwrap(), at(0));
        for address in ["192.0.2.7", "198.51.100.0", "198.51.100.255", "2001:db8:0:1::9"] {
            assert!(banned(address), "{address}");
        }
        for address in ["192.0.2.8", "198.51.101.0", "2001:db8:0:2::9", "::1", "::c000:207"] {
            assert!(!banned(address), "{address}");
        }
    }

    #[test]
    fn a_ban_ends_at_its_time() {
        let mut bans = Bans::default();
        bans.add(ban("192.0.2.7", Some(10)), at(0)).unwrap();
        let banned = |bans: &Bans, now| bans.is_banned([192, 0, 2, 7].into(), at(now));
        assert!(banned(&bans, 9) && !banned(&bans, 10));
        assert_eq!(bans.in_force(at(10)).count(), 0);
        bans.add(ban("192.0.2.8", None), at(10)).unwrap();
        assert_eq!(bans, tests::bans(&["192.0.2.8"]), "what has ended is forgotten");
    }

    #[test]
    fn of_a_list_the_last_word_on_a_network_holds_and_what_has_ended_does_not_count() {
        let listed = || [ban("192.0.2.7", None), ban("192.0.2.7", Some(10))];
        assert_eq!(Bans::of(listed(), at(9)).unwrap().in_force(at(9)).count(), 1);
        assert!(Bans::of(listed(), at(10)).unwrap().is_empty());
        let ended = |address: Ban| Ban { until: Some(at(10)), ..address };
        let listed = many(MOST + 1).map(ended).chain([ban("198.51.100.1", None)]);
        assert_eq!(Bans::of(listed, at(10)).unwrap(), bans(&["198.51.100.1"]));
    }

    #[test]
    fn the_last_word_on_a_network_holds() {
        let mut bans = bans(&["192.0.2.0/24"]);
        bans.add(ban("192.0.2.0/24", Some(5)), at(0)).unwrap();
        assert!(!bans.is_banned([192, 0, 2, 1].into(), at(6)));
        assert!(bans.remove(network("192.0.2.99/24").unwrap()));
        assert!(!bans.remove(network("192.0.2.0/24").unwrap()));
        assert!(bans.is_empty() && bans.lengths.is_empty());
    }

    #[test]
    fn there_are_so_many_bans_and_no_more() {
        let mut bans = Bans::of(many(MOST), at(0)).unwrap();
        assert_eq!(Bans::of(many(MOST + 1), at(0)), Err(TooMany));
        assert_eq!(bans.add(ban("192.0.2.1", None), at(0)), Err(TooMany));
        assert_eq!(bans.add(ban("0.0.0.5", None), at(0)), Ok(()));
    }

    #[test]
    fn networks_are_read_without_regard_to_how_they_are_written() {
        let read = |text| network(text).unwrap().to_string();
        assert_eq!(read("192.0.2.7"), "192.0.2.7/32");
        assert_eq!(read("192.0.2.7/24"), "192.0.2.0/24");
        assert_eq!(read("::ffff:192.0.2.7"), "192.0.2.7/32");
        assert_eq!(read("::ffff:192.0.2.0/120"), "192.0.2.0/24");
        assert_eq!(read("2001:db8::1"), "2001:db8::1/128");
        assert!(matches!(network("alice"), Err(NotANetwork::Unknown(_))));
        assert!(matches!(network("0.0.0.0/0"), Err(NotANetwork::Everybody(_))));
        assert!(matches!(network("::/0"), Err(NotANetwork::Everybody(_))));
        assert!(matches!(network("::ffff:0.0.0.0/96"), Err(NotANetwork::Everybody(_))));
    }
}
