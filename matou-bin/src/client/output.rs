//! Writes standard output on a dedicated thread, so that a stalled reader blocks nothing else.

use std::io::{self, Write};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::mpsc::error::SendError;
use tokio::sync::{mpsc, oneshot};

/// The capacity of the write queue, in chunks.
const QUEUE: usize = 16;

/// Writes chunks of text in order.
pub(super) struct LineOutput {
    chunks: mpsc::Sender<String>,
    done: oneshot::Receiver<io::Result<()>>,
}

/// A permit to write one chunk.
pub(super) type Permit<'a> = mpsc::Permit<'a, String>;

impl LineOutput {
    /// Starts the writer of standard output.
    pub(super) fn start() -> Self {
        let (chunks, mut queue) = mpsc::channel(QUEUE);
        let (finished, done) = oneshot::channel();
        thread::spawn(move || {
            let _ = finished.send(write_all(&mut queue, &mut io::stdout().lock()));
        });
        Self { chunks, done }
    }

    /// Waits for space for one chunk; an error once the reader is gone. Cancel safe.
    pub(super) async fn permit(&self) -> Result<Permit<'_>, SendError<()>> {
        self.chunks.reserve().await
    }

    /// Writes `rest`, and waits until everything is written or writing fails.
    pub(super) async fn finish(self, rest: impl Iterator<Item = String>) -> io::Result<()> {
        for chunk in rest {
            if self.chunks.send(chunk).await.is_err() {
                break; // The result below says why.
            }
        }
        drop(self.chunks);
        self.done.await.unwrap_or(Ok(()))
    }
}

/// Resolves once no one can read standard output any more; never for a file.
pub(super) async fn reader_gone() {
    let (gone, wait) = oneshot::channel();
    // It waits until the process ends: no other thread has to.
    thread::spawn(move || {
        let output = io::stdout();
        let mut watched = [PollFd::new(&output, PollFlags::empty())];
        while let Err(Errno::INTR) = poll(&mut watched, None) {}
        if watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            let _ = gone.send(());
        }
    });
    if wait.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Flushes whenever the queue is empty: single lines appear at once, bursts are fast.
fn write_all(queue: &mut mpsc::Receiver<String>, out: &mut impl Write) -> io::Result<()> {
    while let Some(chunk) = queue.blocking_recv() {
        out.write_all(chunk.as_bytes())?;
        while let Ok(chunk) = queue.try_recv() {
            out.write_all(chunk.as_bytes())?;
        }
        out.flush()?;
    }
    Ok(())
}
