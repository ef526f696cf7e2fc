//! The line being typed: text, cursor, and the editing of readline on graphemes.

use std::ops::Range;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use crate::sanitize::sanitize;
use crate::screen::text::width as text_width;
use crate::text::TAB;

/// The longest text that can be typed or pasted into the line, in bytes.
pub(crate) const MAX_INPUT: usize = 32 * 1024;

/// Text being typed, maybe of several lines. The cursor stands between graphemes.
#[derive(Clone, Debug, Default)]
pub(crate) struct InputLine {
    text: String,
    cursor: usize,
    /// The text could not be sent and has not been edited since.
    unsent: bool,
}

/// The line as rows on the screen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InputRows {
    /// The visible rows.
    pub(crate) rows: Vec<String>,
    /// Column and row of the cursor.
    pub(crate) cursor: (usize, usize),
}

impl InputLine {
    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The cursor, in bytes.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    /// The text before the cursor.
    pub(crate) fn before_cursor(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or("")
    }

    /// Whether nothing is typed.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Takes the text out and leaves the line empty.
    pub(crate) fn take(&mut self) -> String {
        self.unsent = false;
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Replaces everything by `text`, with the cursor after it.
    pub(crate) fn set(&mut self, text: &str) {
        self.take();
        self.insert(text);
    }

    /// Restores `text` that could not be sent: it can be sent again or edited, but text inserted
    /// after it begins a new line, or the two would be sent as one.
    pub(crate) fn set_unsent(&mut self, text: &str) {
        self.set(text);
        self.unsent = true;
    }

    /// Replaces `range` (of bytes, at character boundaries) by `text`, with the cursor after it.
    pub(crate) fn replace(&mut self, range: Range<usize>, text: &str) {
        self.unsent = false;
        if self.text.get(range.clone()).is_some() {
            self.text.replace_range(range.clone(), text);
            self.cursor = range.start + text.len();
            self.settle();
        }
    }

    /// Inserts at the cursor: line ends become `\n`, tabs spaces, other controls are dropped.
    /// False when the line is full and some did not fit.
    pub(crate) fn insert(&mut self, text: &str) -> bool {
        if std::mem::take(&mut self.unsent) && self.cursor == self.text.len() {
            self.take();
        }
        let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', TAB);
        for c in text.chars() {
            if c.is_control() && c != '\n' {
                continue;
            }
            if self.text.len() + c.len_utf8() > MAX_INPUT {
                self.settle();
                return false;
            }
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
        self.settle();
        true
    }

    /// Deletes the grapheme before the cursor.
    pub(crate) fn backspace(&mut self) {
        let start = self.left_of(self.cursor);
        self.cut(start..self.cursor);
    }

    /// Deletes the grapheme after the cursor.
    pub(crate) fn delete(&mut self) {
        let end = self.right_of(self.cursor);
        self.cut(self.cursor..end);
    }

    /// One grapheme to the left.
    pub(crate) fn left(&mut self) {
        self.cursor = self.left_of(self.cursor);
    }

    /// One grapheme to the right.
    pub(crate) fn right(&mut self) {
        self.cursor = self.right_of(self.cursor);
    }

    /// To the start of the word before the cursor.
    pub(crate) fn word_left(&mut self) {
        self.cursor = self.word_start();
    }

    /// To the end of the word after the cursor.
    pub(crate) fn word_right(&mut self) {
        self.cursor = self.word_end();
    }

    /// To the start of the line the cursor is in.
    pub(crate) fn home(&mut self) {
        self.cursor = self.line_start();
    }

    /// To the end of the line the cursor is in.
    pub(crate) fn end(&mut self) {
        self.cursor = self.line_end();
    }

    /// To the line above; false when there is none.
    pub(crate) fn up(&mut self) -> bool {
        let start = self.line_start();
        let column = self.column();
        let Some(previous_end) = start.checked_sub(1) else {
            return false;
        };
        self.cursor = previous_end;
        self.cursor = self.line_start();
        self.advance(column);
        true
    }

    /// To the line below; false when there is none.
    pub(crate) fn down(&mut self) -> bool {
        let column = self.column();
        let end = self.line_end();
        if end >= self.text.len() {
            return false;
        }
        self.cursor = end + 1;
        self.advance(column);
        true
    }

    /// Cuts from the cursor to the end of its line (the line end itself when nothing else is left)
    /// and returns the text.
    pub(crate) fn kill_to_end(&mut self) -> String {
        let end = self.line_end();
        let end = if end == self.cursor { self.right_of(end) } else { end };
        self.cut(self.cursor..end)
    }

    /// Cuts from the start of its line to the cursor.
    pub(crate) fn kill_to_start(&mut self) -> String {
        let start = self.line_start();
        let start = if start == self.cursor { self.left_of(start) } else { start };
        self.cut(start..self.cursor)
    }

    /// Cuts back to the last blank.
    pub(crate) fn kill_blank_word(&mut self) -> String {
        let before = self.before_cursor();
        let trimmed = before.trim_end();
        let start = trimmed
            .char_indices()
            .rev()
            .find(|(_, c)| c.is_whitespace())
            .map(|(i, c)| i + c.len_utf8());
        self.cut(start.unwrap_or(0)..self.cursor)
    }

    /// Cuts the word before the cursor.
    pub(crate) fn kill_word_left(&mut self) -> String {
        self.cut(self.word_start()..self.cursor)
    }

    /// Cuts the word after the cursor.
    pub(crate) fn kill_word_right(&mut self) -> String {
        let end = self.word_end();
        self.cut(self.cursor..end)
    }

    /// Exchanges the two graphemes around the cursor (the last two at the end).
    pub(crate) fn transpose(&mut self) {
        let at =
            if self.cursor == self.line_end() { self.left_of(self.cursor) } else { self.cursor };
        let (start, end) = (self.left_of(at), self.right_of(at));
        if start < self.line_start() || start == at || at == end {
            return;
        }
        let swapped = format!(
            "{}{}",
            self.text.get(at..end).unwrap_or(""),
            self.text.get(start..at).unwrap_or("")
        );
        self.replace(start..end, &swapped);
    }

    /// The line in rows of at most `columns`, with what cannot be seen made visible.
    pub(crate) fn rows(&self, columns: usize) -> InputRows {
        let mut cursor = (0, 0);
        let mut rows = self.lay_out(columns, |start, place| {
            if start == self.cursor {
                cursor = place;
            }
        });
        if cursor.1 >= rows.len() {
            rows.push(String::new());
        }
        InputRows { rows, cursor }
    }

    /// Puts the cursor at this place of [`InputLine::rows`].
    pub(crate) fn click(&mut self, columns: usize, column: usize, row: usize) {
        let mut clicked = None;
        self.lay_out(columns, |start, (x, y)| {
            if clicked.is_none() && (y, x) >= (row, column) {
                clicked = Some(start);
            }
        });
        self.cursor = clicked.unwrap_or(self.text.len());
    }

    /// The rows, and for each grapheme and the end of the text where it is, as column and row.
    fn lay_out(&self, columns: usize, mut at: impl FnMut(usize, (usize, usize))) -> Vec<String> {
        let columns = columns.max(2);
        let mut rows = vec![String::new()];
        let mut used = 0;
        for (start, grapheme) in self.text.grapheme_indices(true) {
            let shown = if grapheme == "\n" { "".into() } else { sanitize(grapheme) };
            let wide = text_width::width(&shown);
            if used + wide > columns {
                rows.push(String::new());
                used = 0;
            }
            at(start, (used, rows.len() - 1));
            if grapheme == "\n" {
                rows.push(String::new());
                used = 0;
                continue;
            }
            if let Some(row) = rows.last_mut() {
                row.push_str(&shown);
            }
            used += wide;
        }
        let end = if used >= columns { (0, rows.len()) } else { (used, rows.len() - 1) };
        at(self.text.len(), end);
        rows
    }

    fn cut(&mut self, range: Range<usize>) -> String {
        let cut = self.text.get(range.clone()).unwrap_or("").to_owned();
        self.replace(range, "");
        cut
    }

    /// Moves the cursor out of a grapheme that joined around it.
    fn settle(&mut self) {
        let mut cursor = GraphemeCursor::new(self.cursor, self.text.len(), true);
        if cursor.is_boundary(&self.text, 0) != Ok(true) {
            self.cursor = self.right_of(self.cursor);
        }
    }

    fn left_of(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        cursor.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    fn right_of(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len())
    }

    fn line_start(&self) -> usize {
        self.before_cursor().rfind('\n').map_or(0, |end| end + 1)
    }

    fn line_end(&self) -> usize {
        let behind = self.text.get(self.cursor..).unwrap_or("");
        behind.find('\n').map_or(self.text.len(), |end| self.cursor + end)
    }

    fn column(&self) -> usize {
        text_width::width(self.text.get(self.line_start()..self.cursor).unwrap_or(""))
    }

    fn advance(&mut self, columns: usize) {
        let line = self.text.get(self.cursor..self.line_end()).unwrap_or("");
        self.cursor += text_width::prefix(line, columns).len();
    }

    fn word_start(&self) -> usize {
        let mut words = self.before_cursor().unicode_word_indices();
        words.next_back().map_or(0, |(start, _)| start)
    }

    fn word_end(&self) -> usize {
        let behind = self.text.get(self.cursor..).unwrap_or("");
        let word = behind.unicode_word_indices().next();
        word.map_or(self.text.len(), |(start, word)| self.cursor + start + word.len())
    }
}

#[cfg(test)]
mod tests;
