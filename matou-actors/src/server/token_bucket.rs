//! Rates: an average, and how much at once.

use std::time::{Duration, Instant};

/// A rate with a burst; without a rate there is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// `count` in each `period` on average and `burst` at once; a count of 0 means no limit.
    pub(crate) fn new(count: u32, period: Duration, burst: u32) -> Option<Self> {
        Some(Self { interval: period.checked_div(count)?, burst })
    }

    /// How long it takes to fill a bucket of which the whole burst is used up.
    fn burst(self) -> Duration {
        self.interval.saturating_mul(self.burst)
    }
}

/// What one has used up, as the time at which nothing of it will be left (GCRA, ITU-T I.371), and
/// the rate which that is true of.
///
/// Every connection has some of them, so they are small.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TokenBucket {
    used: Option<(Instant, Basis)>,
}

/// A rate, exact enough for proportions.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Basis {
    /// Seconds.
    interval: f32,
    burst: u32,
}

impl TokenBucket {
    /// Uses `cost`, and returns how long to wait before the next use: nothing is ever refused, it
    /// only slows down.
    pub(crate) fn pay(&mut self, rate: Rate, cost: u32, now: Instant) -> Duration {
        let full_at = now + self.left(rate, now) + rate.interval.saturating_mul(cost);
        self.used = Some((full_at, Basis::of(rate)));
        self.debt(rate, now)
    }

    /// Continues under another rate from `now` on, and not only from the next use.
    pub(crate) fn adopt(&mut self, rate: Rate, now: Instant) {
        if self.used.is_some() {
            self.used = Some((now + self.left(rate, now), Basis::of(rate)));
        }
    }

    /// How long to wait before the next use.
    pub(crate) fn debt(&self, rate: Rate, now: Instant) -> Duration {
        self.left(rate, now).saturating_sub(rate.burst())
    }

    /// The time until the budget is full again. Under another rate than the last one that is for as
    /// many uses, but for no larger a share of the burst: a time taken over unchanged would lock
    /// users out when a rate is raised, and allow too many uses when a burst is reduced.
    fn left(&self, rate: Rate, now: Instant) -> Duration {
        let Some((full_at, paid)) = self.used else { return Duration::ZERO };
        let left = full_at.saturating_duration_since(now);
        let basis = Basis::of(rate);
        if paid == basis {
            return left;
        }
        let same_uses = scale(left, basis.interval(), paid.interval());
        same_uses.min(scale(left, basis.full(), paid.full()))
    }

    /// Whether the budget is full.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.used.is_none_or(|(full_at, _)| full_at <= now)
    }

    /// Uses 1 if that keeps within the burst; whether it did.
    pub(crate) fn try_take(&mut self, rate: Rate, now: Instant) -> bool {
        let before = *self;
        let allowed = self.pay(rate, 1, now).is_zero();
        if !allowed {
            *self = before;
        }
        allowed
    }
}

impl Basis {
    fn of(Rate { interval, burst }: Rate) -> Self {
        Self { interval: interval.as_secs_f32(), burst }
    }

    fn interval(self) -> f64 {
        f64::from(self.interval)
    }

    fn full(self) -> f64 {
        self.interval() * f64::from(self.burst)
    }
}

/// `time` in the proportion of `new` to `old`; nothing where the old rate took no time.
fn scale(time: Duration, new: f64, old: f64) -> Duration {
    Duration::try_from_secs_f64(time.as_secs_f64() * new / old).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_is_free_and_then_the_rate_holds() {
        let rate = Rate::new(20, SECOND, 200).unwrap();
        let mut bucket = TokenBucket::default();
        let start = Instant::now();
        for _ in 0..200 {
            assert_eq!(bucket.pay(rate, 1, start), Duration::ZERO);
        }
        let mut now = start;
        for _ in 0..40 {
            now += bucket.pay(rate, 1, now);
        }
        assert_eq!(now - start, 2 * SECOND);
    }

    #[test]
    fn a_rest_fills_the_bucket_but_not_beyond_the_burst() {
        let rate = Rate::new(10, SECOND, 5).unwrap();
        let mut bucket = TokenBucket::default();
        let start = Instant::now();
        for _ in 0..5 {
            assert!(bucket.try_take(rate, start));
        }
        assert!(!bucket.try_take(rate, start));
        assert!(bucket.try_take(rate, start + SECOND / 10));
        let later = start + 100 * SECOND;
        assert_eq!((0..10).filter(|_| bucket.try_take(rate, later)).count(), 5);
    }

    #[test]
    fn a_new_rate_does_not_lock_out_users_of_the_old_one() {
        let (minute, now) = (60 * SECOND, Instant::now());
        let rate = Rate::new(600, minute, 5000).unwrap();
        let mut bucket = TokenBucket::default();
        assert_eq!(bucket.pay(rate, 5050, now), 5 * SECOND);
        let debt = |count, burst| bucket.debt(Rate::new(count, minute, burst).unwrap(), now);
        assert_eq!(debt(1200, 5000), 5 * SECOND / 2, "50 uses too many at the new rate");
        assert_eq!(debt(300, 5000), 10 * SECOND);
        assert_eq!(debt(600, 1000), SECOND, "as large a share of a smaller burst");
        assert_eq!(debt(600, 6000), Duration::ZERO, "a larger burst has room for more");
        let faster = Rate::new(1200, minute, 5000).unwrap();
        assert_eq!(bucket.pay(faster, 1, now), 5 * SECOND / 2 + SECOND / 20);
        assert_eq!(bucket.debt(faster, now + 3 * SECOND), Duration::ZERO);
    }

    #[test]
    fn a_rate_faster_than_the_clock_can_be_set_and_unset() {
        let (slow, fast) =
            (Rate::new(1, SECOND, 1).unwrap(), Rate::new(u32::MAX, SECOND, 1).unwrap());
        let mut bucket = TokenBucket::default();
        let now = Instant::now();
        assert_eq!(bucket.pay(slow, 3, now), 2 * SECOND);
        assert_eq!(bucket.pay(fast, 1, now), Duration::ZERO);
        assert_eq!(bucket.pay(slow, 1, now), Duration::ZERO);
    }

    #[test]
    fn a_count_of_zero_is_no_limit() {
        assert_eq!(Rate::new(0, SECOND, 5), None);
    }
}
