//! The tabs: found, made, shown, closed, and how much the private ones hold together.

use matou_actors::protocol::Username;

use crate::screen::state::app::App;
use crate::screen::state::buffer::BufferLimits;
use crate::screen::state::tab::{PrivateState, Scroll, Tab, TabKind};

/// The index of the room's tab, which stays.
pub(in crate::screen) const ROOM: usize = 0;
/// Private tabs that may be open. Others can open them, so they are bounded.
const MAX_PEER_TABS: usize = 60;
/// Bytes of all private tabs together.
const PEERS_BYTES: usize = 12 * 1024 * 1024;
const PEER_LINES: usize = 20_000;

impl App {
    pub(in crate::screen) fn tab(&self) -> Option<&Tab> {
        self.tabs.get(self.active)
    }

    pub(in crate::screen) fn tab_mut(&mut self) -> Option<&mut Tab> {
        self.tabs.get_mut(self.active)
    }

    pub(in crate::screen) fn is_transfers(&self) -> bool {
        self.tab().is_some_and(|tab| tab.kind == TabKind::Transfers)
    }

    pub(in crate::screen) fn transfers_tab(&self) -> usize {
        self.tabs.len().saturating_sub(1)
    }

    pub(in crate::screen) fn peer_tab(&self, peer: &Username) -> Option<usize> {
        let key = peer.folded();
        self.tabs.iter().position(|tab| tab.peer().is_some_and(|of| of.folded() == key))
    }

    /// The tab of `peer`, created if there is none. Never another tab: private text would be taken
    /// for public there.
    pub(in crate::screen) fn ensure_tab(&mut self, peer: &Username) -> usize {
        if let Some(index) = self.peer_tab(peer) {
            return index;
        }
        if self.tabs.len() >= MAX_PEER_TABS + 2 {
            self.drop_a_tab();
        }
        let index = self.transfers_tab();
        let limits = BufferLimits { lines: PEER_LINES, bytes: PEERS_BYTES };
        let mut tab = Tab::new(TabKind::Peer(peer.clone()), limits);
        tab.session = self.untabbed.remove(&peer.folded()).unwrap_or_default();
        self.tabs.insert(index, tab);
        if self.active >= index {
            self.active += 1;
        }
        index
    }

    /// Closes a private tab: the oldest of those with the least activity.
    fn drop_a_tab(&mut self) {
        let activity = |tab: &Tab| {
            let open = matches!(tab.session, PrivateState::Open(_));
            (
                open,
                !tab.waiting.is_empty(),
                !tab.input.is_empty(),
                tab.session != PrivateState::None,
            )
        };
        let others = self.tabs.iter().enumerate();
        let others = others.filter(|(index, tab)| tab.peer().is_some() && *index != self.active);
        if let Some((index, tab)) = others.min_by_key(|(index, tab)| (activity(tab), *index)) {
            if let (Some(peer), PrivateState::Open(_)) = (tab.peer(), tab.session) {
                self.untabbed.insert(peer.folded(), tab.session);
            }
            self.remove_tab(index);
        }
    }

    pub(in crate::screen) fn remove_tab(&mut self, index: usize) {
        if self.tabs.get(index).is_some_and(|tab| tab.peer().is_some()) {
            self.tabs.remove(index);
            if self.active == index {
                // A private draft is restored in no other tab.
                self.completion = None;
                self.history.settle();
            }
            if self.active > index || self.active >= self.tabs.len() {
                self.active = self.active.saturating_sub(1);
            }
            self.show(self.active);
        }
    }

    /// Makes tab `index` the active one.
    pub(in crate::screen) fn show(&mut self, index: usize) {
        if index >= self.tabs.len() {
            return;
        }
        if index != self.active {
            // Seen entries stay seen: the unread line moves to the end.
            if let Some(tab) = self.tab_mut().filter(|tab| tab.unread == 0) {
                tab.buffer.mark_read();
            }
            self.completion = None;
            self.history.settle();
        }
        self.active = index;
        if index == self.transfers_tab() {
            self.transfers.choose();
        }
        self.seen();
    }

    /// The active tab counts as read when its end is seen and the terminal has the focus.
    pub(in crate::screen) fn seen(&mut self) {
        let has_focus = self.notifier.has_focus();
        if let Some(tab) = self.tab_mut().filter(|tab| tab.scroll == Scroll::Bottom)
            && has_focus
        {
            tab.see();
        }
    }

    /// Whether new entries of tab `index` are seen at once.
    pub(in crate::screen) fn is_seen(&self, index: usize) -> bool {
        let at_end = self.tabs.get(index).map(|tab| tab.scroll) == Some(Scroll::Bottom);
        index == self.active && at_end && self.notifier.has_focus()
    }

    /// Private tabs share their memory: the largest one forgets first.
    pub(in crate::screen) fn trim_peers(&mut self) {
        let peers = || self.tabs.iter().enumerate().filter(|(_, tab)| tab.peer().is_some());
        let total: usize = peers().map(|(_, tab)| tab.buffer.bytes()).sum();
        if total > PEERS_BYTES
            && let Some((index, _)) = peers().max_by_key(|(_, tab)| tab.buffer.bytes())
            && let Some(tab) = self.tabs.get_mut(index)
        {
            // Twice the amount added, so that the sum shrinks.
            tab.buffer.drop_oldest();
            tab.buffer.drop_oldest();
        }
    }
}
