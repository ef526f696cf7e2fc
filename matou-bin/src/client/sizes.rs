//! Human-readable sizes, rates and durations.

use std::time::Duration;

/// Decimal units, as for disks and networks: `999 B`, `1.2 kB`, `34.5 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 5] = [
        (1_000_000_000_000_000, "PB"),
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            // Rounded down, so that progress is never overstated.
            format!("{}.{} {name}", bytes / unit, bytes % unit / (unit / 10))
        }
        None => format!("{bytes} B"),
    }
}

/// `7 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// The size of all of it, which is not known of a pipe.
pub(crate) fn total(all: Option<u64>) -> String {
    all.map_or_else(|| "unknown size".into(), size)
}

/// How much of it has moved.
pub(crate) fn moved(bytes: u64, all: Option<u64>) -> String {
    match all {
        Some(all) => format!("{} of {}", size(bytes), size(all)),
        None => format!("{} so far", size(bytes)),
    }
}

/// How fast it moves and how long it will still take, to end a line with, as far as that is known.
pub(crate) fn pace(bytes: u64, all: Option<u64>, rate: Option<u64>) -> String {
    let Some(rate) = rate else { return String::new() };
    let left = time_left(bytes, all, rate).map(|left| format!(", {} left", duration(left)));
    format!(", {}/s{}", size(rate), left.unwrap_or_default())
}

/// The time that `size - bytes` take at `rate` bytes per second; unknown at rate 0.
pub(crate) fn time_left(bytes: u64, size: Option<u64>, rate: u64) -> Option<Duration> {
    size?.saturating_sub(bytes).checked_div(rate).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal() {
        let table = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_999, "1.9 kB"),
            (200_000_000, "200.0 MB"),
        ];
        for (bytes, shown) in table {
            assert_eq!(size(bytes), shown);
        }
        assert_eq!(size(u64::MAX), "18446.7 PB");
    }

    #[test]
    fn durations_have_at_most_two_units() {
        for (seconds, shown) in [(7, "7 s"), (200, "3 min 20 s"), (7_530, "2 h 5 min")] {
            assert_eq!(duration(Duration::from_secs(seconds)), shown);
        }
        assert_eq!(time_left(10, Some(30), 10), Some(Duration::from_secs(2)));
        assert_eq!(time_left(10, Some(30), 0), None);
        assert_eq!(time_left(10, None, 10), None);
        assert_eq!(pace(10, Some(30), Some(10)), ", 10 B/s, 2 s left");
        assert_eq!(pace(10, Some(30), None), "");
    }
}
