//! Private requests: who asked whom, and how far they have come.
//!
//! Each pair (asking, asked) goes through asked, accepted, ports relayed; each step works once,
//! and a request dies with either client or after its time. Both may ask each other: those are
//! two pairs that know nothing of each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::server::address_prefix::AddressPrefix;
use crate::server::ids::MemberId;
use crate::server::settings::Private;
use crate::server::shrink_sparse::ShrinkSparse as _;
use crate::server::token_bucket::{Rate, TokenBucket};

/// How long an unanswered request holds one of the places of its target. The protocol does not say
/// when a request was declined or is ignored: it can be accepted for longer, but keeps no one else
/// from asking.
const HOLDS_A_PLACE: Duration = Duration::from_secs(30);
/// From when on asking again is a new request: the old one may have been declined and withdrawn.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// The period of the rates.
const MINUTE: Duration = Duration::from_secs(60);
/// How many members with full rates one address may have: those behind one NAT share it.
const MEMBERS_PER_ADDRESS: u32 = 10;
/// Addresses whose rates are not used up at all are dropped once there are so many entries.
const SWEEP_AT: usize = 64;

/// How many requests there may be, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLimits {
    pub(crate) lifetime: Duration,
    pub(crate) pending_per_target: usize,
    /// Of one member.
    pub(crate) rate: Option<Rate>,
    /// Of all members of one address.
    pub(crate) address_rate: Option<Rate>,
    /// Of all members of one address to one target.
    pub(crate) pair_rate: Option<Rate>,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) id: MemberId,
    pub(crate) address: AddressPrefix,
}

/// The pending requests.
#[derive(Debug)]
pub(crate) struct Requests {
    limits: RequestLimits,
    pending: HashMap<Pair, Pending>,
    by_target: BTreeSet<(MemberId, MemberId)>,
    by_source: BTreeSet<(MemberId, MemberId)>,
    expiries: BTreeMap<Expiry, Pair>,
    rates: HashMap<MemberId, TokenBucket>,
    /// Kept when members leave, so that coming back does not help.
    address_rates: HashMap<AddressPrefix, TokenBucket>,
    pair_rates: HashMap<(AddressPrefix, MemberId), TokenBucket>,
    sweep_at: usize,
    asked: u64,
    /// How many of the pending ones are accepted.
    accepted: usize,
}

/// Why a step was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ignored {
    #[error("asked for oneself")]
    Oneself,
    #[error("the same request is pending")]
    Repeated,
    #[error("too many requests wait for that user")]
    TargetBusy,
    #[error("too many requests from this user")]
    TooOften,
    #[error("too many requests from this address")]
    AddressTooOften,
    #[error("no such request is pending")]
    NotPending,
    #[error("that request is not accepted yet")]
    NotAccepted,
    #[error("that request is accepted already")]
    AlreadyAccepted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Pair {
    source: MemberId,
    target: MemberId,
}

#[derive(Debug)]
struct Pending {
    accepted: bool,
    address: AddressPrefix,
    asked_at: Instant,
    expiry: Expiry,
}

/// When a request dies, and its number, which no other one has.
type Expiry = (Instant, u64);

impl RequestLimits {
    pub(crate) fn new(private: &Private) -> Self {
        let per_minute = private.requests_per_minute;
        Self {
            lifetime: Duration::from_secs(private.request_seconds),
            pending_per_target: private.pending_per_target,
            rate: Rate::new(per_minute, MINUTE, per_minute),
            address_rate: Rate::new(
                per_minute.saturating_mul(MEMBERS_PER_ADDRESS),
                MINUTE,
                per_minute.saturating_mul(MEMBERS_PER_ADDRESS),
            ),
            pair_rate: Rate::new(
                per_minute,
                MINUTE,
                u32::try_from(private.pending_per_target).unwrap_or(u32::MAX),
            ),
        }
    }
}

