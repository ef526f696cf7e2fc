//! The pure logic of the line-based client: interprets input lines and events, prompts for a
//! name, decides when to exit. The console performs the effects.

use std::path::PathBuf;

use matou_actors::client::{Command, ErrorCode, Event};
use matou_actors::protocol::Username;

use super::typed::TypedLine;
use super::waiting::passes_others;
use crate::commands::{help, help_about};
use crate::input::{Input, InputContext, InputError, begins_command, blank, parse};
use crate::security::password_needed;

/// An action for the console.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ConsoleEffect {
    /// Send this to the client.
    Command(Command),
    /// Show this.
    Show(Event),
}

/// What the console has to remember.
#[derive(Debug)]
pub(super) struct ConsoleState {
    input: InputSource,
    sign_in: SignInStep,
    /// What the server said of the password that it asks for, and was not given.
    password: Option<String>,
    /// The last refused name and why, unless another one has been entered since.
    refused: Option<(Username, Option<String>)>,
    /// Why the client is not signed in, as far as it is known.
    reason: Option<String>,
    home: Option<PathBuf>,
    /// The user's own name, once signed in.
    own: Option<Username>,
    /// Public messages entered, and those of them echoed by the server.
    said: u64,
    echoed: u64,
    /// Blank lines since the last text of a paste, which are sent when more text follows.
    blank: usize,
    /// The last line was text.
    said_last: bool,
    /// Signed in at end of input, or later.
    reached_server: bool,
    /// Interrupted by a signal or the loss of the output's reader.
    interrupted: bool,
}

/// Where input lines come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InputSource {
    /// A user at a terminal, who can be prompted.
    Person,
    /// A program, which cannot be prompted.
    Program,
    /// Input has ended.
    Ended,
}

/// The progress of signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignInStep {
    /// No name yet: the next line is taken as one.
    Nameless,
    /// A name is set; no event has arrived yet.
    Starting,
    /// Waiting for the server to accept the name, first or again.
    Waiting,
    /// Signed in.
    SignedIn,
}

/// How the client ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConsoleEnding {
    /// As requested by the user.
    Done,
    /// Without a name.
    Nameless,
    /// The server asks for a password: what to do.
    Password(String),
    /// The name was refused, for this reason if there is one, and not replaced.
    Refused(Username, Option<String>),
    /// Not signed in at end of input, or not every message was echoed.
    Unsent {
        /// There were such messages.
        messages: bool,
        /// Why the client is not signed in, if that is known.
        reason: Option<String>,
    },
}

impl ConsoleState {
    /// A new state with its first effects. `named` is whether the client has a name to
    /// sign in with.
    pub(super) fn new(
        named: bool,
        can_ask: bool,
        home: Option<PathBuf>,
    ) -> (Self, Vec<ConsoleEffect>) {
        let (sign_in, effects) = if named {
            (SignInStep::Starting, Vec::new())
        } else {
            (SignInStep::Nameless, vec![name_prompt()])
        };
        let input = if can_ask { InputSource::Person } else { InputSource::Program };
        let state = Self {
            input,
            sign_in,
            password: None,
            refused: None,
            reason: None,
            home,
            own: None,
            said: 0,
            echoed: 0,
            blank: 0,
            said_last: false,
            reached_server: false,
            interrupted: false,
        };
        (state, effects)
    }

    /// Whether input lines should be read. Lines from a program wait for the outcome of the first
    /// attempt to sign in, since they could exceed what can be buffered. Once its name is refused
    /// they are neither messages nor another name.
    pub(super) fn accepts_lines(&self) -> bool {
        self.input != InputSource::Program
            || !matches!(self.sign_in, SignInStep::Starting | SignInStep::Nameless)
    }

    /// Whether `line` is a command that overtakes everything that waits.
    pub(super) fn passes_others(&self, line: Option<&TypedLine>) -> bool {
        let Some(TypedLine { text: Ok(line), .. }) = line else { return false };
        let context = InputContext { home: self.home.as_deref(), ..InputContext::default() };
        begins_command(line)
            && parse(line, context).is_ok_and(|inputs| {
                inputs
                    .iter()
                    .any(|input| matches!(input, Input::Command(command) if passes_others(command)))
            })
    }

    /// Handles an input line. `pasted` is whether it arrived together with the one before: blank
    /// lines inside a paste are part of the text.
    pub(super) fn on_line(&mut self, line: &str, pasted: bool) -> Vec<ConsoleEffect> {
        let trimmed = line.trim();
        if self.sign_in == SignInStep::Nameless && !trimmed.starts_with('/') {
            return if trimmed.is_empty() { Vec::new() } else { self.sign_in(trimmed) };
        }
        let blank_before = std::mem::take(&mut self.blank);
        if trimmed.is_empty() {
            let follows_text = pasted && (blank_before > 0 || self.said_last);
            self.blank = if follows_text { blank_before + 1 } else { 0 };
            self.said_last = false;
            return Vec::new();
        }
        let says = !begins_command(line);
        self.said_last = says;
        let blank_lines = if says && pasted { blank_before } else { 0 };
        let context = InputContext { home: self.home.as_deref(), ..InputContext::default() };
        let parsed: Result<Vec<_>, InputError> = std::iter::repeat_with(|| blank(context))
            .take(blank_lines)
            .chain(std::iter::once_with(|| parse(line, context)))
            .collect();
        match parsed {
            Ok(inputs) => {
                let inputs = inputs.into_iter().flatten();
                let effects: Vec<_> = inputs.flat_map(effects).collect();
                let said = effects.iter().filter(|effect| is_public_message(effect));
                self.said = said.fold(self.said, |count, _| count + 1);
                effects
            }
            Err(error) => vec![ConsoleEffect::Show(Event::Error {
                code: ErrorCode::Input,
                message: error.to_string(),
            })],
        }
    }

