//! Traffic shaping: messages enter the room at the rates of their address and of the room.
//!
//! Nothing is refused. What is too fast waits here, and its client is not read meanwhile, so that
//! at most one run of each client waits. Addresses share the rate of the room fairly, and the
//! clients of one address share the rate of that one fairly: a client that says little hardly
//! waits, however many others flood.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::server::address_prefix::AddressPrefix;
use crate::server::ids::MemberId;
use crate::server::messages::Publish;
use crate::server::room::fair_queue::{FairQueue, Turn};
use crate::server::room::rates::{Limit, RoomRates};
use crate::server::shrink_sparse::ShrinkSparse as _;
use crate::server::token_bucket::{Rate, TokenBucket};

/// What a message takes of the room's rate beside the bytes of its frame: the headers of packets
/// on a slow line, and memory while a reader is behind.
const OVERHEAD: usize = 64;
/// A waiting run enters in pieces of this many messages: all clients see theirs progress.
const PIECE: usize = 4;
/// Addresses with full budgets are dropped once there are this many entries.
const SWEEP_AT: usize = 64;

/// The used part of the rates, and the waiting runs.
#[derive(Debug)]
pub(crate) struct Shaper {
    rates: RoomRates,
    used: TokenBucket,
    sources: HashMap<AddressPrefix, AddressQueue>,
    /// Addresses within their rates.
    ready: FairQueue<AddressPrefix, AddressPrefix>,
    /// Addresses above their rates, and until when.
    resting: BTreeSet<(Instant, AddressPrefix)>,
    waiting: HashMap<MemberId, (AddressPrefix, Turn)>,
    sweep_at: usize,
}

/// An address.
#[derive(Debug, Default)]
struct AddressQueue {
    messages: TokenBucket,
    bytes: TokenBucket,
    queue: FairQueue<MemberId, Publish>,
    /// It is among those that are ready or resting.
    is_scheduled: bool,
}

impl Shaper {
    pub(crate) fn new(rates: RoomRates) -> Self {
        Self {
            rates,
            used: TokenBucket::default(),
            sources: HashMap::new(),
            ready: FairQueue::default(),
            resting: BTreeSet::new(),
            waiting: HashMap::new(),
            sweep_at: SWEEP_AT,
        }
    }

    /// Gives back what may enter the room at once, and keeps what has to wait.
    pub(crate) fn admit(&mut self, said: Publish, now: Instant) -> Result<Publish, Limit> {
        if self.rates.are_unlimited() {
            return Ok(said);
        }
        self.sweep(now);
        let is_room_free = self.debt(now).is_zero() && self.ready.is_empty();
        let address = said.address;
        let source = self.sources.entry(address).or_default();
        let limit = if !source.debt(&self.rates, now).is_zero() {
            Limit::Address
        } else if source.is_scheduled || !is_room_free {
            Limit::Room
        } else {
            self.pay(&said, now);
            return Ok(said);
        };
        let member = said.route.id.into();
        let turn = source.queue.push(member, cost(&said, PIECE), said);
        let is_scheduled = source.is_scheduled;
        self.waiting.insert(member, (address, turn));
        if !is_scheduled {
            self.schedule(address, now);
        }
        Err(limit)
    }