impl Requests {
    pub(crate) fn new(limits: RequestLimits) -> Self {
        Self {
            limits,
            pending: HashMap::new(),
            by_target: BTreeSet::new(),
            by_source: BTreeSet::new(),
            expiries: BTreeMap::new(),
            rates: HashMap::new(),
            address_rates: HashMap::new(),
            pair_rates: HashMap::new(),
            sweep_at: SWEEP_AT,
            asked: 0,
            accepted: 0,
        }
    }

    /// Replaces the limits; requests that are pending keep the lifetime they began with.
    pub(crate) fn set_limits(&mut self, limits: RequestLimits) {
        self.limits = limits;
    }

    /// How many requests are pending, those included that expired since the last step.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// How many of the pending requests are accepted and wait for ports.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted
    }

    /// PVCOREQ: `source` asks `target`.
    pub(crate) fn ask(
        &mut self,
        Source { id: source, address }: Source,
        target: MemberId,
        now: Instant,
    ) -> Result<(), Ignored> {
        self.expire(now);
        let pair = Pair { source, target };
        if source == target {
            return Err(Ignored::Oneself);
        }
        if self.pending.get(&pair).is_some_and(|old| now < old.asked_at + ASK_AGAIN_AFTER) {
            return Err(Ignored::Repeated);
        }
        let crowding = self.make_room(pair, address, now)?;
        self.pay(source, address, target, now)?;
        self.remove(pair);
        if let Some(crowding) = crowding {
            self.remove(crowding);
        }
        self.asked += 1;
        let expiry = (now + self.limits.lifetime, self.asked);
        let pending = Pending { accepted: false, address, asked_at: now, expiry };
        self.pending.insert(pair, pending);
        self.by_target.insert((target, source));
        self.by_source.insert((source, target));
        self.expiries.insert(expiry, pair);
        Ok(())
    }

    /// Whether the target has a place for a request from `address`, and which request has to give
    /// way to it: the newest of the address that holds most, if that holds two more than this one.
    fn make_room(
        &self,
        asking: Pair,
        address: AddressPrefix,
        now: Instant,
    ) -> Result<Option<Pair>, Ignored> {
        let pairs = self.by_target.range(all_of(asking.target));
        let pairs = pairs.map(|&(target, source)| Pair { source, target });
        let pairs = pairs.filter(|&pair| pair != asking);
        let holding: Vec<(Pair, &Pending)> = pairs
            .filter_map(|pair| Some((pair, self.pending.get(&pair)?)))
            .filter(|(_, pending)| pending.accepted || now < pending.asked_at + HOLDS_A_PLACE)
            .collect();
        if holding.len() < self.limits.pending_per_target {
            return Ok(None);
        }
        let held = |address| holding.iter().filter(|(_, other)| other.address == address).count();
        let unanswered = holding.iter().filter(|(_, pending)| !pending.accepted);
        let crowding = unanswered.max_by_key(|(_, other)| (held(other.address), other.expiry.1));
        match crowding {
            Some(&(pair, other)) if held(other.address) > held(address) + 1 => Ok(Some(pair)),
            _ => Err(Ignored::TargetBusy),
        }
    }

    /// Uses one request of the rates of the member, its address, and its address with the target.
    fn pay(
        &mut self,
        source: MemberId,
        address: AddressPrefix,
        target: MemberId,
        now: Instant,
    ) -> Result<(), Ignored> {
        self.sweep(now);
        let RequestLimits { rate, address_rate, pair_rate, .. } = self.limits;
        let takes = |bucket: &mut TokenBucket, rate: Option<Rate>| {
            rate.is_none_or(|rate| bucket.try_take(rate, now))
        };
        if !takes(self.rates.entry(source).or_default(), rate) {
            return Err(Ignored::TooOften);
        }
        let by_address = self.address_rates.entry(address).or_default();
        let by_pair = self.pair_rates.entry((address, target)).or_default();
        if !takes(by_pair, pair_rate) || !takes(by_address, address_rate) {
            return Err(Ignored::AddressTooOften);
        }
        Ok(())
    }

    /// Forgets the rates that are not used up at all; what that costs is shared by the requests
    /// since the last time.
    fn sweep(&mut self, now: Instant) {
        if self.pair_rates.len() + self.address_rates.len() < self.sweep_at {
            return;
        }
        self.pair_rates.retain(|_, bucket| !bucket.is_full(now));
        self.address_rates.retain(|_, bucket| !bucket.is_full(now));
        self.pair_rates.shrink_sparse();
        self.address_rates.shrink_sparse();
        self.sweep_at = SWEEP_AT.max(2 * (self.pair_rates.len() + self.address_rates.len()));
    }

    /// PVCOACC: `target` accepts what `source` asked.
    pub(crate) fn accept(
        &mut self,
        target: MemberId,
        source: MemberId,
        now: Instant,
    ) -> Result<(), Ignored> {
        self.expire(now);
        let pending = self.pending.get_mut(&Pair { source, target }).ok_or(Ignored::NotPending)?;
        if pending.accepted {
            return Err(Ignored::AlreadyAccepted);
        }
        pending.accepted = true;
        self.accepted += 1;
        // Who wants to talk is not pestered.
        self.pair_rates.remove(&(pending.address, target));
        Ok(())
    }

    /// PVCOPORT: `source` tells `target` its ports, which ends the request.
    pub(crate) fn offer_ports(
        &mut self,
        source: MemberId,
        target: MemberId,
        now: Instant,
    ) -> Result<(), Ignored> {
        self.expire(now);
        let pair = Pair { source, target };
        match self.pending.get(&pair) {
            None => Err(Ignored::NotPending),
            Some(Pending { accepted: false, .. }) => Err(Ignored::NotAccepted),
            Some(Pending { accepted: true, .. }) => {
                self.remove(pair);
                Ok(())
            }
        }
    }

    /// `id` left: all its requests, in both directions, are gone.
    pub(crate) fn forget(&mut self, id: MemberId) {
        self.rates.remove(&id);
        self.rates.shrink_sparse();
        let asked =
            self.by_source.range(all_of(id)).map(|&(source, target)| Pair { source, target });
        let was_asked =
            self.by_target.range(all_of(id)).map(|&(target, source)| Pair { source, target });
        for pair in asked.chain(was_asked).collect::<Vec<_>>() {
            self.remove(pair);
        }
    }

    /// Forgets the requests whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(first) = self.expiries.first_entry().filter(|first| first.key().0 <= now) {
            let pair = first.remove();
            self.remove(pair);
        }
    }

    fn remove(&mut self, pair: Pair) {
        if let Some(pending) = self.pending.remove(&pair) {
            self.expiries.remove(&pending.expiry);
            self.accepted = self.accepted.saturating_sub(usize::from(pending.accepted));
            self.pending.shrink_sparse();
        }
        self.by_target.remove(&(pair.target, pair.source));
        self.by_source.remove(&(pair.source, pair.target));
    }
}

