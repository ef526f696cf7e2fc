//! The line-based client: lines from standard input become commands, events become lines on
//! standard output. Neither direction ever blocks the other.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use jiff::Zoned;
use matou_actors::client::{Command, Event, Events, Handle};
use tokio::time::Instant;

use super::console_state::{ConsoleEffect, ConsoleEnding, ConsoleState};
use super::json;
use super::output::{LineOutput, reader_gone};
use super::plain::Plain;
use super::typed::{TypedLine, TypedLines};
use super::waiting::WaitingCommands;
use super::waits::{send, until};
use crate::exit::Failure;
use crate::signals::Signals;
use crate::typed_path::dropped_paths;

/// The deadline for shutting down after a signal or the loss of the output's reader.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// The additional time granted for writing the last lines of output.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// How long the disk may take to say whether a line is the path of a file.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(2);
/// How many lines are read meanwhile.
const LINES_BEHIND: usize = 64;

/// Events rendered in one go before input lines and signals are polled again.
const EVENT_BATCH: usize = 256;
/// Lines are written in chunks of about this many bytes.
const CHUNK_BYTES: usize = 16 * 1024;

/// The line-based client.
pub(super) struct Console {
    /// The output format.
    pub(super) rendering: Rendering,
    /// Whether the user can be prompted for a name.
    pub(super) can_ask: bool,
    /// The home directory, for `~`.
    pub(super) home: Option<PathBuf>,
}

/// The output format.
pub(super) enum Rendering {
    /// Lines for people.
    Plain(Plain),
    /// JSON lines.
    Json,
}

impl Rendering {
    /// The lines for `event`, each with its line ending; may be empty.
    fn lines(&mut self, event: &Event) -> String {
        match self {
            Self::Plain(plain) => plain.lines(event, &Zoned::now(), columns()),
            Self::Json => json::line(event, jiff::Timestamp::now()),
        }
    }
}

/// A running client.
struct Running {
    rendering: Rendering,
    state: ConsoleState,
    /// The home directory, for `~`.
    home: Option<PathBuf>,
    handle: Handle,
    /// A person types: their commands overtake everything that waits.
    typed: bool,
    /// Commands of a program that the client has no room for yet.
    commands: WaitingCommands,
    /// Lines, and the end of input, after one that may be the path of a file.
    behind: VecDeque<Option<TypedLine>>,
    /// Chunks not yet accepted by the output.
    unwritten: VecDeque<String>,
    /// Standard input has not ended.
    more_lines: bool,
    /// The reader of the output is gone.
    output_closed: bool,
    /// When to stop waiting for the client to close.
    deadline: Option<Instant>,
}

impl Console {
    /// Runs until the client has closed. `named` is whether it has a name to sign in with.
    pub(super) async fn run(
        self,
        named: bool,
        handle: Handle,
        events: Events,
    ) -> Result<(), Failure> {
        let signals = Signals::new()?;
        let home = self.home.clone();
        let (state, effects) = ConsoleState::new(named, self.can_ask, self.home);
        let mut running = Running {
            rendering: self.rendering,
            state,
            home,
            handle,
            typed: self.can_ask,
            commands: WaitingCommands::default(),
            behind: VecDeque::new(),
            unwritten: VecDeque::new(),
            more_lines: true,
            output_closed: false,
            deadline: None,
        };
        running.perform(effects);
        let written = running.drive(events, signals).await;
        let ending = running.state.ending();
        match (written, ending) {
            (Err(error), _) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::Runtime(format!("cannot write to standard output: {error}")))
            }
            (_, ConsoleEnding::Done) => Ok(()),
            (_, ConsoleEnding::Password(what_to_do)) => Err(Failure::Usage(what_to_do)),
            (_, ConsoleEnding::Refused(username, reason)) => {
                Err(Failure::refused(&username, reason))
            }
            (_, ConsoleEnding::Unsent { messages, reason }) => {
                Err(Failure::Runtime(unsent(messages, reason)))
            }
            (_, ConsoleEnding::Nameless) => Err(Failure::Usage(
                "a name is required: enter one when prompted, or use --username NAME".into(),
            )),
        }
    }
}

impl Running {
    /// Returns when the client has closed or missed its deadline. The error is the output's.
    async fn drive(&mut self, mut events: Events, mut signals: Signals) -> io::Result<()> {
        let mut lines = TypedLines::start();
        let output = LineOutput::start();
        let mut looking_up: Option<LookUp> = None;
        let reader_gone = reader_gone();
        let handle = self.handle.clone();
        tokio::pin!(reader_gone);
        loop {
            let command = self.commands.front().cloned();
            let deadline = self.deadline;
            tokio::select! {
                permit = output.permit(), if !self.unwritten.is_empty() => match permit {
                    Ok(permit) => if let Some(chunk) = self.unwritten.pop_front() { permit.send(chunk) },
                    Err(_) => self.on_output_closed(),
                },
                // An idle client writes nothing by which it would notice.
                () = &mut reader_gone, if !self.output_closed => self.on_output_closed(),
                event = events.recv(), if self.unwritten.is_empty() => match event {
                    Some(event) => self.on_event(event, &mut events),
                    None => break,
                },
                line = lines.next(), if self.wants_lines() => {
                    self.more_lines &= line.is_some();
                    if looking_up.is_some() && !self.state.passes_others(line.as_ref()) {
                        self.behind.push_back(line);
                    } else if looking_up.is_some() {
                        self.on_line(line);
                    } else {
                        looking_up = self.look_up_or_run(line);
                    }
                }
                (line, is_file) = found(&mut looking_up), if looking_up.is_some() => {
                    looking_up = None;
                    self.on_looked_up(line, is_file);
                    while looking_up.is_none() && let Some(line) = self.behind.pop_front() {
                        looking_up = self.look_up_or_run(line);
                    }
                }
                sent = send(&handle, command), if self.commands.front().is_some() => {
                    self.commands.pop();
                    if sent.is_err() {
                        self.commands.clear();
                    }
                }
                _ = signals.next() => {
                    if self.deadline.is_some() {
                        break; // The second signal exits at once.
                    }
                    self.leave();
                }
                () = until(deadline), if deadline.is_some() => {
                    let effects = self.state.on_timeout();
                    self.perform(effects);
                    break;
                }
            }
        }
        let flush_deadline =
            self.deadline.map(|deadline| deadline.max(Instant::now() + FLUSH_TIMEOUT));
        tokio::select! {
            written = output.finish(self.unwritten.drain(..)) => written,
            _ = signals.next() => Ok(()),
            () = until(flush_deadline), if flush_deadline.is_some() => Ok(()),
        }
    }

