//! Drawing: a function of the state, nothing else.

pub(in crate::screen) mod copy_mode;
mod help;
mod input;
mod layout;
mod messages;
mod paint;
mod prompt;
mod roster;
pub(in crate::screen) mod rows;
pub(in crate::screen) mod scroll;
mod servers;
mod sign_in;
mod status;
mod tabs;
mod transfers;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

pub(in crate::screen) use layout::Areas;
pub(in crate::screen) use prompt::{Button, prompt_buttons};
pub(in crate::screen) use tabs::tab_at;

use crate::screen::config::style::StyleRole;
use crate::screen::state::app::App;
use crate::screen::state::modal::Modal;
use crate::screen::text::links::Links;
use paint::Painter;

/// The smallest terminal that the screen works on.
pub(in crate::screen) const MIN_SIZE: (u16, u16) = (40, 10);

/// What a screen has besides its cells.
#[derive(Debug)]
pub(crate) struct Drawn {
    /// Where the cursor stands; hidden when nowhere.
    pub(crate) cursor: Option<Position>,
    /// The cells with links.
    pub(crate) links: Links,
}

/// Draws the whole screen.
pub(crate) fn draw(app: &App, buffer: &mut Buffer) -> Drawn {
    let area = buffer.area;
    let mut painter = Painter::new(buffer);
    painter.fill(area, app.theme.style(StyleRole::Text));
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
    if let Some(topic) = areas.topic {
        tabs::draw_topic(app, topic, painter);
    }
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
    match &app.modal {
        Some(Modal::SignIn(form)) => Some(sign_in::draw(app, form, area, painter)),
        Some(Modal::Servers(form)) => Some(servers::draw(app, form, area, painter)),
        _ => Some(cursor),
    }
}

fn too_small(app: &App, area: Rect, painter: &mut Painter<'_>) {
    let (columns, rows) = MIN_SIZE;
    let text =
        format!("Terminal too small: {}x{}; at least {columns}x{rows}.", area.width, area.height);
    for (range, y) in crate::screen::text::width::wrap(&text, area.width.into(), area.width.into())
        .into_iter()
        .zip(area.y..area.bottom())
    {
        let row = text.get(range).unwrap_or("");
        painter.text(area.x, y, area.right(), row, app.theme.style(StyleRole::Error));
    }
}
