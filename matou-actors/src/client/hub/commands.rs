//! What the user wants.

use std::path::PathBuf;
use std::sync::Arc;

use actix::prelude::*;

use super::turn::Wait;
use super::{Hub, Leaving};
use crate::client::api::command::Command;
use crate::client::api::event::{ErrorCode, Event};
use crate::client::channels::feed::first_present;
use crate::client::channels::pending_commands::{needs_server, never_sent};
use crate::client::link::server_link::ServerLink;
use crate::client::messages::Checked;

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
        if needs_server(&command) && !self.server.is_ready() {
            self.keep_pending(command, checked);
            return Wait::FewerEvents;
        }
        match command {
            Command::UsePassword(password) => {
                self.settings.password = Some(password);
                self.with_server(ctx, ServerLink::use_password);
            }
            Command::SignIn(name) => self.with_server(ctx, |server| server.wish(name)),
            Command::Say(text) => {
                let room = self.with_server(ctx, |server| server.say(text, false));
                return room.map_or(Wait::FewerEvents, Wait::Room);
            }
            Command::Act(text) => {
                let room = self.with_server(ctx, |server| server.say(text, true));
                return room.map_or(Wait::FewerEvents, Wait::Room);
            }
            Command::Tell { to, text } => {
                let room = self.with_peers(ctx, |peers, at| peers.deliver_text(&to, text, at));
                return room.map_or(Wait::FewerEvents, Wait::Room);
            }
            Command::Close(name) => {
                let reported = self.with_peers(ctx, |peers, _| peers.close(&name));
                return reported.map_or(Wait::FewerEvents, Wait::Room);
            }
            Command::Send { to, path, .. } => match checked {
                Some(Ok(file)) => {
                    self.with_peers(ctx, |peers, at| peers.deliver_file(&to, path, file, at));
                }
                Some(Err(message)) => self.error(ErrorCode::File, message),
                None => {}
            },
            Command::Open(name) => self.with_peers(ctx, |peers, at| peers.open(&name, at)),
            Command::Accept(name) => self.with_peers(ctx, |peers, at| peers.accept(&name, at)),
            Command::Decline(name) => self.with_peers(ctx, |peers, _| peers.decline(&name)),
            Command::Take(id) => self.with_peers(ctx, |peers, _| peers.take(id, None)),
            Command::TakeTo { id, folder } => {
                self.with_peers(ctx, |peers, _| peers.take(id, Some(folder)));
            }
            Command::SetRate(rate) => {
                self.rate.set(Some(rate));
                self.notice(match self.rate.get() {
                    Some(rate) => format!("files are sent with at most {rate} bytes a second"),
                    None => "files are sent as fast as possible".into(),
                });
            }
            Command::Refuse(id) => {
                self.with_peers(ctx, |peers, _| peers.refuse(id, "you refused it"));
            }
            Command::Cancel(id) => self.with_peers(ctx, |peers, _| peers.cancel(id)),
            Command::ListTransfers => self.with_peers(ctx, |peers, _| peers.list_transfers()),
            Command::FetchHistory => self.with_server(ctx, ServerLink::fetch_history),
            Command::Ignore(name) => self.with_peers(ctx, |peers, at| peers.ignore(&name, at)),
            Command::Unignore(name) => {
                self.with_peers(ctx, |peers, at| peers.unignore(&name, at));
            }
            Command::Allow(name) => self.with_peers(ctx, |peers, at| peers.allow(&name, at)),
            Command::Disallow(name) => self.with_peers(ctx, |peers, _| peers.disallow(&name)),
            Command::Whois(name) => self.with_peers(ctx, |peers, at| peers.whois(&name, at)),
            Command::Verify(name) => self.with_peers(ctx, |peers, at| peers.verify(&name, at)),
            Command::Compared(name) => self.with_peers(ctx, |peers, at| peers.compared(&name, at)),
            Command::Trust(name) => self.with_peers(ctx, |peers, at| peers.trust(&name, at)),
            Command::Resend(name) => self.with_peers(ctx, |peers, at| peers.resend(&name, at)),
            Command::SetDownloads { folder, or } => self.set_downloads(folder, or, ctx),
            Command::ListPresent => {
                self.emit(Event::Present { usernames: self.server.roster().names() });
            }
            Command::UseServer(name) => self.with_server(ctx, |server| server.use_server(name)),
            Command::Reconnect => self.with_server(ctx, ServerLink::reconnect),
            Command::Quit => self.leave(ctx),
            Command::Finish => self.finish(ctx),
        }
        Wait::FewerEvents
    }

    /// Runs what was typed before the first sign-in.
    pub(super) fn run_pending(&mut self, ctx: &mut Context<Self>) {
        for (command, checked) in self.pending.take() {
            self.run(command, checked, ctx);
        }
    }

    fn keep_pending(&mut self, command: Command, checked: Checked) {
        if let Err(command) = self.pending.keep(command, checked) {
            self.emit(never_sent(command, "too much is queued before the sign-in; sign in first"));
        }
    }

    /// Changes the downloads folder, off the event loop.
    fn set_downloads(&mut self, folder: PathBuf, or: Vec<PathBuf>, ctx: &mut Context<Self>) {
        let downloads = Arc::clone(&self.downloads);
        let moved =
            tokio::task::spawn_blocking(move || downloads.move_to(first_present(folder, or)));
        ctx.spawn(moved.into_actor(self).map(|moved, hub, ctx| {
            match moved {
                Ok(Ok(folder)) => {
                    hub.notice(format!("received files are saved in {}", folder.display()));
                }
                Ok(Err(error)) => hub.error(ErrorCode::File, error.to_string()),
                Err(error) => hub.error(
                    ErrorCode::File,
                    format!("the downloads folder was not changed: {error}"),
                ),
            }
            hub.settle(ctx);
        }));
    }
}
