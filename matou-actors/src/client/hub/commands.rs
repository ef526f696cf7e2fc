//! What the user wants.

use std::path::PathBuf;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::pending_commands::Checked;
use super::turn::Wait;
use super::{Hub, Leaving};
use crate::client::api::command::Command;
use crate::client::api::event::Event;
use crate::client::connection::outbox::Outbox;
use crate::client::link::sign_in::Wish;
use crate::client::session::conversation::{Conversation, Item, Pursuit};
use crate::protocol::{ClientFrame, FoldedName, MessageText, Username};

impl Hub {
    /// Does what `command` says; returns what has to be waited for before the next one.
    pub(super) fn run(
        &mut self,
        command: Command,
        checked: Checked,
        ctx: &mut Context<Self>,
    ) -> Wait {
        if matches!(self.leaving, Leaving::Now | Leaving::Over) {
            return Wait::FewerEvents;
        }
        if self.waits_for_sign_in(&command) {
            self.keep_pending(command, checked);
            return Wait::FewerEvents;
        }
        match command {
            Command::SignIn(name) => self.sign_in(name, ctx),
            Command::Say(text) => {
                return self.say(text).map_or(Wait::FewerEvents, Wait::Outbox);
            }
            Command::Tell { to, text } => {
                return self.deliver_text(&to, text, ctx).map_or(Wait::FewerEvents, Wait::Session);
            }
            Command::Send { to, path } => self.deliver_file(&to, path, checked, ctx),
            Command::Open(name) => self.open(&name, ctx),
            Command::Accept(name) => self.accept(&name, ctx),
            Command::Decline(name) => self.decline(&name),
            Command::Close(name) => {
                return self.close(&name).map_or(Wait::FewerEvents, Wait::Session);
            }
            Command::Take(id) => self.take(id),
            Command::Refuse(id) => self.refuse(id, "you refused it"),
            Command::Cancel(id) => self.cancel(id),
            Command::SetDownloads(folder) => self.set_downloads(folder, ctx),
            Command::ListTransfers => self.list_transfers(),
            Command::ListPresent => self.emit(Event::Present { usernames: self.roster.names() }),
            Command::Ignore(name) => self.ignore(&name),
            Command::Unignore(name) => self.unignore(&name, ctx),
            Command::Reconnect => self.reconnect(ctx),
            Command::Quit => self.leave(ctx),
            Command::Finish => self.finish(),
        }
        Wait::FewerEvents
    }

    /// Runs what was typed before the first sign-in.
    pub(super) fn run_pending(&mut self, ctx: &mut Context<Self>) {
        for (command, checked) in self.pending.take() {
            self.run(command, checked, ctx);
        }
    }

    fn waits_for_sign_in(&self, command: &Command) -> bool {
        let needs_server = matches!(
            command,
            Command::Say(_) | Command::Tell { .. } | Command::Send { .. } | Command::Open(_)
        );
        needs_server && !self.ready
    }

    fn keep_pending(&mut self, command: Command, checked: Checked) {
        if let Err(command) = self.pending.keep(command, checked) {
            self.never_sent(command, "too much waits for the sign-in; sign in first");
        }
    }

    /// Says that `command`, which needs the server, comes to nothing.
    pub(super) fn never_sent(&mut self, command: Command, reason: &str) {
        match command {
            Command::Tell { to, text } => {
                let (texts, reason) = (vec![text], reason.into());
                self.emit(Event::Undelivered { to, texts, reason });
            }
            Command::Send { to, path } => {
                self.error(format!("{} was not sent to {to}: {reason}", path.display()));
            }
            Command::Open(name) => self.error(format!("{name} was not asked: {reason}")),
            Command::Say(text) => self.error(format!("{:?} was not sent: {reason}", text.as_str())),
            _ => {}
        }
    }

    fn sign_in(&mut self, name: Username, ctx: &mut Context<Self>) {
        match self.sign_in.wish(name) {
            Wish::Ask(name) => self.ask(&name, ctx),
            Wish::Later if self.link.is_none() && self.retry.is_none() => {
                self.notice("not connected to the server; /reconnect tries again, with this name");
            }
            Wish::Later => {}
            Wish::Busy(asked) => {
                self.error(format!("the server has not answered yet whether you may be {asked}"));
            }
            Wish::SignedIn(own) => {
                self.error(format!("you are {own} already; quit to come back under another name"));
            }
        }
    }

    fn say(&mut self, text: MessageText) -> Option<Outbox> {
        if !self.sign_in.is_joined() {
            self.error("not connected to the server, so your message was not sent; /reconnect");
            return None;
        }
        let outbox = self.link.as_ref()?.outbox.clone();
        match outbox.push(&ClientFrame::Say(text)) {
            Ok(()) => self.unacknowledged += 1,
            Err(_) => self.error(
                "the server takes no messages now, so yours was not sent; send it again later",
            ),
        }
        Some(outbox)
    }

