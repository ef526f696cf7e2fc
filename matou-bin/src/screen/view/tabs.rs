//! The row of tabs.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::paint::Painter;
use crate::sanitize::sanitize;
use crate::screen::config::style::StyleRole;
use crate::screen::state::app::App;
use crate::screen::state::tab::{PrivateState, Tab, TabKind};
use crate::screen::text::bidi::{isolated, sentence};
use crate::screen::text::width::{cells, shorten, width};

const TITLE: usize = 14;

/// One tab in the row.
struct Label {
    index: usize,
    x: u16,
    text: String,
    style: Style,
}

/// The tab that stands at column `x`.
pub(in crate::screen) fn tab_at(app: &App, area: Rect, x: u16) -> Option<usize> {
    let (labels, _, _) = labels(app, area);
    labels
        .into_iter()
        .find(|label| (label.x..label.x + cells(width(&label.text))).contains(&x))
        .map(|label| label.index)
}

pub(super) fn draw(app: &App, area: Rect, painter: &mut Painter<'_>) {
    let bar = app.theme.style(StyleRole::Tab);
    painter.fill(area, bar);
    let (labels, more_left, more_right) = labels(app, area);
    for label in labels {
        painter.text(label.x, area.y, area.right(), &label.text, label.style);
    }
    if more_left {
        painter.text(area.x, area.y, area.right(), "‹", bar);
    }
    if more_right {
        painter.text(area.right() - 1, area.y, area.right(), "›", bar);
    }
}

/// The topic of the room, as much of it as fits; `/topic` shows all of it.
pub(super) fn draw_topic(app: &App, area: Rect, painter: &mut Painter<'_>) {
    let style = app.theme.style(StyleRole::Notice);
    let topic = sanitize(&app.topic);
    let topic = shorten(&topic, usize::from(area.width).saturating_sub(2));
    painter.text(area.x + 1, area.y, area.right(), &sentence(&topic), style);
}

/// The tabs that fit around the active one, and whether some are left out on either side.
fn labels(app: &App, area: Rect) -> (Vec<Label>, bool, bool) {
    let texts: Vec<_> = app.tabs.iter().enumerate().map(|(i, tab)| text(app, i, tab)).collect();
    let widths: Vec<_> = texts.iter().map(|text| width(text)).collect();
    let room = usize::from(area.width).saturating_sub(2);
    let mut first = 0;
    let used = |first: usize| -> usize {
        widths.iter().skip(first).take(app.active + 1 - first.min(app.active)).sum()
    };
    while first < app.active && used(first) > room {
        first += 1;
    }
    let mut labels = Vec::new();
    let mut x = area.x + u16::from(first > 0);
    let mut more_right = false;
    for (index, text) in texts.into_iter().enumerate().skip(first) {
        let end = x.saturating_add(cells(width(&text)));
        if end > area.right().saturating_sub(1) && index != app.active {
            more_right = true;
            break;
        }
        labels.push(Label { index, x, text, style: style(app, index) });
        x = end;
    }
    (labels, first > 0, more_right)
}

/// ` 2 alice !3 `: everything shown by colour is shown by signs as well.
fn text(app: &App, index: usize, tab: &Tab) -> String {
    let title = isolated(&app.short_names.shorten(tab.title(), TITLE)).into_owned();
    let title = match (&tab.kind, tab.session) {
        (TabKind::Peer(_), PrivateState::Asking) => format!("{title}?"),
        (TabKind::Peer(_), PrivateState::Asked | PrivateState::Connecting) => format!("{title}…"),
        (TabKind::Peer(_), PrivateState::None) => format!("({title})"),
        _ => title,
    };
    let news = match (tab.unread, tab.urgent) {
        (0, _) => String::new(),
        (count, false) => format!(" +{}", short(count)),
        (count, true) => format!(" !{}", short(count)),
    };
    let active = app.transfers.under_way().0;
    let moving = match tab.kind {
        TabKind::Transfers if active > 0 => format!(" ⇅{active}"),
        _ => String::new(),
    };
    let (open, close) = if index == app.active { ("[", "]") } else { (" ", " ") };
    format!("{open}{} {title}{moving}{news}{close}", index + 1)
}

fn style(app: &App, index: usize) -> Style {
    let role = match app.tabs.get(index) {
        _ if index == app.active => StyleRole::TabActive,
        Some(tab) if tab.urgent => StyleRole::TabUrgent,
        Some(tab) if tab.unread > 0 => StyleRole::TabUnread,
        _ => StyleRole::Tab,
    };
    app.theme.style(role)
}

fn short(count: usize) -> String {
    if count > 999 { "999+".into() } else { count.to_string() }
}
