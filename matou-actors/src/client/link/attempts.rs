//! Attempts to reach the server, to get a name from it, and to do either again; how long each may take.

use std::time::{Duration, Instant};

use super::action::{ConnectionAttempt, LinkAction, LinkWake};
use super::server_link::{OpenConnection, ServerLink};
use crate::client::api::event::Event;
use crate::protocol::{ClientFrame, Username};

/// How long the server may be silent before the user reads that the client waits for it.
const SILENCE_NOTICE: Duration = Duration::from_secs(3);

impl ServerLink {
    /// The time of a [`LinkAction::Wake`] is reached.
    pub(crate) fn wake(&mut self, wake: LinkWake, now: Instant) {
        match wake {
            LinkWake::Reached { generation } => {
                let connecting = self.connection.is_some() && self.route().is_none();
                if connecting && self.is_current(generation) {
                    self.notice_silence();
                }
            }
            LinkWake::Silence { generation, asked } => {
                if self.is_unanswered(generation, asked) {
                    self.notice_silence();
                }
            }
            LinkWake::Answer { generation, asked } => {
                if self.is_unanswered(generation, asked) {
                    let server = self.server_name();
                    let reason = format!("{server} does not answer; is it a Matou server?");
                    self.cut(reason, now);
                }
            }
            LinkWake::Arrival { generation } => {
                if self.is_current(generation) && self.is_joined() && !self.ready {
                    // Pending commands must not wait for ever.
                    self.enter_room();
                }
            }
            LinkWake::Quiet { generation } => self.check_silence(generation, now),
            LinkWake::Retry(number) => {
                if self.retry == Some(number) {
                    self.retry = None;
                    self.try_again();
                }
            }
        }
    }

    /// Tries to reach the server now, unless that is under way.
    pub(super) fn connect(&mut self) {
        let server = self.servers.current().filter(|_| self.connection.is_none());
        let Some(server) = server.cloned() else { return };
        self.generation += 1;
        let generation = self.generation;
        self.connection = Some(OpenConnection::default());
        let (last_sequence, password) = (self.past.last_sequence(), self.password.clone());
        let alternatives = self.servers.alternatives();
        let attempt =
            ConnectionAttempt { generation, server, last_sequence, password, alternatives };
        self.actions.push(LinkAction::Connect(attempt));
        // Later attempts are announced with their reason.
        if generation == self.first {
            self.wake_in(SILENCE_NOTICE, LinkWake::Reached { generation });
        }
    }

    /// Waits, then tries to reach the server or to take the name back.
    pub(super) fn try_later(&mut self, reason: String) {
        let (attempt, delay) = self.backoff.next(self.random.f64());
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.emit(Event::Reconnecting { attempt, delay_ms, reason });
        self.retries += 1;
        self.retry = Some(self.retries);
        self.wake_in(delay, LinkWake::Retry(self.retries));
    }

    pub(super) fn try_again(&mut self) {
        if self.connection.is_none() {
            self.connect();
        } else if let Some(name) = self.sign_in.ask() {
            self.ask(&name);
        }
    }

    /// Asks for `name`. A server that does not answer is none.
    pub(super) fn ask(&mut self, name: &Username) {
        self.send(ClientFrame::Join(name.into()).into());
        self.asked += 1;
        let (generation, asked) = (self.generation, self.asked);
        self.wake_in(SILENCE_NOTICE, LinkWake::Silence { generation, asked });
        self.wake_in(self.answer_timeout, LinkWake::Answer { generation, asked });
    }

    /// The server has just accepted the name.
    pub(super) fn await_arrival(&mut self) {
        if !self.ready {
            let generation = self.generation;
            self.wake_in(self.answer_timeout, LinkWake::Arrival { generation });
        }
    }

    fn is_unanswered(&self, generation: u64, asked: u64) -> bool {
        self.is_current(generation) && self.asked == asked && self.sign_in.is_unanswered()
    }

    fn notice_silence(&mut self) {
        self.notice(format!("still waiting for {} to answer", self.server_name()));
    }

    pub(super) fn wake_in(&mut self, delay: Duration, wake: LinkWake) {
        self.actions.push(LinkAction::Wake(delay, wake));
    }
}
