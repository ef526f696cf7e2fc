//! Keys: first to the open dialog, then by the table of actions, else as text.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use matou_actors::client::Command;

use crate::screen::config::keymap::KeyAction;
use crate::screen::state::app::App;
use crate::screen::state::burst::{BurstKey, Due, KeyHandling};
use crate::screen::state::event::UiEffect;
use crate::screen::state::modal::{Modal, Search};
use crate::screen::state::tab::{PrivateState, Scroll};
use crate::screen::state::transfers::TransferStage;
use crate::screen::view::scroll;

/// How long Escape waits for the rest of an Alt combination that arrives in two parts.
const META: Duration = Duration::from_millis(50);

impl App {
    pub(super) fn key(&mut self, mut key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        self.notifier.typed(self.now.elapsed);
        if self.copy_mode {
            self.copy_mode = false;
            self.effects.push(UiEffect::EndCopyMode);
            return;
        }
        if self.meta.take().is_some_and(|until| self.now.elapsed < until) {
            let mut with_alt = key;
            with_alt.modifiers.insert(KeyModifiers::ALT);
            let answers = [KeyAction::Accept, KeyAction::Decline, KeyAction::Later];
            if !self.keys.action(with_alt).is_some_and(|action| answers.contains(&action)) {
                key = with_alt;
            }
        }
        let mut action = self.keys.action(key);
        if action == Some(KeyAction::Quit)
            && self.modal.as_ref().is_some_and(Modal::is_closed_first)
        {
            // As in the shell's search: it leaves the dialog, not the program.
            key = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
            action = None;
        }
        match action {
            Some(KeyAction::Quit) => {
                self.submit_held();
                return self.quit();
            }
            Some(KeyAction::Suspend) => return self.effects.push(UiEffect::Suspend),
            Some(KeyAction::Redraw) => return self.effects.push(UiEffect::Redraw),
            _ => {}
        }
        if self.modal.is_some() {
            return self.modal_key(key, action);
        }
        if self.is_of_a_burst(key, action) {
            return;
        }
        match action {
            Some(action) => self.act(action),
            None => self.type_key(key),
        }
    }

    /// Whether a key waits, or belongs to a paste that arrives as keys.
    fn is_of_a_burst(&mut self, key: KeyEvent, action: Option<KeyAction>) -> bool {
        let is_plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        let kind = match key.code {
            KeyCode::Char(c) if is_plain && action.is_none() => BurstKey::Text(c),
            KeyCode::Tab if is_plain => BurstKey::Text('\t'),
            KeyCode::Enter if key.modifiers.is_empty() && action == Some(KeyAction::Submit) => {
                BurstKey::Enter
            }
            _ => BurstKey::Other,
        };
        match self.burst.key(kind, self.now.elapsed) {
            KeyHandling::No => false,
            KeyHandling::Yes => true,
            KeyHandling::Begins => {
                let line = self.tab_mut().map(|tab| tab.input.take()).unwrap_or_default();
                self.burst.begins_with(&line);
                true
            }
            KeyHandling::AfterSubmit => {
                self.act(KeyAction::Submit);
                false
            }
        }
    }

    /// Handles the keys that waited for the next one.
    pub(super) fn end_burst(&mut self) {
        let Some(due) = self.burst.due(self.now.elapsed) else { return };
        self.dirty = true;
        match due {
            Due::Submit => self.act(KeyAction::Submit),
            Due::Paste(text) => self.paste(&text),
        }
    }

    /// Sends the line whose Enter waits, before something else happens to it. A paste that is not
    /// complete stays in the line.
    pub(super) fn submit_held(&mut self) {
        match self.burst.release() {
            Some(Due::Submit) => self.act(KeyAction::Submit),
            Some(Due::Paste(text)) => self.insert(&text),
            None => {}
        }
    }