    /// Handles `event` and those already queued after it.
    fn on_event(&mut self, event: Event, events: &mut Events) {
        let more = std::iter::from_fn(|| events.try_recv()).take(EVENT_BATCH);
        for event in std::iter::once(event).chain(more) {
            let effects = self.state.on_event(event);
            self.perform(effects);
        }
    }

    fn wants_lines(&self) -> bool {
        self.more_lines
            && self.behind.len() < LINES_BEHIND
            && self.commands.has_room()
            && self.state.accepts_lines()
    }

    /// Handles a line, unless the disk has to be asked about it first.
    fn look_up_or_run(&mut self, line: Option<TypedLine>) -> Option<LookUp> {
        let looking_up = self.look_up(line.as_ref());
        if looking_up.is_none() {
            self.on_line(line);
        }
        looking_up
    }

    /// Asks the disk about a line that looks like the path of a file; what a program writes is
    /// meant.
    fn look_up(&self, line: Option<&TypedLine>) -> Option<LookUp> {
        let TypedLine { text: Ok(text), at_once } = line? else { return None };
        let paths = match self.rendering {
            Rendering::Plain(_) => dropped_paths(text, self.home.as_deref()),
            Rendering::Json => Vec::new(),
        };
        let line = TypedLine { text: Ok(text.clone()), at_once: *at_once };
        (!paths.is_empty()).then(|| Box::pin(look_up(line, paths)) as LookUp)
    }

    fn on_looked_up(&mut self, line: TypedLine, is_file: bool) {
        // A user who is leaving sends nothing more.
        if self.deadline.is_some() {
            return;
        }
        match &line.text {
            Ok(text) if is_file => self.perform(ConsoleState::on_path(text)),
            _ => self.on_line(Some(line)),
        }
    }

    fn on_line(&mut self, line: Option<TypedLine>) {
        let effects = match line {
            Some(TypedLine { text: Ok(line), at_once }) => {
                let pasted = at_once && matches!(self.rendering, Rendering::Plain(_));
                self.state.on_line(&line, pasted)
            }
            Some(TypedLine { text: Err(reason), .. }) => ConsoleState::on_unreadable_line(&reason),
            None => self.state.on_end_of_input(),
        };
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<ConsoleEffect>) {
        for effect in effects {
            match effect {
                // An error is the end of the client, which the events report.
                ConsoleEffect::Command(command) if self.typed => {
                    let _ = self.handle.send_now(command);
                }
                ConsoleEffect::Command(command) => {
                    for first in self.commands.push(command) {
                        let _ = self.handle.send_now(first);
                    }
                }
                ConsoleEffect::Show(event) => {
                    let lines = self.rendering.lines(&event);
                    if !self.output_closed {
                        self.show(lines);
                    }
                }
            }
        }
    }

    fn show(&mut self, lines: String) {
        match self.unwritten.back_mut() {
            Some(last) if last.len() < CHUNK_BYTES => last.push_str(&lines),
            _ if lines.is_empty() => {}
            _ => self.unwritten.push_back(lines),
        }
    }

    /// Without a reader there is no reason to stay.
    fn on_output_closed(&mut self) {
        self.output_closed = true;
        self.unwritten.clear();
        self.leave();
    }

    /// Signs out, with a deadline.
    fn leave(&mut self) {
        self.state.on_interrupt();
        self.more_lines = false;
        self.commands.clear();
        self.behind.clear();
        // An error is the end of the client, which the events report.
        let _ = self.handle.send_now(Command::Quit);
        self.deadline = Some(Instant::now() + SHUTDOWN_TIMEOUT);
    }
}

fn unsent(messages: bool, reason: Option<String>) -> String {
    let reason = reason.unwrap_or_else(|| "the server did not answer in time".into());
    if messages {
        format!(
            "some messages may not have been sent: {reason}; check what arrived, and send the rest again"
        )
    } else {
        format!("not connected to the server: {reason}")
    }
}

/// A line about which the disk is asked, and whether it seems to be the path of a file.
type LookUp = Pin<Box<dyn Future<Output = (TypedLine, bool)>>>;

/// Off the event loop. Where the file system does not answer there may be a file.
async fn look_up(line: TypedLine, paths: Vec<PathBuf>) -> (TypedLine, bool) {
    let is_file = |path: &PathBuf| Path::is_file(path);
    let ask = tokio::task::spawn_blocking(move || paths.iter().any(is_file));
    let found = tokio::time::timeout(LOOK_UP_TIMEOUT, ask).await;
    (line, !matches!(found, Ok(Ok(false))))
}

async fn found(looking_up: &mut Option<LookUp>) -> (TypedLine, bool) {
    match looking_up {
        Some(looking_up) => looking_up.await,
        None => std::future::pending().await,
    }
}

/// How wide the terminal at standard output is; `None` when it is none.
fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
