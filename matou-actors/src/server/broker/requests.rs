//! Private requests: who asked whom, and how far they have come.
//!
//! Each pair (asking, asked) goes through asked, accepted, ports relayed; each step works once,
//! and a request dies with either client or after its time. Both may ask each other: those are
//! two pairs that know nothing of each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::server::ids::MemberId;
use crate::server::settings::Private;
use crate::server::shrink_sparse::ShrinkSparse as _;
use crate::server::token_bucket::{Rate, TokenBucket};

/// How many requests there may be, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLimits {
    pub(crate) lifetime: Duration,
    pub(crate) pending_per_target: usize,
    pub(crate) rate: Option<Rate>,
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
            rate: Rate::new(per_minute, Duration::from_secs(60), per_minute),
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
        source: MemberId,
        target: MemberId,
        now: Instant,
    ) -> Result<(), Ignored> {
        self.expire(now);
        let pair = Pair { source, target };
        if source == target {
            return Err(Ignored::Oneself);
        }
        if self.pending.contains_key(&pair) {
            return Err(Ignored::Repeated);
        }
        let waiting = self.by_target.range(all_of(target)).count();
        if waiting >= self.limits.pending_per_target {
            return Err(Ignored::TargetBusy);
        }
        if let Some(rate) = self.limits.rate
            && !self.rates.entry(source).or_default().try_take(rate, now)
        {
            return Err(Ignored::TooOften);
        }
        self.asked += 1;
        let expiry = (now + self.limits.lifetime, self.asked);
        self.pending.insert(pair, Pending { accepted: false, expiry });
        self.by_target.insert((target, source));
        self.by_source.insert((source, target));
        self.expiries.insert(expiry, pair);
        Ok(())
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
        let limits = RequestLimits { lifetime: LIFETIME, pending_per_target, rate };
        (Requests::new(limits), Instant::now())
    }

    #[test]
    fn each_step_works_once_and_in_order() {
        let (mut requests, now) = requests(10, None);
        assert_eq!(requests.accept(B, A, now), Err(Ignored::NotPending));
        assert_eq!(requests.ask(A, B, now), Ok(()));
        assert_eq!(requests.offer_ports(A, B, now), Err(Ignored::NotAccepted));
        assert_eq!(requests.ask(A, B, now), Err(Ignored::Repeated));
        assert_eq!(requests.accept(A, B, now), Err(Ignored::NotPending), "not the other way round");
        assert_eq!(requests.accept(B, A, now), Ok(()));
        assert_eq!(requests.accept(B, A, now), Err(Ignored::AlreadyAccepted));
        assert_eq!((requests.pending(), requests.accepted()), (1, 1));
        assert_eq!(requests.offer_ports(B, A, now), Err(Ignored::NotPending));
        assert_eq!(requests.offer_ports(A, B, now), Ok(()));
        assert_eq!(requests.offer_ports(A, B, now), Err(Ignored::NotPending));
        assert_eq!((requests.pending(), requests.accepted()), (0, 0));
        assert_eq!(requests.ask(A, B, now), Ok(()), "a new request after the old one is done");
    }

    #[test]
    fn nobody_asks_for_oneself() {
        let (mut requests, now) = requests(10, None);
        assert_eq!(requests.ask(A, A, now), Err(Ignored::Oneself));
    }

    #[test]
    fn both_may_ask_and_each_request_stands_alone() {
        let (mut requests, now) = requests(10, None);
        requests.ask(A, B, now).unwrap();
        requests.ask(B, A, now).unwrap();
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
                requests.ask(A, B, now).unwrap();
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
        requests.ask(A, B, now).unwrap();
        assert_eq!(requests.accept(B, A, now + LIFETIME), Err(Ignored::NotPending));
        requests.ask(A, B, now + LIFETIME).unwrap();
        requests.accept(B, A, now + LIFETIME).unwrap();
        assert_eq!(requests.offer_ports(A, B, now + 2 * LIFETIME), Err(Ignored::NotPending));
    }

    #[test]
    fn an_old_expiry_does_not_end_a_newer_request() {
        let (mut requests, now) = requests(10, None);
        let half = LIFETIME / 2;
        requests.ask(C, B, now + half).unwrap();
        requests.ask(A, B, now).unwrap();
        requests.forget(A);
        requests.ask(A, B, now + half).unwrap();
        assert_eq!(requests.accept(B, A, now + LIFETIME), Ok(()));
    }

    #[test]
    fn a_shorter_lifetime_holds_for_requests_made_after_it_was_set() {
        let (mut requests, now) = requests(10, None);
        requests.ask(A, B, now).unwrap();
        let limits = RequestLimits { lifetime: LIFETIME / 10, ..requests.limits };
        requests.set_limits(limits);
        requests.ask(C, B, now).unwrap();
        assert_eq!(requests.accept(B, C, now + LIFETIME / 10), Err(Ignored::NotPending));
        assert_eq!(requests.accept(B, A, now + LIFETIME / 10), Ok(()), "keeps the one it had");
    }

    #[test]
    fn nothing_is_kept_of_requests_that_are_done_while_others_wait() {
        let (mut requests, now) = requests(10, None);
        requests.ask(C, B, now).unwrap();
        for _ in 0..100 {
            requests.ask(A, B, now).unwrap();
            requests.accept(B, A, now).unwrap();
            requests.offer_ports(A, B, now).unwrap();
        }
        assert_eq!((requests.pending(), requests.expiries.len()), (1, 1));
    }

    #[test]
    fn a_target_has_so_many_pending_requests_and_no_more() {
        let (mut requests, now) = requests(1, None);
        requests.ask(A, B, now).unwrap();
        assert_eq!(requests.ask(C, B, now), Err(Ignored::TargetBusy));
        assert_eq!(requests.ask(C, A, now), Ok(()));
    }

    #[test]
    fn a_sender_asks_so_often_and_no_oftener() {
        let (mut requests, now) = requests(10, Rate::new(1, Duration::from_secs(60), 1));
        assert_eq!(requests.ask(A, B, now), Ok(()));
        assert_eq!(requests.ask(A, C, now), Err(Ignored::TooOften));
        assert_eq!(requests.ask(A, C, now + Duration::from_secs(60)), Ok(()));
    }
}
