//! Private requests: who asked whom, and the state of each.
//!
//! Each pair (asking, asked) passes through asked, accepted, ports relayed; each step works once,
//! and a request ends with either client or after its time. Both may ask each other: those are two
//! independent pairs.

mod session;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::protocol::v2::{Declined, SessionId};
use crate::server::address_prefix::AddressPrefix;
use crate::server::broker::friends::Friends;
use crate::server::broker::session_request::SessionRequest;
use crate::server::ids::MemberId;
use crate::server::settings::PrivateSettings;
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
/// Addresses with full budgets are dropped once there are this many entries.
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

/// The member that takes a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Party {
    pub(crate) id: MemberId,
    pub(crate) address: AddressPrefix,
}

/// The pending requests.
#[derive(Debug)]
pub(crate) struct Requests {
    limits: RequestLimits,
    pending: HashMap<MemberPair, PendingRequest>,
    by_target: BTreeSet<(MemberId, MemberId)>,
    by_source: BTreeSet<(MemberId, MemberId)>,
    expiries: BTreeMap<Expiry, MemberPair>,
    rates: HashMap<MemberId, TokenBucket>,
    /// Kept when members leave, so that coming back does not help.
    address_rates: HashMap<AddressPrefix, TokenBucket>,
    pair_rates: HashMap<(AddressPrefix, MemberId), TokenBucket>,
    friends: Friends,
    sweep_at: usize,
    by_session: HashMap<SessionId, MemberPair>,
    /// Requests of revision 2 that failed, until their askers are informed.
    declined: Vec<(SessionRequest, Declined)>,
    asked: u64,
    /// How many of the pending ones are accepted.
    accepted: usize,
}

/// Why a step was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ignored {
    #[error("requested a session with themselves")]
    Oneself,
    #[error("the same request is pending")]
    Repeated,
    #[error("too many requests are pending for that user")]
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
struct MemberPair {
    source: MemberId,
    target: MemberId,
}

#[derive(Debug)]
struct PendingRequest {
    accepted: bool,
    address: AddressPrefix,
    asked_at: Instant,
    expiry: Expiry,
    /// It was made in revision 2.
    session: Option<Box<SessionRequest>>,
}

/// When a request dies, and its number, which no other one has.
type Expiry = (Instant, u64);

impl RequestLimits {
    pub(crate) fn new(private: &PrivateSettings) -> Self {
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
            friends: Friends::default(),
            sweep_at: SWEEP_AT,
            by_session: HashMap::new(),
            declined: Vec::new(),
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
        source: Party,
        target: MemberId,
        now: Instant,
    ) -> Result<(), Ignored> {
        self.ask_for(source, target, None, now)
    }

