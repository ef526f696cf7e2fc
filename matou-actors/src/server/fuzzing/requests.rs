//! Private requests, step by step beside a plain list as a model.

use std::time::{Duration, Instant};

use crate::fuzzing::Choices;
use crate::server::broker::requests::{Ignored, Party, RequestLimits, Requests};
use crate::server::ids::MemberId;
use crate::server::token_bucket::Rate;

const LIFETIME: Duration = Duration::from_secs(20);
const USERS: usize = 5;
const PENDING_PER_TARGET: usize = 2;
const BURST: u32 = 3;
const INTERVAL: Duration = Duration::from_secs(2);

/// The model: every pending request in a list.
#[derive(Clone, Default)]
struct List(Vec<Entry>);

#[derive(Clone)]
struct Entry {
    source: MemberId,
    target: MemberId,
    accepted: bool,
    asked: Instant,
    dies: Instant,
}

/// Takes random steps, each of which [`Requests`] must judge as the model does.
///
/// # Panics
///
/// When it does not.
pub fn requests(bytes: &[u8]) {
    walk(&mut Choices::new(bytes));
}

fn walk(choices: &mut Choices<'_>) -> Option<()> {
    let rate = Rate::new(1, INTERVAL, BURST).filter(|_| choices.byte().is_some_and(|b| b > 127));
    let pending_per_target = PENDING_PER_TARGET;
    let mut limits = RequestLimits {
        lifetime: LIFETIME,
        pending_per_target,
        rate,
        address_rate: None,
        pair_rate: None,
    };
    let (mut requests, mut list) = (Requests::new(limits), List::default());
    let (start, mut asked) = (Instant::now(), vec![Vec::new(); USERS]);
    let address = std::net::IpAddr::from([192, 0, 2, 1]).into();
    let mut now = start;
    loop {
        let (one, other) = (choices.below(USERS)?, choices.below(USERS)?);
        let (source, target) = (id(one), id(other));
        list.0.retain(|entry| entry.dies > now);
        match choices.below(16)? {
            0..=5 => {
                let before = list.clone();
                let got = requests.ask(Party { id: source, address }, target, now);
                let expected = list.ask(source, target, now, limits.lifetime);
                match got {
                    Err(Ignored::TooOften) => {
                        assert_eq!(expected, Ok(()), "too often is the last thing to be looked at");
                        list = before;
                        judge_refusal(&asked[one], now);
                    }
                    _ => assert_eq!(got, expected, "{one} asks {other}"),
                }
                if got.is_ok() && rate.is_some() {
                    asked[one].push(now);
                    judge_pace(&asked[one]);
                }
            }
            6..=9 => {
                let (got, expected) = (
                    requests.accept(Party { id: source, address }, target, now),
                    list.accept(source, target),
                );
                assert_eq!(got, expected, "{one} accepts {other}");
            }
            10..=12 => {
                let (got, expected) =
                    (requests.offer_ports(source, target, now), list.offer_ports(source, target));
                assert_eq!(got, expected, "{one} offers ports to {other}");
            }
            13 => {
                requests.forget(source);
                list.0.retain(|entry| entry.source != source && entry.target != source);
                asked[one].clear();
            }
            14 if one == other => {
                limits.lifetime = LIFETIME / u32::from(choices.byte()?).max(1);
                requests.set_limits(limits);
            }
            _ => now += Duration::from_secs(choices.byte()?.into()) / 16,
        }
        assert!(requests.pending() >= list.0.len(), "expired ones may still be counted");
        assert!(requests.pending() <= USERS * (USERS - 1), "a pair has one request");
    }
}

impl List {
    fn ask(
        &mut self,
        source: MemberId,
        target: MemberId,
        now: Instant,
        lifetime: Duration,
    ) -> Result<(), Ignored> {
        if source == target {
            return Err(Ignored::Oneself);
        }
        // Five seconds later it is a new request.
        if self.find(source, target).is_some_and(|old| now - old.asked < Duration::from_secs(5)) {
            return Err(Ignored::Repeated);
        }
        let others = self.0.iter().filter(|entry| entry.target == target && entry.source != source);
        if others.count() >= PENDING_PER_TARGET {
            return Err(Ignored::TargetBusy);
        }
        self.0.retain(|entry| entry.source != source || entry.target != target);
        self.0.push(Entry { source, target, accepted: false, asked: now, dies: now + lifetime });
        Ok(())
    }

    fn accept(&mut self, target: MemberId, source: MemberId) -> Result<(), Ignored> {
        match self.find(source, target) {
            None => Err(Ignored::NotPending),
            Some(entry) if entry.accepted => Err(Ignored::AlreadyAccepted),
            Some(entry) => {
                entry.accepted = true;
                Ok(())
            }
        }
    }

    fn offer_ports(&mut self, source: MemberId, target: MemberId) -> Result<(), Ignored> {
        match self.find(source, target) {
            None => Err(Ignored::NotPending),
            Some(entry) if !entry.accepted => Err(Ignored::NotAccepted),
            Some(_) => {
                self.0.retain(|entry| entry.source != source || entry.target != target);
                Ok(())
            }
        }
    }

    fn find(&mut self, source: MemberId, target: MemberId) -> Option<&mut Entry> {
        self.0.iter_mut().find(|entry| entry.source == source && entry.target == target)
    }
}

/// In no stretch of time more than the burst and what the rate allows meanwhile.
fn judge_pace(asked: &[Instant]) {
    let last = asked.last().copied().unwrap_or_else(Instant::now);
    for (first, count) in asked.iter().rev().zip(1_u32..) {
        let allowed = INTERVAL * BURST + (last - *first);
        assert!(INTERVAL * count <= allowed, "{count} requests within {:?}", last - *first);
    }
}

/// No client is refused that could not have used up the burst.
fn judge_refusal(asked: &[Instant], now: Instant) {
    let within = asked.iter().filter(|at| now - **at < INTERVAL * BURST).count();
    assert!(within > 0, "refused after a rest");
}

fn id(user: usize) -> MemberId {
    MemberId(u64::try_from(user).map_or(u64::MAX, |user| user + 1))
}
