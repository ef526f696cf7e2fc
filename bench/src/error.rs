//! What can go wrong in a benchmark.

use std::io;

/// Why a benchmark could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// A system call failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {seconds} s")]
    Deadline {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: u64,
    },
    /// A program that is needed is not there.
    #[error("{0} is not installed")]
    Missing(String),
    /// A measurement would not mean what it says.
    #[error("{0}")]
    Invalid(String),
}

/// What a benchmark yields.
pub(crate) type Outcome<T> = Result<T, BenchError>;

/// Says what was tried when a system call fails.
pub(crate) trait Context<T> {
    /// The same result, its error with `what` was tried.
    fn context(self, what: impl Into<String>) -> Outcome<T>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, what: impl Into<String>) -> Outcome<T> {
        self.map_err(|error| BenchError::Io { what: what.into(), source: error.into() })
    }
}
