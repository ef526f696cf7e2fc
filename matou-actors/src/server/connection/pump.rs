//! Moving bytes between the socket and the connection's state.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use actix::fut::ActorFuture;
use actix::prelude::{AsyncContext, Context};

use super::inbound::Next;
use super::{Connection, Gate, State};
use crate::server::outbox::MAX_SLICES;
use crate::server::reason::Reason;

/// Polled by actix whenever the connection was woken, after its mailbox: by a readable or
/// writable socket, a message or a timer.
pub(super) struct Pump;

impl ActorFuture<Connection> for Pump {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        connection: &mut Connection,
        ctx: &mut Context<Connection>,
        task: &mut Task<'_>,
    ) -> Poll<()> {
        while connection.is_read() {
            if connection.starved {
                match connection.stream.poll_read_ready(task) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => {
                        connection.close(&Reason::Io(error), ctx);
                        break;
                    }
                }
            }
            connection.read(ctx);
        }
        while connection.blocked && connection.state != State::Ended {
            match connection.stream.poll_write_ready(task) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) => {
                    connection.blocked = false;
                    connection.write(ctx);
                }
                Poll::Ready(Err(error)) => {
                    connection.close(&Reason::Io(error), ctx);
                    connection.end(ctx);
                }
            }
        }
        Poll::Pending
    }
}

impl Connection {
    fn is_read(&self) -> bool {
        self.gate == Gate::Open && self.state == State::Alive && self.pace.is_none()
    }

    /// Decodes what is there already, or reads once and decodes that; ends with an intent
    /// forwarded, the client slowed down, or nothing whole left.
    fn read(&mut self, ctx: &mut Context<Self>) {
        let shared = std::rc::Rc::clone(&self.shared);
        let mut buffer = shared.read_buffer.borrow_mut();
        let kept = self.unread.len();
        // What was left over goes in front; it is less than one read.
        let Some((front, space)) = buffer.split_at_mut_checked(kept) else { return };
        front.copy_from_slice(&self.unread);
        let fresh = if self.starved {
            match self.stream.try_read(space) {
                Ok(0) => return self.close(&Reason::EndOfStream, ctx),
                Ok(fresh) => fresh,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.close(&Reason::Io(error), ctx),
            }
        } else {
            0
        };
        let input = buffer.get(..kept + fresh).unwrap_or_default();
        match self.inbound.next(input, &shared.inbound, Instant::now()) {
            Ok((used, next)) => {
                let rest = input.get(used..).unwrap_or_default();
                self.keep(rest, used > 0, matches!(next, Next::NeedMore), ctx);
                match next {
                    Next::NeedMore => {}
                    Next::Wait(wait) => self.slow_down(wait, ctx),
                    Next::Intent(intent) => self.forward(intent, ctx),
                }
            }
            Err(reason) => self.close(&reason, ctx),
        }
    }

    /// Keeps what was not decoded. A frame that has begun must end in time.
    fn keep(&mut self, rest: &[u8], progress: bool, starved: bool, ctx: &mut Context<Self>) {
        self.starved = starved || rest.is_empty();
        if rest.is_empty() {
            // An idle client keeps no buffer: there may be ten thousand of them.
            self.unread = Vec::new();
        } else {
            self.unread.clear();
            self.unread.extend_from_slice(rest);
        }
        let partial = starved && !rest.is_empty();
        if progress || !partial {
            Self::cancel(ctx, &mut self.frame_deadline);
        }
        if partial && self.frame_deadline.is_none() {
            let limit = Duration::from_secs(self.shared.limits.frame_seconds);
            self.frame_deadline = Some(ctx.run_later(limit, |connection, ctx| {
                connection.frame_deadline = None;
                connection.close(&Reason::FrameTimeout, ctx);
            }));
        }
    }

    /// Reads nothing for a while: the socket's own flow control reaches the client.
    fn slow_down(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        self.pace = Some(ctx.run_later(wait, |connection, _| connection.pace = None));
    }

    /// Writes until nothing is queued or the socket takes no more.
    pub(super) fn write(&mut self, ctx: &mut Context<Self>) {
        while !self.outbox.is_empty() {
            match self.write_once() {
                Ok(written) => {
                    self.outbox.advance(written);
                    self.written += u64::try_from(written).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    self.watch_progress(ctx);
                    return;
                }
                Err(error) => {
                    self.close(&Reason::Io(error), ctx);
                    return self.end(ctx);
                }
            }
        }
        Self::cancel(ctx, &mut self.stall_deadline);
        if self.state == State::Draining {
            self.end(ctx);
        }
    }

    fn write_once(&self) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let filled = self.outbox.slices(&mut slices);
        match slices.get(..filled).unwrap_or_default() {
            [only] => self.stream.try_write(only),
            several => self.stream.try_write_vectored(several),
        }
    }

    /// Somebody who takes nothing for too long while bytes wait is not there.
    fn watch_progress(&mut self, ctx: &mut Context<Self>) {
        if self.stall_deadline.is_some() || self.state != State::Alive {
            return;
        }
        let (limit, before) = (Duration::from_secs(self.shared.limits.stall_seconds), self.written);
        self.stall_deadline = Some(ctx.run_later(limit, move |connection, ctx| {
            connection.stall_deadline = None;
            if connection.blocked && connection.written == before {
                connection.close(&Reason::Stalled(connection.outbox.queued()), ctx);
            } else if connection.blocked {
                connection.watch_progress(ctx);
            }
        }));
    }
}
