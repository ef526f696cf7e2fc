//! Bans: by key, by address or network, by name, or by the last two together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::protocol::{FoldedName, Username};
use crate::trust::Fingerprint;

/// The most bans.
pub(super) const MOST: usize = 10_000;
/// The most bytes of a ban's reason, which has no control characters: each takes six in the file.
pub(crate) const LONGEST_REASON: usize = 256;

/// One ban. With a network and a name, only clients that match both are banned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// From where; a single address is a /32 or a /128.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<IpNet>,
    /// The name, or one that looks like it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Username>,
    /// Whose key this is the fingerprint of, from wherever and under whatever name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Fingerprint>,
    /// When the ban ends; `None` is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A moment by the wall clock, which may be set, and by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) wall: Timestamp,
    pub(crate) steady: Instant,
}

/// All bans, one for each key, and for each pair of network and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bans {
    all: BTreeMap<Target, ActiveBan>,
    /// The prefix lengths of bans without a name, so that a look-up tries no others.
    lengths: BTreeSet<(bool, u8)>,
    /// The bans with a name, by each skeleton of it.
    by_skeleton: HashMap<Box<str>, Vec<Target>>,
}

type Target = (Option<IpNet>, Option<FoldedName>, Option<Fingerprint>);

/// What an operator means by an address, a name or a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BanTarget {
    Network(IpNet),
    Name(Username),
    Key(Fingerprint),
}

/// A ban, and its end by the steady clock: one that was set wrong for a while ends no ban.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ActiveBan {
    ban: Ban,
    ends: Option<Instant>,
}

/// There are too many bans already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are already {MOST} bans; remove some, or ban whole networks")]
pub(crate) struct TooMany;

/// A text that names no network that can be banned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotANetwork {
    #[error(
        "{0:?} is not an address, network, name or fingerprint; examples: 192.0.2.7, 192.0.2.0/24, \
         2001:db8::/64, alice, SHA256:..."
    )]
    Unknown(String),
    #[error("{0} matches every address")]
    AllAddresses(IpNet),
}

impl Bans {
    /// Those of `listed` that hold at `now`; of several of the same target the last.
    pub(crate) fn of(listed: impl IntoIterator<Item = Ban>, now: Moment) -> Result<Self, TooMany> {
        let mut bans = Self::default();
        bans.all.extend(listed.into_iter().map(|ban| (ban.target(), ActiveBan::new(ban, now))));
        bans.expire(now);
        if bans.all.len() > MOST { Err(TooMany) } else { Ok(bans) }
    }

    /// Adds `ban`, in place of one of the same target; those that have ended are forgotten.
    pub(crate) fn add(&mut self, ban: Ban, now: Moment) -> Result<(), TooMany> {
        self.expire(now);
        let target = ban.target();
        if self.all.len() >= MOST && !self.all.contains_key(&target) {
            return Err(TooMany);
        }
        self.all.insert(target, ActiveBan::new(ban, now));
        self.index();
        Ok(())
    }

    /// Removes the ban of exactly `network`; whether there was one.
    pub(crate) fn remove(&mut self, network: IpNet) -> bool {
        let removed = self.all.remove(&(Some(network), None, None)).is_some();
        self.index();
        removed
    }

    /// Removes the ban of `key`; whether there was one.
    pub(crate) fn remove_key(&mut self, key: Fingerprint) -> bool {
        self.all.remove(&(None, None, Some(key))).is_some()
    }

    /// Removes the bans of `name`, from wherever; whether there was one.
    pub(crate) fn remove_name(&mut self, name: &Username) -> bool {
        let (before, key) = (self.all.len(), name.folded());
        self.all.retain(|(_, other, _), _| other.as_ref() != Some(&key));
        self.index();
        self.all.len() < before
    }

    /// Whether `address` is banned at `now`.
    pub(crate) fn is_banned(&self, address: IpAddr, now: Moment) -> bool {
        self.lengths.iter().filter(|(v4, _)| *v4 == address.is_ipv4()).any(|&(_, length)| {
            let network = IpNet::new(address, length).ok().map(|network| network.trunc());
            self.all.get(&(network, None, None)).is_some_and(|held| !held.has_ended(now))
        })
    }

