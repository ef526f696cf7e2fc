//! What ends the program, as words for people and exit codes for programs.

use std::io::{self, Write};
use std::process::ExitCode;

use matou_actors::protocol::Username;

use crate::sanitize::sanitize;
use crate::settings::SettingsError;

/// Why the program ends without having done what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Something went wrong while running: exit code 1.
    #[error("{0}")]
    Runtime(String),
    /// A flag or a setting is wrong: exit code 2.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What is asked for does not fit where the program runs: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The server refused the name and nobody can be asked for another one: exit code 3.
    #[error(
        "the server refused the name {0}: it is taken, looks like one that is taken, or is not \
         allowed; choose another one with --username NAME"
    )]
    Refused(Username),
    /// A vital part of the server failed: exit code 70 (`EX_SOFTWARE` of sysexits.h).
    #[error("{0}; what led to it is in the log")]
    Vital(String),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Runtime(_) => 1,
            Self::Settings(_) | Self::Usage(_) => 2,
            Self::Refused(_) => 3,
            Self::Vital(_) => 70,
        }
    }
}

/// Tells what went wrong on standard error, as far as somebody reads it there.
pub(crate) fn code(outcome: Result<(), Failure>) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    for line in failure.to_string().lines() {
        let _ = writeln!(io::stderr(), "matou: {}", sanitize(line));
    }
    ExitCode::from(failure.code())
}
