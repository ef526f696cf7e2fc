//! Performs what a one-shot command decides.

use std::collections::VecDeque;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use matou_actors::client::{Command, ErrorCode, Event, Events, Handle};
use tokio::time::Instant;

use super::bars::Bars;
use super::joining::{JoinProgress, Joining};
use super::standard::output;
use super::task::{Task, TaskEffect};
use crate::client::waits::{send, until};
use crate::exit::Failure;
use crate::security::{describe, password_needed, session_mark};
use crate::signals::Signals;
use crate::stdout::print;

/// How long signing out may take.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// A running command.
struct Running<T> {
    task: T,
    joining: Joining,
    bars: Bars,
    /// Commands not yet accepted by the client.
    commands: VecDeque<Command>,
    /// Why it ends before its time.
    failure: Option<Failure>,
    /// When to stop waiting for the client to close.
    leaving: Option<Instant>,
}

/// Runs `task` until the client has closed.
pub(super) async fn run<T: Task>(
    task: T,
    joining: Joining,
    handle: Handle,
    mut events: Events,
) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let bars = Bars::new();
    let (commands, failure, leaving) = (VecDeque::new(), None, None);
    let mut running = Running { task, joining, bars, commands, failure, leaving };
    loop {
        let command = running.commands.front().cloned();
        let deadline = running.leaving.or_else(|| running.task.deadline());
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => running.on_event(&event),
                None => break,
            },
            sent = send(&handle, command), if !running.commands.is_empty() => {
                running.commands.pop_front();
                if sent.is_err() {
                    running.commands.clear();
                }
            }
            signal = signals.next() => {
                if running.leaving.is_some() {
                    break; // The second signal exits at once.
                }
                running.task.on_signal(signal);
                running.commands.clear();
                running.perform(vec![TaskEffect::Command(Command::Quit)]);
            }
            () = until(deadline), if deadline.is_some() => {
                if running.leaving.is_some() {
                    break;
                }
                let effects = running.task.on_deadline();
                running.perform(effects);
            }
        }
    }
    running.bars.clear();
    if let Some(failure) = running.failure {
        return Err(failure);
    }
    let received = running.task.output();
    running.task.outcome()?;
    match received {
        Some(path) => output(path, &mut signals).await,
        None => Ok(()),
    }
}

impl<T: Task> Running<T> {
    fn on_event(&mut self, event: &Event) {
        if let Event::PasswordNeeded { server, wrong } = event {
            return self.fail(Failure::Usage(password_needed(server, *wrong)));
        }
        if self.failure.is_some() {
            return;
        }
        self.bars.on_event(event);
        match self.joining.on_event(event) {
            JoinProgress::Other => {}
            JoinProgress::Retry(command) => {
                return self.perform(vec![TaskEffect::Command(command)]);
            }
            JoinProgress::Failed(failure) => return self.fail(failure),
        }
        if let Some(text) = remark(event) {
            self.bars.say(&text);
        }
        let effects = self.task.on_event(event, Instant::now());
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<TaskEffect>) {
        for effect in effects {
            match effect {
                TaskEffect::Command(command) => {
                    if matches!(command, Command::Quit | Command::Finish) {
                        self.leaving = Some(Instant::now() + SHUTDOWN_TIMEOUT);
                    }
                    self.commands.push_back(command);
                }
                TaskEffect::Say(text) => self.bars.say(&text),
                TaskEffect::PrintText(text) => {
                    if let Err(failure) =
                        self.bars.suspend(|| print(format!("{text}\n").as_bytes()))
                    {
                        self.fail(failure);
                    }
                }
                TaskEffect::Print(path) => {
                    let line = [path.as_os_str().as_bytes(), b"\n"].concat();
                    if let Err(failure) = self.bars.suspend(|| print(&line)) {
                        self.fail(failure);
                    }
                }
            }
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
        self.commands.clear();
        self.commands.push_back(Command::Quit);
        self.leaving = Some(Instant::now() + SHUTDOWN_TIMEOUT);
    }
}

/// What both commands say of an event.
fn remark(event: &Event) -> Option<String> {
    match event {
        Event::Security { server, security } => Some(describe(server, security).0),
        Event::PrivateOpened { with, address, security } => {
            let security = session_mark(security);
            Some(format!("private session with {with} ({address}): {security}"))
        }
        Event::Disconnected { reason } => {
            Some(format!("disconnected from the server: {reason}; trying again"))
        }
        Event::Failover { from, server, reason } => {
            Some(format!("trying {server} instead of {from}: {reason}"))
        }
        // The failure to join says it.
        Event::Error { code: ErrorCode::Server, .. } => None,
        Event::Error { message, .. } | Event::Notice { message } => Some(message.clone()),
        _ => None,
    }
}