    /// The next that has waited and may enter the room now.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Publish> {
        while let Some(&(until, address)) = self.resting.first().filter(|(until, _)| *until <= now)
        {
            self.resting.remove(&(until, address));
            self.schedule(address, now);
        }
        if !self.debt(now).is_zero() {
            return None;
        }
        loop {
            let first = |address: &AddressPrefix| self.sources.get(address)?.queue.first();
            let piece = |said: &Publish| cost(said, PIECE);
            let address = self.ready.pop(|address| first(address).map_or(0, piece))?;
            let said = self.take_piece(address);
            if let Some(said) = &said {
                self.pay(said, now);
            }
            self.schedule(address, now);
            if said.is_some() {
                return said;
            }
        }
    }

    /// The next run of an address; the rest of it keeps waiting.
    fn take_piece(&mut self, address: AddressPrefix) -> Option<Publish> {
        let source = self.sources.get_mut(&address)?;
        let mut said = source.queue.pop(|said| cost(said, PIECE))?;
        let member = said.route.id.into();
        self.waiting.remove(&member);
        if said.texts.len() > PIECE {
            let (texts, from) = (said.texts.split_off(PIECE), said.from.clone());
            let rest = Publish { from, texts, ..said };
            said.resumes = false;
            let turn = source.queue.push(member, cost(&rest, PIECE), rest);
            self.waiting.insert(member, (address, turn));
        }
        Some(said)
    }

    /// When to ask for the next again, if any waits.
    pub(crate) fn next_at(&self, now: Instant) -> Option<Instant> {
        let is_free_at = now + self.debt(now);
        if !self.ready.is_empty() {
            return Some(is_free_at);
        }
        self.resting.first().map(|&(until, _)| until.max(is_free_at))
    }

    /// Drops the waiting messages of a member that has left: the others would read them after the
    /// leave.
    pub(crate) fn forget(&mut self, member: MemberId) {
        let Some((address, turn)) = self.waiting.remove(&member) else { return };
        if let Some(source) = self.sources.get_mut(&address) {
            source.queue.remove(turn);
        }
    }

    /// Changes the rates, also for waiting runs.
    pub(crate) fn set_rates(&mut self, rates: RoomRates, now: Instant) {
        self.rates = rates;
        if let Some(rate) = rates.room_bytes {
            self.used.adopt(rate, now);
        }
        for source in self.sources.values_mut() {
            if let Some(rate) = rates.address_messages {
                source.messages.adopt(rate, now);
            }
            if let Some(rate) = rates.address_bytes {
                source.bytes.adopt(rate, now);
            }
        }
        for (_, address) in std::mem::take(&mut self.resting) {
            self.schedule(address, now);
        }
    }

    /// Puts an address of which something waits, and that is in neither place, where it belongs.
    fn schedule(&mut self, address: AddressPrefix, now: Instant) {
        let Some(source) = self.sources.get_mut(&address) else { return };
        let first = source.queue.first();
        source.is_scheduled = first.is_some();
        let Some(first) = first else { return };
        let rest = source.debt(&self.rates, now);
        if rest.is_zero() {
            self.ready.push(address, cost(first, PIECE), address);
        } else {
            self.resting.insert((now + rest, address));
        }
    }

    fn pay(&mut self, said: &Publish, now: Instant) {
        if let Some(rate) = self.rates.room_bytes {
            self.used.pay(rate, cost(said, said.texts.len()), now);
        }
        let source = self.sources.entry(said.address).or_default();
        if let Some(rate) = self.rates.address_messages {
            source.messages.pay(rate, narrow(said.texts.len()), now);
        }
        if let Some(rate) = self.rates.address_bytes {
            source.bytes.pay(rate, narrow(said.length(said.texts.len())), now);
        }
    }

    /// How long the room accepts nothing.
    fn debt(&self, now: Instant) -> Duration {
        debt(self.used, self.rates.room_bytes, now)
    }

    /// Forgets the addresses of which nothing is left to know; what that costs is shared by the
    /// messages since the last time.
    fn sweep(&mut self, now: Instant) {
        if self.sources.len() < self.sweep_at {
            return;
        }
        self.sources.retain(|_, source| source.is_scheduled || !source.is_full(now));
        self.sources.shrink_sparse();
        self.sweep_at = SWEEP_AT.max(self.sources.len() * 2);
    }
}

impl AddressQueue {
    /// How long the address has to rest.
    fn debt(&self, rates: &RoomRates, now: Instant) -> Duration {
        let for_messages = debt(self.messages, rates.address_messages, now);
        for_messages.max(debt(self.bytes, rates.address_bytes, now))
    }

    fn is_full(&self, now: Instant) -> bool {
        self.messages.is_full(now) && self.bytes.is_full(now)
    }
}

fn debt(used: TokenBucket, rate: Option<Rate>, now: Instant) -> Duration {
    rate.map_or(Duration::ZERO, |rate| used.debt(rate, now))
}

/// What the first `count` messages take of the room's rate.
fn cost(said: &Publish, count: usize) -> u32 {
    let overhead = said.texts.len().min(count).saturating_mul(OVERHEAD);
    narrow(said.length(count).saturating_add(overhead))
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
