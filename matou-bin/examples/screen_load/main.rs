//! Measures the screen: `cargo run --release -p matou-bin --example screen_load`.
//!
//! 100,000 lines of scrollback, 2,000 people, 2,000 messages a second. Fails when the process
//! takes more than 100 MB, or when a key takes longer than 50 ms to show: the processor time it
//! needs and the longest wait for a frame, so that it can be run on a machine that is busy
//! otherwise. Wall-clock times are printed as well.

mod load;

use std::process::ExitCode;
use std::time::Duration;

use load::{Latency, Load, Report, load};

const KEY_LIMIT: Duration = Duration::from_millis(50);
/// A key waits for the next frame at most this long.
const FRAME: Duration = Duration::from_millis(17);
const MEMORY_LIMIT: u64 = 100_000;

fn main() -> ExitCode {
    let mut good = true;
    for (size, bytes) in [((80, 24), 80), ((200, 60), 80), ((200, 60), 512), ((40, 10), 512)] {
        let of = Load {
            size,
            lines: 100_000,
            bytes,
            people: 2000,
            rate: 2000,
            duration: Duration::from_secs(20),
        };
        match load(of) {
            Ok(report) => good &= print(of, &report),
            Err(error) => {
                eprintln!("cannot draw: {error}");
                good = false;
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints what was measured; whether it keeps within the limits.
fn print(of: Load, report: &Report) -> bool {
    let (columns, rows) = of.size;
    println!(
        "{columns}x{rows}, messages of {} bytes: {} came in, {} are held, {} frames, {:.0} % busy",
        of.bytes,
        report.messages,
        report.held,
        report.frames,
        report.busy * 100.0
    );
    let worst = percentiles("wall clock", report, |latency| latency.wall);
    let work = percentiles("processor time", report, |latency| latency.work) + FRAME;
    let (now, peak) = (memory("VmRSS:"), memory("VmHWM:"));
    println!("  memory: {now} kB, at most {peak} kB");
    if worst > KEY_LIMIT && work <= KEY_LIMIT {
        println!("  (others had the processor: measure the wall clock on an idle machine)");
    }
    let good = work <= KEY_LIMIT && peak <= MEMORY_LIMIT;
    if !good {
        println!("  OVER THE LIMIT of {KEY_LIMIT:?} or {MEMORY_LIMIT} kB");
    }
    good
}

/// Prints how long keys took to show; returns the longest.
fn percentiles(name: &str, report: &Report, of: impl Fn(&Latency) -> Duration) -> Duration {
    let mut all: Vec<(Duration, &str)> =
        report.latencies.iter().map(|latency| (of(latency), latency.what)).collect();
    all.sort_unstable();
    let at = |share: usize| {
        let index = (all.len() * share / 1000).min(all.len().saturating_sub(1));
        all.get(index).map_or(Duration::ZERO, |(latency, _)| *latency)
    };
    let (worst, what) = all.last().copied().unwrap_or_default();
    println!(
        "  a key shows ({name}): median {:.1?}, 99 % {:.1?}, worst {worst:.1?} ({what}), {} keys",
        at(500),
        at(990),
        all.len()
    );
    worst
}

/// A line of this process's status, in kB; 0 where there is none.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|text| text.strip_prefix(line));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
