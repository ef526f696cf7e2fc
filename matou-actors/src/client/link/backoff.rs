//! How long to wait before the next attempt to reach the server.

use std::time::Duration;

/// The longest first wait.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(30);

/// Exponential backoff with jitter, 0.5 s to 30 s.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempt: u32,
    level: u32,
}

impl Backoff {
    /// The number of the next attempt, from 1, and how long to wait for it. `chance` is uniform
    /// in 0 to 1: many clients that lost one server at once should not come back at once, so each
    /// wait is between a quarter of its full length and all of it, the first one too.
    pub(crate) fn next(&mut self, chance: f64) -> (u32, Duration) {
        self.attempt = self.attempt.saturating_add(1);
        let full = FIRST.saturating_mul(2u32.saturating_pow(self.level)).min(LONGEST);
        self.level = self.level.saturating_add(1).min(16);
        (self.attempt, full.mul_f64(0.25 + chance.clamp(0.0, 1.0) * 0.75))
    }

    /// A connection that the server had accepted is lost. Only one that `lasted` makes the waits short again.
    pub(crate) fn lost(&mut self, lasted: bool) {
        self.attempt = 0;
        if lasted {
            self.level = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_two_seconds_to_thirty_with_jitter_below() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..6).map(|_| backoff.next(1.0).1.as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.next(0.0), (7, Duration::from_millis(7500)));
    }

    #[test]
    fn the_first_waits_of_many_clients_differ() {
        let first = |chance| Backoff::default().next(chance).1.as_millis();
        assert_eq!([0.0, 0.5, 1.0].map(first), [500, 1250, 2000]);
    }

    #[test]
    fn only_a_lasting_connection_resets_the_backoff() {
        let mut backoff = Backoff::default();
        for _ in 0..3 {
            backoff.next(1.0);
        }
        backoff.lost(false);
        assert_eq!(backoff.next(1.0), (1, Duration::from_secs(16)));
        backoff.lost(true);
        assert_eq!(backoff.next(1.0), (1, Duration::from_secs(2)));
    }
}