    /// Handles an input line that may be the path of a file, as terminals paste one that is dropped on
    /// them: it is not clear that it should become public.
    pub(super) fn on_path(line: &str) -> Vec<ConsoleEffect> {
        let path = line.trim();
        vec![ConsoleEffect::Show(Event::Error {
            code: ErrorCode::Input,
            message: format!(
                "Nothing sent: {path} looks like the path of a file. Type /send NAME {path} to send it, or put a word \
                 in front of the path to send it as text"
            ),
        })]
    }

    /// Handles an input line that is not text.
    pub(super) fn on_unreadable_line(reason: &str) -> Vec<ConsoleEffect> {
        vec![ConsoleEffect::Show(Event::Error {
            code: ErrorCode::Input,
            message: format!("Nothing sent: {reason}"),
        })]
    }

    /// Handles the end of input.
    pub(super) fn on_end_of_input(&mut self) -> Vec<ConsoleEffect> {
        self.input = InputSource::Ended;
        self.reached_server = self.sign_in == SignInStep::SignedIn;
        let nameless = self.sign_in == SignInStep::Nameless;
        vec![ConsoleEffect::Command(if nameless { Command::Quit } else { Command::Finish })]
    }

    /// Handles an event of the client.
    pub(super) fn on_event(&mut self, event: Event) -> Vec<ConsoleEffect> {
        let mut effects = Vec::new();
        if self.sign_in == SignInStep::Starting {
            self.sign_in = SignInStep::Waiting;
        }
        match &event {
            Event::Connected { username, .. } => {
                self.sign_in = SignInStep::SignedIn;
                (self.refused, self.reason) = (None, None);
                self.own = Some(username.clone());
                self.reached_server = true;
            }
            Event::Message { from, .. } if self.own.as_ref() == Some(from) => self.echoed += 1,
            Event::Disconnected { reason } => {
                self.reason = Some(reason.clone());
                if self.sign_in == SignInStep::SignedIn {
                    self.sign_in = SignInStep::Waiting;
                }
            }
            Event::Reconnecting { reason, .. } | Event::Failover { reason, .. } => {
                self.reason = Some(reason.clone());
            }
            Event::PasswordNeeded { server, wrong } if self.input != InputSource::Person => {
                self.password = Some(password_needed(server, *wrong));
                effects.push(ConsoleEffect::Command(Command::Quit));
            }
            Event::Refused { username, reason } => {
                self.refused = Some((username.clone(), reason.clone()));
                self.sign_in = SignInStep::Nameless;
                effects.push(if self.input == InputSource::Person {
                    name_prompt()
                } else {
                    ConsoleEffect::Command(Command::Quit)
                });
            }
            _ => {}
        }
        effects.insert(0, ConsoleEffect::Show(event));
        effects
    }

    /// Handles an external interruption.
    pub(super) fn on_interrupt(&mut self) {
        self.interrupted = true;
    }

    /// Handles a client that missed its shutdown deadline.
    pub(super) fn on_timeout(&self) -> Vec<ConsoleEffect> {
        let unsent = self.said.saturating_sub(self.echoed);
        if unsent == 0 {
            return Vec::new();
        }
        let message = match unsent {
            1 => "1 message may not have been sent".to_owned(),
            count => format!("{count} messages may not have been sent"),
        };
        vec![ConsoleEffect::Show(Event::Error { code: ErrorCode::NotSent, message })]
    }

    /// The outcome.
    pub(super) fn ending(self) -> ConsoleEnding {
        if let Some(what_to_do) = self.password {
            return ConsoleEnding::Password(what_to_do);
        }
        let unsent = self.input == InputSource::Ended && self.said > self.echoed;
        match (self.refused, self.input, self.sign_in) {
            (Some((username, reason)), InputSource::Program | InputSource::Ended, _) => {
                ConsoleEnding::Refused(username, reason)
            }
            (None, InputSource::Program | InputSource::Ended, SignInStep::Nameless) => {
                ConsoleEnding::Nameless
            }
            _ if self.interrupted => ConsoleEnding::Done,
            (refused, InputSource::Ended, _)
                if unsent || (refused.is_none() && !self.reached_server) =>
            {
                ConsoleEnding::Unsent { messages: unsent, reason: self.reason }
            }
            _ => ConsoleEnding::Done,
        }
    }

    fn sign_in(&mut self, name: &str) -> Vec<ConsoleEffect> {
        match Username::parse(name) {
            Ok(username) => {
                self.sign_in = SignInStep::Waiting;
                vec![ConsoleEffect::Command(Command::SignIn(username))]
            }
            Err(error) => {
                let message = format!("{name:?} is not a valid name: {error}");
                vec![
                    ConsoleEffect::Show(Event::Error { code: ErrorCode::Name, message }),
                    name_prompt(),
                ]
            }
        }
    }
}

fn is_public_message(effect: &ConsoleEffect) -> bool {
    matches!(effect, ConsoleEffect::Command(Command::Say(_) | Command::Act(_)))
}

fn name_prompt() -> ConsoleEffect {
    let message = "Enter your name (letters and digits, at most 32 bytes):".into();
    ConsoleEffect::Show(Event::Notice { message })
}

fn effects(input: Input) -> Vec<ConsoleEffect> {
    let lines = match input {
        Input::Command(command) => return vec![ConsoleEffect::Command(command)],
        Input::Help(None) => help(),
        Input::Help(Some(name)) => help_about(name),
    };
    lines.into_iter().map(|message| ConsoleEffect::Show(Event::Notice { message })).collect()
}

#[cfg(test)]
mod tests;
