//! How fast files are accepted without asking the user.

use std::time::{Duration, Instant};

/// Files that are accepted at once.
const BURST: u32 = 200;
/// The time between files after those: 20 a second.
const INTERVAL: Duration = Duration::from_millis(50);

/// A bound for the files that others can put into the downloads folder by themselves. Those above
/// it wait, and so do their senders.
#[derive(Debug, Default)]
pub(crate) struct AcceptRate {
    /// When all files accepted so far are paid for.
    paid: Option<Instant>,
}

impl AcceptRate {
    /// How long the next file, offered at `now`, has to wait.
    pub(crate) fn delay(&mut self, now: Instant) -> Duration {
        let paid = self.paid.map_or(now, |paid| paid.max(now));
        let delay = paid.saturating_duration_since(now).saturating_sub(INTERVAL * (BURST - 1));
        self.paid = paid.checked_add(INTERVAL);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_accepted_at_once_and_then_twenty_a_second() {
        let (mut rate, start) = (AcceptRate::default(), Instant::now());
        let delays: Vec<_> = (0..12_000).map(|_| rate.delay(start)).collect();
        assert!(delays[..200].iter().all(Duration::is_zero));
        assert_eq!(delays[200], Duration::from_millis(50));
        assert_eq!(delays[11_999], Duration::from_secs(590));
        assert!(rate.delay(start + Duration::from_secs(600)).is_zero());
    }
}