fn all_of(id: MemberId) -> std::ops::RangeInclusive<(MemberId, MemberId)> {
    (id, MemberId(u64::MIN))..=(id, MemberId(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MemberId = MemberId(1);
    const B: MemberId = MemberId(2);
    const C: MemberId = MemberId(3);
    const LIFETIME: Duration = Duration::from_secs(120);

    fn requests(pending_per_target: usize, rate: Option<Rate>) -> (Requests, Instant) {
        let limits = RequestLimits {
            lifetime: LIFETIME,
            pending_per_target,
            rate,
            address_rate: None,
            pair_rate: None,
        };
        (Requests::new(limits), Instant::now())
    }

    fn at(last: u8, id: MemberId) -> Source {
        let address: std::net::IpAddr = [192, 0, 2, last].into();
        Source { id, address: address.into() }
    }

    #[test]
    fn one_address_does_not_crowd_out_another_one() {
        let (mut requests, now) = requests(10, None);
        for stranger in 10..20 {
            requests.ask(at(1, MemberId(stranger)), B, now).unwrap();
        }
        assert_eq!(requests.ask(at(1, C), B, now), Err(Ignored::TargetBusy));
        assert_eq!(requests.ask(at(2, A), B, now), Ok(()), "a friend from elsewhere");
        assert_eq!(requests.pending(), 10);
        assert_eq!(requests.accept(B, A, now), Ok(()));
        assert_eq!(requests.accept(B, MemberId(10), now), Ok(()), "the oldest one stays");
        assert_eq!(requests.accept(B, MemberId(19), now), Err(Ignored::NotPending));
    }

    #[test]
    fn an_unanswered_request_frees_its_place_and_can_still_be_accepted() {
        let (mut requests, now) = requests(1, None);
        requests.ask(at(1, A), B, now).unwrap();
        let later = now + Duration::from_secs(29);
        assert_eq!(requests.ask(at(1, C), B, later), Err(Ignored::TargetBusy));
        let later = now + Duration::from_secs(30);
        assert_eq!(requests.ask(at(1, C), B, later), Ok(()));
        assert_eq!(requests.accept(B, A, later), Ok(()));
    }

    #[test]
    fn asking_again_after_a_while_is_a_new_request() {
        for accepted in [false, true] {
            let (mut requests, now) = requests(10, None);
            requests.ask(at(1, A), B, now).unwrap();
            if accepted {
                requests.accept(B, A, now).unwrap();
            }
            let soon = now + Duration::from_secs(4);
            assert_eq!(requests.ask(at(1, A), B, soon), Err(Ignored::Repeated));
            let later = now + Duration::from_secs(5);
            assert_eq!(requests.ask(at(1, A), B, later), Ok(()), "declined and withdrawn");
            assert_eq!((requests.pending(), requests.accepted()), (1, 0));
            assert_eq!(requests.accept(B, A, later), Ok(()));
        }
    }

    #[test]
    fn joining_asking_and_leaving_does_not_get_around_the_rate_of_the_address() {
        let mut requests = Requests::new(RequestLimits::new(&Private::default()));
        let start = Instant::now();
        let mut heard = 0;
        for number in 100..4600 {
            let now = start + Duration::from_millis(number * 10 / 45);
            heard += u32::from(requests.ask(at(1, MemberId(number)), B, now).is_ok());
            requests.forget(MemberId(number));
        }
        assert!(heard <= 11, "{heard} requests in a second");
        assert_eq!(requests.ask(at(2, A), B, start), Ok(()), "others may ask");
        assert!(requests.pair_rates.len() <= 2 && requests.address_rates.len() <= 2);
    }

    #[test]
    fn each_step_works_once_and_in_order() {
        let (mut requests, now) = requests(10, None);
        assert_eq!(requests.accept(B, A, now), Err(Ignored::NotPending));
        assert_eq!(requests.ask(at(1, A), B, now), Ok(()));
        assert_eq!(requests.offer_ports(A, B, now), Err(Ignored::NotAccepted));
        assert_eq!(requests.ask(at(1, A), B, now), Err(Ignored::Repeated));
        assert_eq!(requests.accept(A, B, now), Err(Ignored::NotPending), "not the other way round");
        assert_eq!(requests.accept(B, A, now), Ok(()));
        assert_eq!(requests.accept(B, A, now), Err(Ignored::AlreadyAccepted));
        assert_eq!((requests.pending(), requests.accepted()), (1, 1));
        assert_eq!(requests.offer_ports(B, A, now), Err(Ignored::NotPending));
        assert_eq!(requests.offer_ports(A, B, now), Ok(()));
        assert_eq!(requests.offer_ports(A, B, now), Err(Ignored::NotPending));
        assert_eq!((requests.pending(), requests.accepted()), (0, 0));
        assert_eq!(
            requests.ask(at(1, A), B, now),
            Ok(()),
            "a new request after the old one is done"
        );
    }

    #[test]
    fn nobody_asks_for_oneself() {
        let (mut requests, now) = requests(10, None);
        assert_eq!(requests.ask(at(1, A), A, now), Err(Ignored::Oneself));
    }

    #[test]
    fn both_may_ask_and_each_request_stands_alone() {
        let (mut requests, now) = requests(10, None);
        requests.ask(at(1, A), B, now).unwrap();
        requests.ask(at(1, B), A, now).unwrap();
        requests.accept(B, A, now).unwrap();
        requests.offer_ports(A, B, now).unwrap();
        assert_eq!(requests.offer_ports(B, A, now), Err(Ignored::NotAccepted));
        assert_eq!(requests.accept(A, B, now), Ok(()));
    }

    #[test]
    fn a_request_dies_with_either_client_at_every_step() {
        for leaver in [A, B] {
            for steps in 1..=2 {
                let (mut requests, now) = requests(10, None);
                requests.ask(at(1, A), B, now).unwrap();
                if steps == 2 {
                    requests.accept(B, A, now).unwrap();
                }
                requests.forget(leaver);
                assert_eq!(requests.accept(B, A, now), Err(Ignored::NotPending));
                assert_eq!(requests.offer_ports(A, B, now), Err(Ignored::NotPending));
                assert!(requests.by_source.is_empty() && requests.by_target.is_empty());
            }
        }
    }

    #[test]
    fn a_request_dies_after_its_time_and_a_new_one_lives_its_own() {
        let (mut requests, now) = requests(10, None);
        requests.ask(at(1, A), B, now).unwrap();
        assert_eq!(requests.accept(B, A, now + LIFETIME), Err(Ignored::NotPending));
        requests.ask(at(1, A), B, now + LIFETIME).unwrap();
        requests.accept(B, A, now + LIFETIME).unwrap();
        assert_eq!(requests.offer_ports(A, B, now + 2 * LIFETIME), Err(Ignored::NotPending));
    }

    #[test]
    fn an_old_expiry_does_not_end_a_newer_request() {
        let (mut requests, now) = requests(10, None);
        let half = LIFETIME / 2;
        requests.ask(at(1, C), B, now + half).unwrap();
        requests.ask(at(1, A), B, now).unwrap();
        requests.forget(A);
        requests.ask(at(1, A), B, now + half).unwrap();
        assert_eq!(requests.accept(B, A, now + LIFETIME), Ok(()));
    }

    #[test]
    fn a_shorter_lifetime_holds_for_requests_made_after_it_was_set() {
        let (mut requests, now) = requests(10, None);
        requests.ask(at(1, A), B, now).unwrap();
        let limits = RequestLimits { lifetime: LIFETIME / 10, ..requests.limits };
        requests.set_limits(limits);
        requests.ask(at(1, C), B, now).unwrap();
        assert_eq!(requests.accept(B, C, now + LIFETIME / 10), Err(Ignored::NotPending));
        assert_eq!(requests.accept(B, A, now + LIFETIME / 10), Ok(()), "keeps the one it had");
    }

    #[test]
    fn nothing_is_kept_of_requests_that_are_done_while_others_wait() {
        let (mut requests, now) = requests(10, None);
        requests.ask(at(1, C), B, now).unwrap();
        for _ in 0..100 {
            requests.ask(at(1, A), B, now).unwrap();
            requests.accept(B, A, now).unwrap();
            requests.offer_ports(A, B, now).unwrap();
        }
        assert_eq!((requests.pending(), requests.expiries.len()), (1, 1));
    }

    #[test]
    fn a_target_has_so_many_pending_requests_and_no_more() {
        let (mut requests, now) = requests(1, None);
        requests.ask(at(1, A), B, now).unwrap();
        assert_eq!(requests.ask(at(1, C), B, now), Err(Ignored::TargetBusy));
        assert_eq!(requests.ask(at(1, C), A, now), Ok(()));
    }

    #[test]
    fn a_sender_asks_so_often_and_no_oftener() {
        let (mut requests, now) = requests(10, Rate::new(1, Duration::from_secs(60), 1));
        assert_eq!(requests.ask(at(1, A), B, now), Ok(()));
        assert_eq!(requests.ask(at(1, A), C, now), Err(Ignored::TooOften));
        assert_eq!(requests.ask(at(1, A), C, now + Duration::from_secs(60)), Ok(()));
    }
}
