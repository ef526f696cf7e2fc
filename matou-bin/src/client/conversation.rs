//! What a typed line and an event mean to a client without a screen: who is asked for a name,
//! when to give up. Pure: the console performs the effects.

use std::path::PathBuf;

use matou_actors::client::{Command, Event};
use matou_actors::protocol::Username;

use crate::commands::{help, help_about};
use crate::input::{Input, InputContext, parse};

/// Something for the console to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Effect {
    /// Hand this to the client.
    Command(Command),
    /// Show this.
    Show(Event),
}

/// How the conversation stands.
#[derive(Debug)]
pub(super) struct Conversation {
    audience: Audience,
    standing: Standing,
    /// The last name that was refused and that no other one has replaced.
    refused: Option<Username>,
    home: Option<PathBuf>,
    /// The own name, once signed in.
    own: Option<Username>,
    /// Public messages that were typed, and those of them that have come back.
    said: u64,
    heard: u64,
    /// The server was there at the end of the lines, or came later.
    was_there: bool,
    /// Somebody ended it from outside.
    ended: bool,
}

/// Who types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    /// A person, who can be asked.
    Person,
    /// A program, which cannot.
    Program,
    /// Nobody any more.
    Nobody,
}

/// How the user stands with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Without a name: the next line is one.
    Nameless,
    /// With a name, and nothing heard of the server yet.
    Starting,
    /// With a name that the server has not accepted yet, or has lost.
    Waiting,
    /// Signed in.
    SignedIn,
}

/// How the conversation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As the user wanted.
    Done,
    /// Without a name.
    Nameless,
    /// With this name refused, and no other one.
    Refused(Username),
    /// When the server was not there at the end of the lines, or had not heard them all.
    Unheard,
}

impl Conversation {
    /// A conversation that begins, with the effects of its beginning. `named` is whether the
    /// client has a name to sign in with.
    pub(super) fn new(named: bool, can_ask: bool, home: Option<PathBuf>) -> (Self, Vec<Effect>) {
        let (standing, effects) = if named {
            (Standing::Starting, Vec::new())
        } else {
            (Standing::Nameless, vec![question()])
        };
        let audience = if can_ask { Audience::Person } else { Audience::Program };
        let conversation = Self {
            audience,
            standing,
            refused: None,
            home,
            own: None,
            said: 0,
            heard: 0,
            was_there: false,
            ended: false,
        };
        (conversation, effects)
    }

    /// Whether lines should be read. A program that writes at once waits until the first attempt
    /// to sign in has come to something: it may write more than can be kept until then. Once its
    /// name is refused nothing that it writes is for anybody, nor is it another name.
    pub(super) fn listens(&self) -> bool {
        self.audience != Audience::Program
            || !matches!(self.standing, Standing::Starting | Standing::Nameless)
    }

    /// A line was typed.
    pub(super) fn line(&mut self, line: &str) -> Vec<Effect> {
        let trimmed = line.trim();
        if self.standing == Standing::Nameless && !trimmed.starts_with('/') {
            return if trimmed.is_empty() { Vec::new() } else { self.sign_in(trimmed) };
        }
        match parse(line, InputContext { talking_to: None, home: self.home.as_deref() }) {
            Ok(inputs) => {
                let effects: Vec<_> = inputs.into_iter().flat_map(effects).collect();
                let said = effects
                    .iter()
                    .filter(|effect| matches!(effect, Effect::Command(Command::Say(_))));
                self.said = said.fold(self.said, |count, _| count + 1);
                effects
            }
            Err(error) => vec![Effect::Show(Event::Error { message: error.to_string() })],
        }
    }

    /// A line was typed that is no text.
    pub(super) fn unreadable_line(reason: &str) -> Vec<Effect> {
        vec![Effect::Show(Event::Error { message: format!("nothing was sent: {reason}") })]
    }

    /// No more lines will be typed.
    pub(super) fn end_of_lines(&mut self) -> Vec<Effect> {
        self.audience = Audience::Nobody;
        self.was_there = self.standing == Standing::SignedIn;
        let nameless = self.standing == Standing::Nameless;
        vec![Effect::Command(if nameless { Command::Quit } else { Command::Finish })]
    }

