//! Ends a connection so that the client receives what was queued for it.
//!
//! Closing a socket with unread bytes, or one that receives some afterwards, makes the kernel send
//! a reset, and a reset destroys what is still in flight to the client: the reason of a kick, the
//! last message before the server stops. So the stream towards the client is ended first, and
//! further input is read and discarded until the client has ended its own.

use std::io;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use actix::prelude::{ActorContext, AsyncContext, Context};

use super::actor::{Connection, ConnectionState};
use crate::server::reason::Reason;

/// How long the end of a connection may take in all.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(2500);
/// How long of that a client gets to end its stream once everything is written.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes that are thrown away; more than the kernel holds for a client that floods. After
/// those the client is not read any more, and has the rest of the time to read itself.
const MAX_DISCARD: usize = 16 * 1024 * 1024;

impl Connection {
    /// Frees the name at once, then ends: now, or when the queue is written and a client that kept
    /// the rules had the time to read it.
    pub(super) fn close(&mut self, reason: &Reason, ctx: &mut Context<Self>) {
        if self.state != ConnectionState::Alive {
            return;
        }
        self.log_end(reason);
        self.leave(reason);
        self.state = ConnectionState::Draining;
        self.unread = Vec::new();
        self.output.borrow_mut().close();
        if !reason.drains() {
            return self.end(ctx);
        }
        if reason.lingers() {
            self.discard = Some(MAX_DISCARD);
        }
        if self.output.borrow().queued() == 0 {
            self.all_written(ctx);
        }
        if self.state != ConnectionState::Ended {
            ctx.run_later(CLOSE_TIMEOUT, Self::end);
        }
    }

    /// Nothing is queued any more for a client that is to go.
    pub(super) fn all_written(&mut self, ctx: &mut Context<Self>) {
        // An error means that the client is gone; the end of its stream follows.
        let _ = self.output.borrow_mut().socket_mut().shut_down_write();
        if self.discard.is_none() {
            return self.end(ctx);
        }
        self.state = ConnectionState::Lingering;
        ctx.run_later(DRAIN_TIMEOUT, Self::end);
    }

    /// Discards input from a client while the connection lingers. When its stream ends, it is
    /// waited for no longer.
    pub(super) fn discard_input(&mut self, ctx: &mut Context<Self>, task: &mut Task<'_>) {
        let shared = std::rc::Rc::clone(&self.shared);
        while self.state != ConnectionState::Ended
            && let Some(left) = self.discard.as_mut().filter(|left| **left > 0)
        {
            let read = {
                let mut output = self.output.borrow_mut();
                match output.socket().poll_readable(task) {
                    Poll::Pending => return,
                    Poll::Ready(ready) => ready.and_then(|()| {
                        output.socket_mut().try_read(shared.read_buffer.borrow_mut().scratch())
                    }),
                }
            };
            match read {
                Ok(bytes) if bytes > 0 => *left = left.saturating_sub(bytes),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => {
                    self.discard = None;
                    if self.state == ConnectionState::Lingering {
                        self.end(ctx);
                    }
                }
            }
        }
    }

    pub(super) fn end(&mut self, ctx: &mut Context<Self>) {
        self.state = ConnectionState::Ended;
        ctx.stop();
    }
}
