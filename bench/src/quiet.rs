//! Measuring on a machine that others use too: waiting for silence, and knowing how much there was.

use std::time::{Duration, Instant};

use crate::error::Outcome;
use crate::process;
use crate::scenario::Figures;

/// More than this much of one core in other processes' hands makes a run a noisy one.
const NOISE_CORES: f64 = 0.08;
const MOMENT: Duration = Duration::from_millis(500);

/// Makes a run when the machine is quiet and makes it again when it was not, for as long as
/// `patience` lasts; the last run counts however noisy it was, and says so in `other_cores`.
pub(crate) fn attempt(
    patience: Duration,
    mut run: impl FnMut() -> Outcome<Figures>,
) -> Outcome<Figures> {
    let start = Instant::now();
    loop {
        wait(patience.saturating_sub(start.elapsed()));
        let outcome = run();
        let noise = outcome.as_ref().ok().and_then(|figures| figures.value("other_cores"));
        if noise.unwrap_or(0.0) <= NOISE_CORES || start.elapsed() >= patience {
            return outcome;
        }
    }
}

/// Waits until the machine is idle for a moment.
fn wait(limit: Duration) {
    let start = Instant::now();
    while start.elapsed() < limit {
        let Ok(before) = process::machine_cpu() else { return };
        std::thread::sleep(MOMENT);
        let Ok(after) = process::machine_cpu() else { return };
        if after.saturating_sub(before).as_secs_f64() / MOMENT.as_secs_f64() < NOISE_CORES {
            return;
        }
    }
}
