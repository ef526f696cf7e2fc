//! Who is typing in a private session: the user, for the other side, and the other side.

use std::time::Duration;

use matou_actors::client::{Command, LinkSecurity};
use matou_actors::protocol::Username;

use crate::screen::state::app::App;
use crate::screen::state::event::UiEffect;

/// Between two announcements while the user keeps typing.
const EVERY: Duration = Duration::from_secs(3);
/// A peer that sends no further notice has stopped typing.
const UNTIL: Duration = Duration::from_secs(6);

impl App {
    /// Bytes in the input line.
    pub(super) fn typed(&self) -> usize {
        self.tab().map_or(0, |tab| tab.input.text().len())
    }

    /// Announces to the peer of an encrypted session that the user types, or does so no more. Commands are
    /// for no one else.
    pub(super) fn announce_typing(&mut self) {
        let now = self.now.elapsed;
        if !self.announces_typing {
            return;
        }
        let Some(tab) = self.tabs.get_mut(self.active) else { return };
        let Some(to) = tab.peer().cloned() else { return };
        if !matches!(tab.security, Some(LinkSecurity::Encrypted { .. })) {
            return;
        }
        let text = tab.input.text();
        let active = !text.is_empty() && (!text.starts_with('/') || text.starts_with("//"));
        let is_due = match tab.announced_typing {
            Some(at) if active => now >= at + EVERY,
            Some(_) => true,
            None => active,
        };
        if is_due {
            tab.announced_typing = active.then_some(now);
            self.effects.push(UiEffect::Send(Command::Typing { to, active }));
        }
    }

    pub(super) fn peer_types(&mut self, who: &Username, active: bool) {
        let until = active.then(|| self.now.elapsed + UNTIL);
        if let Some(tab) = self.peer_tab(who).and_then(|index| self.tabs.get_mut(index)) {
            tab.peer_types_until = until;
        }
    }

    /// Whether the peer of the active tab is typing.
    pub(in crate::screen) fn peer_is_typing(&self) -> bool {
        let until = self.tab().and_then(|tab| tab.peer_types_until);
        until.is_some_and(|until| until > self.now.elapsed)
    }

    /// Forgets users who have stopped typing without a notice.
    pub(super) fn expire_typing(&mut self) {
        let now = self.now.elapsed;
        for tab in &mut self.tabs {
            if tab.peer_types_until.is_some_and(|until| until <= now) {
                tab.peer_types_until = None;
                self.dirty = true;
            }
        }
    }
}
