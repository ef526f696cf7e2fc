//! What the user wants.

use std::path::PathBuf;
use std::sync::Arc;

use actix::prelude::*;

use super::turn::Wait;
use super::{Hub, Leaving};
use crate::client::api::command::Command;
use crate::client::api::event::Event;
use crate::client::connection::outbox::Outbox;
use crate::client::link::sign_in::Wish;
use crate::client::messages::Checked;
use crate::protocol::{ClientFrame, MessageText, Username};

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
                let room = self.with_peers(ctx, |peers, at| peers.deliver_text(&to, text, at));
                return room.map_or(Wait::FewerEvents, Wait::Session);
            }
            Command::Close(name) => {
                let reported = self.with_peers(ctx, |peers, _| peers.close(&name));
                return reported.map_or(Wait::FewerEvents, Wait::Session);
            }
            Command::Send { to, path } => match checked {
                Some(Ok(file)) => {
                    self.with_peers(ctx, |peers, at| peers.deliver_file(&to, path, file, at));
                }
                Some(Err(message)) => self.error(message),
                None => {}
            },
            Command::Open(name) => self.with_peers(ctx, |peers, at| peers.open(&name, at)),
            Command::Accept(name) => self.with_peers(ctx, |peers, at| peers.accept(&name, at)),
            Command::Decline(name) => self.with_peers(ctx, |peers, _| peers.decline(&name)),
            Command::Take(id) => self.with_peers(ctx, |peers, _| peers.take(id)),
            Command::Refuse(id) => {
                self.with_peers(ctx, |peers, _| peers.refuse(id, "you refused it"));
            }
            Command::Cancel(id) => self.with_peers(ctx, |peers, _| peers.cancel(id)),
            Command::ListTransfers => self.with_peers(ctx, |peers, _| peers.list_transfers()),
            Command::Ignore(name) => self.with_peers(ctx, |peers, at| peers.ignore(&name, at)),
            Command::Unignore(name) => {
                self.with_peers(ctx, |peers, at| peers.unignore(&name, at));
            }
            Command::SetDownloads(folder) => self.set_downloads(folder, ctx),
            Command::ListPresent => self.emit(Event::Present { usernames: self.roster.names() }),
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

    /// Changes the downloads folder, off the event loop.
    fn set_downloads(&mut self, folder: PathBuf, ctx: &mut Context<Self>) {
        let downloads = Arc::clone(&self.downloads);
        let moved = tokio::task::spawn_blocking(move || downloads.move_to(folder));
        ctx.spawn(moved.into_actor(self).map(|moved, hub, ctx| {
            match moved {
                Ok(Ok(folder)) => {
                    hub.notice(format!("received files are saved in {}", folder.display()));
                }
                Ok(Err(error)) => hub.error(error.to_string()),
                Err(error) => hub.error(format!("the downloads folder was not changed: {error}")),
            }
            hub.settle(ctx);
        }));
    }
}
