//! Moving bytes between the socket and the connection's state.

use std::future::Future as _;
use std::io;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use actix::prelude::{AsyncContext, Context};

use super::actor::{Connection, ConnectionState, Gate};
use super::deadlines::Deadline;
use super::inbound::Next;
use super::output::WriteProgress;
use super::pause::Pause;
use crate::server::after_mailbox::AfterMailbox;
use crate::server::reason::Reason;

/// If the deadline of a frame passes while bytes are still unread: when it is checked again.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// How long the TLS handshake may take, from its first byte. No person is involved, and half a handshake
/// costs more than a silent connection.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How often a connection is read in a turn of its event loop; a client that completes nothing in
/// this many reads waits for the others.
const READS: u32 = 16;

impl AfterMailbox for Connection {
    fn after_mailbox(&mut self, ctx: &mut Context<Self>, task: &mut Task<'_>) {
        self.end_pause(task);
        let mut turns = 0;
        while self.is_read() {
            if turns == READS {
                task.waker().wake_by_ref();
                break;
            }
            turns += 1;
            if self.starved {
                let ready = self.output.borrow().socket().poll_readable(task);
                match ready {
                    Poll::Pending => break,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => {
                        self.close(&Reason::Io(error), ctx);
                        break;
                    }
                }
            }
            self.read(ctx);
            self.advance_handshake(ctx);
            self.end_pause(task);
        }
        self.discard_input(ctx, task);
        while self.output.borrow().is_blocked() && self.state != ConnectionState::Ended {
            let ready = self.output.borrow().socket().poll_writable(task);
            let progress = match ready {
                Poll::Pending => break,
                Poll::Ready(Ok(())) => self.output.borrow_mut().unblock(),
                Poll::Ready(Err(error)) => WriteProgress::Failed(Reason::Io(error)),
            };
            self.wrote(progress, ctx);
        }
    }
}

impl Connection {
    fn is_read(&self) -> bool {
        self.gate == Gate::Open && self.state == ConnectionState::Alive && self.pause.is_none()
    }

    /// Decodes what is buffered, or reads once and decodes that; ends with an intent forwarded, the
    /// client slowed down, or nothing whole left.
    fn read(&mut self, ctx: &mut Context<Self>) {
        let shared = std::rc::Rc::clone(&self.shared);
        let mut buffer = shared.read_buffer.borrow_mut();
        if self.starved {
            let output = std::rc::Rc::clone(&self.output);
            let read = |room: &mut [u8]| output.borrow_mut().socket_mut().try_read(room);
            match buffer.fill(&self.unread, read) {
                Ok(0) => return self.close(&Reason::EndOfStream, ctx),
                Ok(fresh) => shared.meters.bytes_in.bump(wide(fresh)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.close(&Reason::of_read(error), ctx),
            }
        } else {
            buffer.refill(&self.unread);
        }
        let input = buffer.filled();
        if self.inbound.dialect().is_none() && !self.begin(input, ctx) {
            return;
        }
        let rules = shared.rules();
        match self.inbound.next(input, &rules.inbound, Instant::now(), &shared.meters) {
            Ok((used, next)) => {
                let rest = input.get(used..).unwrap_or_default();
                self.keep(rest, used > 0, matches!(next, Next::NeedMore), ctx);
                match next {
                    Next::NeedMore => {}
                    Next::Wait(wait) => self.slow_down(wait),
                    Next::Intent(intent) => self.forward(intent, ctx),
                }
            }
            Err(reason) => self.close(&reason, ctx),
        }
    }

    /// Sets the deadline of the handshake.
    pub(super) fn await_handshake(&mut self, ctx: &mut Context<Self>) {
        let deadline = ctx.run_later(HANDSHAKE_LIMIT, |connection, ctx| {
            connection.close(&Reason::HandshakeTimeout, ctx);
        });
        self.deadlines.set(Deadline::Handshake, deadline);
    }

    /// Writes replies of the handshake that the socket did not accept at once, and detects its end.
    fn advance_handshake(&mut self, ctx: &mut Context<Self>) {
        if self.deadlines.is_set(Deadline::Handshake)
            && self.output.borrow().socket().client_key().is_some()
        {
            self.deadlines.cancel(Deadline::Handshake, ctx);
        }
        if self.state == ConnectionState::Alive && self.output.borrow().socket().unsent() > 0 {
            let progress = self.output.borrow_mut().flush();
            self.wrote(progress, ctx);
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
            self.deadlines.cancel(Deadline::Frame, ctx);
        }
        if partial && !self.deadlines.is_set(Deadline::Frame) {
            let limit = Duration::from_secs(self.shared.rules().limits.frame_seconds);
            self.await_frame(limit, ctx);
        }
    }

    fn await_frame(&mut self, limit: Duration, ctx: &mut Context<Self>) {
        let deadline = ctx.run_later(limit, |connection, ctx| {
            connection.deadlines.take(Deadline::Frame);
            if connection.output.borrow().socket().has_unread() {
                // It arrived in time: the server was too busy to read it.
                connection.await_frame(SECOND_LOOK, ctx);
            } else {
                connection.close(&Reason::FrameTimeout, ctx);
            }
        });
        self.deadlines.set(Deadline::Frame, deadline);
    }

    /// Reads nothing for a while: the socket's own flow control reaches the client.
    pub(super) fn slow_down(&mut self, wait: Duration) {
        self.pause = Some(Box::new(Pause::for_time(wait)));
    }

    /// Polled here and not by actix, whose timers do not wake what was polled before them.
    fn end_pause(&mut self, task: &mut Task<'_>) {
        let ended = match self.pause.as_deref_mut() {
            None => return,
            Some(Pause::Time(pause)) => pause.as_mut().poll(task),
            Some(Pause::Queue(turn)) => turn.as_mut().poll(task).map(|()| self.may_begin = true),
        };
        if ended.is_ready() {
            self.pause = None;
        }
    }

    /// Nothing is queued any more.
    pub(super) fn caught_up(&mut self, ctx: &mut Context<Self>) {
        if self.output.borrow().queued() > 0 {
            return;
        }
        self.deadlines.cancel(Deadline::Stall, ctx);
        if self.state == ConnectionState::Draining {
            self.all_written(ctx);
        }
    }

    /// Closes a client that accepts nothing for too long while bytes are queued, and one that reads so
    /// slowly that it falls behind without end.
    pub(super) fn watch_progress(&mut self, ctx: &mut Context<Self>) {
        if self.deadlines.is_set(Deadline::Stall) || self.state != ConnectionState::Alive {
            return;
        }
        let limit = Duration::from_secs(self.shared.rules().limits.stall_seconds);
        let before = self.output.borrow().taken();
        let deadline = ctx.run_later(limit, move |connection, ctx| {
            connection.deadlines.take(Deadline::Stall);
            // The socket may have been writable for long: the server was too busy to write.
            let progress = connection.output.borrow_mut().unblock();
            connection.wrote(progress, ctx);
            let (queued, taken, lag) = {
                let output = connection.output.borrow();
                (output.queued(), output.taken(), output.lag(Instant::now()))
            };
            let longest = Duration::from_secs(connection.shared.rules().limits.lag_seconds);
            if queued > 0 && taken == before {
                connection.close(&Reason::Stalled(queued), ctx);
            } else if queued > 0 && lag > longest {
                connection.close(&Reason::Lagging { queued, lag }, ctx);
            } else if queued > 0 {
                connection.watch_progress(ctx);
            }
        });
        self.deadlines.set(Deadline::Stall, deadline);
    }
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
