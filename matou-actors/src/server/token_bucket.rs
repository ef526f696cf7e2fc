//! Rates: how much somebody may do on average, and how much at once.

use std::time::{Duration, Instant};

/// A rate with a burst; no rate at all is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    interval: Duration,
    burst: Duration,
}

impl Rate {
    /// `count` in each `period` on average and `burst` at once; a count of 0 is no limit.
    pub(crate) fn new(count: u32, period: Duration, burst: u32) -> Option<Self> {
        let interval = period.checked_div(count)?;
        Some(Self { interval, burst: interval.saturating_mul(burst) })
    }
}

/// What one has used up, as the time at which nothing of it will be left (GCRA, ITU-T I.371).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TokenBucket {
    full_at: Option<Instant>,
}

impl TokenBucket {
    /// Uses `cost`, and tells how long to wait before the next use: nothing is ever refused, it
    /// only slows down.
    pub(crate) fn pay(&mut self, rate: Rate, cost: u32, now: Instant) -> Duration {
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now));
        self.full_at = Some(full_at + rate.interval.saturating_mul(cost));
        self.debt(rate, now)
    }

    /// How long to wait before the next use.
    pub(crate) fn debt(&self, rate: Rate, now: Instant) -> Duration {
        let used = self.full_at.map(|full_at| full_at.saturating_duration_since(now));
        used.unwrap_or_default().saturating_sub(rate.burst)
    }

    /// Whether nothing of it is used up.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|full_at| full_at <= now)
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
    fn a_count_of_zero_is_no_limit() {
        assert_eq!(Rate::new(0, SECOND, 5), None);
    }
}
