//! Reads standard input line by line on a dedicated thread, which never delays the exit of the
//! program.

use std::io::{self, BufRead};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// The capacity of the line queue.
const QUEUE: usize = 64;

/// The longest pause between two lines of a paste.
const PAUSE: Duration = Duration::from_millis(60);

/// A line that was typed, pasted or piped.
#[derive(Debug)]
pub(super) struct TypedLine {
    /// The line without its ending, or why it cannot be used.
    pub(super) text: Result<String, String>,
    /// It came right behind the line before.
    pub(super) at_once: bool,
}

/// The lines of standard input.
pub(super) struct TypedLines(mpsc::Receiver<TypedLine>);

impl TypedLines {
    /// Starts to read.
    pub(super) fn start() -> Self {
        let (sender, lines) = mpsc::channel(QUEUE);
        thread::spawn(move || read(&mut io::stdin().lock(), &sender));
        Self(lines)
    }

    /// The next line; `None` at end of input.
    pub(super) async fn next(&mut self) -> Option<TypedLine> {
        self.0.recv().await
    }
}

fn read(input: &mut impl BufRead, lines: &mpsc::Sender<TypedLine>) {
    // While the queue is full, what is read next has come already.
    let mut before: Option<Instant> = None;
    loop {
        let mut line = Vec::new();
        let (text, failed) = match input.read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => (text(line), false),
            Err(error) => (Err(format!("standard input failed: {error}")), true),
        };
        let at_once = before.is_some_and(|before| before.elapsed() < PAUSE);
        if lines.blocking_send(TypedLine { text, at_once }).is_err() || failed {
            return;
        }
        before = Some(Instant::now());
    }
}

fn text(mut line: Vec<u8>) -> Result<String, String> {
    if line.ends_with(b"\n") {
        line.pop();
    }
    if line.ends_with(b"\r") {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| "the line is not valid UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_line_endings_are_removed() {
        let (sender, mut receiver) = mpsc::channel(9);
        read(&mut &b"a\n b \r\n\n\xff\nlast"[..], &sender);
        drop(sender);
        let mut lines = Vec::new();
        while let Some(line) = receiver.blocking_recv() {
            lines.push(line.text.ok());
        }
        let lines: Vec<_> = lines.iter().map(Option::as_deref).collect();
        assert_eq!(lines, [Some("a"), Some(" b "), Some(""), None, Some("last")]);
    }
}
