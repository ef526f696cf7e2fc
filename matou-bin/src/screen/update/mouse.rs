//! The mouse: wheel and clicks.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use crate::screen::state::app::App;
use crate::screen::state::modal::Modal;
use crate::screen::view::{Button, prompt_buttons, tab_at};

/// Rows that one step of the wheel moves.
const WHEEL: usize = 3;

impl App {
    pub(super) fn mouse(&mut self, event: MouseEvent) {
        let at = Position::new(event.column, event.row);
        let areas = self.areas();
        match event.kind {
            MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
                let up = event.kind == MouseEventKind::ScrollUp;
                if let Some(Modal::Help(offset)) = self.modal {
                    let last = self.help_last();
                    let offset = offset.min(last);
                    let to = if up { offset.saturating_sub(WHEEL) } else { offset + WHEEL };
                    self.modal = Some(Modal::Help(to.min(last)));
                } else if areas.roster.is_some_and(|roster| roster.contains(at)) {
                    self.scroll_roster(up, WHEEL);
                } else if up {
                    self.scroll_up(WHEEL);
                } else {
                    self.scroll_down(WHEEL);
                }
            }
            MouseEventKind::Down(MouseButton::Left) if self.modal.is_none() => self.click(at),
            _ => {}
        }
    }

    fn click(&mut self, at: Position) {
        self.notifier.typed(self.now.elapsed);
        let areas = self.areas();
        if areas.tabs.contains(at) {
            if let Some(index) = tab_at(self, areas.tabs, at.x) {
                self.show(index);
            }
        } else if areas.prompt.contains(at) {
            match prompt_buttons(self, areas.prompt).into_iter().find(|(area, _)| area.contains(at))
            {
                Some((_, Button::Accept)) => self.answer(true),
                Some((_, Button::Decline)) => self.answer(false),
                Some((_, Button::Later)) => self.prompts.later(),
                None => {}
            }
        } else if let Some(roster) = areas.roster.filter(|roster| roster.contains(at)) {
            self.click_roster(usize::from(at.y - roster.y), roster.height.into());
        } else if areas.transfers.is_some_and(|list| list.contains(at)) {
            let row = areas.transfers.map_or(0, |list| usize::from(at.y - list.y));
            self.transfers.selected = self.transfer_at(row).or(self.transfers.selected);
        } else if areas.input.contains(at) {
            let (column, row) = (at.x - areas.input.x, at.y - areas.input.y);
            self.click_input(usize::from(column), usize::from(row));
        }
    }

    /// A click on a name opens a tab for it; no session is requested before something is typed there.
    fn click_roster(&mut self, row: usize, height: usize) {
        let Some(who) = self.roster_seen(height).0.get(row).copied().cloned() else {
            return;
        };
        if self.is_me(&who) {
            return;
        }
        let is_new = self.peer_tab(&who).is_none();
        let index = self.ensure_tab(&who);
        if is_new && index > 0 {
            self.notice_in(
                index,
                &format!("The first message here requests a private session with {who}."),
            );
        }
        self.show(index);
    }
}
