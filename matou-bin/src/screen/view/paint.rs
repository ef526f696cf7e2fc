//! Putting text into cells, with characters that take no column kept where they belong.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::screen::text::links::{LinkPiece, Links};
use crate::screen::text::width::cells;

const FIRST_STRONG_ISOLATE: &str = "\u{2068}";
const POP_ISOLATE: &str = "\u{2069}";

/// Draws into the cells of one frame.
pub(super) struct Painter<'a> {
    cells: &'a mut Buffer,
    links: Vec<LinkPiece>,
}

impl<'a> Painter<'a> {
    pub(super) fn new(buffer: &'a mut Buffer) -> Self {
        Self { cells: buffer, links: Vec::new() }
    }

    /// The cells with links.
    pub(super) fn into_links(self) -> Links {
        Links::new(self.links)
    }

    /// The text there is a link.
    pub(super) fn link(&mut self, piece: LinkPiece) {
        self.links.push(piece);
    }

    /// Sets the style of the cells of `area`.
    pub(super) fn fill(&mut self, area: Rect, style: Style) {
        self.cells.set_style(area, style);
    }

    /// Empties `area`.
    pub(super) fn clear(&mut self, area: Rect, style: Style) {
        let area = area.intersection(self.cells.area);
        self.links.retain(|piece| {
            let width = piece.columns.end.saturating_sub(piece.columns.start);
            !area.intersects(Rect::new(piece.columns.start, piece.y, width, 1))
        });
        for position in area.positions() {
            if let Some(cell) = self.cells.cell_mut(position) {
                cell.reset();
                cell.set_style(style);
            }
        }
    }

    /// Draws `text` from column `x` on, up to before column `end`; returns the column after it. A
    /// grapheme wider than the room that is left is not begun.
    pub(super) fn text(&mut self, x: u16, y: u16, end: u16, text: &str, style: Style) -> u16 {
        self.spans(x, y, end, &[Span::styled(text, style)])
    }

    /// Draws `spans` one after the other, as [`Painter::text`] does.
    pub(super) fn spans(&mut self, x: u16, y: u16, end: u16, spans: &[Span<'_>]) -> u16 {
        let end = end.min(self.cells.area.right());
        let start = x;
        let mut x = x;
        let mut open = 0usize;
        // Characters without a column join the one before, as terminals have it: there they go
        // when that one is drawn again, and nowhere else. At the left edge they wait for the next.
        let mut pending = String::new();
        'spans: for span in spans {
            for grapheme in span.content.graphemes(true) {
                let wide = cells(grapheme.width());
                if wide == 0 {
                    match grapheme {
                        POP_ISOLATE if open == 0 || x == start => continue,
                        POP_ISOLATE => open -= 1,
                        FIRST_STRONG_ISOLATE => open += 1,
                        _ => {}
                    }
                    if x > self.cells.area.x {
                        self.append(x, y, grapheme);
                    } else {
                        pending.push_str(grapheme);
                    }
                    continue;
                }
                if x.saturating_add(wide) > end {
                    break 'spans;
                }
                self.put(x, y, &format_symbol(&pending, grapheme), span.style);
                pending.clear();
                for hidden in x + 1..x + wide {
                    if let Some(cell) = self.cells.cell_mut((hidden, y)) {
                        cell.reset();
                        cell.set_style(span.style);
                    }
                }
                x += wide;
            }
        }
        // Where the room ended inside a name, the text after it is kept apart all the same.
        if open > 0 {
            self.append(x, y, &POP_ISOLATE.repeat(open));
        }
        x
    }

    fn put(&mut self, x: u16, y: u16, symbol: &str, style: Style) {
        if let Some(cell) = self.cells.cell_mut((x, y)) {
            cell.set_symbol(symbol).set_style(style);
        }
    }

    /// Adds characters without a column to the cell that ends before column `x`.
    fn append(&mut self, x: u16, y: u16, extra: &str) {
        for column in [x.checked_sub(1), x.checked_sub(2)].into_iter().flatten() {
            let Some(cell) = self.cells.cell_mut((column, y)) else { continue };
            // The second half of a wide character is blank and not drawn.
            if column + 1 == x && cell.symbol() == " " && x >= 2 {
                let wide_before =
                    self.cells.cell((x - 2, y)).is_some_and(|before| before.symbol().width() > 1);
                if wide_before {
                    continue;
                }
            }
            if let Some(cell) = self.cells.cell_mut((column, y)) {
                let symbol = format!("{}{extra}", cell.symbol());
                cell.set_symbol(&symbol);
            }
            return;
        }
    }
}

fn format_symbol<'a>(before: &str, grapheme: &'a str) -> std::borrow::Cow<'a, str> {
    if before.is_empty() { grapheme.into() } else { format!("{before}{grapheme}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(width: u16, text: &str) -> Vec<String> {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
        Painter::new(&mut buffer).text(0, 0, width, text, Style::new());
        (0..width).map(|x| buffer[(x, 0)].symbol().to_owned()).collect()
    }

    #[test]
    fn wide_characters_take_their_cells_and_are_never_cut() {
        assert_eq!(drawn(4, "日本語"), ["日", " ", "本", " "]);
        assert_eq!(drawn(3, "日本"), ["日", " ", " "]);
        assert_eq!(drawn(3, "e\u{301}x"), ["e\u{301}", "x", " "]);
    }

    #[test]
    fn isolates_join_the_character_before_them() {
        assert_eq!(drawn(5, "a\u{2068}אב\u{2069}c")[..4], ["a\u{2068}", "א", "ב\u{2069}", "c"]);
        assert_eq!(drawn(3, "日\u{2068}猫")[..2], ["日\u{2068}\u{2069}", " "]);
        assert_eq!(drawn(4, "\u{2068}אב\u{2069}c"), ["\u{2068}א", "ב\u{2069}", "c", " "]);
        assert_eq!(drawn(3, "\u{2068}猫\u{2069}"), ["\u{2068}猫\u{2069}", " ", " "]);
        assert_eq!(
            drawn(2, "\u{2068}a\u{2069}\u{2068}b\u{2069}"),
            ["\u{2068}a\u{2069}\u{2068}", "b\u{2069}"]
        );
        assert_eq!(drawn(1, "\u{2068}ab\u{2069}"), ["\u{2068}a\u{2069}"]);
    }
}