    /// Whether the user with `key` is banned at `now`.
    pub(crate) fn is_key_banned(&self, key: Fingerprint, now: Moment) -> bool {
        self.all.get(&(None, None, Some(key))).is_some_and(|held| !held.has_ended(now))
    }

    /// Whether `name` may not be used from `address` at `now`, nor one that looks like it.
    pub(crate) fn is_name_banned(&self, name: &Username, address: IpAddr, now: Moment) -> bool {
        if self.by_skeleton.is_empty() {
            return false;
        }
        let key = name.folded();
        let skeletons = name.skeletons();
        let targets =
            skeletons.iter().filter_map(|skeleton| self.by_skeleton.get(skeleton)).flatten();
        targets.filter_map(|target| self.all.get(target)).any(|held| {
            let from = held.ban.network.is_none_or(|network| network.contains(&address));
            let same = held.ban.name.as_ref().is_some_and(|banned| {
                banned.folded() == key || !banned.is_ascii() || !name.is_ascii()
            });
            from && same && !held.has_ended(now)
        })
    }

    /// The bans that hold at `now`, in the order of their networks.
    pub(crate) fn in_force(&self, now: Moment) -> impl Iterator<Item = &Ban> {
        self.all.values().filter(move |held| !held.has_ended(now)).map(|held| &held.ban)
    }

    /// Forgets the bans that have ended.
    pub(crate) fn expire(&mut self, now: Moment) {
        self.all.retain(|_, held| !held.has_ended(now));
        self.index();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn index(&mut self) {
        let networks = self.all.keys().filter(|(_, name, _)| name.is_none());
        let networks = networks.filter_map(|(network, ..)| *network);
        self.lengths = networks.map(|net| (net.addr().is_ipv4(), net.prefix_len())).collect();
        self.by_skeleton.clear();
        for (target, held) in &self.all {
            for skeleton in held.ban.name.iter().flat_map(Username::skeletons) {
                self.by_skeleton.entry(skeleton).or_default().push(target.clone());
            }
        }
    }
}

impl Ban {
    fn target(&self) -> Target {
        (self.network, self.name.as_ref().map(Username::folded), self.key)
    }
}

impl fmt::Display for Ban {
    /// Who is banned.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            return write!(f, "{key}");
        }
        match (&self.name, &self.network) {
            (Some(name), Some(network)) => write!(f, "{name} from {network}"),
            (Some(name), None) => write!(f, "{name}"),
            (None, Some(network)) => write!(f, "{network}"),
            (None, None) => Ok(()),
        }
    }
}

impl ActiveBan {
    fn new(ban: Ban, now: Moment) -> Self {
        let left = |until: Timestamp| {
            Duration::try_from(until.duration_since(now.wall)).unwrap_or_default()
        };
        let ends = ban.until.and_then(|until| now.steady.checked_add(left(until)));
        Self { ban, ends }
    }

    fn has_ended(&self, now: Moment) -> bool {
        self.ends.is_some_and(|ends| ends <= now.steady)
    }
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self { wall: Timestamp::now(), steady: Instant::now() }
    }

    #[cfg(test)]
    pub(crate) fn at(second: i64) -> Self {
        static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        let since = Duration::from_secs(second.try_into().unwrap());
        Self { wall: Timestamp::from_second(second).unwrap(), steady: *START + since }
    }
}

/// The key, the address or network, or else the name, that an operator means by `text`.
pub(crate) fn named(text: &str) -> Result<BanTarget, NotANetwork> {
    if let Some(key) = Fingerprint::parse(text) {
        return Ok(BanTarget::Key(key));
    }
    match (network(text), Username::parse(text)) {
        (Ok(network), _) => Ok(BanTarget::Network(network)),
        (Err(NotANetwork::Unknown(_)), Ok(name)) => Ok(BanTarget::Name(name)),
        (Err(error), _) => Err(error),
    }
}

/// The address alone, or the /64 in which one IPv6 host can have any address.
pub(crate) fn host(address: IpAddr) -> IpNet {
    let length = if address.is_ipv4() { 32 } else { 64 };
    IpNet::new(address, length).map_or_else(|_| address.into(), |network| network.trunc())
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
    if network.prefix_len() == 0 { Err(NotANetwork::AllAddresses(network)) } else { Ok(network) }
}

#[cfg(test)]
mod tests;
