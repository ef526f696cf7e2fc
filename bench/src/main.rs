//! Measures Matou against the kernel's own limit and against the brokers that people would pick
//! for the same job. docs/PERFORMANCE.md says what is measured, how, and what came out.

// Figures are shown with a few digits: what a conversion to `f64` may lose is far behind them.
#![allow(clippy::cast_precision_loss)]

mod bare;
mod cli;
mod clock;
mod dialect;
mod error;
mod files;
mod pool;
mod process;
mod quiet;
mod report;
mod scenario;
mod server;
mod session;
mod stamp;
mod suite;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("matou-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
