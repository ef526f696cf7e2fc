//! Where everything stands: shared by drawing, scrolling and clicks.

use matou_actors::client::TransferId;
use matou_actors::protocol::Username;
use ratatui::layout::Rect;

use super::{help, input, prompt, transfers};
use crate::screen::state::app::App;
use crate::screen::state::modal::Modal;
use crate::screen::state::tab::TabKind;
use crate::screen::text::width::cells;
use crate::screen::view::rows::Pane;

const ROSTER_FROM: u16 = 70;
/// The topic has its own row on screens of at least this many rows.
const TOPIC_FROM: u16 = 16;
/// Room for `  … 99 more`.
const LEAST_ROSTER: u16 = 11;

/// The parts of the screen.
#[derive(Clone, Copy, Debug)]
pub(in crate::screen) struct Areas {
    pub(in crate::screen) tabs: Rect,
    /// The topic of the room, above its messages.
    pub(in crate::screen) topic: Option<Rect>,
    pub(in crate::screen) messages: Rect,
    /// Who is here, without the line to its left.
    pub(in crate::screen) roster: Option<Rect>,
    /// The list of transfers.
    pub(in crate::screen) transfers: Option<Rect>,
    /// Texts that wait for a session to open.
    pub(in crate::screen) waiting: Option<Rect>,
    /// A question; without rows when there is none.
    pub(in crate::screen) prompt: Rect,
    pub(in crate::screen) status: Rect,
    /// The rows of the input line, with what stands before it.
    pub(in crate::screen) input_row: Rect,
    /// Where the typed text stands.
    pub(in crate::screen) input: Rect,
}

impl Areas {
    /// The parts of `area`.
    pub(super) fn of(app: &App, area: Rect) -> Self {
        let lead = input::lead_width(app, area.width);
        let text_width = usize::from(area.width.saturating_sub(lead));
        let most = usize::from(area.height / 4).clamp(1, 8);
        let input_rows = cells(input::rows(app, text_width).clamp(1, most));
        let prompt_rows = prompt::rows(app, area.width);
        let mut bottom = area.bottom();
        let mut take = |rows: u16| {
            bottom = bottom.saturating_sub(rows);
            Rect { y: bottom, height: rows, ..area }
        };
        let input_row = take(input_rows);
        let status = take(1);
        let prompt = take(prompt_rows);
        let waiting = app.waiting().map(|_| take(1));
        let tabs = Rect { height: 1, ..area };
        let main = Rect { y: area.y + 1, height: bottom.saturating_sub(area.y + 1), ..area };
        let in_room = app.tab().is_some_and(|tab| tab.kind == TabKind::Room);
        let has_topic = in_room && !app.topic.is_empty() && area.height >= TOPIC_FROM;
        let topic = has_topic.then_some(Rect { height: 1, ..main });
        let above = u16::from(has_topic);
        let main = Rect { y: main.y + above, height: main.height.saturating_sub(above), ..main };
        let input = Rect { x: area.x + lead, width: area.width.saturating_sub(lead), ..input_row };
        let (messages, roster, transfers) = Self::split_main(app, main);
        Self { tabs, topic, messages, roster, transfers, waiting, prompt, status, input_row, input }
    }

    fn split_main(app: &App, main: Rect) -> (Rect, Option<Rect>, Option<Rect>) {
        match app.tab().map(|tab| &tab.kind) {
            Some(TabKind::Room) if main.width >= ROSTER_FROM => {
                let width = roster_width(app, main.width);
                // A column of nothing and one for the line between.
                let messages = Rect { width: main.width - width - 2, ..main };
                let roster = Rect { x: main.right() - width, width, ..main };
                (messages, Some(roster), None)
            }
            Some(TabKind::Transfers) => {
                let wanted = cells(transfers::rows(app)).max(2);
                // At least one transfer and the hint below it.
                let height = wanted.min((main.height * 2 / 3).max(3)).min(main.height);
                let list = Rect { height, ..main };
                let rest =
                    Rect { y: main.y + height, height: main.height.saturating_sub(height), ..main };
                (rest, None, Some(list))
            }
            _ => (main, None, None),
        }
    }
}

/// As wide as the names in it and the signs before them, within limits.
fn roster_width(app: &App, columns: u16) -> u16 {
    let most = if columns >= 120 { 24 } else { 17 };
    cells(app.people.widest() + 2).clamp(LEAST_ROSTER, most)
}

impl App {
    /// The parts of the screen in the present state.
    pub(in crate::screen) fn areas(&self) -> Areas {
        let (columns, rows) = self.size;
        Areas::of(self, Rect::new(0, 0, columns, rows))
    }

    /// Rows of messages that are seen.
    pub(in crate::screen) fn pane_height(&self) -> usize {
        usize::from(self.areas().messages.height)
    }

    /// How the messages of the active tab are drawn.
    pub(in crate::screen) fn pane(&self) -> Option<Pane<'_>> {
        let (needle, found) = match &self.modal {
            Some(Modal::Search(search)) => (Some(search.input.text()), search.found),
            _ => (None, None),
        };
        self.tab().map(|tab| Pane {
            buffer: &tab.buffer,
            width: self.areas().messages.width.into(),
            theme: &self.theme,
            short_names: self.short_names,
            me: self.me.as_ref(),
            needle,
            found,
            links: self.links,
        })
    }

    /// The users in the roster, in order: first those who want something, then all by name.
    pub(in crate::screen) fn roster_names(&self) -> impl Iterator<Item = &Username> {
        let special: Vec<&Username> = self
            .tabs
            .iter()
            .filter(|tab| tab.session != crate::screen::state::tab::PrivateState::None)
            .filter_map(|tab| tab.peer())
            .collect();
        let others = self.people.except(special.iter().map(|who| who.folded()).collect());
        special.into_iter().chain(others)
    }

    /// How many names of the roster are above the `height` visible rows: it never scrolls past the
    /// end, however many users have left meanwhile.
    pub(in crate::screen) fn roster_above(&self, height: usize) -> usize {
        self.roster_offset.min(self.roster_names().count().saturating_sub(height))
    }

    /// The names visible in `height` rows of the roster, and how many are below them; the last row
    /// shows that number.
    pub(in crate::screen) fn roster_seen(&self, height: usize) -> (Vec<&Username>, usize) {
        let above = self.roster_above(height);
        let left = self.roster_names().count() - above;
        let fit = if left > height { height.saturating_sub(1) } else { height };
        let seen: Vec<_> = self.roster_names().skip(above).take(fit).collect();
        let below = left - seen.len();
        (seen, below)
    }

    /// Which transfer stands in `row` of the list.
    pub(in crate::screen) fn transfer_at(&self, row: usize) -> Option<TransferId> {
        let height = self.areas().transfers.map_or(0, |list| list.height.into());
        let at = row / transfers::ROWS_EACH;
        transfers::seen(self, height).nth(at).map(|transfer| transfer.id)
    }

    /// A click into the input line.
    pub(in crate::screen) fn click_input(&mut self, column: usize, row: usize) {
        let area = self.areas().input;
        let (columns, height) = (usize::from(area.width), usize::from(area.height));
        if let Some(tab) = self.tab_mut() {
            let above = input::rows_above(&tab.input.rows(columns), height);
            tab.input.click(columns, column, row + above);
        }
    }

    /// Rows of the help page above the first one that is seen, at its end.
    pub(in crate::screen) fn help_last(&self) -> usize {
        let (columns, rows) = self.size;
        help::last(&help::page(self, columns.into()), rows)
    }
}
