//! Yielding to the threads that handle messages, where there are too few cores for all.
//!
//! On Linux a thread that wakes up waits until the running thread's time slice is over, which takes some
//! milliseconds. A thread that transfers files always has something to do, so it yields after each short
//! piece of work.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// Handling messages takes less time: a thread that ran for longer is computing.
const SHORT: Duration = Duration::from_micros(500);
/// A computing thread gets one extra time slice for this many of its own.
const PAUSE: u32 = 8;

/// Remembers how long the last yield took.
#[derive(Debug, Default)]
pub(super) struct Yielding {
    paused_until: Cell<Option<Instant>>,
}

impl Yielding {
    /// Yields to threads that wait for this core, unless that recently took long.
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
