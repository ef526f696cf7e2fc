//! Standard output of the commands that print once and exit.

use std::io::{self, Write};

use crate::exit::Failure;

/// Writes `text`, all of it or with an error. A reader that has closed the pipe has seen enough.
pub(crate) fn print(text: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    checked(out.write_all(text).and_then(|()| out.flush()))
}

/// The failure that the outcome of writing to standard output means.
pub(crate) fn checked(outcome: io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Runtime(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
