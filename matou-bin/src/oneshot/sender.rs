//! `matou-bin send`: waits for the recipient, sends, and judges what became of each file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use matou_actors::client::{
    Command, Direction, ErrorCode, Event, PipeInput, RequestState, TransferId, TransferInfo,
};
use matou_actors::protocol::Username;
use tokio::time::Instant;

use super::task::{Task, TaskEffect};
use crate::client::sizes::size;
use crate::client::words::shown;
use crate::exit::Failure;

/// The sender.
#[derive(Debug)]
pub(super) struct Sender {
    to: Username,
    payloads: Vec<Payload>,
    wait: Duration,
    deadline: Instant,
    stage: SendStage,
    /// Paths of which the client has not said yet that it sends them or cannot.
    unstarted: usize,
    running: HashMap<TransferId, Running>,
    delivered: usize,
    failed: Failed,
    /// The key of the recipient is not the known one.
    wrong_key: bool,
    /// Why it ended before everything was sent or had failed.
    stopped: Option<Failure>,
}

/// Something to send.
#[derive(Debug)]
pub(super) enum Payload {
    /// A file or folder.
    Path(PathBuf),
    /// A pipe, and what it is called.
    Pipe(PathBuf, PipeInput),
}

impl Payload {
    pub(super) fn is_pipe(&self) -> bool {
        matches!(self, Self::Pipe(..))
    }
}

/// How far the way to the recipient is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SendStage {
    /// The recipient is not here.
    Alone,
    /// The recipient was asked.
    Asked,
    /// The recipient accepted the private session.
    Accepted,
}

/// A file or folder that is being sent.
#[derive(Debug)]
struct Running {
    path: PathBuf,
    /// The recipient takes it.
    taken: bool,
}

/// How many were not delivered, by cause.
#[derive(Debug, Default)]
struct Failed {
    refused: usize,
    absent: usize,
    cut: usize,
    unreadable: usize,
}

impl Sender {
    pub(super) fn new(to: Username, payloads: Vec<Payload>, wait: Duration, now: Instant) -> Self {
        Self {
            unstarted: payloads.len(),
            to,
            payloads,
            wait,
            deadline: now + wait,
            stage: SendStage::Alone,
            running: HashMap::new(),
            delivered: 0,
            failed: Failed::default(),
            wrong_key: false,
            stopped: None,
        }
    }

    fn is_recipient(&self, name: &Username) -> bool {
        name.folded() == self.to.folded()
    }

    fn joined(&mut self, name: &Username) -> Vec<TaskEffect> {
        if self.stage != SendStage::Alone || !self.is_recipient(name) {
            return Vec::new();
        }
        self.stage = SendStage::Asked;
        let send = |payload: &Payload| {
            let to = name.clone();
            TaskEffect::Command(match payload {
                Payload::Path(path) => {
                    let path = path.clone();
                    Command::Send { to, path, or: Vec::new(), several: Vec::new() }
                }
                Payload::Pipe(name, pipe) => {
                    Command::SendPipe { to, name: name.clone(), pipe: pipe.clone() }
                }
            })
        };
        self.payloads.iter().map(send).collect()
    }

    fn sent(&mut self, id: TransferId, text: String, now: Instant) -> Vec<TaskEffect> {
        if self.running.remove(&id).is_some() {
            self.delivered += 1;
            self.deadline = self.deadline.max(now + self.wait);
        }
        self.then_finish(vec![TaskEffect::Say(text)])
    }

    fn failed(
        &mut self,
        id: TransferId,
        refused: bool,
        reason: &str,
        now: Instant,
    ) -> Vec<TaskEffect> {
        let Some(file) = self.running.remove(&id) else { return Vec::new() };
        self.deadline = self.deadline.max(now + self.wait);
        *match (refused, self.stage) {
            (true, _) => &mut self.failed.refused,
            (false, SendStage::Accepted) => &mut self.failed.cut,
            (false, SendStage::Alone | SendStage::Asked) => &mut self.failed.absent,
        } += 1;
        self.then_finish(vec![TaskEffect::Say(format!(
            "{} not delivered: {reason}",
            name(&file.path)
        ))])
    }

    /// The client cannot send one of the paths, and has said why.
    fn not_started(&mut self, code: ErrorCode) -> Vec<TaskEffect> {
        let count = match code {
            _ if self.stage == SendStage::Alone || self.unstarted == 0 => return Vec::new(),
            ErrorCode::File => &mut self.failed.unreadable,
            ErrorCode::User => &mut self.failed.absent,
            _ => return Vec::new(),
        };
        *count += 1;
        self.unstarted -= 1;
        self.then_finish(Vec::new())
    }

    /// `effects`, and the end once nothing is left to do.
    fn then_finish(&self, mut effects: Vec<TaskEffect>) -> Vec<TaskEffect> {
        if self.unstarted == 0 && self.running.is_empty() {
            effects.push(TaskEffect::Command(Command::Finish));
        }
        effects
    }

