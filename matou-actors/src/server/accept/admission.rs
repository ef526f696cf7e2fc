//! Who may connect: how many in all, how many for each address, how many that have not joined.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::server::address_prefix::AddressPrefix;
use crate::server::settings::Limits;
use crate::server::shrink_sparse::ShrinkSparse as _;
use crate::server::token_bucket::{Rate, TokenBucket};

/// The longest that a connection is delayed because its address connects too often. One that
/// would have to wait longer is refused: programs give up on a server that says nothing.
const LONGEST_HOLD: Duration = Duration::from_secs(5);
/// One in this many places is reserved for addresses that hold few, so that two or three addresses
/// cannot shut all others out.
const KEPT_FREE: usize = 4;
/// An address that holds fewer than this, or fewer than a hundredth of all places, holds few,
const FEW: usize = 64;
/// unless that is one in this many of all places: a small server reserves places too.
const FEW_SHARE: usize = 5;
/// Addresses without a connection are swept once there are at least this many.
const SWEEP_AT: usize = 64;

/// The limits of [`Admission`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdmissionLimits {
    pub(crate) clients: usize,
    pub(crate) unjoined: usize,
    pub(crate) unjoined_per_address: usize,
    pub(crate) per_address: usize,
    /// New connections of one address.
    pub(crate) connects: Option<Rate>,
}

/// The connections, counted.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: AdmissionLimits,
    all: AddressCount,
    by_prefix: HashMap<AddressPrefix, Prefix>,
    sweep_at: usize,
}

/// Why a connection was refused.
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
    #[error("this address connects too often")]
    TooOften,
    #[error("the address is banned")]
    Banned,
    #[error("out of file descriptors")]
    Descriptors,
}

/// An address, or a /64.
#[derive(Clone, Copy, Debug, Default)]
struct Prefix {
    count: AddressCount,
    connects: TokenBucket,
}

#[derive(Clone, Copy, Debug, Default)]
struct AddressCount {
    connected: usize,
    joined: usize,
}

impl AdmissionLimits {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            clients: limits.clients,
            unjoined: limits.unjoined,
            unjoined_per_address: limits.unjoined_per_address,
            per_address: limits.per_address,
            connects: Rate::new(
                limits.connects_per_minute,
                Duration::from_secs(60),
                limits.connect_burst,
            ),
        }
    }
}

impl Admission {
    pub(crate) fn new(limits: AdmissionLimits) -> Self {
        Self { limits, all: AddressCount::default(), by_prefix: HashMap::new(), sweep_at: SWEEP_AT }
    }

    /// Replaces the limits; existing connections stay.
    pub(crate) fn set_limits(&mut self, limits: AdmissionLimits) {
        self.limits = limits;
    }

    /// Connections that were admitted and have not ended.
    pub(crate) fn connected(&self) -> usize {
        self.all.connected
    }

    /// Admits a connection from `address`; it is to be read only after the returned time, so that
    /// one address does not fill all screens with joins and leaves. `chance` is a random number
    /// from 0 to 1: between half of the limit of connections that have not joined and the whole of
    /// it, a growing share is refused (random early drop, as OpenSSH's `MaxStartups`), so that
    /// users get in although one address keeps the places filled.
    pub(crate) fn admit(
        &mut self,
        address: IpAddr,
        chance: f64,
        now: Instant,
    ) -> Result<Duration, Refusal> {
        let limits = self.limits;
        let prefix = address.into();
        let Prefix { count: here, mut connects } =
            self.by_prefix.get(&prefix).copied().unwrap_or_default();
        if self.all.connected >= limits.clients {
            return Err(Refusal::Full);
        }
        let is_nearly_full = self.all.connected >= limits.clients - limits.clients / KEPT_FREE;
        let few = FEW.max(limits.clients / 100).min(limits.clients / FEW_SHARE).max(1);
        let holds_many = here.connected >= few;
        if here.connected >= limits.per_address || (is_nearly_full && holds_many) {
            return Err(Refusal::Address);
        }
        if here.unjoined() >= limits.unjoined_per_address {
            return Err(Refusal::UnjoinedFromAddress);
        }
        if chance < early_drop(self.all.unjoined(), limits.unjoined) {
            return Err(Refusal::Unjoined);
        }
        let mut hold = Duration::ZERO;
        if let Some(rate) = limits.connects {
            hold = connects.pay(rate, 1, now);
            if hold > LONGEST_HOLD {
                return Err(Refusal::TooOften);
            }
        }
        self.sweep(now);
        self.all.connected += 1;
        let here = self.by_prefix.entry(prefix).or_default();
        here.count.connected += 1;
        here.connects = connects;
        Ok(hold)
    }

