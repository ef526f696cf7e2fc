//! How long signing out waits for outstanding output.

use std::time::{Duration, Instant};

/// What is not yet delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outstanding {
    /// Messages of the user that have not come back from the server.
    pub(super) unacknowledged: u64,
    /// Bytes that no connection has taken yet.
    pub(super) unwritten: usize,
}

/// The wait at the end: as long as something moves, and a while longer.
#[derive(Clone, Copy, Debug)]
pub(super) struct DrainTimeout {
    patience: Duration,
    since: Instant,
    left: Outstanding,
}

impl DrainTimeout {
    /// Begins to wait; gives up after `patience` without progress.
    pub(super) fn new(patience: Duration, now: Instant, left: Outstanding) -> Self {
        Self { patience, since: now, left }
    }

    /// Whether to give up, when so much is `left` at `now`.
    pub(super) fn is_over(&mut self, now: Instant, left: Outstanding) -> bool {
        if left != self.left {
            (self.left, self.since) = (left, now);
        }
        now.saturating_duration_since(self.since) >= self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drain_timeout_runs_from_the_last_progress() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let left = |unacknowledged| Outstanding { unacknowledged, unwritten: 0 };
        let mut drain = DrainTimeout::new(Duration::from_secs(4), at(0), left(100));
        assert!(!drain.is_over(at(3), left(100)));
        assert!(!drain.is_over(at(6), left(99)), "one came back in time");
        assert!(!drain.is_over(at(9), left(0)));
        assert!(!drain.is_over(at(12), left(0)), "the other side has not closed yet");
        assert!(drain.is_over(at(13), left(0)));
    }
}
