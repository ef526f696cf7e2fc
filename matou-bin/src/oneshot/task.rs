//! What the one-shot commands have in common.

use std::path::PathBuf;

use matou_actors::client::{Command, Event};
use tokio::time::Instant;

use crate::exit::Failure;

/// An action for the runner.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TaskEffect {
    /// Send this to the client.
    Command(Command),
    /// Say this on standard error.
    Say(String),
    /// Print the path of the received file on standard output.
    Print(PathBuf),
    /// Print this on standard output.
    PrintText(String),
}

/// A one-shot command: pure decisions.
pub(super) trait Task {
    /// Handles an event, from the one that says that the client has joined on.
    fn on_event(&mut self, event: &Event, now: Instant) -> Vec<TaskEffect>;

    /// When [`Task::on_deadline`] is due, if nothing changes before.
    fn deadline(&self) -> Option<Instant>;

    /// Handles the deadline.
    fn on_deadline(&mut self) -> Vec<TaskEffect>;

    /// Handles a termination signal.
    fn on_signal(&mut self, signal: &str);

    /// The file that is to be written to standard output, once the client has closed.
    fn output(&self) -> Option<PathBuf> {
        None
    }

    /// What became of it, once the client has closed.
    fn outcome(self) -> Result<(), Failure>;
}