    /// A key that stands for itself.
    pub(super) fn type_key(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Char(c)
                if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
            {
                self.insert(c.encode_utf8(&mut [0; 4]));
            }
            KeyCode::Esc => {
                self.flash = None;
                // Dismissing a completion keeps the input.
                let dismissed = self.completion.take().is_some();
                self.meta = (!dismissed).then(|| self.now.elapsed + META);
            }
            _ => {}
        }
    }

    fn act(&mut self, action: KeyAction) {
        if !matches!(action, KeyAction::Complete | KeyAction::CompleteBack) {
            self.completion = None;
        }
        match action {
            KeyAction::Help => self.modal = Some(Modal::Help(0)),
            KeyAction::Accept => self.answer(true),
            KeyAction::Decline => self.answer(false),
            KeyAction::Later => self.prompts.later(),
            KeyAction::Tab(number) => self.show(number.saturating_sub(1)),
            KeyAction::NextTab => self.show((self.active + 1) % self.tabs.len().max(1)),
            KeyAction::PreviousTab => {
                self.show(self.active.checked_sub(1).unwrap_or(self.tabs.len().saturating_sub(1)));
            }
            KeyAction::NextActive => self.next_active(),
            KeyAction::CloseTab => self.close_tab(),
            KeyAction::PageUp => self.scroll_up(self.pane_height().saturating_sub(1).max(1)),
            KeyAction::PageDown => self.scroll_down(self.pane_height().saturating_sub(1).max(1)),
            KeyAction::Top => self.scroll_top(),
            KeyAction::Bottom => self.scroll_bottom(),
            KeyAction::RosterUp => self.scroll_roster(true, self.pane_height()),
            KeyAction::RosterDown => self.scroll_roster(false, self.pane_height()),
            KeyAction::Search => self.start_search(),
            KeyAction::Mouse => self.toggle_mouse(),
            KeyAction::CopyMode => self.show_copy_mode(),
            KeyAction::Submit if self.is_transfers() && self.has_empty_input() => {
                self.take_selected();
            }
            KeyAction::Delete if self.is_transfers() && self.has_empty_input() => {
                self.cancel_selected();
            }
            KeyAction::Older if self.is_transfers() && self.has_empty_input() => {
                self.transfers.select(-1);
            }
            KeyAction::Newer if self.is_transfers() && self.has_empty_input() => {
                self.transfers.select(1);
            }
            other => self.edit(other),
        }
    }

    pub(super) fn has_empty_input(&self) -> bool {
        self.tab().is_some_and(|tab| tab.input.is_empty())
    }

    fn quit(&mut self) {
        let asked = matches!(self.modal, Some(Modal::Leave));
        if asked && !self.takes_answers() {
            return;
        }
        if !asked && self.leaving.is_none() && self.transfers.under_way().0 > 0 {
            self.modal = Some(Modal::Leave);
        } else {
            self.leave();
        }
    }

    /// Answers the prompt above the status line.
    pub(super) fn answer(&mut self, yes: bool) {
        if self.prompts.first().is_some() && !self.takes_answers() {
            return;
        }
        let Some(ask) = self.prompts.take() else {
            self.flash("No pending request.");
            return;
        };
        let command = if yes { ask.yes() } else { ask.no() };
        self.perform(command);
    }

    /// The next tab with something urgent, else with something unread.
    fn next_active(&mut self) {
        let count = self.tabs.len();
        let order = || (1..=count).map(|step| (self.active + step) % count.max(1));
        let with = |wanted: fn(&crate::screen::state::tab::Tab) -> bool| {
            order().find(|index| self.tabs.get(*index).is_some_and(wanted))
        };
        match with(|tab| tab.urgent).or_else(|| with(|tab| tab.unread > 0)) {
            Some(index) => self.show(index),
            None => self.flash("No unread messages."),
        }
    }

    fn close_tab(&mut self) {
        let Some((peer, session)) =
            self.tab().and_then(|tab| Some((tab.peer()?.clone(), tab.session)))
        else {
            self.flash("Only private tabs can be closed.");
            return;
        };
        if matches!(session, PrivateState::Open(_)) {
            self.modal = Some(Modal::CloseTab { peer, armed: true });
        } else {
            self.close_peer(&peer);
        }
    }

    /// Closes the tab of `peer`, with its session or request.
    pub(super) fn close_peer(&mut self, peer: &matou_actors::protocol::Username) {
        let Some(index) = self.peer_tab(peer) else {
            return;
        };
        let session = self.tabs.get(index).map_or(PrivateState::None, |tab| tab.session);
        let prompts = self.prompts.requests().any(|from| from.folded() == peer.folded());
        // A declined request is not asked again when the session beside it ends.
        if prompts || session == PrivateState::Asking {
            self.effects.push(UiEffect::Send(Command::Decline(peer.clone())));
        }
        if !matches!(session, PrivateState::None | PrivateState::Asking) {
            self.effects.push(UiEffect::Send(Command::Close(peer.clone())));
        }
        self.prompts.drop_request(peer);
        self.remove_tab(index);
    }

    pub(super) fn scroll_up(&mut self, rows: usize) {
        self.scroll_with(|pane, scroll, height| scroll::up(pane, scroll, height, rows));
        self.fetch_older();
    }

    pub(super) fn scroll_down(&mut self, rows: usize) {
        self.scroll_with(|pane, scroll, height| scroll::down(pane, scroll, height, rows));
    }

    pub(super) fn scroll_top(&mut self) {
        self.scroll_with(|pane, _, height| scroll::top(pane, height));
        self.fetch_older();
    }

    pub(super) fn scroll_bottom(&mut self) {
        self.scroll_with(|_, _, _| Scroll::Bottom);
    }

    fn scroll_with(
        &mut self,
        to: impl Fn(&crate::screen::view::rows::Pane<'_>, Scroll, usize) -> Scroll,
    ) {
        let height = self.pane_height();
        let scroll =
            self.pane().and_then(|pane| self.tab().map(|tab| to(&pane, tab.scroll, height)));
        if let (Some(scroll), Some(tab)) = (scroll, self.tab_mut()) {
            tab.scroll = scroll;
        }
        self.seen();
    }

    pub(super) fn scroll_roster(&mut self, up: bool, rows: usize) {
        let height = self.pane_height();
        let above = self.roster_above(height);
        self.roster_offset = if up { above.saturating_sub(rows) } else { above + rows };
        self.roster_offset = self.roster_above(height);
    }

    fn start_search(&mut self) {
        let origin = self.tab().map_or(Scroll::Bottom, |tab| tab.scroll);
        let input = crate::screen::state::input_line::InputLine::default();
        let search = Search { input, found: None, scan: None, forward: false, origin };
        self.modal = Some(Modal::Search(search));
    }

    fn toggle_mouse(&mut self) {
        self.mouse = !self.mouse;
        self.effects.push(UiEffect::Mouse(self.mouse));
        self.flash(if self.mouse { "Mouse on." } else { "Mouse off: text can be selected." });
    }

    /// The visible part of the active tab, as text that a terminal can select and open links in.
    pub(super) fn show_copy_mode(&mut self) {
        let height = self.pane_height();
        let Some((pane, tab)) = self.pane().zip(self.tab()) else {
            return;
        };
        let lines = crate::screen::view::copy_mode::lines(&pane, tab.scroll, height);
        self.copy_mode = true;
        self.effects.push(UiEffect::CopyMode(lines));
    }

    fn take_selected(&mut self) {
        let selected = self.transfers.selected.and_then(|id| self.transfers.of(id));
        match selected.map(|transfer| (transfer.id, &transfer.stage)) {
            Some((id, TransferStage::Offered { .. })) => {
                if self.takes_answers() {
                    self.perform(Command::Take(id));
                }
            }
            _ => self.flash("Enter takes an offered file."),
        }
    }

    fn cancel_selected(&mut self) {
        let selected = self.transfers.selected.and_then(|id| self.transfers.of(id));
        match selected.map(|transfer| (transfer.id, &transfer.stage)) {
            Some((id, TransferStage::Offered { .. })) => {
                if self.takes_answers() {
                    self.perform(Command::Refuse(id));
                }
            }
            Some((id, TransferStage::Waiting | TransferStage::Moving)) => {
                self.perform(Command::Cancel(id));
            }
            _ => self.flash("Delete cancels a running transfer."),
        }
    }
}
