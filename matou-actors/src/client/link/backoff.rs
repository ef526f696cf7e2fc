//! How long to wait before the next attempt to reach the server.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A connection that lasted less does not make the waits short again.
const LASTING: Duration = Duration::from_secs(10);

/// Exponential backoff with jitter, 0.5 s to 30 s.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempt: u32,
    level: u32,
}

impl Backoff {
    /// The number of the next attempt, from 1, and how long to wait for it. `chance` is uniform
    /// in 0 to 1: many clients that lost one server at once should not come back at once.
    pub(crate) fn next(&mut self, chance: f64) -> (u32, Duration) {
        self.attempt = self.attempt.saturating_add(1);
        let full = SHORTEST.saturating_mul(2u32.saturating_pow(self.level)).min(LONGEST);
        self.level = self.level.saturating_add(1).min(16);
        (self.attempt, full.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0).max(SHORTEST))
    }

    /// A connection that the server had accepted is lost after it `lasted` so long.
    pub(crate) fn lost(&mut self, lasted: Duration) {
        self.attempt = 0;
        if lasted >= LASTING {
            self.level = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_half_a_second_to_thirty_with_jitter_below() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..9).map(|_| backoff.next(1.0).1.as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
        assert_eq!(backoff.next(0.0), (10, Duration::from_secs(15)));
    }

    #[test]
    fn only_a_connection_that_lasted_makes_the_waits_short_again() {
        let mut backoff = Backoff::default();
        for _ in 0..4 {
            backoff.next(1.0);
        }
        backoff.lost(Duration::from_secs(1));
        assert_eq!(backoff.next(1.0), (1, Duration::from_secs(8)));
        backoff.lost(Duration::from_secs(60));
        assert_eq!(backoff.next(0.0), (1, SHORTEST));
    }
}
