//! The help page, made from the tables of keys and commands.

use ratatui::layout::Rect;
use ratatui::text::Span;

use super::paint::Painter;
use crate::commands::COMMANDS;
use crate::screen::config::keymap::{KEYS, KeyAction};
use crate::screen::config::style::StyleRole;
use crate::screen::state::app::App;
use crate::screen::text::width::{shorten, width, wrap};
use crate::screen::view::rows::Row;

const SIGNS: &[(&str, &str)] = &[
    ("› ! │", "a message: yours, one that mentions you, any other"),
    ("+2 !2", "on a tab: unread messages, unread messages for you"),
    ("name? name… (name)", "a private tab: they requested it, you requested it, not open"),
    ("● ? … ×", "in the user list: session open, they requested it, you did, ignored"),
];

pub(super) fn draw(app: &App, area: Rect, offset: usize, painter: &mut Painter<'_>) {
    let bar = app.theme.style(StyleRole::Tab);
    let (top, bottom) = (area.y, area.bottom() - 1);
    painter.fill(Rect { height: 1, ..area }, bar);
    painter.text(area.x, top, area.right(), " Matou: keys and commands", bar);
    let page = page(app, area.width.into());
    let room = room(area.height);
    // The terminal may have grown.
    let offset = offset.min(last(&page, area.height));
    for (row, y) in page.iter().skip(offset).take(room).zip(top + 1..bottom) {
        painter.spans(area.x, y, area.right(), &row.spans);
    }
    painter.fill(Rect { y: bottom, height: 1, ..area }, bar);
    let shown = (offset + room).min(page.len());
    let text =
        format!(" {shown}/{} · PgUp, PgDn, Up, Down scroll · any other key closes", page.len());
    painter.text(area.x, bottom, area.right(), &shorten(&text, area.width.into()), bar);
}

/// Rows above the first one that is seen, when the end of `page` is.
pub(super) fn last(page: &[Row], height: u16) -> usize {
    page.len().saturating_sub(room(height))
}

fn room(height: u16) -> usize {
    height.saturating_sub(2).into()
}

/// All rows for a screen of this many columns.
pub(super) fn page(app: &App, columns: usize) -> Vec<Row> {
    let mut page = Page { app, columns, rows: Vec::new() };
    page.title("Commands (any other line is a message; //x sends /x; in a private tab, without NAME for its peer)");
    for spec in COMMANDS {
        page.entry(&spec.usage(), &spec.explanation());
    }
    page.title("Keys");
    for spec in KEYS.iter().filter(|spec| !spec.help.is_empty()) {
        let keys = app.keys.keys(spec.action);
        let keys = if keys.is_empty() { "(no key)".into() } else { keys.join(", ") };
        page.entry(&keys, spec.help);
    }
    page.title("Signs");
    for (sign, meaning) in SIGNS {
        page.entry(sign, meaning);
    }
    page.title("In config/client.toml, section [screen.keys]");
    let names: Vec<_> = KEYS
        .iter()
        .filter(|spec| !matches!(spec.action, KeyAction::Tab(2..)))
        .map(|spec| spec.name)
        .collect();
    page.entry("", &names.join(" "));
    page.rows
}

struct Page<'a> {
    app: &'a App,
    columns: usize,
    rows: Vec<Row>,
}

impl Page<'_> {
    fn title(&mut self, text: &str) {
        if !self.rows.is_empty() {
            self.rows.push(Row::default());
        }
        let style = self.app.theme.style(StyleRole::Heading);
        for range in wrap(text, self.columns.saturating_sub(1), self.columns.saturating_sub(1)) {
            let text = text.get(range).unwrap_or("");
            self.rows.push(vec![Span::raw(" "), Span::styled(text.to_owned(), style)].into());
        }
    }

    /// The keys in one column, their effect in the next; below each other when narrow.
    fn entry(&mut self, what: &str, meaning: &str) {
        let left = if self.columns >= 70 { 30 } else { 4 };
        let room = self.columns.saturating_sub(left + 1);
        let key = self.app.theme.style(StyleRole::Own);
        let text = self.app.theme.style(StyleRole::Text);
        let beside = width(what) + 3 <= left;
        if !beside && !what.is_empty() {
            self.rows.push(vec![Span::styled(format!("  {what}"), key)].into());
        }
        for (number, range) in wrap(meaning, room, room).into_iter().enumerate() {
            let lead = if beside && number == 0 { format!("  {what}") } else { String::new() };
            let pad = " ".repeat(left.saturating_sub(width(&lead)));
            let meaning = meaning.get(range).unwrap_or("").to_owned();
            let spans = vec![Span::styled(lead, key), Span::raw(pad), Span::styled(meaning, text)];
            self.rows.push(spans.into());
        }
    }
}
