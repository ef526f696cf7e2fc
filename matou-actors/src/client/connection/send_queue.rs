//! The bytes that wait for a socket: bounded, counted, and drained before the socket closes.
//!
//! Not a channel of frames with a semaphore of bytes, which was tried: 130 lines of code instead of 149,
//! but with two semaphores, since a sender that waits for many permits keeps others from taking
//! few, and 140 ns instead of 28 for a frame of 24 bytes to a socket on loopback.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::protocol::Encode;

/// From this many waiting bytes on, the sender is slowed down.
const HIGH: usize = 256 * 1024;
/// How long a socket may take nothing before it is given up. A server that reads twenty messages a
/// second frees what the kernel considers room only every few seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a sender is held up by the socket of an send queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As long as there is progress: a server reads slowly what was typed fast.
    Progress,
    /// Once, regardless of progress, until it has caught up or taken much: the peer decides how
    /// little it takes, and all other commands of the user wait.
    Once,
}

/// The sending end of a socket. Clones are the same send queue.
#[derive(Clone, Debug)]
pub(crate) struct SendQueue(Arc<Shared>);

/// The send queue is full, or its socket is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    limit: usize,
    pace: Pace,
    /// Something to write, or nothing more to come.
    work: Notify,
    /// Some was written, or the socket is gone.
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: BytesMut,
    /// Bytes taken from the queue and not yet written.
    in_flight: usize,
    /// Bytes written in all.
    written: u64,
    closing: bool,
    gone: bool,
    /// It was waited for in vain when so much had been written, and has not made up for it.
    stalled: Option<u64>,
}

impl SendQueue {
    /// An empty send queue for at most `limit` bytes.
    pub(crate) fn new(limit: usize, pace: Pace) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            limit,
            pace,
            work: Notify::new(),
            room: Notify::new(),
        }))
    }

    /// Queues a frame.
    pub(crate) fn push(&self, frame: &impl Encode) -> Result<(), Full> {
        self.push_within(frame, self.0.limit)
    }

    /// Queues a frame that must not be lost because of others: for it there is as much room again.
    pub(crate) fn push_control(&self, frame: &impl Encode) -> Result<(), Full> {
        self.push_within(frame, 2 * self.0.limit)
    }

    fn push_within(&self, frame: &impl Encode, limit: usize) -> Result<(), Full> {
        let mut state = self.state();
        if state.closing || state.gone || state.waiting() >= limit {
            return Err(Full);
        }
        frame.encode(&mut state.queue);
        self.0.work.notify_one();
        Ok(())
    }

    /// Bytes not yet written.
    pub(crate) fn waiting(&self) -> usize {
        self.state().waiting()
    }

    /// Accepts nothing more; what is queued is still written, then the socket is shut down.
    pub(crate) fn close(&self) {
        self.state().closing = true;
        self.0.work.notify_one();
    }

    /// Resolves once at most `bytes` wait, or the socket is gone.
    async fn down_to(&self, bytes: usize) {
        loop {
            let room = self.0.room.notified();
            if self.state().gone || self.waiting() <= bytes {
                return;
            }
            room.await;
        }
    }

    /// Resolves when it is time to fill in more: at once unless much waits. A socket that was
    /// waited for in vain is not waited for twice.
    pub(crate) async fn pace(&self) {
        loop {
            let before = {
                let state = self.state();
                if state.stalled.is_some() {
                    return;
                }
                state.written
            };
            if timeout(PATIENCE, self.down_to(HIGH)).await.is_ok() {
                return;
            }
            let mut state = self.state();
            let in_vain = self.0.pace == Pace::Once || state.written == before;
            state.stalled = in_vain.then_some(state.written);
        }
    }

    /// Writes what is queued, in as few calls as possible, until it is closed and empty; then shuts
    /// `socket` down. When the future is dropped the socket is gone.
    pub(crate) async fn write_to(&self, mut socket: impl AsyncWrite + Unpin) -> io::Result<()> {
        let _gone = Gone(self);
        self.write_all(&mut socket).await
    }

    async fn write_all(&self, socket: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        loop {
            let work = self.0.work.notified();
            let (mut batch, closing) = {
                let mut state = self.state();
                let batch = state.queue.split();
                state.in_flight = batch.len();
                (batch, state.closing)
            };
            if !batch.is_empty() {
                while !batch.is_empty() {
                    if socket.write_buf(&mut batch).await? == 0 {
                        return Err(io::ErrorKind::WriteZero.into());
                    }
                    let mut state = self.state();
                    let written = state.in_flight.saturating_sub(batch.len());
                    state.written = state.written.saturating_add(wide(written));
                    state.in_flight = batch.len();
                    state.make_up(self.0.pace);
                    drop(state);
                    self.0.room.notify_waiters();
                }
            } else if closing {
                return socket.shutdown().await;
            } else {
                work.await;
            }
        }
    }

    /// The lock is held for a copy of some bytes, never across an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes those who wait for room that there is nothing to wait for any more.
