//! Looking after the connections in turn, to find those whose clients have been unplugged.

use std::time::Duration;

/// In this many steps each connection is checked once, so that no step takes long.
const STEPS: usize = 10;

/// When to check which connection, and which of them count as gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LivenessSweep {
    step: Duration,
    patience: Duration,
    turn: usize,
}

impl LivenessSweep {
    /// Checks a tenth of the connections each `step`; a client without a sign of life for
    /// `patience` is gone.
    pub(crate) fn new(step: Duration, patience: Duration) -> Self {
        Self { step, patience, turn: 0 }
    }

    /// The time between two steps.
    pub(crate) fn step(&self) -> Duration {
        self.step
    }

    /// Advances to the next step.
    pub(crate) fn advance(&mut self) {
        self.turn = (self.turn + 1) % STEPS;
    }

    /// Whether the connection in this slot is looked at in this step.
    pub(crate) fn visits(&self, slot: usize) -> bool {
        slot % STEPS == self.turn
    }

    /// Whether a client without a sign of life for `silence` is gone.
    pub(crate) fn is_gone(&self, silence: Duration) -> bool {
        silence >= self.patience
    }
}

impl Default for LivenessSweep {
    /// The kernel probes a silent client after a minute, then every ten seconds. With the time
    /// until it is noticed, an unplugged client is gone in less than two minutes.
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(105))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_is_checked_once_a_round_and_in_time() {
        let mut sweep = LivenessSweep::default();
        let mut visits = [0; 25];
        for _ in 0..STEPS {
            sweep.advance();
            for (slot, visits) in visits.iter_mut().enumerate() {
                *visits += u32::from(sweep.visits(slot));
            }
        }
        assert_eq!(visits, [1; 25]);
        let round = sweep.step() * u32::try_from(STEPS).unwrap();
        assert!(sweep.patience + round < Duration::from_secs(120));
        assert!(!sweep.is_gone(Duration::from_secs(100)), "five probes may be lost");
    }
}
