//! `matou-bin receive`: accepts requests and files, of one person or of everyone.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use matou_actors::client::{Command, Direction, ErrorCode, Event, TransferId, TransferInfo};
use matou_actors::protocol::Username;
use tokio::time::Instant;

use super::task::{Task, TaskEffect};
use crate::client::sizes::total;
use crate::client::words::describe_offer;
use crate::exit::Failure;

/// How long `--once` waits for more from the same sender, who may have more files than can be
/// offered at a time; a sender without more ends the session.
const MORE: Duration = Duration::from_secs(2);

/// How much is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// Any number.
    Any,
    /// The first that is complete, and what else its sender has.
    Once,
    /// One file, which goes to standard output.
    OneForOutput,
}

/// The receiver. The client takes all files that are offered, unless one is received for standard
/// output: a session with another person than `from` never opens.
#[derive(Debug)]
pub(super) struct Receiver {
    from: Option<Username>,
    amount: Amount,
    /// Offered, or on their way.
    running: HashSet<TransferId>,
    /// A transfer was complete.
    complete: bool,
    /// Until when more may be offered.
    deadline: Option<Instant>,
    /// The file for standard output.
    output: Option<PathBuf>,
    /// The signal that ended it.
    stopped: Option<String>,
}

impl Receiver {
    pub(super) fn new(from: Option<Username>, amount: Amount) -> Self {
        Self {
            from,
            amount,
            running: HashSet::new(),
            complete: false,
            deadline: None,
            output: None,
            stopped: None,
        }
    }

    /// Answers a private request, which is only reported if not everyone is accepted.
    fn asked(&self, by: &Username) -> Vec<TaskEffect> {
        let Some(from) = &self.from else {
            return vec![TaskEffect::Say(format!("{by} requests a private session"))];
        };
        if by.folded() == from.folded() {
            vec![TaskEffect::Command(Command::Accept(by.clone()))]
        } else {
            let text = format!(
                "declined a private session with {by}: only files from {from} are accepted"
            );
            vec![TaskEffect::Say(text), TaskEffect::Command(Command::Decline(by.clone()))]
        }
    }

    /// A transfer is over.
    fn over(&mut self, id: TransferId, now: Instant, effect: TaskEffect) -> Vec<TaskEffect> {
        self.running.remove(&id);
        let is_once = self.amount == Amount::Once;
        let is_last = is_once && self.complete && self.running.is_empty();
        self.deadline = is_last.then(|| now + MORE);
        vec![effect]
    }

    /// Offers while one file is received for standard output.
    fn answer(&mut self, id: TransferId, is_folder: bool) -> Vec<TaskEffect> {
        if self.amount != Amount::OneForOutput {
            self.running.insert(id);
            self.deadline = None;
            return Vec::new();
        }
        let problem = match (is_folder, self.running.is_empty() && !self.complete) {
            (true, _) => "a folder cannot be written to standard output",
            (false, false) => "only one file goes to standard output",
            (false, true) => {
                self.running.insert(id);
                return vec![TaskEffect::Command(Command::Take(id))];
            }
        };
        let say = TaskEffect::Say(format!("refused: {problem}"));
        vec![say, TaskEffect::Command(Command::Refuse(id))]
    }

    fn finish_if_last(&self) -> Vec<TaskEffect> {
        let finish = TaskEffect::Command(Command::Finish);
        self.deadline.map(|_| finish).into_iter().collect()
    }
}