struct Gone<'a>(&'a SendQueue);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.state().gone = true;
        self.0.0.room.notify_waiters();
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl State {
    fn waiting(&self) -> usize {
        self.queue.len() + self.in_flight
    }

    /// Something was written: a socket that takes as much as senders wait for is waited for again.
    fn make_up(&mut self, pace: Pace) {
        let made_up = |since: u64| match pace {
            Pace::Progress => true,
            Pace::Once => self.waiting() <= HIGH || self.written - since >= wide(HIGH),
        };
        if self.stalled.is_some_and(made_up) {
            self.stalled = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::protocol::{PeerFrame, TYPE_LENGTH};

    /// The bytes of PVDISCO.
    const CLOSE: usize = TYPE_LENGTH;

    /// Queues frames until at least this many bytes wait.
    fn fill(queue: &SendQueue, bytes: usize) {
        while queue.waiting() < bytes {
            queue.push(&PeerFrame::Close).unwrap();
        }
    }

    #[actix_rt::test]
    async fn queued_frames_are_written_before_the_end() {
        let (near, mut far) = tokio::io::duplex(2);
        let queue = SendQueue::new(10 * CLOSE, Pace::Once);
        for _ in 0..10 {
            queue.push(&PeerFrame::Close).unwrap();
        }
        queue.close();
        assert_eq!(queue.push(&PeerFrame::Close), Err(Full), "closed");
        let mut read = Vec::new();
        let (written, _) = tokio::join!(queue.write_to(near), far.read_to_end(&mut read));
        written.unwrap();
        assert_eq!(read, [0, 0, 0, 15].repeat(10));
    }

    #[actix_rt::test]
    async fn the_send_queue_is_bounded_and_signals_when_there_is_room() {
        let (near, mut far) = tokio::io::duplex(CLOSE);
        let queue = SendQueue::new(2 * CLOSE, Pace::Once);
        queue.push(&PeerFrame::Close).unwrap();
        queue.push(&PeerFrame::Close).unwrap();
        assert_eq!(queue.push(&PeerFrame::Close), Err(Full));
        let writing = queue.clone();
        actix_rt::spawn(async move { writing.write_to(near).await });
        far.read_u32().await.unwrap();
        far.read_u32().await.unwrap();
        queue.down_to(0).await;
        queue.push(&PeerFrame::Close).unwrap();
        drop(far);
    }

    #[actix_rt::test]
    async fn no_sender_waits_for_a_socket_that_is_gone() {
        let (near, _far) = tokio::io::duplex(CLOSE);
        let queue = SendQueue::new(2 * HIGH, Pace::Progress);
        fill(&queue, HIGH + 2 * CLOSE);
        let mut writing = Box::pin(queue.write_to(near));
        assert!(futures::poll!(&mut writing).is_pending());
        let mut pace = Box::pin(queue.pace());
        assert!(futures::poll!(&mut pace).is_pending());
        drop(writing);
        assert!(futures::poll!(&mut pace).is_ready());
        assert_eq!(queue.push(&PeerFrame::Close), Err(Full));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_socket_is_waited_for_as_long_as_it_takes_something() {
        let (near, mut far) = tokio::io::duplex(CLOSE);
        let queue = SendQueue::new(2 * HIGH, Pace::Progress);
        // One of them is taken at once.
        let more = 5;
        fill(&queue, HIGH + (more + 1) * CLOSE);
        let mut writing = Box::pin(queue.write_to(near));
        assert!(futures::poll!(&mut writing).is_pending());
        let mut pace = Box::pin(queue.pace());
        for _ in 0..more {
            assert!(futures::poll!(&mut pace).is_pending());
            tokio::time::advance(PATIENCE * 9 / 10).await;
            far.read_u32().await.unwrap();
            assert!(futures::poll!(&mut writing).is_pending());
        }
        assert!(futures::poll!(&mut pace).is_ready(), "as much went as had to");
        queue.push(&PeerFrame::Close).unwrap();
        let mut pace = Box::pin(queue.pace());
        assert!(futures::poll!(&mut pace).is_pending());
        tokio::time::advance(PATIENCE).await;
        assert!(futures::poll!(&mut pace).is_ready(), "it takes nothing any more");
        assert!(futures::poll!(Box::pin(queue.pace())).is_ready(), "nor is it waited for twice");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickling_peer_holds_up_no_sender_until_it_has_caught_up() {
        let (near, mut far) = tokio::io::duplex(CLOSE);
        let queue = SendQueue::new(2 * HIGH, Pace::Once);
        // One of them is taken at once.
        fill(&queue, HIGH + 3 * CLOSE);
        let mut writing = Box::pin(queue.write_to(near));
        assert!(futures::poll!(&mut writing).is_pending());
        let mut pace = Box::pin(queue.pace());
        assert!(futures::poll!(&mut pace).is_pending());
        far.read_u32().await.unwrap();
        assert!(futures::poll!(&mut writing).is_pending());
        tokio::time::advance(PATIENCE).await;
        assert!(futures::poll!(&mut pace).is_ready(), "although it took something");
        assert!(futures::poll!(Box::pin(queue.pace())).is_ready(), "nor is it waited for twice");
        far.read_u32().await.unwrap();
        assert!(futures::poll!(&mut writing).is_pending());
        queue.push(&PeerFrame::Close).unwrap();
        let mut pace = Box::pin(queue.pace());
        assert!(futures::poll!(&mut pace).is_pending(), "it had caught up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_fast_again_is_waited_for() {
        let (near, mut far) = tokio::io::duplex(CLOSE);
        let queue = SendQueue::new(4 * HIGH, Pace::Once);
        let fill = || {
            fill(&queue, 3 * HIGH);
        };
        fill();
        let writing = queue.clone();
        tokio::spawn(async move { writing.write_to(near).await });
        queue.pace().await;
        far.read_exact(&mut vec![0; HIGH / 2]).await.unwrap();
        fill();
        assert!(futures::poll!(Box::pin(queue.pace())).is_ready(), "that is not much");
        far.read_exact(&mut vec![0; HIGH / 2 + 2 * CLOSE]).await.unwrap();
        fill();
        assert!(futures::poll!(Box::pin(queue.pace())).is_pending());
    }
}
