//! Log lines that any client can cause: the first at once, the others counted.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use slog::{KV, Record, Serializer};

/// Lets one line through in each interval and counts those in between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimiter {
    interval: Duration,
    open_at: Option<Instant>,
    suppressed: u64,
}

impl LogLimiter {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, open_at: None, suppressed: 0 }
    }

    /// Whether a line may be written at `now`: with how many were suppressed since the last one.
    pub(crate) fn permit(&mut self, now: Instant) -> Option<u64> {
        if self.open_at.is_some_and(|open_at| now < open_at) {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.open_at = now.checked_add(self.interval);
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// How many lines were not written since the last one; not logged when there were none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suppressed(pub(crate) u64);

impl KV for Suppressed {
    fn serialize(&self, _record: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        if self.0 == 0 { Ok(()) } else { serializer.emit_u64("suppressed", self.0) }
    }
}

/// A limiter for each of a few reasons: one that is frequent does not hide the others.
#[derive(Clone, Debug)]
pub(crate) struct LogLimiters<R> {
    interval: Duration,
    by_reason: HashMap<R, LogLimiter>,
}

impl<R: Eq + Hash> LogLimiters<R> {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, by_reason: HashMap::new() }
    }

    /// As [`LogLimiter::permit`], among the lines with this reason.
    pub(crate) fn permit(&mut self, reason: R, now: Instant) -> Option<u64> {
        let limiter = self.by_reason.entry(reason);
        limiter.or_insert_with(|| LogLimiter::new(self.interval)).permit(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_each_interval_counts_the_suppressed() {
        let (mut limiter, start) = (LogLimiter::new(Duration::from_secs(10)), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let permits = [0, 1, 9, 10, 11, 40, 50].map(|seconds| limiter.permit(at(seconds)));
        assert_eq!(permits, [Some(0), None, None, Some(2), None, Some(1), Some(0)]);
    }

    #[test]
    fn a_frequent_reason_does_not_hide_a_rare_one() {
        let (mut limiters, start) = (LogLimiters::new(Duration::from_secs(10)), Instant::now());
        let mut permit = |reason, at| limiters.permit(reason, start + Duration::from_secs(at));
        assert_eq!(
            ["often", "often", "full"].map(|reason| permit(reason, 1)),
            [Some(0), None, Some(0)]
        );
        assert_eq!(["often", "full"].map(|reason| permit(reason, 11)), [Some(1), Some(0)]);
    }
}