impl Task for Receiver {
    fn on_event(&mut self, event: &Event, now: Instant) -> Vec<TaskEffect> {
        if self.stopped.is_some() {
            return Vec::new();
        }
        match event {
            Event::Connected { server, username } => {
                let whose =
                    self.from.as_ref().map_or(String::new(), |from| format!(" from {from}"));
                let text = format!("joined {server} as {username}; waiting for files{whose}");
                vec![TaskEffect::Say(text)]
            }
            Event::PrivateRequest { from } => self.asked(from),
            // Where a person is cannot change in the middle of a transfer.
            Event::PrivateMoveRequest { from, .. } => {
                vec![TaskEffect::Command(Command::Decline(from.clone()))]
            }
            Event::PrivateMessage { from, text, .. } => {
                vec![TaskEffect::Say(format!("[{from}] {text}"))]
            }
            Event::PrivateClosed { .. } => self.finish_if_last(),
            Event::FileOffered { id, from, name, entries, size: bytes, .. } => {
                let what = describe_offer(name.as_deref(), *entries);
                let text = format!("{from} offers {}, {}", what.trim_end(), total(*bytes));
                let mut effects = vec![TaskEffect::Say(text)];
                effects.extend(self.answer(*id, entries.is_some()));
                effects
            }
            Event::FileStarted(TransferInfo { id, direction: Direction::Incoming, .. }) => {
                self.running.insert(*id);
                self.deadline = None;
                Vec::new()
            }
            Event::FileReceived { path, .. } if self.amount == Amount::OneForOutput => {
                self.complete = true;
                self.running.clear();
                self.output = Some(path.clone());
                vec![TaskEffect::Command(Command::Finish)]
            }
            Event::FileReceived { id, path, .. } => {
                self.complete = true;
                self.over(*id, now, TaskEffect::Print(path.clone()))
            }
            // An accepted file cannot be taken, such as when the disk is full.
            Event::Error { code: ErrorCode::Transfer, .. }
                if self.amount == Amount::OneForOutput =>
            {
                let refuse = |id| TaskEffect::Command(Command::Refuse(id));
                self.running.drain().map(refuse).collect()
            }
            Event::FileFailed { id, .. } if !self.running.contains(id) => Vec::new(),
            Event::FileFailed { id, with, reason, .. } => {
                let text = format!("a file from {with} was not received: {reason}");
                self.over(*id, now, TaskEffect::Say(text))
            }
            _ => Vec::new(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn on_deadline(&mut self) -> Vec<TaskEffect> {
        self.finish_if_last()
    }

    fn on_signal(&mut self, signal: &str) {
        self.stopped = Some(signal.to_owned());
    }

    fn output(&self) -> Option<PathBuf> {
        self.output.clone()
    }

    fn outcome(self) -> Result<(), Failure> {
        let signal = self.stopped.as_deref().unwrap_or("the client ended");
        if !self.running.is_empty() {
            return Err(Failure::Cut(format!(
                "stopped by {signal} before a transfer was complete; it resumes when it is sent again"
            )));
        }
        if self.amount != Amount::Any && !self.complete {
            return Err(Failure::Cut(format!("stopped by {signal}; no transfer was completed")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINISH: TaskEffect = TaskEffect::Command(Command::Finish);

    fn ada() -> Username {
        Username::parse("Ada").unwrap()
    }

    fn offered(id: u64) -> Event {
        Event::FileOffered {
            id: TransferId(id),
            from: ada(),
            name: Some("a".into()),
            entries: None,
            size: Some(1),
            address: [127, 0, 0, 1].into(),
            free: None,
        }
    }

    fn received(id: u64) -> Event {
        Event::FileReceived { id: TransferId(id), from: ada(), size: 1, path: "a".into() }
    }

    #[test]
    fn once_waits_for_pending_and_further_offers_of_the_same_sender() {
        let now = Instant::now();
        let mut receiver = Receiver::new(None, Amount::Once);
        receiver.on_event(&offered(1), now);
        receiver.on_event(&offered(2), now);
        assert!(!receiver.on_event(&received(1), now).contains(&FINISH));
        assert_eq!(receiver.deadline(), None, "the second one is offered");
        receiver.on_event(&received(2), now);
        assert_eq!(receiver.deadline(), Some(now + MORE));
        receiver.on_event(&offered(3), now);
        assert_eq!(receiver.deadline(), None);
        receiver.on_event(&received(3), now);
        assert_eq!(receiver.on_deadline(), [FINISH]);
    }

    #[test]
    fn once_ends_with_the_session_of_a_sender_without_more_files() {
        let now = Instant::now();
        let mut receiver = Receiver::new(None, Amount::Once);
        let closed = Event::PrivateClosed { with: ada(), reason: "closed".into() };
        assert!(receiver.on_event(&closed, now).is_empty(), "nothing was received");
        receiver.on_event(&offered(1), now);
        receiver.on_event(&received(1), now);
        assert_eq!(receiver.on_event(&closed, now), [FINISH]);
    }
}
