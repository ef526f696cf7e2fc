//! Who may connect: how many in all, how many for each address, how many that have not joined.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use actix::prelude::Message;

use super::shrink::Shrink as _;

/// The limits of [`Admission`]; as a message to the listener: from now on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct AdmissionLimits {
    pub(crate) clients: usize,
    pub(crate) unjoined: usize,
    pub(crate) unjoined_per_address: usize,
    pub(crate) per_address: usize,
}

/// The connections, counted.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: AdmissionLimits,
    all: Count,
    by_prefix: HashMap<IpAddr, Count>,
}

/// Why a connection was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the server is full")]
    Full,
    #[error("too many connections have not joined yet")]
    Unjoined,
    #[error("too many connections from this address have not joined yet")]
    UnjoinedFromAddress,
    #[error("too many connections from this address")]
    Address,
    #[error("the address is banned")]
    Banned,
    #[error("no descriptors are left")]
    Descriptors,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    connected: usize,
    joined: usize,
}

impl Admission {
    pub(crate) fn new(limits: AdmissionLimits) -> Self {
        Self { limits, all: Count::default(), by_prefix: HashMap::new() }
    }

    /// Replaces the limits; whoever is in stays in.
    pub(crate) fn set_limits(&mut self, limits: AdmissionLimits) {
        self.limits = limits;
    }

    /// Connections that were let in and have not ended.
    pub(crate) fn connected(&self) -> usize {
        self.all.connected
    }

    /// Lets a connection from `address` in. `chance` is a random number from 0 to 1: between
    /// half of the limit of connections that have not joined and the whole of it, a growing
    /// share is refused (random early drop, as OpenSSH's `MaxStartups`), so that people get in
    /// although somebody keeps the places filled.
    pub(crate) fn admit(&mut self, address: IpAddr, chance: f64) -> Result<(), Refusal> {
        let limits = self.limits;
        let prefix = prefix(address);
        let here = self.by_prefix.get(&prefix).copied().unwrap_or_default();
        if self.all.connected >= limits.clients {
            return Err(Refusal::Full);
        }
        if here.connected >= limits.per_address {
            return Err(Refusal::Address);
        }
        if here.unjoined() >= limits.unjoined_per_address {
            return Err(Refusal::UnjoinedFromAddress);
        }
        if chance < early_drop(self.all.unjoined(), limits.unjoined) {
            return Err(Refusal::Unjoined);
        }
        self.all.connected += 1;
        self.by_prefix.entry(prefix).or_default().connected += 1;
        Ok(())
    }

    /// A connection from `address` has joined.
    pub(crate) fn joined(&mut self, address: IpAddr) {
        self.all.joined += 1;
        self.by_prefix.entry(prefix(address)).or_default().joined += 1;
    }

    /// A connection from `address` has ended, having joined or not.
    pub(crate) fn ended(&mut self, address: IpAddr, joined: bool) {
        let prefix = prefix(address);
        self.all.end(joined);
        if let Some(here) = self.by_prefix.get_mut(&prefix) {
            here.end(joined);
            if here.connected == 0 {
                self.by_prefix.remove(&prefix);
                self.by_prefix.shrink_if_sparse();
            }
        }
    }
}

impl Refusal {
    pub(crate) const ALL: [Self; 6] = [
        Self::Full,
        Self::Unjoined,
        Self::UnjoinedFromAddress,
        Self::Address,
        Self::Banned,
        Self::Descriptors,
    ];

    /// The name that counts of it have.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Unjoined => "unjoined",
            Self::UnjoinedFromAddress => "unjoined_from_address",
            Self::Address => "address",
            Self::Banned => "banned",
            Self::Descriptors => "descriptors",
        }
    }
}

impl Count {
    fn unjoined(self) -> usize {
        self.connected.saturating_sub(self.joined)
    }

    fn end(&mut self, joined: bool) {
        self.connected = self.connected.saturating_sub(1);
        self.joined = self.joined.saturating_sub(usize::from(joined));
    }
}

/// The address itself, or the /64 in which one IPv6 host can have any address it likes.
fn prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let mask = u128::MAX << 64;
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

/// 0 up to half of `limit`, 1 from `limit` on, in between in proportion.
fn early_drop(unjoined: usize, limit: usize) -> f64 {
    let (unjoined, limit) = (to_f64(unjoined), to_f64(limit));
    (unjoined / limit * 2.0 - 1.0).clamp(0.0, 1.0)
}

fn to_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AdmissionLimits =
        AdmissionLimits { clients: 10, unjoined: 8, unjoined_per_address: 8, per_address: 10 };

    fn v4(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn the_server_is_full_at_its_limit_and_open_again_below_it() {
        let mut admission = Admission::new(AdmissionLimits { unjoined: 1000, ..LIMITS });
        for i in 0..10 {
            admission.admit(v4(i), 1.0).unwrap();
        }
        assert_eq!(admission.admit(v4(99), 1.0), Err(Refusal::Full));
        admission.ended(v4(3), false);
        assert_eq!(admission.admit(v4(99), 1.0), Ok(()));
    }

    #[test]
    fn early_drop_begins_at_half_and_is_certain_at_the_limit() {
        let mut admission = Admission::new(LIMITS);
        for i in 0..4 {
            assert_eq!(admission.admit(v4(i), 0.0), Ok(()), "below half nobody is refused");
        }
        admission.admit(v4(4), 0.0).unwrap();
        assert_eq!(admission.admit(v4(5), 0.2), Err(Refusal::Unjoined), "5 of 8: one in four");
        assert_eq!(admission.admit(v4(5), 0.3), Ok(()));
        admission.admit(v4(6), 0.9).unwrap();
        admission.admit(v4(7), 0.9).unwrap();
        assert_eq!(admission.admit(v4(8), 0.999), Err(Refusal::Unjoined));
        (0..8).for_each(|i| admission.joined(v4(i)));
        assert_eq!(admission.admit(v4(8), 0.0), Ok(()), "those who joined do not count");
    }

    #[test]
    fn one_address_has_its_own_limits_and_a_64_is_one_address() {
        let limits = AdmissionLimits { per_address: 3, unjoined_per_address: 2, ..LIMITS };
        let mut admission = Admission::new(limits);
        let host = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, n]);
        admission.admit(host(1), 0.9).unwrap();
        admission.admit(host(2), 0.9).unwrap();
        assert_eq!(admission.admit(host(3), 0.9), Err(Refusal::UnjoinedFromAddress));
        admission.joined(host(1));
        admission.admit(host(3), 0.9).unwrap();
        admission.joined(host(2));
        admission.joined(host(3));
        assert_eq!(admission.admit(host(4), 0.9), Err(Refusal::Address));
        assert_eq!(admission.admit(IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]), 0.9), Ok(()));
        admission.ended(host(1), true);
        assert_eq!(admission.admit(host(4), 0.9), Ok(()));
    }

    #[test]
    fn nothing_is_kept_of_addresses_that_are_gone() {
        let mut admission = Admission::new(LIMITS);
        admission.admit(v4(1), 0.9).unwrap();
        admission.joined(v4(1));
        admission.ended(v4(1), true);
        assert!(admission.by_prefix.is_empty());
        assert_eq!((admission.connected(), admission.all.joined), (0, 0));
    }
}
