//! The list of servers that were found, to choose one from.

use ratatui::layout::{Constraint, Position, Rect};

use super::paint::Painter;
use super::sign_in::frame;
use crate::sanitize::sanitize;
use crate::screen::config::style::StyleRole;
use crate::screen::state::app::App;
use crate::screen::state::modal::{ServerChoice, ServerMenu};
use crate::screen::text::bidi::isolated_text;
use crate::screen::text::width::{cells, shorten, width};

const COLUMNS: u16 = 70;
/// Rows beside those of the list: the frame, a title, the input, a hint, and blank ones.
const OTHER_ROWS: u16 = 7;
const HINT: &str = "Arrow keys, its number, or HOST:PORT of another server.";

/// Draws it over the middle of `area`; returns where the cursor stands.
pub(super) fn draw(
    app: &App,
    form: &ServerMenu,
    area: Rect,
    painter: &mut Painter<'_>,
) -> Position {
    let columns = COLUMNS.min(area.width - 2);
    let most = area.height - 2;
    let listed = cells(form.list.len()).min(most.saturating_sub(OTHER_ROWS)).max(1);
    let rows = (listed + OTHER_ROWS).min(most);
    let area = area.centered(Constraint::Length(columns), Constraint::Length(rows));
    let (text, dim) = (app.theme.style(StyleRole::Text), app.theme.style(StyleRole::Dim));
    painter.clear(area, text);
    frame(app, "joins", area, painter);
    let inner = Rect { x: area.x + 2, y: area.y + 1, width: columns - 4, height: rows - 2 };
    let room = usize::from(inner.width);
    painter.text(inner.x, inner.y, inner.right(), &shorten("Join which server?", room), text);
    // The selected one is always among those that are seen.
    let listed = usize::from(listed);
    let first = form.selected.saturating_sub(listed.saturating_sub(1));
    let widest = form.list.iter().map(|server| width(&server.name)).max().unwrap_or_default();
    let list = form.list.iter().enumerate().skip(first).take(listed);
    for ((index, server), y) in list.zip(inner.y + 1..) {
        let role = if index == form.selected { StyleRole::Selected } else { StyleRole::Text };
        let line = line(index + 1, server, widest);
        let line = shorten(&line, room);
        painter.text(inner.x, y, inner.right(), &isolated_text(&line), app.theme.style(role));
    }
    let y = inner.bottom().saturating_sub(3);
    painter.text(inner.x, y, inner.right(), "›", app.theme.style(StyleRole::Own));
    let input = form.input.rows(room.saturating_sub(3));
    let typed = input.rows.get(input.cursor.1).map_or("", String::as_str);
    let typed = isolated_text(typed);
    painter.text(inner.x + 2, y, inner.right(), &typed, app.theme.style(StyleRole::Own));
    let (below, style) = match &form.problem {
        Some(problem) => (sanitize(problem).into_owned(), app.theme.style(StyleRole::Error)),
        None => (HINT.to_owned(), dim),
    };
    painter.text(inner.x, y + 2, inner.right(), &shorten(&below, room), style);
    Position::new(inner.x + 2 + cells(input.cursor.0), y)
}

/// The names are padded to the width of the widest one.
fn line(number: usize, server: &ServerChoice, widest: usize) -> String {
    let ServerChoice { name, address, is_known, .. } = server;
    let known = if *is_known { "known" } else { "not known yet" };
    let padding = " ".repeat(widest.saturating_sub(width(name)));
    format!("{number:>2}  {name}{padding}  {address}  {known}")
}