    /// PVCOREQ or ASK.
    fn ask_for(
        &mut self,
        Party { id: source, address }: Party,
        target: MemberId,
        session: Option<SessionRequest>,
        now: Instant,
    ) -> Result<(), Ignored> {
        self.expire(now);
        let pair = MemberPair { source, target };
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
            self.decline(crowding, Declined::TooMany);
        }
        self.asked += 1;
        let expiry = (now + self.limits.lifetime, self.asked);
        if let Some(request) = &session {
            self.by_session.insert(request.session, pair);
        }
        let session = session.map(Box::new);
        let pending = PendingRequest { accepted: false, address, asked_at: now, expiry, session };
        self.pending.insert(pair, pending);
        self.by_target.insert((target, source));
        self.by_source.insert((source, target));
        self.expiries.insert(expiry, pair);
        Ok(())
    }

    /// Whether the target has a place for a request from `address`, and which request has to give
    /// way to it: the newest of the address that holds most, if that holds two more than this one.
    /// A friend without a place gets that of a stranger in any case, so that strangers cannot keep
    /// friends out, however many addresses they have.
    fn make_room(
        &self,
        asking: MemberPair,
        address: AddressPrefix,
        now: Instant,
    ) -> Result<Option<MemberPair>, Ignored> {
        let pairs = self.by_target.range(all_of(asking.target));
        let pairs = pairs.map(|&(target, source)| MemberPair { source, target });
        let pairs = pairs.filter(|&pair| pair != asking);
        let holding: Vec<(MemberPair, &PendingRequest)> = pairs
            .filter_map(|pair| Some((pair, self.pending.get(&pair)?)))
            .filter(|(_, pending)| pending.accepted || now < pending.asked_at + HOLDS_A_PLACE)
            .collect();
        if holding.len() < self.limits.pending_per_target {
            return Ok(None);
        }
        let held = |address| holding.iter().filter(|(_, other)| other.address == address).count();
        let is_stranger = |address| !self.friends.has(asking.target, address);
        let is_first_of_friend = !is_stranger(address) && held(address) == 0;
        let unanswered = holding.iter().filter(|(_, pending)| !pending.accepted);
        let crowding = unanswered.max_by_key(|(_, other)| {
            let stranger = is_stranger(other.address);
            (is_first_of_friend && stranger, held(other.address), stranger, other.expiry.1)
        });
        let (pair, other) = crowding.ok_or(Ignored::TargetBusy)?;
        let gives_way = held(other.address) > held(address) + 1
            || (is_first_of_friend && is_stranger(other.address));
        if gives_way { Ok(Some(*pair)) } else { Err(Ignored::TargetBusy) }
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
        by: Party,
        source: MemberId,
        now: Instant,
    ) -> Result<(), Ignored> {
        self.expire(now);
        let pair = MemberPair { source, target: by.id };
        let pending = self.pending.get(&pair).filter(|pending| pending.session.is_none());
        pending.ok_or(Ignored::NotPending)?;
        self.accept_pair(pair, by.address)
    }

    fn accept_pair(&mut self, pair: MemberPair, address: AddressPrefix) -> Result<(), Ignored> {
        let MemberPair { source, target } = pair;
        let pending = self.pending.get_mut(&pair).ok_or(Ignored::NotPending)?;
        if pending.accepted {
            return Err(Ignored::AlreadyAccepted);
        }
        pending.accepted = true;
        self.accepted += 1;
        // A user who wants to talk is not pestered.
        self.pair_rates.remove(&(pending.address, target));
        self.friends.add(target, pending.address);
        self.friends.add(source, address);
        Ok(())
    }

    /// PVCOPORT: `source` sends `target` its ports, which ends the request.
    pub(crate) fn offer_ports(
        &mut self,
        source: MemberId,
        target: MemberId,
        now: Instant,
    ) -> Result<(), Ignored> {
        self.expire(now);
        let pair = MemberPair { source, target };
        match self.pending.get(&pair) {
            None | Some(PendingRequest { session: Some(_), .. }) => Err(Ignored::NotPending),
            Some(PendingRequest { accepted: false, .. }) => Err(Ignored::NotAccepted),
            Some(PendingRequest { accepted: true, .. }) => {
                self.remove(pair);
                Ok(())
            }
        }
    }

    /// `id` left: forgets all its requests, in both directions.
    pub(crate) fn forget(&mut self, id: MemberId) {
        self.rates.remove(&id);
        self.rates.shrink_sparse();
        self.friends.forget(id);
        let asked = self.by_source.range(all_of(id));
        let asked: Vec<_> = asked.map(|&(source, target)| MemberPair { source, target }).collect();
        for pair in asked {
            self.remove(pair);
        }
        let was_asked = self.by_target.range(all_of(id));
        let was_asked: Vec<_> =
            was_asked.map(|&(target, source)| MemberPair { source, target }).collect();
        for pair in was_asked {
            self.decline(pair, Declined::Left);
        }
    }

    /// Forgets the requests whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(first) = self.expiries.first_entry().filter(|first| first.key().0 <= now) {
            let pair = first.remove();
            self.decline(pair, Declined::Expired);
        }
    }

    /// Removes a failed request, of which its asker is to be informed.
    fn decline(&mut self, pair: MemberPair, reason: Declined) {
        let request = self.remove(pair).and_then(|pending| pending.session);
        self.declined.extend(request.map(|request| (*request, reason)));
    }

    fn remove(&mut self, pair: MemberPair) -> Option<PendingRequest> {
        self.by_target.remove(&(pair.target, pair.source));
        self.by_source.remove(&(pair.source, pair.target));
        let pending = self.pending.remove(&pair)?;
        if let Some(request) = &pending.session {
            self.by_session.remove(&request.session);
            self.by_session.shrink_sparse();
        }
        self.expiries.remove(&pending.expiry);
        self.accepted = self.accepted.saturating_sub(usize::from(pending.accepted));
        self.pending.shrink_sparse();
        Some(pending)
    }
}

fn all_of(id: MemberId) -> std::ops::RangeInclusive<(MemberId, MemberId)> {
    (id, MemberId(u64::MIN))..=(id, MemberId(u64::MAX))
}
