//! The messages of the active tab.

use std::rc::Rc;

use ratatui::layout::Rect;

use super::paint::Painter;
use crate::sanitize::sanitize;
use crate::screen::config::style::StyleRole;
use crate::screen::state::app::App;
use crate::screen::text::bidi::isolated_text;
use crate::screen::text::links::LinkPiece;
use crate::screen::text::width::{cells, shorten, width};
use crate::screen::view::scroll;

pub(super) fn draw(app: &App, area: Rect, painter: &mut Painter<'_>) {
    let (Some(pane), Some(tab)) = (app.pane(), app.tab()) else {
        return;
    };
    let (rows, _) = scroll::window(&pane, tab.scroll, area.height.into());
    let top = area.bottom().saturating_sub(cells(rows.len()));
    for (row, y) in rows.iter().zip(top..) {
        painter.spans(area.x, y, area.right(), &row.spans);
        for (columns, link) in &row.links {
            let column = |column: usize| area.x.saturating_add(cells(column)).min(area.right());
            let columns = column(columns.start)..column(columns.end);
            painter.link(LinkPiece { y, columns, link: Rc::clone(link) });
        }
    }
}

/// Texts for a session that is not open yet.
pub(super) fn draw_waiting(app: &App, area: Rect, painter: &mut Painter<'_>) {
    let Some((first, count)) = app.waiting().and_then(|w| Some((w.front()?, w.len()))) else {
        return;
    };
    let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
    let lead = format!(" … not sent yet{more}: ");
    let room = usize::from(area.width).saturating_sub(width(&lead));
    let text = sanitize(first.as_str());
    let text = format!("{lead}{}", isolated_text(&shorten(&text, room)));
    painter.text(area.x, area.y, area.right(), &text, app.theme.style(StyleRole::Dim));
}
