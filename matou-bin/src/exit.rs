//! Fatal errors: messages for people, exit codes for programs.

use std::io::{self, Write};
use std::process::ExitCode;

use matou_actors::protocol::Username;

use crate::sanitize::sanitize;
use crate::settings::SettingsError;

/// Why the program failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A runtime failure: exit code 1.
    #[error("{0}")]
    Runtime(String),
    /// An invalid flag or setting: exit code 2.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The request does not fit the environment: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The server refused the name and the user cannot be prompted for another one: exit code 3.
    #[error("{0}")]
    Refused(String),
    /// The other side refused a file or the private session: exit code 4.
    #[error("{0}")]
    Declined(String),
    /// The recipient was not there, or did not answer in time: exit code 5.
    #[error("{0}")]
    Absent(String),
    /// A transfer ended before it was complete: exit code 6.
    #[error("{0}")]
    Cut(String),
    /// The server was not reached: exit code 7.
    #[error("{0}")]
    Unreachable(String),
    /// A critical actor of the server failed: exit code 70 (`EX_SOFTWARE` of sysexits.h).
    #[error("{0}; see the log for the cause")]
    Critical(String),
}

impl Failure {
    /// The server refused this name.
    pub(crate) fn refused(name: &Username, reason: Option<String>) -> Self {
        Self::Refused(reason.unwrap_or_else(|| {
            format!(
                "the server refused the name {name}: it is taken, too similar to a taken one, or not \
                 allowed; choose another one with --username NAME"
            )
        }))
    }

    fn code(&self) -> u8 {
        match self {
            Self::Runtime(_) => 1,
            Self::Settings(_) | Self::Usage(_) => 2,
            Self::Refused(_) => 3,
            Self::Declined(_) => 4,
            Self::Absent(_) => 5,
            Self::Cut(_) => 6,
            Self::Unreachable(_) => 7,
            Self::Critical(_) => 70,
        }
    }
}

/// Reports a failure on standard error and converts it into the exit code.
pub(crate) fn code(outcome: Result<(), Failure>) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    for line in failure.to_string().lines() {
        let _ = writeln!(io::stderr(), "matou: {}", sanitize(line));
    }
    ExitCode::from(failure.code())
}
