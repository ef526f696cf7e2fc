//! How much to ask of one blocking call that counts only when it is done.

use std::time::Duration;

/// Bytes of the first call.
const FIRST: usize = 256 * 1024;
/// At a modem's speed, a call every second.
const LEAST: usize = 16 * 1024;
/// More gains a percent, and would hide for longer how far a peer is that became slow meanwhile.
const MOST: usize = 2 * 1024 * 1024;
/// A call that was shorter than this could have moved more.
const QUICK: Duration = Duration::from_millis(10);
/// A longer call hides progress.
const SLOW: Duration = Duration::from_millis(50);

/// Bytes to ask for, from how long the last calls took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkSizer(usize);

impl ChunkSizer {
    /// The first one.
    pub(super) fn new() -> Self {
        Self(FIRST)
    }

    /// Bytes to ask for now.
    pub(super) fn bytes(self) -> usize {
        self.0
    }

    /// What to ask for after a call that took so long.
    pub(super) fn after(self, took: Duration) -> Self {
        if took < QUICK {
            Self((self.0 * 2).min(MOST))
        } else if took > SLOW {
            let times = usize::try_from(took.as_millis() / SLOW.as_millis()).unwrap_or(usize::MAX);
            Self((self.0 / times.max(2)).max(LEAST))
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_network_gets_long_calls_and_a_slow_one_short_ones() {
        let mut chunk = ChunkSizer::new();
        for _ in 0..10 {
            chunk = chunk.after(Duration::from_millis(1));
        }
        assert_eq!(chunk.bytes(), MOST);
        assert_eq!(chunk.after(Duration::from_millis(20)), chunk, "long enough, short enough");
        assert_eq!(chunk.after(Duration::from_millis(60)).bytes(), MOST / 2);
        assert_eq!(chunk.after(Duration::from_secs(60)).bytes(), LEAST);
    }
}
