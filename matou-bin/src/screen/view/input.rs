//! The input line, or the search text in its place.

use ratatui::layout::{Position, Rect};

use super::paint::Painter;
use crate::sanitize::sanitize;
use crate::screen::config::style::StyleRole;
use crate::screen::state::app::App;
use crate::screen::state::input_line::InputRows;
use crate::screen::state::modal::Modal;
use crate::screen::text::bidi::{isolated_beside, isolated_text};
use crate::screen::text::width::{cells, width};

/// Columns in front of the input.
pub(super) fn lead_width(app: &App, room: u16) -> u16 {
    cells(width(&lead(app, room)))
}

/// Rows of the input.
pub(super) fn rows(app: &App, columns: usize) -> usize {
    shown(app, columns).rows.len()
}

/// Rows that are scrolled away so that the cursor is seen.
pub(super) fn rows_above(rows: &InputRows, height: usize) -> usize {
    (rows.cursor.1 + 1).saturating_sub(height)
}

/// Draws it; returns where the cursor stands.
pub(super) fn draw(app: &App, row: Rect, area: Rect, painter: &mut Painter<'_>) -> Position {
    let lead_style = app.theme.style(StyleRole::Dim);
    painter.text(row.x, row.y, area.x, &lead(app, row.width), lead_style);
    let rows = shown(app, area.width.into());
    let above = rows_above(&rows, area.height.into());
    let style = app.theme.style(StyleRole::Text);
    for (text, y) in rows.rows.iter().skip(above).zip(area.y..area.bottom()) {
        painter.text(area.x, y, area.right(), &isolated_text(text), style);
    }
    let (column, row) = rows.cursor;
    Position::new(
        (area.x + cells(column)).min(area.right().saturating_sub(1)),
        area.y + cells(row.saturating_sub(above)),
    )
}

/// The recipient, or the kind of search.
fn lead(app: &App, room: u16) -> String {
    match &app.modal {
        Some(Modal::Search(search)) => {
            let state = match (search.input.is_empty(), search.scan, search.found) {
                (true, ..) | (_, None, Some(_)) => "",
                (_, Some(_), _) => " …",
                (_, None, None) => " (not found)",
            };
            format!("search{state}: ")
        }
        Some(Modal::HistorySearch(search)) => {
            let failed = if search.failed { " (not found)" } else { "" };
            format!("history{failed}: ")
        }
        _ if room < 60 => "› ".into(),
        _ => {
            let title = app.tab().map_or("", |tab| tab.title());
            let typed = app.tab().map_or("", |tab| tab.input.text());
            let title = app.short_names.shorten(title, 14);
            let title = isolated_beside(&title, typed);
            // A terminal keeps an isolate only after another character.
            let edge = if title.starts_with('\u{2068}') { " " } else { "" };
            format!("{edge}{title} › ")
        }
    }
}

fn shown(app: &App, columns: usize) -> InputRows {
    match &app.modal {
        Some(Modal::Search(search)) => search.input.rows(columns),
        Some(Modal::HistorySearch(search)) => {
            let needle = sanitize(&search.needle).into_owned();
            let at = width(&needle);
            let found = match &search.found {
                Some((_, line)) if !search.needle.is_empty() => {
                    format!("   {}", sanitize(&line.replace('\n', " ")))
                }
                _ => String::new(),
            };
            InputRows { rows: vec![format!("{needle}{found}")], cursor: (at, 0) }
        }
        _ => app.tab().map_or_else(
            || InputRows { rows: vec![String::new()], cursor: (0, 0) },
            |tab| tab.input.rows(columns),
        ),
    }
}