    /// The client told something.
    pub(super) fn event(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.standing == Standing::Starting {
            self.standing = Standing::Waiting;
        }
        match &event {
            Event::Connected { username, .. } => {
                self.standing = Standing::SignedIn;
                self.refused = None;
                self.own = Some(username.clone());
                self.was_there = true;
            }
            Event::Message { from, .. } if self.own.as_ref() == Some(from) => self.heard += 1,
            Event::Disconnected { .. } if self.standing == Standing::SignedIn => {
                self.standing = Standing::Waiting;
            }
            Event::Refused { username } => {
                self.refused = Some(username.clone());
                self.standing = Standing::Nameless;
                effects.push(if self.audience == Audience::Person {
                    question()
                } else {
                    Effect::Command(Command::Quit)
                });
            }
            _ => {}
        }
        effects.insert(0, Effect::Show(event));
        effects
    }

    /// Somebody ends it from outside, whatever is under way.
    pub(super) fn ended(&mut self) {
        self.ended = true;
    }

    /// The client did not come to its end in time.
    pub(super) fn given_up(&self) -> Vec<Effect> {
        let unheard = self.said.saturating_sub(self.heard);
        if unheard == 0 {
            return Vec::new();
        }
        let message = format!("{unheard} of your messages may not have been heard");
        vec![Effect::Show(Event::Error { message })]
    }

    /// How it ended.
    pub(super) fn ending(self) -> Ending {
        let unheard = self.audience == Audience::Nobody && self.said > self.heard;
        match (self.refused, self.audience, self.standing) {
            (Some(username), Audience::Program | Audience::Nobody, _) => Ending::Refused(username),
            (None, Audience::Program | Audience::Nobody, Standing::Nameless) => Ending::Nameless,
            _ if self.ended => Ending::Done,
            (None, Audience::Nobody, _) if !self.was_there => Ending::Unheard,
            _ if unheard => Ending::Unheard,
            _ => Ending::Done,
        }
    }

    fn sign_in(&mut self, name: &str) -> Vec<Effect> {
        match Username::parse(name) {
            Ok(username) => {
                self.standing = Standing::Waiting;
                vec![Effect::Command(Command::SignIn(username))]
            }
            Err(error) => {
                let message = format!("{name:?} is no name: {error}");
                vec![Effect::Show(Event::Error { message }), question()]
            }
        }
    }
}

fn question() -> Effect {
    let message = "type the name to sign in with: 1 to 32 bytes of letters and digits".into();
    Effect::Show(Event::Notice { message })
}