    /// A connection from `address` has joined.
    pub(crate) fn joined(&mut self, address: IpAddr) {
        self.all.joined += 1;
        self.by_prefix.entry(address.into()).or_default().count.joined += 1;
    }

    /// A connection from `address` has ended, having joined or not.
    pub(crate) fn ended(&mut self, address: IpAddr, joined: bool) {
        self.all.end(joined);
        if let Some(here) = self.by_prefix.get_mut(&address.into()) {
            here.count.end(joined);
        }
    }

    /// Forgets the addresses of which nothing is left to know; what that costs is shared by the
    /// arrivals since the last time.
    fn sweep(&mut self, now: Instant) {
        if self.by_prefix.len() < self.sweep_at {
            return;
        }
        self.by_prefix.retain(|_, here| here.count.connected > 0 || !here.connects.is_full(now));
        self.by_prefix.shrink_sparse();
        self.sweep_at = SWEEP_AT.max(self.by_prefix.len() * 2);
    }
}

impl Refusal {
    pub(crate) const ALL: [Self; 7] = [
        Self::Full,
        Self::Unjoined,
        Self::UnjoinedFromAddress,
        Self::Address,
        Self::TooOften,
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
            Self::TooOften => "too_often",
            Self::Banned => "banned",
            Self::Descriptors => "descriptors",
        }
    }
}

impl AddressCount {
    fn unjoined(self) -> usize {
        self.connected.saturating_sub(self.joined)
    }

