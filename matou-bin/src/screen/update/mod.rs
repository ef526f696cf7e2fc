//! How the state changes: one event in, the effects out.

mod chat;
mod editing;
mod files;
mod keys;
mod leaving;
mod modals;
mod mouse;
mod past;
mod presence;
mod private;
mod question;
mod submit;

use crate::client::sizes::size as bytes;
use crate::screen::state::app::App;
use crate::screen::state::event::{Now, UiEffect, UiEvent};
use crate::screen::state::modal::Modal;
use crate::screen::view::scroll;

impl App {
    /// Handles `event` and returns what is to be done outside.
    pub(crate) fn update(&mut self, event: UiEvent, now: Now) -> Vec<UiEffect> {
        let minute = (self.now.wall.date(), self.now.wall.hour(), self.now.wall.minute());
        self.now = now;
        self.dirty |= minute != (now.wall.date(), now.wall.hour(), now.wall.minute());
        self.dirty |= !matches!(event, UiEvent::Tick);
        self.end_burst();
        let before = (self.active, self.typed());
        match event {
            UiEvent::Key(key) => self.key(key),
            UiEvent::Paste(text) => {
                self.submit_held();
                self.paste(&text);
            }
            UiEvent::Mouse(mouse) => self.mouse(mouse),
            UiEvent::Resize(columns, rows) => self.resize((columns, rows)),
            UiEvent::Focus(focus) => self.focus(focus),
            UiEvent::Chat(event) => self.chat(event),
            UiEvent::Listed(listing) => self.listed(&listing),
            UiEvent::FileFound(line, found) => self.file_found(&line, found),
            UiEvent::Stored(to, stored) => self.paste_stored(to, stored),
            UiEvent::DiskFailed(problem) => self.error(&problem),
            UiEvent::Tick => self.tick(),
        }
        if before.0 == self.active && before.1 != self.typed() {
            self.announce_typing();
        }
        // In a busy room there is no tick.
        self.leave_late();
        self.note_question();
        std::mem::take(&mut self.effects)
    }

    /// There is no shell to return to.
    pub(crate) fn no_shell(&mut self) {
        self.flash("Cannot suspend: not started from a shell.");
        self.dirty = true;
    }

    fn resize(&mut self, size: (u16, u16)) {
        self.size = size;
        if self.copy_mode {
            self.show_copy_mode();
        }
    }

    fn tick(&mut self) {
        if self.flash.as_ref().is_some_and(|(_, until)| *until <= self.now.elapsed) {
            self.flash = None;
            self.dirty = true;
        }
        self.expire_typing();
        // A countdown is on the screen.
        self.dirty |= matches!(
            self.link,
            crate::screen::state::app::ServerStatus::Down { next: Some(_), .. }
        );
        self.search_on();
    }

    fn focus(&mut self, focus: bool) {
        self.notifier.focus(focus);
        if focus {
            self.seen();
        } else if let Some(tab) = self.tab_mut().filter(|tab| tab.unread == 0) {
            tab.buffer.mark_read();
        }
    }

    /// Looks on in the scrollback, when something is searched for.
    fn search_on(&mut self) {
        let pane_height = self.pane_height();
        let Some(tab) = self.tabs.get(self.active) else {
            return;
        };
        let Some(Modal::Search(search)) = &mut self.modal else {
            return;
        };
        if search.scan.is_none() {
            return;
        }
        let found = search.step(&tab.buffer);
        self.dirty |= search.scan.is_none();
        if let Some(id) = found
            && let Some(pane) = self.pane()
        {
            let scroll = scroll::around(&pane, id, pane_height);
            if let Some(tab) = self.tab_mut() {
                tab.scroll = scroll;
            }
        }
    }

    /// `2 files, 12.3 MB to go`.
    pub(in crate::screen) fn under_way(&self) -> Option<String> {
        let (count, left) = self.transfers.under_way();
        match count {
            0 => None,
            1 => Some(format!("1 transfer is running, {} left", bytes(left))),
            _ => Some(format!("{count} transfers are running, {} left", bytes(left))),
        }
    }
}
