//! Giving way to the threads that talk, where there are too few cores for all.
//!
//! A thread that wakes up does not get the core of one that has it before that one's slice is over, some
//! milliseconds on Linux. A thread of files has always something to do, so it yields after each short piece
//! of work.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// Messages take less: a thread that had the core for longer is computing.
const SHORT: Duration = Duration::from_micros(500);
/// A computing thread gets one slice more than its fair share in this many of its slices.
const PAUSE: u32 = 8;

/// When a thread last gave way, and what that cost.
#[derive(Debug, Default)]
pub(super) struct Yielding {
    paused_until: Cell<Option<Instant>>,
}

impl Yielding {
    /// Yields to the threads that wait for this core, unless that took long a moment ago.
    pub(super) fn yield_core(&self) {
        self.yield_core_by(Instant::now, thread::yield_now);
    }

    fn yield_core_by(&self, mut now: impl FnMut() -> Instant, yield_core: impl FnOnce()) {
        let before = now();
        if self.paused_until.get().is_some_and(|until| before < until) {
            return;
        }
        yield_core();
        let after = now();
        let waited = after.saturating_duration_since(before);
        self.paused_until.set((waited > SHORT).then(|| after + waited * PAUSE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_gets_a_ninth_of_the_core() {
        const SLICE: Duration = Duration::from_millis(3);
        const PIECE: Duration = Duration::from_micros(50);
        let start = Instant::now();
        let (time, yielding) = (Cell::new(start), Yielding::default());
        let mut given = Duration::ZERO;
        while time.get() < start + Duration::from_secs(1) {
            time.set(time.get() + PIECE);
            yielding.yield_core_by(
                || time.get(),
                || {
                    time.set(time.get() + SLICE);
                    given += SLICE;
                },
            );
        }
        let passed = time.get().duration_since(start);
        // It begins with one, and may end with one.
        assert!(given <= passed / 9 + SLICE && given >= passed / 10, "{given:?} of {passed:?}");
    }

    #[test]
    fn threads_that_need_little_get_the_core_after_each_piece_of_work() {
        let (time, yielding) = (Cell::new(Instant::now()), Yielding::default());
        let mut times = 0;
        for _ in 0..100 {
            yielding.yield_core_by(
                || time.get(),
                || {
                    times += 1;
                    time.set(time.get() + Duration::from_micros(20));
                },
            );
        }
        assert_eq!(times, 100);
    }
}
