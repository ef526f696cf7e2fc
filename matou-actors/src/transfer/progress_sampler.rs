//! When to report progress, and at which rate.

use std::collections::VecDeque;
use std::time::Duration;

/// The least time between two reports: under 10 a second, the last one included.
pub(super) const INTERVAL: Duration = Duration::from_millis(125);
/// The rate is taken over this much of the past.
const WINDOW: Duration = Duration::from_secs(3);
/// Over less than this there is no rate: a small file, or the beginning of a large one, fills buffers
/// alone.
const LEAST: Duration = Duration::from_millis(500);

/// The progress of a transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Bytes so far.
    pub bytes: u64,
    /// Bytes a second, over the last seconds, once that can be measured.
    pub rate: Option<u64>,
}

/// Turns samples of a byte count into reports.
///
/// Times have one origin. The rate is that since the first count, which is not part of it: for a
/// resumed transfer that is what was present before.
#[derive(Debug, Default)]
pub struct ProgressSampler {
    samples: VecDeque<(Duration, u64)>,
    reported: Option<(Duration, Moved)>,
}

impl ProgressSampler {
    /// Takes the count at `now`; `Some` when it changed since the last report, which was long
    /// enough ago, and once more when it has stood still for the whole window: at a rate of 0.
    pub fn sample(&mut self, now: Duration, bytes: u64) -> Option<Moved> {
        let (reported_at, reported) = self.reported.unwrap_or_default();
        if self.samples.is_empty() {
            self.samples.push_back((now, bytes));
        }
        let since = now.saturating_sub(reported_at);
        if since < INTERVAL {
            return None;
        }
        let moved = Moved { bytes, rate: self.rate(now, bytes) };
        let stopped = self.reported.is_some() && reported.rate != Some(0) && since >= WINDOW;
        if bytes == reported.bytes && !stopped {
            return None;
        }
        self.reported = Some((now, moved));
        Some(moved)
    }

    /// The report of a transfer that is whole: made unless it was made already.
    pub fn finish(&mut self, now: Duration, bytes: u64) -> Option<Moved> {
        if self.reported.is_some_and(|(_, reported)| reported.bytes == bytes) {
            return None;
        }
        let moved = Moved { bytes, rate: self.rate(now, bytes) };
        self.reported = Some((now, moved));
        Some(moved)
    }

    fn rate(&mut self, now: Duration, bytes: u64) -> Option<u64> {
        self.samples.push_back((now, bytes));
        while self.samples.len() > 2
            && self.samples.get(1).is_some_and(|&(at, _)| at + WINDOW <= now)
        {
            self.samples.pop_front();
        }
        let &(from, before) = self.samples.front()?;
        let measured = now.saturating_sub(from);
        if measured < LEAST {
            return None;
        }
        let rate = u128::from(bytes.saturating_sub(before)) * 1_000_000 / measured.as_micros();
        Some(u64::try_from(rate).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn reports_at_most_ten_times_a_second_and_once_at_the_end() {
        let mut sampler = ProgressSampler::default();
        let mut reported: Vec<u64> = Vec::new();
        for at in 0..1000 {
            reported.extend(sampler.sample(ms(at), at * 1000).map(|moved| moved.bytes));
        }
        reported.extend(sampler.finish(ms(1000), 1_000_000).map(|moved| moved.bytes));
        assert!(reported.len() <= 10, "{reported:?}");
        assert_eq!(reported.last(), Some(&1_000_000));
        assert_eq!(sampler.finish(ms(1001), 1_000_000), None, "reported once");
    }

    #[test]
    fn a_stalled_transfer_is_not_reported_again() {
        let mut sampler = ProgressSampler::default();
        assert!(sampler.sample(ms(200), 10).is_some());
        assert_eq!(sampler.sample(ms(400), 10), None);
        assert!(sampler.sample(ms(600), 11).is_some());
    }

    #[test]
    fn a_stop_is_reported_once() {
        let mut sampler = ProgressSampler::default();
        for at in 1..=10 {
            sampler.sample(ms(at * 200), at * 1000);
        }
        let later: Vec<Moved> =
            (11..100).filter_map(|at| sampler.sample(ms(at * 200), 10_000)).collect();
        assert_eq!(later, [Moved { bytes: 10_000, rate: Some(0) }]);
        assert!(sampler.sample(ms(20_000), 30_000).is_some_and(|moved| moved.rate > Some(0)));
        assert_eq!(sampler.finish(ms(21_000), 30_000), None);
    }

    #[test]
    fn the_rate_ignores_the_distant_past() {
        let mut sampler = ProgressSampler::default();
        for second in 1..=10 {
            sampler.sample(ms(second * 1000), second * 1000);
        }
        assert_eq!(sampler.sample(ms(11_000), 11_000).map(|moved| moved.rate), Some(Some(1000)));
        for second in 12..=20 {
            sampler.sample(ms(second * 1000), 11_000 + (second - 11) * 5000);
        }
        assert_eq!(sampler.finish(ms(21_000), 61_000).map(|moved| moved.rate), Some(Some(5000)));
    }

    #[test]
    fn a_rate_needs_half_a_second() {
        let mut small = ProgressSampler::default();
        small.sample(ms(0), 0);
        assert_eq!(small.finish(ms(2), 100_000), Some(Moved { bytes: 100_000, rate: None }));
        let mut large = ProgressSampler::default();
        large.sample(ms(0), 0);
        assert_eq!(large.sample(ms(130), 2_500_000).unwrap().rate, None);
        assert_eq!(large.sample(ms(500), 3_000_000).unwrap().rate, Some(6_000_000));
        assert_eq!(large.finish(ms(501), 3_006_000).unwrap().rate, Some(6_000_000));
    }

    #[test]
    fn bytes_present_before_are_no_part_of_the_rate() {
        let mut resumed = ProgressSampler::default();
        resumed.sample(ms(60_000), 500_000_000);
        let moved = resumed.sample(ms(61_000), 500_010_000).unwrap();
        assert_eq!(moved.rate, Some(10_000));
    }

    #[test]
    fn an_empty_file_is_reported_once() {
        assert_eq!(
            ProgressSampler::default().finish(ms(1), 0),
            Some(Moved { bytes: 0, rate: None })
        );
    }
}
