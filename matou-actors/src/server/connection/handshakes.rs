//! How many handshakes an event loop begins, so that they do not delay those in the room.

use std::time::{Duration, Instant};

use crate::server::token_bucket::{Rate, TokenBucket};

/// A handshake costs some 0.2 ms of a core: this is less than half of one.
const PER_SECOND: u32 = 2000;
/// As long as these take an event loop does nothing else: some 1 ms.
const AT_ONCE: u32 = 8;

/// The handshakes that were begun lately.
#[derive(Debug)]
pub(crate) struct Handshakes {
    rate: Option<Rate>,
    begun: TokenBucket,
}

impl Handshakes {
    /// Begins a handshake, or says how long to wait before the next try.
    pub(super) fn enter(&mut self, now: Instant) -> Option<Duration> {
        let rate = self.rate?;
        let wait = self.begun.debt(rate, now);
        if wait.is_zero() {
            self.begun.pay(rate, 1, now);
            return None;
        }
        Some(wait)
    }
}

impl Default for Handshakes {
    fn default() -> Self {
        let rate = Rate::new(PER_SECOND, Duration::from_secs(1), AT_ONCE);
        Self { rate, begun: TokenBucket::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_let_in_a_few_at_once_and_at_the_rate_from_then_on() {
        let (mut handshakes, start) = (Handshakes::default(), Instant::now());
        let mut begun = 0;
        while handshakes.enter(start).is_none() {
            begun += 1;
        }
        assert!((AT_ONCE..=AT_ONCE + 1).contains(&begun), "{begun}");
        for step in 1..=1000 {
            let now = start + Duration::from_millis(step);
            while handshakes.enter(now).is_none() {
                begun += 1;
            }
        }
        assert!(begun.abs_diff(PER_SECOND) < 2 * AT_ONCE, "{begun}");
    }
}
