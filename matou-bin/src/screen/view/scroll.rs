//! Moves through a scrollback by rows, wrapping only what is passed.

use crate::screen::state::buffer::EntryId;
use crate::screen::state::tab::Scroll;
use crate::screen::view::rows::{Pane, Row};

/// The rows that are seen, at most `height`, and whether they reach the end.
pub(crate) fn window(pane: &Pane<'_>, scroll: Scroll, height: usize) -> (Vec<Row>, bool) {
    if let Scroll::At(entry, row) = settle(pane, scroll, height) {
        let mut rows = Vec::new();
        for id in entry..pane.buffer.end() {
            rows.extend(pane.rows(id).into_iter().skip(if id == entry { row } else { 0 }));
            if rows.len() >= height {
                break;
            }
        }
        rows.truncate(height);
        return (rows, false);
    }
    let mut blocks = Vec::new();
    let mut count = 0;
    for id in (pane.buffer.first()..pane.buffer.end()).rev() {
        let rows = pane.rows(id);
        count += rows.len();
        blocks.push(rows);
        if count >= height {
            break;
        }
    }
    let rows = blocks.into_iter().rev().flatten().skip(count.saturating_sub(height)).collect();
    (rows, true)
}

/// `by` rows towards the beginning.
pub(crate) fn up(pane: &Pane<'_>, scroll: Scroll, height: usize, by: usize) -> Scroll {
    match settle(pane, scroll, height) {
        Scroll::At(entry, row) => walk_up(pane, (entry, row), by),
        Scroll::Bottom => match top_of_bottom(pane, height) {
            Some(top) => walk_up(pane, top, by),
            None => Scroll::Bottom,
        },
    }
}

/// `by` rows towards the end.
pub(crate) fn down(pane: &Pane<'_>, scroll: Scroll, height: usize, by: usize) -> Scroll {
    let Scroll::At(mut entry, mut row) = settle(pane, scroll, height) else {
        return Scroll::Bottom;
    };
    let mut left = by;
    while entry < pane.buffer.end() {
        let below = pane.height(entry).saturating_sub(row);
        if left < below {
            return settle(pane, Scroll::At(entry, row + left), height);
        }
        left -= below;
        (entry, row) = (entry + 1, 0);
    }
    Scroll::Bottom
}

/// The beginning.
pub(crate) fn top(pane: &Pane<'_>, height: usize) -> Scroll {
    settle(pane, Scroll::At(pane.buffer.first(), 0), height)
}

/// Entry `id` in the middle.
pub(crate) fn around(pane: &Pane<'_>, id: EntryId, height: usize) -> Scroll {
    settle(pane, walk_up(pane, (id, 0), height / 2), height)
}

/// `scroll` within what is still held: the end when fewer than `height` rows follow.
fn settle(pane: &Pane<'_>, scroll: Scroll, height: usize) -> Scroll {
    let Scroll::At(entry, row) = scroll else {
        return Scroll::Bottom;
    };
    let (entry, row) = if entry < pane.buffer.first() {
        (pane.buffer.first(), 0)
    } else {
        (entry, row.min(pane.height(entry).saturating_sub(1)))
    };
    let mut below = 0;
    for id in entry..pane.buffer.end() {
        below += pane.height(id);
        if below > height + row {
            return Scroll::At(entry, row);
        }
    }
    Scroll::Bottom
}

/// Where the last `height` rows begin; `None` when there are no more than that.
fn top_of_bottom(pane: &Pane<'_>, height: usize) -> Option<(EntryId, usize)> {
    let mut count = 0;
    for id in (pane.buffer.first()..pane.buffer.end()).rev() {
        count += pane.height(id);
        if count > height {
            return Some((id, count - height));
        }
    }
    None
}

fn walk_up(pane: &Pane<'_>, (mut entry, mut row): (EntryId, usize), by: usize) -> Scroll {
    let mut left = by;
    while left > row {
        if entry <= pane.buffer.first() {
            return Scroll::At(pane.buffer.first(), 0);
        }
        left -= row + 1;
        entry -= 1;
        row = pane.height(entry).saturating_sub(1);
    }
    Scroll::At(entry, row - left)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::civil::date;

    use super::*;
    use crate::screen::config::style::Colors;
    use crate::screen::config::theme::{TerminalHints, Theme, ThemeName};
    use crate::screen::state::buffer::{Buffer, BufferLimits};
    use crate::screen::state::entry::{Body, Entry};
    use crate::screen::text::short_names::ShortNames;

    fn theme() -> Theme {
        let hints = TerminalHints::default();
        Theme::new(ThemeName::Dark, Colors::None, &hints, &BTreeMap::new()).unwrap()
    }

    fn buffer(entries: usize) -> Buffer {
        let mut buffer = Buffer::new(BufferLimits { lines: 1000, bytes: 1_000_000 });
        for n in 0..entries {
            let text = format!("entry{n} {}", "word ".repeat(n % 5 * 4));
            let at = date(2026, 1, 1).at(0, 0, 0, 0);
            buffer.push(Entry { at, body: Body::Notice(text.into()) });
        }
        buffer
    }

    fn pane<'a>(buffer: &'a Buffer, theme: &'a Theme) -> Pane<'a> {
        Pane {
            buffer,
            width: 55,
            theme,
            short_names: ShortNames::with_key(0),
            me: None,
            needle: None,
            found: None,
            links: false,
        }
    }

    fn all(pane: &Pane<'_>) -> usize {
        (pane.buffer.first()..pane.buffer.end()).map(|id| pane.height(id)).sum()
    }

    #[test]
    fn content_that_fits_is_aligned_to_its_end() {
        let (buffer, theme) = (buffer(3), theme());
        let pane = pane(&buffer, &theme);
        assert_eq!(up(&pane, Scroll::Bottom, 50, 10), Scroll::Bottom);
        assert_eq!(top(&pane, 50), Scroll::Bottom);
        assert_eq!(window(&pane, Scroll::At(1, 0), 50).0.len(), all(&pane));
    }

    #[test]
    fn up_and_down_by_the_same_rows_end_where_they_began() {
        let (buffer, theme) = (buffer(40), theme());
        let pane = pane(&buffer, &theme);
        for by in 1..30 {
            let once = up(&pane, Scroll::Bottom, 10, by);
            let twice = up(&pane, once, 10, by);
            assert_eq!(down(&pane, twice, 10, by), once, "{by}");
            assert_eq!(down(&pane, once, 10, by), Scroll::Bottom, "{by}");
            assert_eq!(window(&pane, twice, 10).0.len(), 10);
        }
    }

    #[test]
    fn the_beginning_is_the_end_of_going_up() {
        let (buffer, theme) = (buffer(40), theme());
        let pane = pane(&buffer, &theme);
        assert_eq!(up(&pane, Scroll::Bottom, 10, 10_000), Scroll::At(0, 0));
        let rows = all(&pane);
        assert_eq!(down(&pane, Scroll::At(0, 0), 10, rows - 10), Scroll::Bottom);
        assert_ne!(down(&pane, Scroll::At(0, 0), 10, rows - 11), Scroll::Bottom);
    }

    #[test]
    fn a_place_that_was_forgotten_becomes_the_oldest_one_left() {
        let (mut buffer, theme) = (buffer(40), theme());
        for _ in 0..20 {
            buffer.drop_oldest();
        }
        let pane = pane(&buffer, &theme);
        let (rows, at_end) = window(&pane, Scroll::At(3, 1), 5);
        assert!(!at_end && rows.len() == 5);
        assert_eq!(up(&pane, Scroll::At(3, 1), 5, 1), Scroll::At(20, 0));
    }
}
