//! Leaving: how long the client may take to sign out, and what it says last.

use std::time::Duration;

use matou_actors::client::{Command, Event};

use crate::input::begins_command;
use crate::screen::state::app::App;
use crate::screen::state::event::UiEffect;
use crate::screen::state::history::{Scope, to_file};
use crate::screen::state::tab::TabKind;

/// How long without any progress of the user's output before the screen leaves without the client,
/// which gives up by itself before that.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);
/// Lines to print after the screen is closed.
const MAX_LAST_WORDS: usize = 100;

impl App {
    /// Signs out; the screen closes when the client has.
    pub(super) fn leave(&mut self) {
        if self.leaving.is_some() {
            self.effects.push(UiEffect::Exit(None));
            return;
        }
        self.modal = None;
        self.keep_half_typed();
        self.part();
        self.effects.push(UiEffect::Send(Command::Quit));
    }

    /// Puts half-typed input for the room into the history, so that the next run has it. Half-typed
    /// input for one person, or a command, which may contain such text, is not written.
    fn keep_half_typed(&mut self) {
        let room = self.tabs.iter().find(|tab| tab.kind == TabKind::Room);
        let line = room.map(|tab| tab.input.text().to_owned()).unwrap_or_default();
        if !line.trim().is_empty() && !begins_command(&line) {
            self.effects.push(UiEffect::Remember(to_file(&line)));
            self.history.add(line, Scope::Anywhere);
        }
    }

    /// From now on, errors are printed after the screen is closed.
    pub(crate) fn part(&mut self) {
        self.leaving.get_or_insert(self.now.elapsed);
    }

    /// Leaves without a client that does not finish.
    pub(super) fn leave_late(&mut self) {
        let over = |since| self.now.elapsed.saturating_sub(since) > LEAVE_LIMIT;
        if self.leaving.is_some_and(over) {
            self.effects.push(UiEffect::Exit(None));
        }
    }

    /// Records what `event` means for the user's own messages, and for signing out.
    pub(crate) fn track_delivery(&mut self, event: &Event) {
        match event {
            Event::Message { from, .. } if self.is_me(from) => {
                self.unacknowledged = self.unacknowledged.saturating_sub(1);
            }
            // Activity of others is no reason to stay, nor is a file, which signing out aborts.
            Event::Message { .. }
            | Event::Joined { .. }
            | Event::Left { .. }
            | Event::FileProgress { .. } => return,
            // The client reports them itself then.
            Event::Disconnected { .. } => self.unacknowledged = 0,
            _ => {}
        }
        let Some(since) = &mut self.leaving else { return };
        *since = self.now.elapsed;
        match event {
            Event::Error { message, .. } => self.last_words.push(message.clone()),
            Event::Undelivered { to, texts, reason } => {
                let words = texts.iter().map(|text| format!("not sent to {to} ({reason}): {text}"));
                self.last_words.extend(words);
            }
            _ => {}
        }
        self.last_words.truncate(MAX_LAST_WORDS);
    }

    /// What the user has to know after the screen has closed. `closed` is whether the client has
    /// signed out by then.
    pub(crate) fn last_words(self, closed: bool) -> Vec<String> {
        let mut words = self.last_words;
        // A client that has closed reports its losses itself.
        if closed || !words.is_empty() {
            return words;
        }
        if self.unacknowledged > 0 {
            words.push(format!(
                "{} of your messages may not have been delivered",
                self.unacknowledged
            ));
        } else {
            words.push(
                "signing out timed out: your last messages may not have been delivered".into(),
            );
        }
        words
    }
}
