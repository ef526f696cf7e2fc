//! Ten files at once: whether each gets its share, and what each holds in memory.

use std::fs::File;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use super::mover::{self, Mover};
use super::{Ground, MIB, MemoryWatch};
use crate::error::{BenchError, Context, Outcome};
use crate::scenario::Figures;

const FILES: usize = 10;

/// Moves ten files, each a tenth of the large one, and compares how fast each was.
pub(super) fn ten(mover: Mover, ground: &Ground) -> Outcome<Figures> {
    let size = ground.size() / 10;
    let together = Arc::new(Barrier::new(FILES));
    let watch = MemoryWatch::start();
    let mut receiving = Vec::with_capacity(FILES);
    let mut sending = Vec::with_capacity(FILES);
    for number in 0..FILES {
        let (sender, receiver) = mover::connection()?;
        let source = File::open(ground.source()).context("open the file")?;
        let copy = File::create(ground.copy(number)).context("make a copy")?;
        let barrier = Arc::clone(&together);
        sending.push(thread::spawn(move || {
            barrier.wait();
            mover.send(&source, size, &sender)
        }));
        receiving.push(thread::spawn(move || {
            let start = Instant::now();
            mover.receive(&receiver, size, &copy)?;
            Ok(start.elapsed())
        }));
    }
    let failed = |_| BenchError::Invalid("a thread failed".into());
    let times: Outcome<Vec<Duration>> =
        receiving.into_iter().map(|thread| thread.join().map_err(failed)?).collect();
    for thread in sending {
        thread.join().map_err(failed)??;
    }
    let grown = watch.stop();
    for number in 0..FILES {
        std::fs::remove_file(ground.copy(number)).context("remove a copy")?;
    }
    let rates: Vec<f64> =
        times?.iter().map(|time| size as f64 / 1e6 / time.as_secs_f64()).collect();
    let mean = rates.iter().sum::<f64>() / FILES as f64;
    let slowest = rates.iter().copied().fold(f64::MAX, f64::min);
    let each = grown as f64 / FILES as f64 + mover.pipe_bytes() as f64;
    let mut figures = Figures::default();
    figures.set("slowest_to_mean", slowest / mean);
    figures.set("mean_mb_per_s", mean);
    figures.set("memory_mib", each / MIB as f64);
    Ok(figures)
}
