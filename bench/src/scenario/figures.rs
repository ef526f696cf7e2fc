//! The figures of one run, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::clock::nanos;
use crate::error::{BenchError, Outcome};

/// Figures by their name, which ends in their unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Figures(BTreeMap<String, f64>);

impl Figures {
    /// Adds a figure.
    pub(crate) fn set(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), value);
    }

    /// A figure, if it was measured.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// Adds the quantiles of a histogram of nanoseconds, in milliseconds.
    pub(crate) fn latencies(&mut self, histogram: &Histogram<u64>) {
        for (name, quantile) in [("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999)] {
            self.set(name, histogram.value_at_quantile(quantile) as f64 / 1e6);
        }
        self.set("max_ms", histogram.max() as f64 / 1e6);
    }
}

/// A histogram for nanoseconds from a microsecond to a minute, to three digits.
pub(crate) fn latency_histogram() -> Outcome<Histogram<u64>> {
    let most = nanos(Duration::from_secs(60));
    let made = Histogram::new_with_bounds(1_000, most, 3);
    made.map_err(|error| BenchError::Invalid(format!("no histogram: {error}")))
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, value)) in self.0.iter().enumerate() {
            let gap = if place == 0 { "" } else { "  " };
            if value.abs() >= 1000.0 {
                write!(f, "{gap}{name} {value:.0}")?;
            } else {
                write!(f, "{gap}{name} {value:.4}")?;
            }
        }
        Ok(())
    }
}
