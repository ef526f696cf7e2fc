//! Who is here.

use ratatui::layout::Rect;
use ratatui::text::Span;

use super::paint::Painter;
use crate::screen::config::style::StyleRole;
use crate::screen::state::app::App;
use crate::screen::state::tab::PrivateState;
use crate::screen::text::bidi::isolated;
use matou_actors::protocol::Username;

pub(super) fn draw(app: &App, area: Rect, painter: &mut Painter<'_>) {
    let dim = app.theme.style(StyleRole::Dim);
    let border = area.x.saturating_sub(1);
    for y in area.y..area.bottom() {
        painter.text(border, y, area.x, "│", dim);
    }
    let height = usize::from(area.height);
    let (names, below) = app.roster_seen(height);
    for (who, y) in names.into_iter().zip(area.y..area.bottom()) {
        let (sign, sign_style) = sign(app, who);
        let name_style =
            if app.is_me(who) { app.theme.style(StyleRole::Own) } else { app.theme.name(who) };
        let name = app.short_names.shorten(who.as_str(), usize::from(area.width).saturating_sub(2));
        let spans = [
            Span::styled(sign, app.theme.style(sign_style)),
            Span::raw(" "),
            Span::styled(isolated(&name), name_style),
        ];
        painter.spans(area.x, y, area.right(), &spans);
    }
    if below > 0 && height > 0 {
        let text = format!("  … {below} more");
        painter.text(area.x, area.bottom() - 1, area.right(), &text, dim);
    }
}

/// How it stands between the user and `who`.
fn sign(app: &App, who: &Username) -> (&'static str, StyleRole) {
    if app.is_me(who) {
        return ("›", StyleRole::Own);
    }
    if app.is_ignored(who) {
        return ("×", StyleRole::Dim);
    }
    let unmarked = if app.compared.contains(&who.folded()) {
        ("✓", StyleRole::Own)
    } else {
        (" ", StyleRole::Text)
    };
    let session = app.peer_tab(who).and_then(|index| app.tabs.get(index)).map(|tab| tab.session);
    match session {
        Some(PrivateState::Open(_)) => ("●", StyleRole::Gauge),
        Some(PrivateState::Asking) => ("?", StyleRole::Mention),
        Some(PrivateState::Asked | PrivateState::Connecting) => ("…", StyleRole::Notice),
        Some(PrivateState::None) | None => unmarked,
    }
}