fn effects(input: Input) -> Vec<Effect> {
    let lines = match input {
        Input::Command(command) => return vec![Effect::Command(command)],
        Input::Help(None) => help(),
        Input::Help(Some(name)) => help_about(name),
    };
    lines.into_iter().map(|message| Effect::Show(Event::Notice { message })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [&Command; 0] = [];

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    fn connected() -> Event {
        Event::Connected { server: "h:1".into(), username: name("Bob") }
    }

    fn commands(effects: &[Effect]) -> Vec<&Command> {
        let mut commands = Vec::new();
        for effect in effects {
            if let Effect::Command(command) = effect {
                commands.push(command);
            }
        }
        commands
    }

    #[test]
    fn without_a_name_the_first_line_is_one() {
        let (mut conversation, effects) = Conversation::new(false, true, None);
        assert!(matches!(effects[..], [Effect::Show(Event::Notice { .. })]));
        assert_eq!(commands(&conversation.line("a b")), NONE);
        assert_eq!(commands(&conversation.line(" Bob ")), [&Command::SignIn(name("Bob"))]);
        conversation.event(connected());
        assert!(matches!(commands(&conversation.line("Bob"))[..], [Command::Say(_)]));
    }

    #[test]
    fn commands_work_while_a_name_is_asked_for() {
        let (mut conversation, _) = Conversation::new(false, true, None);
        assert_eq!(commands(&conversation.line("/quit")), [&Command::Quit]);
    }

    #[test]
    fn a_refused_name_asks_again_where_somebody_can_be_asked() {
        let (mut conversation, _) = Conversation::new(true, true, None);
        let effects = conversation.event(Event::Refused { username: name("Bob") });
        assert_eq!(commands(&effects), NONE);
        assert_eq!(commands(&conversation.line("Bob2")), [&Command::SignIn(name("Bob2"))]);
        conversation.event(connected());
        assert_eq!(conversation.ending(), Ending::Done);
    }

    #[test]
    fn a_refused_name_ends_a_client_that_cannot_ask() {
        let (mut conversation, _) = Conversation::new(true, false, None);
        let effects = conversation.event(Event::Refused { username: name("Bob") });
        assert!(matches!(effects[0], Effect::Show(Event::Refused { .. })));
        assert_eq!(commands(&effects), [&Command::Quit]);
        assert!(!conversation.listens(), "what it says next is no name");
        assert_eq!(conversation.ending(), Ending::Refused(name("Bob")));
    }

    #[test]
    fn the_end_of_the_lines_finishes_what_was_typed() {
        let (mut conversation, _) = Conversation::new(true, false, None);
        conversation.event(connected());
        assert_eq!(commands(&conversation.end_of_lines()), [&Command::Finish]);
        assert_eq!(conversation.ending(), Ending::Done);
        let (mut conversation, _) = Conversation::new(false, true, None);
        assert_eq!(commands(&conversation.end_of_lines()), [&Command::Quit]);
        assert_eq!(conversation.ending(), Ending::Nameless);
    }

    #[test]
    fn the_end_of_the_lines_without_a_server_is_no_success() {
        let (mut conversation, _) = Conversation::new(true, false, None);
        conversation.event(connected());
        conversation.event(Event::Disconnected { reason: "gone".into() });
        conversation.end_of_lines();
        assert_eq!(conversation.ending(), Ending::Unheard);
        let (mut conversation, _) = Conversation::new(true, false, None);
        conversation.line("/quit");
        assert_eq!(conversation.ending(), Ending::Done);
    }

    #[test]
    fn what_did_not_come_back_was_not_heard() {
        let said = |from: &str| Event::Message {
            from: name(from),
            text: matou_actors::protocol::MessageText::parse("a").unwrap(),
        };
        let typed = |heard: &[&str]| {
            let (mut conversation, _) = Conversation::new(true, false, None);
            conversation.event(connected());
            conversation.line("a");
            conversation.line("a");
            conversation.end_of_lines();
            for from in heard {
                conversation.event(said(from));
            }
            conversation.event(Event::Disconnected { reason: "gone".into() });
            conversation
        };
        assert_eq!(typed(&["Bob", "Ann"]).ending(), Ending::Unheard);
        assert_eq!(typed(&["Bob", "Ann", "Bob"]).ending(), Ending::Done);
        assert!(typed(&["Bob", "Bob"]).given_up().is_empty());
        let mut interrupted = typed(&[]);
        assert!(matches!(&interrupted.given_up()[..], [Effect::Show(Event::Error { message })]
            if message.starts_with('2')));
        interrupted.ended();
        assert_eq!(interrupted.ending(), Ending::Done);
    }

    #[test]
    fn a_program_is_listened_to_once_something_was_heard_of_the_server() {
        for event in [connected(), Event::Error { message: "cannot reach it".into() }] {
            let (mut conversation, _) = Conversation::new(true, false, None);
            assert!(!conversation.listens());
            conversation.event(event);
            assert!(conversation.listens());
        }
        assert!(Conversation::new(true, true, None).0.listens());
    }

    #[test]
    fn an_unknown_command_is_shown_as_an_error_and_not_sent() {
        let (mut conversation, _) = Conversation::new(true, false, None);
        let effects = conversation.line("/mgs Bob secret");
        assert!(matches!(&effects[..], [Effect::Show(Event::Error { message })]
            if message.contains("/msg")));
    }

    #[test]
    fn help_is_shown_a_line_at_a_time() {
        let (mut conversation, _) = Conversation::new(true, false, None);
        let effects = conversation.line("/help");
        assert_eq!(effects.len(), help().len());
        assert_eq!(conversation.line("/help send").len(), 1);
    }
}
