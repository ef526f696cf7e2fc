//! Earlier messages of the room: shown with their own time, and fetched when the user scrolls past
//! the top.

use jiff::tz::TimeZone;
use matou_actors::client::{Command, PastMessage};

use crate::screen::state::app::{App, Older, ServerStatus};
use crate::screen::state::entry::{Body, Entry};
use crate::screen::state::event::UiEffect;
use crate::screen::state::tab::Scroll;
use crate::screen::state::tabs::ROOM;

impl App {
    /// A message that the server has kept. One that was missed is news, others are not.
    pub(super) fn past_message(&mut self, message: &PastMessage, missed: bool) {
        let entry = self.past_entry(message);
        if missed {
            self.log(ROOM, &entry);
        }
        let seen = !missed || self.is_seen(ROOM);
        if let Some(tab) = self.tabs.get_mut(ROOM) {
            tab.push(entry, seen, false);
        }
    }

    /// Messages from now on are new.
    pub(super) fn history_end(&mut self, messages: u64, more: bool) {
        self.older = if more { Older::Available } else { Older::None };
        if messages > 0 {
            self.notice_in(ROOM, "Earlier messages end here.");
        }
    }

    /// Puts fetched messages above everything else; the visible part stays in place.
    pub(super) fn older_messages(&mut self, messages: &[PastMessage], more: bool) {
        let entries: Vec<Entry> = messages.iter().map(|it| self.past_entry(it)).collect();
        if let Some(tab) = self.tabs.get_mut(ROOM) {
            let fit = tab.buffer.prepend(entries);
            self.older = if more && fit { Older::Available } else { Older::None };
        }
    }

    /// Fetches messages from before the top, if the user looks at it.
    pub(super) fn fetch_older(&mut self) {
        let at_top = self.tabs.get(ROOM).is_some_and(|tab| match tab.scroll {
            Scroll::At(entry, row) => row == 0 && entry <= tab.buffer.first(),
            // All of it fits.
            Scroll::Bottom => true,
        });
        if self.active == ROOM
            && at_top
            && self.older == Older::Available
            && self.link == ServerStatus::Up
        {
            self.older = Older::Fetching;
            self.effects.push(UiEffect::Send(Command::FetchHistory));
        }
    }

    fn past_entry(&self, PastMessage { from, text, action, sent }: &PastMessage) -> Entry {
        let kind = self.kind(from, text);
        let at = sent.to_zoned(TimeZone::system()).datetime();
        Entry { at, body: Body::said(from, text, *action, kind) }
    }
}
