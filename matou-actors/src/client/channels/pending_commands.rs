//! Commands typed before the first sign-in, which wait for it.

use crate::client::api::command::Command;
use crate::client::api::event::{ErrorCode, Event};
use crate::client::messages::Checked;

/// How many commands may wait.
const MOST: usize = 10_000;
/// Bytes of text in them: as much as goes to the server at once.
const MOST_BYTES: usize = 512 * 1024;

/// Commands in order.
#[derive(Debug, Default)]
pub(crate) struct PendingCommands {
    commands: Vec<(Command, Checked)>,
    bytes: usize,
}

impl PendingCommands {
    /// Keeps one more, or hands it back when too much is queued already.
    pub(crate) fn keep(&mut self, command: Command, checked: Checked) -> Result<(), Command> {
        if self.commands.len() >= MOST || self.bytes >= MOST_BYTES {
            return Err(command);
        }
        self.bytes += match &command {
            Command::Say(text)
            | Command::Act(text)
            | Command::Tell { text, .. }
            | Command::ActTo { text, .. } => text.as_str().len(),
            _ => 0,
        };
        self.commands.push((command, checked));
        Ok(())
    }

    /// Says that none of them is run any more; public messages are counted only.
    pub(crate) fn give_up(&mut self, reason: &str) -> Vec<Event> {
        let mut events = Vec::new();
        let mut unsaid = 0_usize;
        for (command, _) in self.take() {
            match command {
                Command::Say(_) | Command::Act(_) => unsaid += 1,
                command => events.push(never_sent(command, reason)),
            }
        }
        if unsaid > 0 {
            let messages = if unsaid == 1 { "message was" } else { "messages were" };
            let message = format!("{unsaid} {messages} not sent: {reason}");
            events.push(Event::Error { code: ErrorCode::NotSent, message });
        }
        events
    }

    /// All of them, which are then kept no more.
    pub(crate) fn take(&mut self) -> Vec<(Command, Checked)> {
        std::mem::take(self).commands
    }
}

/// Whether `command` needs the server.
pub(crate) fn needs_server(command: &Command) -> bool {
    matches!(
        command,
        Command::Say(_)
            | Command::Act(_)
            | Command::Tell { .. }
            | Command::ActTo { .. }
            | Command::Send { .. }
            | Command::SendPipe { .. }
            | Command::Open(_)
            | Command::Diagnose(_)
            | Command::Whois(_)
            | Command::Verify(_)
            | Command::Compared(_)
            | Command::Trust(_)
    )
}

/// The error for `command`, which needs the server and was not sent.
pub(crate) fn never_sent(command: Command, reason: &str) -> Event {
    let message = match command {
        Command::Tell { to, text } => {
            return Event::Undelivered { to, texts: vec![text], reason: reason.into() };
        }
        Command::ActTo { to, text } => {
            let texts = vec![text.as_action()];
            return Event::Undelivered { to, texts, reason: reason.into() };
        }
        Command::Send { to, path, .. } | Command::SendPipe { to, name: path, .. } => {
            format!("{} was not sent to {to}: {reason}", path.display())
        }
        Command::Open(name) => format!("no request was sent to {name}: {reason}"),
        Command::Say(text) | Command::Act(text) => {
            format!("{:?} was not sent: {reason}", text.as_str())
        }
        other => format!("{other:?} was not done: {reason}"),
    };
    Event::Error { code: ErrorCode::NotSent, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::MessageText;

    fn say(text: &str) -> Command {
        Command::Say(MessageText::parse(text).unwrap())
    }

    #[test]
    fn pending_commands_are_bounded_in_number_and_bytes() {
        let mut pending = PendingCommands::default();
        for _ in 0..MOST {
            pending.keep(say("a"), None).unwrap();
        }
        assert_eq!(pending.keep(say("a"), None), Err(say("a")));
        assert_eq!(pending.take().len(), MOST);
        let long = "a".repeat(512);
        for _ in 0..MOST_BYTES / 512 {
            pending.keep(say(&long), None).unwrap();
        }
        assert_eq!(pending.keep(say("a"), None), Err(say("a")));
    }
}