    fn end(&mut self, joined: bool) {
        self.connected = self.connected.saturating_sub(1);
        self.joined = self.joined.saturating_sub(usize::from(joined));
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

    const LIMITS: AdmissionLimits = AdmissionLimits {
        clients: 10,
        unjoined: 8,
        unjoined_per_address: 8,
        per_address: 10,
        connects: None,
    };
    const AT_ONCE: Result<Duration, Refusal> = Ok(Duration::ZERO);
    const SECOND: Duration = Duration::from_secs(1);

    impl Admission {
        fn admits(&mut self, address: IpAddr, chance: f64) -> Result<Duration, Refusal> {
            self.admit(address, chance, Instant::now())
        }
    }

    fn v4(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn the_server_is_full_at_its_limit_and_open_again_below_it() {
        let mut admission = Admission::new(AdmissionLimits { unjoined: 1000, ..LIMITS });
        for i in 0..10 {
            admission.admits(v4(i), 1.0).unwrap();
        }
        assert_eq!(admission.admits(v4(99), 1.0), Err(Refusal::Full));
        admission.ended(v4(3), false);
        assert_eq!(admission.admits(v4(99), 1.0), AT_ONCE);
    }

    #[test]
    fn early_drop_begins_at_half_and_is_certain_at_the_limit() {
        let mut admission = Admission::new(LIMITS);
        for i in 0..4 {
            assert_eq!(admission.admits(v4(i), 0.0), AT_ONCE, "below half all are admitted");
        }
        admission.admits(v4(4), 0.0).unwrap();
        assert_eq!(admission.admits(v4(5), 0.2), Err(Refusal::Unjoined), "5 of 8: one in four");
        assert_eq!(admission.admits(v4(5), 0.3), AT_ONCE);
        admission.admits(v4(6), 0.9).unwrap();
        admission.admits(v4(7), 0.9).unwrap();
        assert_eq!(admission.admits(v4(8), 0.999), Err(Refusal::Unjoined));
        (0..8).for_each(|i| admission.joined(v4(i)));
        assert_eq!(admission.admits(v4(8), 0.0), AT_ONCE, "those who joined do not count");
    }

    #[test]
    fn one_address_has_its_own_limits_and_a_64_is_one_address() {
        let limits = AdmissionLimits { per_address: 3, unjoined_per_address: 2, ..LIMITS };
        let mut admission = Admission::new(limits);
        let host = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, n]);
        admission.admits(host(1), 0.9).unwrap();
        admission.admits(host(2), 0.9).unwrap();
        assert_eq!(admission.admits(host(3), 0.9), Err(Refusal::UnjoinedFromAddress));
        admission.joined(host(1));
        admission.admits(host(3), 0.9).unwrap();
        admission.joined(host(2));
        admission.joined(host(3));
        assert_eq!(admission.admits(host(4), 0.9), Err(Refusal::Address));
        assert_eq!(admission.admits(IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]), 0.9), AT_ONCE);
        admission.ended(host(1), true);
        assert_eq!(admission.admits(host(4), 0.9), AT_ONCE);
    }

    #[test]
    fn an_address_that_connects_too_often_waits_and_then_is_refused() {
        let connects = Rate::new(60, 60 * SECOND, 3);
        let limits = AdmissionLimits { clients: 1000, unjoined: 1000, connects, ..LIMITS };
        let mut admission = Admission::new(limits);
        let (start, mut holds) = (Instant::now(), Vec::new());
        for _ in 0..10 {
            holds.push(admission.admit(v4(1), 1.0, start));
            admission.ended(v4(1), false);
        }
        let waits = (1..=5).map(|seconds| Ok(seconds * SECOND));
        let refused = [Err(Refusal::TooOften); 2];
        assert_eq!(holds, [AT_ONCE; 3].into_iter().chain(waits).chain(refused).collect::<Vec<_>>());
        assert_eq!(admission.admit(v4(2), 1.0, start), AT_ONCE, "others do not wait");
        let second = start + SECOND;
        assert_eq!(admission.admit(v4(1), 1.0, second), Ok(5 * SECOND), "refusals cost nothing");
        assert_eq!(admission.admit(v4(1), 1.0, start + 60 * SECOND), AT_ONCE);
    }

    #[test]
    fn by_default_two_thousand_join_at_once_from_one_address() {
        let mut admission = Admission::new(AdmissionLimits::new(&Limits::default()));
        let now = Instant::now();
        for _ in 0..2000 {
            assert_eq!(admission.admit(v4(1), 1.0, now), AT_ONCE);
        }
    }

    #[test]
    fn places_are_kept_for_addresses_that_hold_few() {
        let limits = Limits::default();
        let mut admission = Admission::new(AdmissionLimits::new(&limits));
        let mut now = Instant::now();
        let mut admitted = 0;
        for number in 0..2 * limits.clients {
            now += SECOND;
            let address = v4(u8::try_from(number % 2).unwrap());
            if admission.admit(address, 1.0, now).is_ok() {
                admission.joined(address);
                admitted += 1;
            }
        }
        assert_eq!(admitted, 7500, "two addresses get no more than three quarters");
        for last in 10..30 {
            for _ in 0..10 {
                assert_eq!(admission.admit(v4(last), 1.0, now), AT_ONCE, "others still get in");
                admission.joined(v4(last));
            }
        }
    }

    #[test]
    fn a_small_server_keeps_places_too() {
        // 20 and 40 places: a quarter is left by one address, and some of it by a second one.
        for (clients, first, second) in [(20, 15, 4), (40, 30, 8), (85, 64, 17)] {
            let limits = AdmissionLimits {
                clients,
                unjoined: 1000,
                unjoined_per_address: 1000,
                per_address: 5000,
                connects: None,
            };
            let mut admission = Admission::new(limits);
            let mut fill =
                |last| (0..clients).filter(|_| admission.admits(v4(last), 1.0).is_ok()).count();
            assert_eq!((fill(1), fill(2)), (first, second), "of {clients}");
            assert_eq!(fill(3), clients - first - second, "the rest");
        }
    }

    #[test]
    fn addresses_without_connections_are_forgotten() {
        let connects = Rate::new(60, 60 * SECOND, 3);
        let mut admission = Admission::new(AdmissionLimits { connects, ..LIMITS });
        let now = Instant::now();
        for number in 0..10_000_u32 {
            let address = std::net::Ipv4Addr::from_bits(number).into();
            admission.admit(address, 0.9, now + number * SECOND / 50).unwrap();
            admission.joined(address);
            admission.ended(address, true);
            assert!(admission.by_prefix.len() <= 128, "those of one second are 50");
        }
        assert_eq!((admission.connected(), admission.all.joined), (0, 0));
    }
}
