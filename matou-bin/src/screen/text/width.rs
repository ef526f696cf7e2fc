//! Columns: how wide text is, and where it is cut.

use std::borrow::Cow;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The columns that `text` takes.
pub(crate) fn width(text: &str) -> usize {
    if is_plain(text) { text.len() } else { text.graphemes(true).map(UnicodeWidthStr::width).sum() }
}

/// `text` cut to at most `columns`, with `…` in place of the rest.
pub(crate) fn shorten(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(room) = columns.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    let kept = prefix(text, room);
    Cow::Owned(format!("{kept}…"))
}

/// The longest beginning of `text` that fits into `columns`.
pub(crate) fn prefix(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (start, grapheme) in text.grapheme_indices(true) {
        used += grapheme.width();
        if used > columns {
            return text.get(..start).unwrap_or("");
        }
    }
    text
}

/// `text` broken into rows, as ranges of bytes: the first of at most `first` columns, the
/// others of at most `rest`. Breaks at spaces; a word breaks only when it is wider than a row
/// by itself. A link that fits into a row is never broken, even if the first row stays empty.
/// At least one row, maybe empty.
pub(crate) fn wrap(text: &str, first: usize, rest: usize) -> Vec<Range<usize>> {
    let (first, rest) = (first.max(2), rest.max(2));
    if is_plain(text) && text.len() <= first {
        return std::iter::once(0..text.len()).collect();
    }
    let mut wrapper = Wrapper { rows: Vec::new(), start: 0, used: 0, limit: first, rest };
    let mut end = 0;
    for word in text.split_inclusive(' ') {
        let start = end;
        end += word.len();
        let bare = word.strip_suffix(' ').unwrap_or(word);
        wrapper.word(text, start, bare, word.len() > bare.len());
    }
    wrapper.rows.push(wrapper.start..text.len());
    wrapper.rows
}

/// A number as terminal columns or rows; a screen is never wider than that.
pub(crate) fn cells(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

struct Wrapper {
    rows: Vec<Range<usize>>,
    start: usize,
    used: usize,
    limit: usize,
    rest: usize,
}

impl Wrapper {
    /// Places the word at byte `start`; a space after it may hang over the end of the row.
    fn word(&mut self, text: &str, start: usize, word: &str, space: bool) {
        let columns = width(word);
        let moves = self.used > 0 || (columns <= self.rest && word.contains("://"));
        if self.used + columns > self.limit && moves {
            self.end_row(text, start);
        }
        if columns > self.limit {
            self.graphemes(start, word);
        } else {
            self.used += columns;
        }
        self.used += usize::from(space);
    }

    fn graphemes(&mut self, start: usize, word: &str) {
        for (offset, grapheme) in word.grapheme_indices(true) {
            let columns = grapheme.width();
            if self.used + columns > self.limit && self.used > 0 {
                self.rows.push(self.start..start + offset);
                self.next_row(start + offset);
            }
            self.used += columns;
        }
    }

    fn end_row(&mut self, text: &str, at: usize) {
        let row = text.get(self.start..at).unwrap_or("");
        self.rows.push(self.start..self.start + row.trim_end_matches(' ').len());
        self.next_row(at);
    }

    fn next_row(&mut self, at: usize) {
        self.start = at;
        self.used = 0;
        self.limit = self.rest;
    }
}

/// One byte is one column: almost all text, and settled in one pass.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, first: usize, rest: usize) -> Vec<&str> {
        wrap(text, first, rest).into_iter().map(|row| &text[row]).collect()
    }

    #[test]
    fn emoji_with_joiners_wide_and_combining_characters_are_measured_whole() {
        assert_eq!(width("abc"), 3);
        assert_eq!(width("日本"), 4);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(width("👩\u{200d}👩\u{200d}👧"), 2);
        assert_eq!(width("👍🏽"), 2);
    }

    #[test]
    fn shortening_never_splits_a_character() {
        assert_eq!(shorten("abcdef", 4), "abc…");
        assert_eq!(shorten("日本語", 4), "日…");
        assert_eq!(shorten("日本語", 6), "日本語");
        assert_eq!(shorten("abc", 0), "");
    }

    #[test]
    fn rows_break_at_spaces() {
        assert_eq!(rows("one two three", 8, 8), ["one two", "three"]);
        assert_eq!(rows("one two three", 3, 20), ["one", "two three"]);
        assert_eq!(rows("", 8, 8), [""]);
        assert_eq!(rows("  lead", 8, 8), ["  lead"]);
    }

    #[test]
    fn a_link_moves_to_its_own_row_and_breaks_only_when_it_must() {
        assert_eq!(rows("see http://a.example/x", 20, 20), ["see", "http://a.example/x"]);
        assert_eq!(rows("see abcdefghij", 5, 5), ["see", "abcde", "fghij"]);
        assert_eq!(rows("http://a.example/x", 9, 18), ["", "http://a.example/x"]);
        assert_eq!(rows("http://a.example/x", 9, 17), ["http://a.", "example/x"]);
        assert_eq!(rows("日本語", 4, 4), ["日本", "語"]);
    }

    proptest::proptest! {
        #[test]
        fn no_row_is_too_wide_and_only_spaces_get_lost(
            text in "[a-z 日e\u{301}]{0,80}", first in 2usize..20, rest in 2usize..20,
        ) {
            let ranges = wrap(&text, first, rest);
            let mut limit = first;
            let mut end = 0;
            for range in &ranges {
                proptest::prop_assert!(text[end..range.start].chars().all(|c| c == ' '));
                proptest::prop_assert!(width(text[range.clone()].trim_end()) <= limit);
                (limit, end) = (rest, range.end);
            }
            proptest::prop_assert_eq!(end, text.len());
        }
    }
}
