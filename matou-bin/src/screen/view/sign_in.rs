//! The form that asks for a name.

use ratatui::layout::{Constraint, Position, Rect};

use super::paint::Painter;
use crate::sanitize::sanitize;
use crate::screen::config::keymap::KeyAction;
use crate::screen::config::style::StyleRole;
use crate::screen::state::app::App;
use crate::screen::state::modal::SignInForm;
use crate::screen::text::bidi::{isolated_text, sentence};
use crate::screen::text::width::{cells, shorten, width, wrap};

const SIZE: (u16, u16) = (54, 8);
const NAME_HINT: &str = "Letters and digits of any script. /server HOST:PORT uses another server.";
const PASSWORD_HINT: &str = "It is not sent: the server only learns that you know it.";
const SERVER_HINT: &str = "Another server? Type HOST or HOST:PORT.";
/// Columns beside the form that are too few to show anything.
const SCRAPS: u16 = 10;

/// Draws it over the middle of `area`; returns where the cursor stands.
pub(super) fn draw(
    app: &App,
    form: &SignInForm,
    area: Rect,
    painter: &mut Painter<'_>,
) -> Position {
    let (columns, rows) = (SIZE.0.min(area.width - 2), SIZE.1.min(area.height - 2));
    let whole = area;
    let area = area.centered(Constraint::Length(columns), Constraint::Length(rows));
    let (text, dim) = (app.theme.style(StyleRole::Text), app.theme.style(StyleRole::Dim));
    // Beside it as well, where only scraps of messages would stick out.
    let scraps = whole.width - columns < 2 * SCRAPS;
    painter
        .clear(if scraps { Rect { x: whole.x, width: whole.width, ..area } } else { area }, text);
    frame(app, if form.reached { "signs in" } else { "connects" }, area, painter);
    let inner = Rect { x: area.x + 2, y: area.y + 1, width: columns - 4, height: rows - 2 };
    let room = usize::from(inner.width);
    let server = sanitize(&app.server);
    let server = if form.password {
        format!("The password of {server}?")
    } else if form.reached {
        format!("Your name on {server}?")
    } else {
        format!("Connecting to {server}…")
    };
    painter.text(inner.x, inner.y, inner.right(), &shorten(&server, room), text);
    painter.text(inner.x, inner.y + 2, inner.right(), "›", app.theme.style(StyleRole::Own));
    let input = form.input.rows(room.saturating_sub(3));
    let typed = input.rows.get(input.cursor.1).map_or("", String::as_str);
    let hidden = form.input.text().chars().count().min(room.saturating_sub(3));
    let typed = if form.password { "•".repeat(hidden).into() } else { isolated_text(typed) };
    painter.text(inner.x + 2, inner.y + 2, inner.right(), &typed, app.theme.style(StyleRole::Own));
    let (below, style) = match (&form.problem, &form.asked) {
        (Some(problem), _) => (sanitize(problem).into_owned(), app.theme.style(StyleRole::Error)),
        (None, Some(name)) => (format!("Signing in as {name}…"), dim),
        (None, None) if form.password => (PASSWORD_HINT.to_owned(), dim),
        (None, None) if form.reached => (NAME_HINT.to_owned(), dim),
        (None, None) => (SERVER_HINT.to_owned(), dim),
    };
    let first = inner.y + 4;
    for (range, y) in wrap(&below, room, room).into_iter().zip(first..inner.bottom()) {
        let row = below.get(range).unwrap_or("");
        painter.text(inner.x, y, inner.right(), &sentence(row), style);
    }
    let cursor = if form.password { hidden } else { input.cursor.0 };
    Position::new(inner.x + 2 + cells(cursor), inner.y + 2)
}

/// The lines around a form, with what Enter does.
pub(super) fn frame(app: &App, submit: &str, area: Rect, painter: &mut Painter<'_>) {
    let style = app.theme.style(StyleRole::Dim);
    let inside = usize::from(area.width.saturating_sub(2));
    let key = |action| app.keys.key(action).unwrap_or_else(|| "(no key)".into());
    let title = format!(" {} {submit}, {} quits ", key(KeyAction::Submit), key(KeyAction::Quit));
    let rest = inside.saturating_sub(width(" Matou ") + 1);
    let top = format!("╭─ Matou {}╮", "─".repeat(rest));
    let title = shorten(&title, inside);
    let bottom = format!("╰{title}{}╯", "─".repeat(inside.saturating_sub(width(&title))));
    painter.text(area.x, area.y, area.right(), &top, style);
    for y in area.y + 1..area.bottom().saturating_sub(1) {
        painter.text(area.x, y, area.right(), "│", style);
        painter.text(area.right() - 1, y, area.right(), "│", style);
    }
    painter.text(area.x, area.bottom() - 1, area.right(), &bottom, style);
}
