//! Commands of a program that the client has no room for yet.

use std::collections::VecDeque;

use matou_actors::client::Command;
use matou_actors::protocol::Username;

/// How many commands may wait before no more input is read.
const MOST: usize = 10_000;
/// The same for the bytes of text in them.
const MOST_BYTES: usize = 512 * 1024;

/// The commands in order, but those that overtake come first.
#[derive(Debug, Default)]
pub(super) struct WaitingCommands {
    commands: VecDeque<Command>,
    /// Bytes of text in them.
    bytes: usize,
}

impl WaitingCommands {
    /// Whether more input may be read.
    pub(super) fn has_room(&self) -> bool {
        self.commands.len() < MOST
            && self.bytes < MOST_BYTES
            && !self.commands.front().is_some_and(passes_others)
    }

    /// Adds `command`; returns what has to be handed over before it without a wait.
    pub(super) fn push(&mut self, command: Command) -> Vec<Command> {
        if !passes_others(&command) {
            self.bytes += text_bytes(&command);
            self.commands.push_back(command);
            return Vec::new();
        }
        let goes_first = |waiting: &Command| match &command {
            Command::Quit => true,
            Command::Close(name) => is_for(waiting, name),
            _ => false,
        };
        let (first, rest) = self.commands.drain(..).partition::<Vec<_>, _>(goes_first);
        self.commands = rest.into();
        self.bytes = self.commands.iter().map(text_bytes).sum();
        self.commands.push_front(command);
        first
    }

    /// The next one.
    pub(super) fn front(&self) -> Option<&Command> {
        self.commands.front()
    }

    /// The next one has been handed over.
    pub(super) fn pop(&mut self) {
        if let Some(command) = self.commands.pop_front() {
            self.bytes = self.bytes.saturating_sub(text_bytes(&command));
        }
    }

    /// None of them is wanted any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Whether `command` waits for no text and no file.
pub(super) fn passes_others(command: &Command) -> bool {
    matches!(command, Command::Quit | Command::Close(_) | Command::Cancel(_))
}

/// Whether `command` needs the private session with `name`.
fn is_for(command: &Command, name: &Username) -> bool {
    match command {
        Command::Tell { to, .. }
        | Command::ActTo { to, .. }
        | Command::Send { to, .. }
        | Command::SendPipe { to, .. }
        | Command::Open(to) => to.folded() == name.folded(),
        _ => false,
    }
}

fn text_bytes(command: &Command) -> usize {
    match command {
        Command::Say(text)
        | Command::Act(text)
        | Command::Tell { text, .. }
        | Command::ActTo { text, .. } => text.as_str().len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use matou_actors::client::TransferId;
    use matou_actors::protocol::MessageText;

    use super::*;

    fn text(text: &str) -> MessageText {
        MessageText::parse(text).unwrap()
    }

    fn say(said: &str) -> Command {
        Command::Say(text(said))
    }

    fn tell(name: &str, said: &str) -> Command {
        Command::Tell { to: Username::parse(name).unwrap(), text: text(said) }
    }

    #[test]
    fn waiting_commands_are_bounded_in_number_and_bytes() {
        let mut waiting = WaitingCommands::default();
        for _ in 0..10_000 {
            assert!(waiting.has_room());
            waiting.push(say("a"));
        }
        assert!(!waiting.has_room());
        waiting.pop();
        assert!(waiting.has_room());
        waiting.clear();
        for _ in 0..1024 {
            assert!(waiting.has_room());
            waiting.push(say(&"a".repeat(512)));
        }
        assert!(!waiting.has_room());
    }

    #[test]
    fn cancel_overtakes_all_close_flushes_that_user_and_quit_flushes_everything() {
        let mut waiting = WaitingCommands::default();
        for command in [say("1"), tell("Bea", "2"), tell("Cyd", "3"), say("4")] {
            waiting.push(command);
        }
        let cancel = Command::Cancel(TransferId(7));
        assert_eq!(waiting.push(cancel.clone()), []);
        assert_eq!(waiting.front(), Some(&cancel));
        assert!(!waiting.has_room(), "one at a time");
        waiting.pop();
        let close = Command::Close(Username::parse("bea").unwrap());
        assert_eq!(waiting.push(close.clone()), [tell("Bea", "2")]);
        assert_eq!(waiting.front(), Some(&close));
        waiting.pop();
        assert_eq!(waiting.push(Command::Quit), [say("1"), tell("Cyd", "3"), say("4")]);
        assert_eq!(waiting.front(), Some(&Command::Quit));
        waiting.pop();
        assert_eq!((waiting.front(), waiting.bytes), (None, 0));
    }
}
