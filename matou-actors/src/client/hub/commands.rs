//! What the user wants: who does it, and when.

use actix::prelude::*;
use tokio::sync::oneshot;

use super::turn::Wait;
use super::{Hub, Leaving};
use crate::client::api::command::Command;
use crate::client::background::{move_downloads, show_downloads};
use crate::client::channels::pending_commands::{needs_server, never_sent};
use crate::client::messages::{Checked, LinkCommand, ServerCommand};

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
        let room = match ServerCommand::from_command(command) {
            Ok(command) => {
                let (room, wait) = oneshot::channel();
                self.command_link(LinkCommand::Run { command, room });
                Some(wait)
            }
            Err(command) => self.run_beside_server(command, checked, ctx),
        };
        room.map_or(Wait::FewerEvents, Wait::Room)
    }

    fn run_beside_server(
        &mut self,
        command: Command,
        checked: Checked,
        ctx: &mut Context<Self>,
    ) -> Option<oneshot::Receiver<()>> {
        match command {
            Command::Quit => self.leave(ctx),
            Command::Finish => self.finish(),
            Command::SetRate(rate) => {
                self.sessions.limit_rate(rate);
                self.emit(self.sessions.describe_rate());
            }
            Command::ShowRate => self.emit(self.sessions.describe_rate()),
            Command::SetDownloads { folder, or } => {
                self.emit_later(move_downloads(&self.downloads, folder, or), ctx);
            }
            Command::ShowDownloads => self.emit_later(show_downloads(&self.downloads), ctx),
            command => return self.with_peers(ctx, |peers, at| peers.run(command, checked, at)),
        }
        None
    }

    /// Runs what was typed before the first sign-in.
    pub(super) fn run_pending(&mut self, ctx: &mut Context<Self>) {
        for (command, checked) in self.pending.take() {
            self.run(command, checked, ctx);
        }
    }

    fn keep_pending(&mut self, command: Command, checked: Checked) {
        if let Err(command) = self.pending.keep(command, checked) {
            self.emit(never_sent(command, "too much is already queued; sign in first"));
        }
    }
}