    fn deliver_text(
        &mut self,
        to: &Username,
        text: MessageText,
        ctx: &mut Context<Self>,
    ) -> Option<oneshot::Receiver<()>> {
        let key = match self.reachable(to) {
            Ok(key) => key,
            Err((problem, advice)) => {
                let reason = format!("{problem}{advice}");
                self.emit(Event::Undelivered { to: to.clone(), texts: vec![text], reason });
                return None;
            }
        };
        let session = self.conversation(&key).and_then(|with| with.sessions().first().copied());
        if let Some(session) = session {
            return Some(self.send_text(session, text));
        }
        self.wait_for_session(&key, Item::Text(text), ctx);
        None
    }

    fn deliver_file(
        &mut self,
        to: &Username,
        path: PathBuf,
        checked: Checked,
        ctx: &mut Context<Self>,
    ) {
        let file = match checked {
            Some(Ok(file)) => file,
            Some(Err(message)) => return self.error(message),
            None => return,
        };
        let Some(key) = self.reach(to, &format!("{} was not sent", path.display())) else { return };
        let Some(name) = self.conversation(&key).map(|with| with.name().clone()) else { return };
        let info = self.transfers.outgoing(name, path, file);
        let id = info.id;
        self.emit(Event::FileStarted(info));
        if self.conversation(&key).is_some_and(|with| !with.sessions().is_empty()) {
            self.send_file(&key, id, ctx);
        } else {
            self.wait_for_session(&key, Item::File(id), ctx);
        }
    }

    fn wait_for_session(&mut self, key: &FoldedName, item: Item, ctx: &mut Context<Self>) {
        let refused = self.conversations.get_mut(key).and_then(|with| with.wait(item).err());
        if let Some(item) = refused {
            let Some(to) = self.conversation(key).map(|with| with.name().clone()) else { return };
            return self.undelivered(to, vec![item], "too much waits already");
        }
        self.pursue(key, ctx);
    }

    fn open(&mut self, name: &Username, ctx: &mut Context<Self>) {
        let Some(key) = self.reach(name, "no private session was asked for") else { return };
        match self.pursue(&key, ctx) {
            Some(Pursuit::Open) => self.notice(format!("the private session with {name} is open")),
            Some(Pursuit::Pending) => {
                self.notice(format!("a private session with {name} is under way already"));
            }
            _ => {}
        }
    }

    /// The conversation with `name`, begun if need be; an error to the user when they cannot be
    /// reached, ending in `so`.
    fn reach(&mut self, name: &Username, so: &str) -> Option<FoldedName> {
        match self.reachable(name) {
            Ok(key) => Some(key),
            Err((problem, advice)) => {
                self.error(format!("{problem}, so {so}{advice}"));
                None
            }
        }
    }

    /// The conversation with `name`, begun if need be; else why there is none, and what to do.
    fn reachable(&mut self, name: &Username) -> Result<FoldedName, (String, &'static str)> {
        let key = name.folded();
        if self.sign_in.me().is_some_and(|me| me.folded() == key) {
            return Err((format!("{name} is you"), ""));
        }
        if self.conversations.get(&key).is_some_and(|with| !with.is_idle()) {
            return Ok(key);
        }
        if !self.sign_in.is_joined() {
            return Err(("not connected to the server".into(), "; /reconnect"));
        }
        let here = match self.roster.find(&key) {
            Some(here) => here.clone(),
            None if self.roster.announces() => {
                return Err((format!("no user here is called {name}"), "; /who lists who is here"));
            }
            None => {
                self.notice(format!(
                    "the server did not say who was here before you, so {name} may or may not be: \
                     asking anyway"
                ));
                name.clone()
            }
        };
        self.conversations.insert(key.clone(), Conversation::new(here));
        Ok(key)
    }

    fn ignore(&mut self, name: &Username) {
        if self.sign_in.me().is_some_and(|me| me.folded() == name.folded()) {
            return self.error(format!("{name} is you; you cannot ignore yourself"));
        }
        self.ignored.insert(name.folded());
        self.notice(format!("{name} is ignored; /unignore {name} undoes it"));
    }

    fn unignore(&mut self, name: &Username, ctx: &mut Context<Self>) {
        if !self.ignored.remove(&name.folded()) {
            return self.error(format!("{name} was not ignored"));
        }
        self.notice(format!("{name} is no longer ignored"));
        self.present_offers_of(&name.folded(), ctx);
    }
}
