//! Actors whose failure ends the server: better no server than half of one.

use tokio::sync::mpsc;

/// Held by an actor without which the server cannot run. When the actor panics, its name is
/// reported to the program that runs the server.
#[derive(Debug)]
pub(crate) struct CriticalActor {
    name: &'static str,
    failures: mpsc::UnboundedSender<&'static str>,
}

impl CriticalActor {
    pub(crate) fn new(name: &'static str, failures: &mpsc::UnboundedSender<&'static str>) -> Self {
        Self { name, failures: failures.clone() }
    }
}

impl CriticalActor {
    /// Reports that the actor has failed.
    pub(crate) fn fail(&self) {
        // As in `drop`.
        let _ = self.failures.send(self.name);
    }
}

impl Drop for CriticalActor {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The receiver is gone when the server is stopping; then it does not matter.
            let _ = self.failures.send(self.name);
        }
    }
}
