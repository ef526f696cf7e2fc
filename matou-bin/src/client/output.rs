//! Standard output, written by a thread of its own: a reader that stops reading stops nothing
//! else.

use std::io::{self, Write};
use std::thread;

use tokio::sync::mpsc::error::SendError;
use tokio::sync::{mpsc, oneshot};

/// Pieces of text that may wait to be written.
const QUEUE: usize = 16;

/// Takes pieces of text and writes them in order.
pub(super) struct Output {
    pieces: mpsc::Sender<String>,
    done: oneshot::Receiver<io::Result<()>>,
}

/// Room for one piece.
pub(super) type Room<'a> = mpsc::Permit<'a, String>;

impl Output {
    /// Starts to write to standard output.
    pub(super) fn start() -> Self {
        let (pieces, mut queue) = mpsc::channel(QUEUE);
        let (tell, done) = oneshot::channel();
        thread::spawn(move || {
            let _ = tell.send(write_all(&mut queue, &mut io::stdout().lock()));
        });
        Self { pieces, done }
    }

    /// Waits for room for one piece; an error when nobody reads any more. Nothing is lost when
    /// the future is dropped.
    pub(super) async fn room(&self) -> Result<Room<'_>, SendError<()>> {
        self.pieces.reserve().await
    }

    /// Writes `rest`, and waits until everything is written or an error says that it cannot be.
    pub(super) async fn finish(self, rest: impl Iterator<Item = String>) -> io::Result<()> {
        for piece in rest {
            if self.pieces.send(piece).await.is_err() {
                break; // The result below says why.
            }
        }
        drop(self.pieces);
        self.done.await.unwrap_or(Ok(()))
    }
}

/// Flushes whenever nothing more waits, so that a line is seen at once and a flood is fast.
fn write_all(queue: &mut mpsc::Receiver<String>, out: &mut impl Write) -> io::Result<()> {
    while let Some(piece) = queue.blocking_recv() {
        out.write_all(piece.as_bytes())?;
        while let Ok(piece) = queue.try_recv() {
            out.write_all(piece.as_bytes())?;
        }
        out.flush()?;
    }
    Ok(())
}
