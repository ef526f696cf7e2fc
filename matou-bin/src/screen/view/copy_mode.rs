//! Copy mode: the visible messages as plain lines, to select them or to open links that wrap.

use crate::screen::state::entry::{Body, Entry};
use crate::screen::state::tab::Scroll;
use crate::screen::view::rows::Pane;

/// The entries that are seen, one line each however long.
pub(crate) fn lines(pane: &Pane<'_>, scroll: Scroll, height: usize) -> Vec<String> {
    let end = pane.buffer.end();
    let mut rows = 0;
    let mut ids: Vec<_> = match scroll {
        Scroll::Bottom => (pane.buffer.first()..end).rev().collect::<Vec<_>>().into_iter(),
        Scroll::At(entry, _) => (entry..end).collect::<Vec<_>>().into_iter(),
    }
    .take_while(|id| {
        let fits = rows < height;
        rows += pane.height(*id);
        fits
    })
    .collect();
    ids.sort_unstable();
    ids.into_iter().filter_map(|id| pane.buffer.entry(id)).map(line).collect()
}

fn line(entry: &Entry) -> String {
    let time = entry.at.strftime("%H:%M");
    let text = entry.body.text();
    match &entry.body {
        Body::Said { action: true, .. } | Body::Notice(_) => format!("{time} * {text}"),
        Body::Said { from, .. } => format!("{time} {from}: {text}"),
        Body::Error(_) => format!("{time} !! {text}"),
        Body::Presence(_) => format!("{time} {text}"),
    }
}
