//! A server that says nothing any more although its connection is open, as one does that is stopped or cut off.

use std::time::{Duration, Instant};

use super::action::LinkWake;
use super::server_link::{ServerLink, Silence};
use crate::client::messages::ConnectionCommand;

/// How often to check whether the server has sent anything; after two silent checks it is asked for
/// something.
const QUIET: Duration = Duration::from_secs(5);
/// How long its answer may take. Slow lines hold up more than one message.
const ANSWER: Duration = Duration::from_secs(8);

impl ServerLink {
    /// The server has accepted the user. One that no other can replace is waited for, however long that is.
    pub(super) fn watch(&mut self) {
        // Only revision 2 has a request that other users do not see.
        if self.servers.is_replaceable() && self.server_key.is_some() {
            self.silence = Silence::None;
            self.await_speech(QUIET);
        }
    }

    /// The server has said something, or what it says cannot be read at the moment.
    pub(crate) fn traffic_seen(&mut self) {
        self.silence = Silence::None;
    }

    /// It is time to check whether the server has sent anything.
    pub(super) fn check_silence(&mut self, generation: u64, now: Instant) {
        if !self.is_current(generation) || !self.is_joined() {
            return;
        }
        self.silence = match self.silence {
            Silence::None => Silence::Quiet,
            Silence::Quiet => {
                if self.past.probe() {
                    self.command(ConnectionCommand::Recall { before: 1, count: 1 });
                }
                Silence::Asked
            }
            Silence::Asked => return self.cut("the server stopped responding".into(), now),
        };
        self.await_speech(if self.silence == Silence::Asked { ANSWER } else { QUIET });
    }

    fn await_speech(&mut self, time: Duration) {
        self.wake_in(time, LinkWake::Quiet { generation: self.generation });
    }
}
