//! The client without a screen: lines from standard input become commands, events become lines
//! on standard output. Nothing here waits for one side while the other has something to do.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Zoned;
use matou_actors::client::{Command, Event, Events, Handle};
use tokio::time::{Instant, sleep_until};

use super::conversation::{Conversation, Effect, Ending};
use super::json;
use super::output::Output;
use super::plain::Plain;
use super::typed::{Line, Lines};
use crate::exit::Failure;
use crate::signals::Signals;

/// How long the client may take to leave once a signal, or a reader that went away, says so.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);
/// How long whoever reads the output may take to read the last lines of it then.
const LAST_LINES: Duration = Duration::from_millis(500);

/// How many events are rendered before typed lines and signals get their turn.
const EVENTS_AT_ONCE: usize = 256;
/// How many bytes of lines go to the output in one piece.
const BYTES_AT_ONCE: usize = 16 * 1024;

/// A client without a screen.
pub(super) struct Console {
    /// How events look.
    pub(super) rendering: Rendering,
    /// A person can be asked for a name.
    pub(super) can_ask: bool,
    /// What `~` stands for.
    pub(super) home: Option<PathBuf>,
}

/// How events look.
pub(super) enum Rendering {
    /// Lines for people.
    Plain(Plain),
    /// JSON lines.
    Json,
}

impl Rendering {
    /// The lines that tell `event`, each with its line end; may be empty.
    fn lines(&mut self, event: &Event) -> String {
        match self {
            Self::Plain(plain) => plain.lines(event, &Zoned::now()),
            Self::Json => json::line(event, jiff::Timestamp::now()),
        }
    }
}

/// The work under way.
struct Running {
    rendering: Rendering,
    conversation: Conversation,
    /// Commands that the client has not taken yet.
    commands: VecDeque<Command>,
    /// Lines that the output has not taken yet.
    shown: VecDeque<String>,
    /// Standard input has more lines.
    more_lines: bool,
    /// Nobody reads the output any more.
    unread: bool,
    /// When to give up waiting for the client to close.
    deadline: Option<Instant>,
}

impl Console {
    /// Talks until the client has closed. `named` is whether it has a name to sign in with.
    pub(super) async fn run(
        self,
        named: bool,
        handle: Handle,
        events: Events,
    ) -> Result<(), Failure> {
        let signals = Signals::new()?;
        let (conversation, effects) = Conversation::new(named, self.can_ask, self.home);
        let mut running = Running {
            rendering: self.rendering,
            conversation,
            commands: VecDeque::new(),
            shown: VecDeque::new(),
            more_lines: true,
            unread: false,
            deadline: None,
        };
        running.perform(effects);
        let written = running.talk(handle, events, signals).await;
        let ending = running.conversation.ending();
        match (written, ending) {
            (Err(error), _) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::Runtime(format!("cannot write to standard output: {error}")))
            }
            (_, Ending::Done) => Ok(()),
            (_, Ending::Refused(username)) => Err(Failure::Refused(username)),
            (_, Ending::Unheard) => Err(Failure::Runtime(
                "not all that was typed was heard: the server was not there, or took no more; send \
                 again what did not arrive, and see --server HOST[:PORT]"
                    .into(),
            )),
            (_, Ending::Nameless) => Err(Failure::Usage(
                "a name is needed: type one when asked, or give one with --username NAME".into(),
            )),
        }
    }
}

impl Running {
    /// Ends when the client has closed, or has not although it should have. The error is the
    /// output's.
    async fn talk(
        &mut self,
        handle: Handle,
        mut events: Events,
        mut signals: Signals,
    ) -> io::Result<()> {
        let mut lines = Lines::start();
        let output = Output::start();
        loop {
            let command = self.commands.front().cloned();
            let deadline = self.deadline;
            tokio::select! {
                room = output.room(), if !self.shown.is_empty() => match room {
                    Ok(room) => if let Some(line) = self.shown.pop_front() { room.send(line) },
                    Err(_) => self.unread(),
                },
                event = events.recv(), if self.shown.is_empty() => match event {
                    Some(event) => self.told(event, &mut events),
                    None => break,
                },
                line = lines.next(), if self.wants_lines() => {
                    self.typed(line);
                }
                taken = send(&handle, command), if !self.commands.is_empty() => {
                    self.commands.pop_front();
                    if taken.is_err() {
                        self.commands.clear();
                    }
                }
                _ = signals.next() => {
                    if self.deadline.is_some() {
                        break; // Told twice: now.
                    }
                    self.leave();
                }
                () = until(deadline), if deadline.is_some() => {
                    let effects = self.conversation.given_up();
                    self.perform(effects);
                    break;
                }
            }
        }
        let last = self.deadline.map(|deadline| deadline.max(Instant::now() + LAST_LINES));
        tokio::select! {
            written = output.finish(self.shown.drain(..)) => written,
            _ = signals.next() => Ok(()),
            () = until(last), if last.is_some() => Ok(()),
        }
    }

    /// Something happened, and maybe more that is there already.
    fn told(&mut self, event: Event, events: &mut Events) {
        let more = std::iter::from_fn(|| events.try_recv()).take(EVENTS_AT_ONCE);
        for event in std::iter::once(event).chain(more) {
            let effects = self.conversation.event(event);
            self.perform(effects);
        }
    }

    fn wants_lines(&self) -> bool {
        self.more_lines && self.commands.is_empty() && self.conversation.listens()
    }

    fn typed(&mut self, line: Option<Line>) {
        let effects = match line {
            Some(Ok(line)) => self.conversation.line(&line),
            Some(Err(reason)) => Conversation::unreadable_line(&reason),
            None => {
                self.more_lines = false;
                self.conversation.end_of_lines()
            }
        };
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Command(command) => self.commands.push_back(command),
                Effect::Show(event) => {
                    let lines = self.rendering.lines(&event);
                    if !self.unread {
                        self.show(lines);
                    }
                }
            }
        }
    }

    fn show(&mut self, lines: String) {
        match self.shown.back_mut() {
            Some(last) if last.len() < BYTES_AT_ONCE => last.push_str(&lines),
            _ if lines.is_empty() => {}
            _ => self.shown.push_back(lines),
        }
    }

    /// Nobody reads what is shown: there is nobody to stay for.
    fn unread(&mut self) {
        self.unread = true;
        self.shown.clear();
        self.leave();
    }

    /// Signs out, in a time that is limited.
    fn leave(&mut self) {
        self.conversation.ended();
        self.more_lines = false;
        self.commands.clear();
        self.commands.push_back(Command::Quit);
        self.deadline = Some(Instant::now() + LEAVE_WITHIN);
    }
}

async fn send(handle: &Handle, command: Option<Command>) -> Result<(), ()> {
    match command {
        Some(command) => handle.send(command).await.map_err(|_| ()),
        None => Ok(()),
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
