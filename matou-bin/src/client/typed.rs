//! Reads standard input line by line on a dedicated thread, which never delays the exit of the
//! program.

use std::io::{self, BufRead, Read as _};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// The capacity of the line queue.
const QUEUE: usize = 64;

/// The longest line, in bytes: it becomes 128 messages.
const MAX_LINE: usize = 64 * 1024;

/// The longest pause between two lines of a paste.
const PAUSE: Duration = Duration::from_millis(60);

/// A line that was typed, pasted or piped.
#[derive(Debug)]
pub(super) struct TypedLine {
    /// The line without its ending, or why it cannot be used.
    pub(super) text: Result<String, String>,
    /// It arrived together with the line before.
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
    // While the queue is full, the next input has arrived already.
    let mut before: Option<Instant> = None;
    loop {
        let (text, failed) = match read_line(input) {
            Ok(None) => return,
            Ok(Some(line)) => (text(line), false),
            Err(error) => (Err(format!("standard input failed: {error}")), true),
        };
        let at_once = before.is_some_and(|before| before.elapsed() < PAUSE);
        if lines.blocking_send(TypedLine { text, at_once }).is_err() || failed {
            return;
        }
        before = Some(Instant::now());
    }
}

/// The next line with its ending, or the beginning of one that is too long; `None` at end of input.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    // With CR LF.
    let most = MAX_LINE + 2;
    input.take(u64::try_from(most).unwrap_or(u64::MAX)).read_until(b'\n', &mut line)?;
    if line.len() == most && !line.ends_with(b"\n") {
        input.skip_until(b'\n')?;
    }
    Ok((!line.is_empty()).then_some(line))
}

fn text(mut line: Vec<u8>) -> Result<String, String> {
    if line.ends_with(b"\n") {
        line.pop();
    }
    if line.ends_with(b"\r") {
        line.pop();
    }
    if line.len() > MAX_LINE {
        return Err(format!(
            "the line is longer than {MAX_LINE} bytes; send it as a file with /send"
        ));
    }
    String::from_utf8(line).map_err(|_| "the line is not valid UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(mut input: impl BufRead) -> Vec<Result<String, String>> {
        let (sender, mut receiver) = mpsc::channel(9);
        read(&mut input, &sender);
        drop(sender);
        std::iter::from_fn(|| receiver.blocking_recv()).map(|line| line.text).collect()
    }

    #[test]
    fn a_line_is_bounded_in_bytes_and_the_next_one_is_read() {
        let longest = "a".repeat(65_536);
        for ending in ["\n", "\r\n"] {
            for more in ["b", "bc", "bcd", &longest] {
                let input = format!("{longest}{ending}{longest}{more}{ending}last");
                let texts = texts(input.as_bytes());
                assert_eq!(texts.len(), 3, "{more:.3}");
                assert_eq!(texts[0].as_ref(), Ok(&longest));
                assert!(texts[1].as_ref().is_err_and(|error| error.contains("65536 bytes")));
                assert_eq!(texts[2].as_deref(), Ok("last"));
            }
        }
        // A line that never ends takes no more memory than one that is too long.
        let endless = io::BufReader::new(io::repeat(b'a').take(100_000_000));
        assert!(texts(endless)[0].is_err());
    }

    #[test]
    fn only_line_endings_are_removed() {
        let lines = texts(&b"a\n b \r\n\n\xff\nlast"[..]);
        let lines: Vec<_> = lines.into_iter().map(Result::ok).collect();
        let lines: Vec<_> = lines.iter().map(Option::as_deref).collect();
        assert_eq!(lines, [Some("a"), Some(" b "), Some(""), None, Some("last")]);
    }
}
