//! The limit of speed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much may be sent at once after a rest.
const BURST: Duration = Duration::from_millis(250);

/// Bytes a second for all exchanges together, and when the next bytes may go; clones are the same
/// limit.
#[derive(Clone, Debug, Default)]
pub struct RateLimit(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes_per_second: Option<u64>,
    /// When all that was sent so far has been paid for.
    paid: Option<Instant>,
}

impl RateLimit {
    /// Changes the limit; none is `None`.
    pub fn set(&self, bytes_per_second: Option<u64>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State { bytes_per_second: bytes_per_second.filter(|rate| *rate > 0), paid: None };
    }

    /// The limit.
    pub fn get(&self) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes_per_second
    }

    /// How long to wait before anything more may go.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let paid = state.paid.and_then(|paid| paid.checked_duration_since(now + BURST));
        paid.unwrap_or_default()
    }

    /// This many bytes are being sent.
    pub(super) fn pay(&self, bytes: usize, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rate) = state.bytes_per_second else { return };
        let nanos = u128::try_from(bytes).unwrap_or(0) * 1_000_000_000 / u128::from(rate);
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        state.paid = Some(state.paid.map_or(now, |paid| paid.max(now)) + cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_limit_holds_over_a_second() {
        let limit = RateLimit::default();
        let start = Instant::now();
        limit.pay(usize::MAX, start);
        assert_eq!(limit.wait(start), Duration::ZERO, "no limit");
        limit.set(Some(1_000_000));
        let (mut now, mut sent) = (start, 0);
        while now < start + Duration::from_secs(10) {
            now += limit.wait(now).max(Duration::from_millis(1));
            limit.pay(61_440, now);
            sent += 61_440;
        }
        assert!((9_900_000..10_600_000).contains(&sent), "{sent}");
    }
}
