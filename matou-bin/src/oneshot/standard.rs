//! Standard input as something to send, and standard output for a received file.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use matou_actors::client::PipeInput;

use crate::exit::Failure;
use crate::signals::Signals;

/// The name that stands for standard input or output.
pub(super) const DASH: &str = "-";

/// Standard input, to be read to its end.
pub(super) fn input() -> Result<PipeInput, Failure> {
    let input = io::stdin().as_fd().try_clone_to_owned();
    let input =
        input.map_err(|error| Failure::Usage(format!("cannot read standard input: {error}")))?;
    Ok(File::from(input).into())
}

/// Writes the file at `path` to standard output and removes it; what cannot be written is kept.
pub(super) async fn output(path: PathBuf, signals: &mut Signals) -> Result<(), Failure> {
    let kept = format!("the file is kept as {}", path.display());
    // A reader may keep it waiting for as long as it likes.
    let write = tokio::task::spawn_blocking(move || write(&path));
    tokio::select! {
        written = write => written
            .map_err(io::Error::other)
            .and_then(|written| written)
            .map_err(|error| {
                Failure::Runtime(format!("cannot write to standard output: {error}; {kept}"))
            }),
        signal = signals.next() => Err(Failure::Runtime(format!(
            "stopped by {signal} before all of it was written to standard output; {kept}"
        ))),
    }
}

fn write(path: &Path) -> io::Result<()> {
    // Not through the buffered handle: the kernel moves the bytes without them.
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    io::copy(&mut File::open(path)?, &mut output)?;
    output.flush()?;
    fs::remove_file(path)
}
