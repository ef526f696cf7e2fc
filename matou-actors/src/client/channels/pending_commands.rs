//! What was typed before the first sign-in, which it waits for.

use crate::client::api::command::Command;
use crate::client::messages::Checked;

/// How many commands may wait.
const MOST: usize = 10_000;
/// Bytes of text in them: as much as goes to the server at once.
const MOST_BYTES: usize = 512 * 1024;

/// Commands in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct PendingCommands {
    commands: Vec<(Command, Checked)>,
    bytes: usize,
}

impl PendingCommands {
    /// Keeps one more, or hands it back when too much waits already.
    pub(crate) fn keep(&mut self, command: Command, checked: Checked) -> Result<(), Command> {
        if self.commands.len() >= MOST || self.bytes >= MOST_BYTES {
            return Err(command);
        }
        self.bytes += match &command {
            Command::Say(text) | Command::Tell { text, .. } => text.as_str().len(),
            _ => 0,
        };
        self.commands.push((command, checked));
        Ok(())
    }

    /// All of them, which are then kept no more.
    pub(crate) fn take(&mut self) -> Vec<(Command, Checked)> {
        std::mem::take(self).commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::MessageText;

    fn say(text: &str) -> Command {
        Command::Say(MessageText::parse(text).unwrap())
    }

    #[test]
    fn it_is_bounded_by_number_and_by_bytes() {
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
