//! The lines that a process writes, read by a thread, waited for with a deadline.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::DEADLINE;

/// Lines as they arrive. Those that a wait skipped stay in `seen`.
pub(crate) struct Lines {
    name: String,
    coming: Receiver<String>,
    /// All lines read so far.
    pub(crate) seen: Vec<String>,
}

impl Lines {
    /// Starts to read. `name` is for the words of a failure.
    pub(crate) fn new(name: impl Into<String>, from: impl Read + Send + 'static) -> Self {
        let (sender, coming) = channel();
        std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                if sender.send(text).is_err() {
                    return;
                }
                line.clear();
            }
        });
        Self { name: name.into(), coming, seen: Vec::new() }
    }

    /// The next line that `wanted` turns into something.
    pub(crate) fn wait<T>(&mut self, what: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            let left = DEADLINE.saturating_sub(start.elapsed());
            let line = match self.coming.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => self.fail(what, "in time"),
                Err(RecvTimeoutError::Disconnected) => self.fail(what, "before the end"),
            };
            let found = wanted(&line);
            self.seen.push(line);
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// All lines to the end.
    pub(crate) fn rest(&mut self) -> &[String] {
        let start = Instant::now();
        loop {
            match self.coming.recv_timeout(DEADLINE.saturating_sub(start.elapsed())) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => return &self.seen,
                Err(RecvTimeoutError::Timeout) => self.fail("the end", "in time"),
            }
        }
    }

    /// Whether no line arrives for `time`.
    pub(crate) fn silent_for(&mut self, time: Duration) -> bool {
        match self.coming.recv_timeout(time) {
            Ok(line) => {
                self.seen.push(line);
                false
            }
            Err(_) => true,
        }
    }

    fn fail(&self, what: &str, how: &str) -> ! {
        let seen = self.seen.join("\n  ");
        panic!("{}: {what} did not come {how}; what came:\n  {seen}", self.name);
    }
}
