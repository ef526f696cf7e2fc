//! The status line: who, where, how it stands; clock and rates.

use matou_actors::client::LinkSecurity;
use ratatui::layout::Rect;

use super::paint::Painter;
use crate::client::sizes::size as bytes;
use crate::sanitize::sanitize;
use crate::screen::config::keymap::KeyAction;
use crate::screen::config::style::StyleRole;
use crate::screen::state::app::{App, ServerStatus};
use crate::screen::state::tab::Scroll;
use crate::screen::text::bidi::sentence;
use crate::screen::text::width::{cells, shorten, width};
use crate::security::session_mark;

pub(super) fn draw(app: &App, area: Rect, painter: &mut Painter<'_>) {
    let (left, role) = left(app);
    let style = app.theme.style(role);
    painter.fill(area, style);
    let room = usize::from(area.width);
    let right = right(app, room);
    let left_room = room.saturating_sub(width(&right) + 1);
    let left = shorten(&left, left_room);
    painter.text(area.x, area.y, area.right(), &sentence(&left), style);
    let x = area.right().saturating_sub(cells(width(&right)));
    painter.text(x, area.y, area.right(), &right, app.theme.style(StyleRole::Status));
}

fn left(app: &App) -> (String, StyleRole) {
    if app.leaving.is_some() {
        let key = app.keys.key(KeyAction::Quit);
        let at_once = key.map_or_else(String::new, |key| format!(" {key} quits now"));
        return (format!(" Signing out…{at_once}"), StyleRole::StatusWarning);
    }
    if let Some((candidates, index)) = app.completion.as_ref().and_then(|c| c.choice()) {
        return (choice(candidates, index), StyleRole::Status);
    }
    if let Some((text, _)) = &app.flash {
        return (format!(" {}", sanitize(text)), StyleRole::StatusWarning);
    }
    let server = app.named.label(&app.server);
    let server = sanitize(&server);
    match &app.link {
        ServerStatus::Connecting if server.is_empty() => {
            (" Not connected: no server chosen".into(), StyleRole::StatusWarning)
        }
        ServerStatus::Connecting => (format!(" Connecting to {server}…"), StyleRole::StatusWarning),
        ServerStatus::Down { next: None, .. } => {
            let text = format!(" Not connected to {server}; /reconnect to try again");
            (text, StyleRole::StatusWarning)
        }
        ServerStatus::Down { next: Some((attempt, at)), reason } => {
            let left = at.saturating_sub(app.now.elapsed);
            let seconds = left.as_millis().div_ceil(1000);
            let when = if seconds == 0 { "now".into() } else { format!("in {seconds} s") };
            let mut text =
                format!(" Not connected: attempt {attempt} {when}, /reconnect to retry now");
            // The line in the room says it already.
            if !app.stated_reason.starts_with(reason.as_str()) {
                text = format!("{text} ({})", sanitize(reason));
            }
            (text, StyleRole::StatusWarning)
        }
        ServerStatus::Up => {
            let me = app.me.as_ref().map(ToString::to_string).unwrap_or_default();
            let count = app.people.count();
            let text = format!("{me} · {count} here · {server}");
            let tab = app.tab();
            let peer = tab.and_then(|tab| Some((tab.peer()?, tab.security.as_ref()?)));
            if let Some((peer, security)) = peer {
                let role = match security {
                    LinkSecurity::Plain => StyleRole::StatusWarning,
                    LinkSecurity::Encrypted { .. } => StyleRole::Status,
                };
                let peer = app.short_names.shorten(peer.as_str(), 20);
                let doing = if app.peer_is_typing() { " is typing… ·" } else { ":" };
                return (format!(" {peer}{doing} {} · {text}", session_mark(security)), role);
            }
            match app.security {
                None => (format!(" {text}"), StyleRole::Status),
                // First, so that no narrow screen cuts it.
                Some(LinkSecurity::Encrypted { .. }) => {
                    (format!(" encrypted · {text}"), StyleRole::Status)
                }
                Some(LinkSecurity::Plain) => {
                    (format!(" NOT ENCRYPTED · {text}"), StyleRole::StatusWarning)
                }
            }
        }
    }
}

fn right(app: &App, room: usize) -> String {
    let mut parts = Vec::new();
    if let Some(tab) = app.tab().filter(|tab| tab.scroll != Scroll::Bottom) {
        let news = if tab.unread > 0 { format!("{} new ", tab.unread) } else { String::new() };
        parts.push(format!("↓ {news}below"));
    }
    let typed = app.tab().map_or("", |tab| tab.input.text());
    if typed.len() > matou_actors::protocol::MAX_MESSAGE && !typed.starts_with('/') {
        parts.push(format!("{} messages", crate::text::split_text(typed).len()));
    }
    if !app.mouse && room >= 60 {
        parts.push("mouse off".into());
    }
    let (incoming, outgoing) = app.transfers.rates();
    for (sign, rate) in [("⇣", incoming), ("⇡", outgoing)] {
        if rate > 0 {
            parts.push(format!("{sign}{}/s", bytes(rate)));
        }
    }
    let wall = app.now.wall;
    parts.push(format!("{:02}:{:02} ", wall.hour(), wall.minute()));
    parts.join(" · ")
}

/// The candidates of a completion, the one in the line in brackets.
fn choice(candidates: &[String], index: usize) -> String {
    let from = index.saturating_sub(2);
    let mut text = format!(" {}/{}:", index + 1, candidates.len());
    for (number, candidate) in candidates.iter().enumerate().skip(from).take(20) {
        let word = sanitize(candidate.trim_end().trim_end_matches(':')).into_owned();
        let (open, close) = if number == index { (" [", "]") } else { (" ", "") };
        text.extend([open, &word, close]);
    }
    text
}
