//! `matou-bin receive`: accepts requests and files, of one person or of everybody.

use std::collections::HashSet;

use matou_actors::client::{Command, Direction, Event, TransferId, TransferInfo};
use matou_actors::protocol::Username;
use tokio::time::Instant;

use super::task::{Effect, Task};
use crate::client::plain::describe_offer;
use crate::client::sizes::size;
use crate::exit::Failure;

/// The receiver. The client takes all files that are offered: a session with another person than
/// `from` never opens.
#[derive(Debug)]
pub(super) struct Receiver {
    from: Option<Username>,
    once: bool,
    running: HashSet<TransferId>,
    /// A transfer was complete.
    complete: bool,
    /// The signal that ended it.
    stopped: Option<String>,
}

impl Receiver {
    pub(super) fn new(from: Option<Username>, once: bool) -> Self {
        Self { from, once, running: HashSet::new(), complete: false, stopped: None }
    }

    /// Answers a private request, which only comes if not everybody is accepted.
    fn asked(&self, by: &Username) -> Vec<Effect> {
        let Some(from) = &self.from else {
            return vec![Effect::Say(format!("{by} asks for a private session"))];
        };
        if by.folded() == from.folded() {
            vec![Effect::Command(Command::Accept(by.clone()))]
        } else {
            let text =
                format!("declined {by}, who asks for a private session: files of {from} only");
            vec![Effect::Say(text), Effect::Command(Command::Decline(by.clone()))]
        }
    }

    fn then_finish(&mut self, id: TransferId, mut effects: Vec<Effect>) -> Vec<Effect> {
        self.running.remove(&id);
        if self.once && self.complete && self.running.is_empty() {
            effects.push(Effect::Command(Command::Finish));
        }
        effects
    }
}

impl Task for Receiver {
    fn on_event(&mut self, event: &Event, _: Instant) -> Vec<Effect> {
        if self.stopped.is_some() {
            return Vec::new();
        }
        match event {
            Event::Connected { server, username } => {
                let whose = self.from.as_ref().map_or(String::new(), |from| format!(" of {from}"));
                let text = format!("joined {server} as {username}; waiting for files{whose}");
                vec![Effect::Say(text)]
            }
            Event::PrivateRequest { from } => self.asked(from),
            // Where a person is cannot change in the middle of a transfer.
            Event::PrivateMoveRequest { from, .. } => {
                vec![Effect::Command(Command::Decline(from.clone()))]
            }
            Event::PrivateMessage { from, text, .. } => {
                vec![Effect::Say(format!("[{from}] {text}"))]
            }
            Event::FileOffered { from, name, entries, size: bytes, .. } => {
                let what = describe_offer(name.as_deref(), *entries);
                vec![Effect::Say(format!("{from} offers {}, {}", what.trim_end(), size(*bytes)))]
            }
            Event::FileStarted(TransferInfo { id, direction: Direction::Incoming, .. }) => {
                self.running.insert(*id);
                Vec::new()
            }
            Event::FileReceived { id, path, .. } => {
                self.complete = true;
                self.then_finish(*id, vec![Effect::Print(path.clone())])
            }
            Event::FileFailed { id, with, reason, .. } => {
                let text = format!("a file of {with} was not received: {reason}");
                self.then_finish(*id, vec![Effect::Say(text)])
            }
            _ => Vec::new(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn on_deadline(&mut self) -> Vec<Effect> {
        Vec::new()
    }

    fn on_signal(&mut self, signal: &str) {
        self.stopped = Some(signal.to_owned());
    }

    fn outcome(self) -> Result<(), Failure> {
        let signal = self.stopped.as_deref().unwrap_or("the end of the client");
        let is_cut = !self.running.is_empty() || (self.once && !self.complete);
        if is_cut {
            return Err(Failure::Cut(format!(
                "stopped by {signal} before a transfer was complete; what is there goes on when it is \
                 sent again"
            )));
        }
        Ok(())
    }
}
