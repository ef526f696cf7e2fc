//! Drawing: a function of the state, nothing else.

mod help;
mod input;
mod layout;
mod messages;
mod paint;
mod prompt;
mod roster;
mod sign_in;
mod status;
mod tabs;
mod transfers;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

pub(super) use layout::Areas;
pub(super) use prompt::{Button, prompt_buttons};
pub(super) use tabs::tab_at;

use super::app::App;
use super::links::Links;
use super::modal::Modal;
use super::theme::Role;
use paint::Painter;

/// The smallest terminal that the screen works on.
pub(super) const MIN_SIZE: (u16, u16) = (40, 10);

/// What a screen has besides its cells.
#[derive(Debug)]
pub(crate) struct Drawn {
    /// Where the cursor stands; hidden when nowhere.
    pub(crate) cursor: Option<Position>,
    /// Which cells lead somewhere.
    pub(crate) links: Links,
}

/// Draws the whole screen.
pub(crate) fn draw(app: &App, buffer: &mut Buffer) -> Drawn {
    let area = buffer.area;
    let mut painter = Painter::new(buffer);
    painter.fill(area, app.theme.style(Role::Text));
    let cursor = if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
        too_small(app, area, &mut painter);
        None
    } else {
        draw_all(app, area, &mut painter)
    };
    Drawn { cursor, links: painter.into_links() }
}

/// Returns where the cursor stands.
fn draw_all(app: &App, area: Rect, painter: &mut Painter<'_>) -> Option<Position> {
    if let Some(Modal::Help(offset)) = app.modal {
        help::draw(app, area, offset, painter);
        return None;
    }
    let areas = Areas::of(app, area);
    tabs::draw(app, areas.tabs, painter);
    if let Some(list) = areas.transfers {
        transfers::draw(app, list, painter);
    }
    messages::draw(app, areas.messages, painter);
    if let Some(waiting) = areas.waiting {
        messages::draw_waiting(app, waiting, painter);
    }
    if let Some(roster) = areas.roster {
        roster::draw(app, roster, painter);
    }
    prompt::draw(app, areas.prompt, painter);
    status::draw(app, areas.status, painter);
    let cursor = input::draw(app, areas.input_row, areas.input, painter);
    if let Some(Modal::SignIn(form)) = &app.modal {
        return Some(sign_in::draw(app, form, area, painter));
    }
    Some(cursor)
}

fn too_small(app: &App, area: Rect, painter: &mut Painter<'_>) {
    let (columns, rows) = MIN_SIZE;
    let text =
        format!("Too small: {columns}x{rows} at least, this is {}x{}.", area.width, area.height);
    for (range, y) in super::columns::wrap(&text, area.width.into(), area.width.into())
        .into_iter()
        .zip(area.y..area.bottom())
    {
        let row = text.get(range).unwrap_or("");
        painter.text(area.x, y, area.right(), row, app.theme.style(Role::Error));
    }
}