    /// How much was delivered, to end a sentence with.
    fn so_far(&self) -> String {
        let all = self.payloads.len();
        if all == 1 {
            String::new()
        } else {
            format!("; {} of {all} were delivered", self.delivered)
        }
    }
}

impl Task for Sender {
    fn on_event(&mut self, event: &Event, now: Instant) -> Vec<TaskEffect> {
        if self.stopped.is_some() {
            return Vec::new();
        }
        match event {
            Event::Connected { server, username } => {
                let to = &self.to;
                vec![TaskEffect::Say(format!("joined {server} as {username}; looking for {to}"))]
            }
            Event::Joined { username, .. } => self.joined(username),
            Event::PrivateState { with, state } if self.is_recipient(with) => match state {
                RequestState::Asked => {
                    vec![TaskEffect::Say(format!("{with} is here; waiting for them to accept"))]
                }
                RequestState::Connecting => {
                    self.stage = SendStage::Accepted;
                    Vec::new()
                }
            },
            Event::FileStarted(TransferInfo {
                id, direction: Direction::Outgoing, path, ..
            }) => {
                self.unstarted = self.unstarted.saturating_sub(1);
                let path = path.clone().unwrap_or_default();
                self.running.insert(*id, Running { path, taken: false });
                Vec::new()
            }
            Event::FileProgress { id, .. } => {
                if let Some(file) = self.running.get_mut(id) {
                    file.taken = true;
                }
                Vec::new()
            }
            Event::FileSent { id, to, size: bytes, path, received: true } => {
                self.sent(*id, format!("{to} received {}, {}", name(path), size(*bytes)), now)
            }
            Event::FileSent { id, to, size: bytes, path, received: false } => {
                let (path, bytes) = (name(path), size(*bytes));
                let text = format!(
                    "{path}, {bytes}, has reached {to}'s computer; their program cannot say \
                     whether they keep it"
                );
                self.sent(*id, text, now)
            }
            Event::FileFailed { id, refused, reason, .. } => {
                self.failed(*id, *refused, reason, now)
            }
            Event::Error { code: ErrorCode::Key, .. } => {
                self.wrong_key = true;
                Vec::new()
            }
            Event::Error { code, .. } => self.not_started(*code),
            _ => Vec::new(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let is_busy = self.running.values().any(|file| file.taken);
        (self.stopped.is_none() && !is_busy).then_some(self.deadline)
    }

    fn on_deadline(&mut self) -> Vec<TaskEffect> {
        let (to, seconds, so_far) = (&self.to, self.wait.as_secs(), self.so_far());
        let reason = match self.stage {
            SendStage::Alone => format!(
                "no user called {to} was in the room within {seconds} s; check the name, or wait \
                 longer with --wait SECONDS"
            ),
            SendStage::Asked => {
                format!("{to} did not accept within {seconds} s; ask {to}, and try again")
            }
            SendStage::Accepted => {
                format!("{to} did not accept the files within {seconds} s; ask {to}, and try again")
            }
        };
        self.stopped = Some(Failure::Absent(reason + &so_far));
        vec![TaskEffect::Command(Command::Quit)]
    }

    fn on_signal(&mut self, signal: &str) {
        let so_far = self.so_far();
        let reason =
            format!("stopped by {signal} before everything was delivered to {}{so_far}", self.to);
        self.stopped.get_or_insert(Failure::Cut(reason));
    }

    fn outcome(self) -> Result<(), Failure> {
        let (to, so_far) = (&self.to, self.so_far());
        let Failed { refused, absent, cut, unreadable } = self.failed;
        if let Some(stopped) = self.stopped {
            return Err(stopped);
        }
        if self.wrong_key && self.delivered < self.payloads.len() {
            return Err(Failure::Runtime(format!("nothing more was sent to {to}{so_far}")));
        }
        if cut > 0 {
            let again = if self.payloads.iter().any(Payload::is_pipe) {
                "send it again: standard input starts from the beginning, everything else resumes"
            } else {
                "send it again to resume it"
            };
            return Err(Failure::Cut(format!("the transfer was cut; {again}{so_far}")));
        }
        if absent > 0 {
            let reason = format!("{to} is not there, or did not answer; try again later{so_far}");
            return Err(Failure::Absent(reason));
        }
        if refused > 0 {
            return Err(Failure::Declined(format!("{to} refused it{so_far}")));
        }
        if unreadable > 0 {
            return Err(Failure::Runtime(format!("not everything could be sent to {to}{so_far}")));
        }
        if self.delivered < self.payloads.len() {
            return Err(Failure::Cut(format!("the client ended before it was delivered{so_far}")));
        }
        Ok(())
    }
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| shown(path), |name| name.to_string_lossy().into_owned())
}
