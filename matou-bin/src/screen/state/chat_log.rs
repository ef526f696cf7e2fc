//! The chat log: which line goes to which file. Off unless the user wants it.

use crate::screen::config::settings::ChatLog;
use crate::screen::state::app::App;
use crate::screen::state::buffer::RosterMove;
use crate::screen::state::entry::{Body, Entry, Said};
use crate::screen::state::event::UiEffect;
use crate::screen::state::tab::TabKind;
use crate::screen::state::tabs::ROOM;
use matou_actors::protocol::Username;

impl App {
    /// Writes `entry` of tab `index` to its file, when it is to be kept.
    pub(in crate::screen) fn log(&mut self, index: usize, entry: &Entry) {
        if let Some(line) = line(entry) {
            self.log_line(index, &line);
        }
    }

    /// Logs that `who` joined or left the room, one line each.
    pub(in crate::screen) fn log_move(&mut self, who: &Username, how: RosterMove) {
        let time = self.now.wall.strftime("%H:%M:%S");
        let line = match how {
            RosterMove::Joined => format!("{time} --> {who} joined"),
            RosterMove::Left => format!("{time} <-- {who} left"),
        };
        self.log_line(ROOM, &line);
    }

    fn log_line(&mut self, index: usize, line: &str) {
        let Some(tab) = self.tabs.get(index) else {
            return;
        };
        let wanted = match (self.chat_log, &tab.kind) {
            (ChatLog::Off, _) | (_, TabKind::Transfers) => false,
            (ChatLog::Public, kind) => *kind == TabKind::Room,
            (ChatLog::All, _) => true,
        };
        if wanted {
            let file = file(&tab.kind, &self.now.wall.date().to_string());
            self.effects.push(UiEffect::Log { file, line: line.to_owned() });
        }
    }
}

/// One file for each peer and day. Names are letters and digits, so they are file names.
fn file(kind: &TabKind, date: &str) -> String {
    match kind {
        TabKind::Peer(peer) => format!("private-{}-{date}.log", peer.as_str().to_lowercase()),
        TabKind::Room | TabKind::Transfers => format!("public-{date}.log"),
    }
}

/// A message as one line; notices of the screen are not logged.
fn line(entry: &Entry) -> Option<String> {
    let time = entry.at.strftime("%H:%M:%S");
    match &entry.body {
        Body::Said { action: true, text, .. } => Some(format!("{time} * {text}")),
        Body::Said { from, text, kind, .. } => {
            let own = if *kind == Said::Own { " (me)" } else { "" };
            Some(format!("{time} <{from}{own}> {text}"))
        }
        Body::Presence(_) | Body::Notice(_) | Body::Error(_) => None,
    }
}
