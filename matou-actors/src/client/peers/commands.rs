//! What the user wants of other users.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Peers, Situation};
use crate::client::api::command::Command;
use crate::client::api::event::{ErrorCode, Event};
use crate::client::messages::{Checked, PrivateText};
use crate::protocol::Username;
use crate::transfer::ChosenFile;

impl Peers {
    /// Runs a command about another user; the next command may follow once the other end of the
    /// returned channel is dropped.
    pub(crate) fn run(
        &mut self,
        command: Command,
        checked: Checked,
        at: &Situation<'_>,
    ) -> Option<oneshot::Receiver<()>> {
        match command {
            Command::Tell { to, text } => return self.deliver_text(&to, text.into(), at),
            Command::ActTo { to, text } => {
                return self.deliver_text(&to, PrivateText { text, action: true }, at);
            }
            Command::Close(name) => return self.close(&name),
            Command::Typing { to, active } => self.send_typing(&to, active),
            Command::Send { to, path, .. } => match checked {
                Some(Ok(file)) => self.deliver_file(&to, path, file, at),
                Some(Err(message)) => self.error(ErrorCode::File, message),
                None => {}
            },
            Command::SendPipe { to, name, pipe } => {
                let file = Arc::new(ChosenFile::piped(name.clone(), pipe.0));
                self.deliver_file(&to, name, file, at);
            }
            Command::Open(name) => self.open(&name, at),
            Command::Accept(name) => self.accept(&name, at),
            Command::Decline(name) => self.decline(&name),
            Command::Take(id) => self.take(id, None),
            Command::TakeTo { id, folder } => self.take(id, Some(folder)),
            Command::Refuse(id) => self.refuse(id, "you refused it"),
            Command::Cancel(id) => self.cancel(id),
            Command::ListTransfers => self.list_transfers(),
            Command::Ignore(name) => self.ignore(&name, at),
            Command::Unignore(name) => self.unignore(&name, at),
            Command::Allow(name) => self.allow(&name, at),
            Command::Disallow(name) => self.disallow(&name),
            Command::Diagnose(name) => self.diagnose(&name, at),
            Command::Whois(name) => self.whois(&name, at),
            Command::Verify(name) => self.verify(&name, at),
            Command::Compared(name) => self.compared(&name, at),
            Command::Trust(name) => self.trust(&name, at),
            Command::Resend(name) => self.resend(&name, at),
            // Not about other users: the hub and the link do these.
            Command::SignIn(_)
            | Command::UsePassword(_)
            | Command::UseServers(_)
            | Command::Reconnect
            | Command::Say(_)
            | Command::Act(_)
            | Command::FetchHistory
            | Command::ListPresent
            | Command::ShowTopic
            | Command::SetRate(_)
            | Command::ShowRate
            | Command::SetDownloads { .. }
            | Command::ShowDownloads
            | Command::Quit
            | Command::Finish => {}
        }
        None
    }

    /// What the user sees of `event`: nothing from those whom they ignore.
    pub(crate) fn shown(&self, event: Event, me: Option<&Username>) -> Option<Event> {
        let is_shown = |from: &Username| me == Some(from) || !self.ignores(from);
        match event {
            Event::Message { ref from, .. } if !is_shown(from) => None,
            Event::HistoryMessage { ref message, .. } if !is_shown(&message.from) => None,
            Event::History { mut messages, more } => {
                messages.retain(|message| is_shown(&message.from));
                Some(Event::History { messages, more })
            }
            event => Some(event),
        }
    }

    fn ignores(&self, name: &Username) -> bool {
        !self.ignored.is_empty() && self.ignored.contains(&name.folded())
    }
}
