//! When the room's history goes to its file.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::server::room::fanout::Fanout;
use crate::server::room::history_file::HistoryWriter;

/// A file that lacks something is replaced no more often than that.
const RETRY_EVERY: Duration = Duration::from_secs(10);
/// Bytes that the file may have beside twice those that are kept, before it is replaced.
const SLACK: usize = 1024 * 1024;

/// Hands new messages to the writer, and now and then all of them.
#[derive(Debug)]
pub(crate) struct Saving {
    writer: HistoryWriter,
    /// Bytes of the file.
    length: usize,
    /// When the file was replaced last.
    replaced_at: Option<Instant>,
}

impl Saving {
    pub(crate) fn new(writer: HistoryWriter) -> Self {
        Self { writer, length: 0, replaced_at: None }
    }

    /// Saves the messages since the last time.
    pub(crate) fn save(&mut self, fanout: &mut Fanout, now: Instant) {
        let new = fanout.history_mut().take_unsaved();
        let is_due = |at: &Instant| now.saturating_duration_since(*at) >= RETRY_EVERY;
        if self.writer.is_stale() {
            // The new ones are among all.
            if self.replaced_at.as_ref().is_none_or(is_due) {
                self.replace(fanout, now, None);
            }
        } else if !new.is_empty() {
            self.length += new.len();
            self.writer.append(new);
            if self.length > SLACK + 2 * fanout.history_mut().bytes() {
                self.replace(fanout, now, None);
            }
        }
    }

    /// Replaces the file by what is kept. `done` resolves with whether that worked.
    pub(crate) fn replace(
        &mut self,
        fanout: &mut Fanout,
        now: Instant,
        done: Option<oneshot::Sender<Result<(), String>>>,
    ) {
        let next = fanout.next_sequence();
        let history = fanout.history_mut();
        let _ = history.take_unsaved();
        self.length = history.bytes();
        self.replaced_at = Some(now);
        self.writer.replace(history.all(), next, done);
    }
}
