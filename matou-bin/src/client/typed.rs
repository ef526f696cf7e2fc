//! Reads standard input line by line on a dedicated thread, which never delays the exit of the
//! program.

use std::io::{self, BufRead};
use std::thread;

use tokio::sync::mpsc;

/// The capacity of the line queue.
const QUEUE: usize = 64;

/// A line without its ending, or why it cannot be used.
pub(super) type Line = Result<String, String>;

/// The lines of standard input.
pub(super) struct Lines(mpsc::Receiver<Line>);

impl Lines {
    /// Starts to read.
    pub(super) fn start() -> Self {
        let (sender, lines) = mpsc::channel(QUEUE);
        thread::spawn(move || read(&mut io::stdin().lock(), &sender));
        Self(lines)
    }

    /// The next line; `None` at end of input.
    pub(super) async fn next(&mut self) -> Option<Line> {
        self.0.recv().await
    }
}

fn read(input: &mut impl BufRead, lines: &mpsc::Sender<Line>) {
    loop {
        let mut line = Vec::new();
        let line = match input.read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => text(line),
            Err(error) => {
                let _ = lines.blocking_send(Err(format!("standard input failed: {error}")));
                return;
            }
        };
        if lines.blocking_send(line).is_err() {
            return;
        }
    }
}

fn text(mut line: Vec<u8>) -> Line {
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
            lines.push(line.ok());
        }
        let lines: Vec<_> = lines.iter().map(Option::as_deref).collect();
        assert_eq!(lines, [Some("a"), Some(" b "), Some(""), None, Some("last")]);
    }
}
