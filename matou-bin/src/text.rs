//! Splits typed text of any length into protocol messages.

use matou_actors::protocol::{MAX_MESSAGE, MessageText};
use unicode_segmentation::UnicodeSegmentation;

/// What a tab becomes, which the protocol does not allow.
pub(crate) const TAB: &str = "    ";

/// Splits `text` into messages; none if nothing in it can be sent.
///
/// A tab becomes four spaces, a line break one; other control characters are dropped. Text longer than
/// [`MAX_MESSAGE`] bytes is split after a space, else between graphemes, else (inside a single
/// larger grapheme) between characters. The messages concatenate to the whole text.
pub(crate) fn split_text(text: &str) -> Vec<MessageText> {
    let cleaned = clean(text);
    let mut rest = cleaned.as_str();
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let (message, remainder) = rest.split_at(message_length(rest));
        // Cannot fail: neither empty, nor too long, nor with a control character.
        messages.extend(MessageText::parse(message));
        rest = remainder;
    }
    messages
}

/// The lines of `text`, without blank ones at its beginning and end.
pub(crate) fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<_> = text.split('\n').collect();
    let with_text = |line: &&str| !line.trim().is_empty();
    let first = lines.iter().position(with_text).unwrap_or(lines.len());
    let end = lines.iter().rposition(with_text).map_or(first, |last| last + 1);
    lines.into_iter().take(end).skip(first)
}

/// The messages of one of several lines. A message cannot be empty: a blank line is one space.
pub(crate) fn split_line(line: &str) -> Vec<MessageText> {
    if line.trim().is_empty() { split_text(" ") } else { split_text(line) }
}

/// `text` on one line, without control characters.
fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\r' if characters.peek() == Some(&'\n') => {}
            '\t' => cleaned.push_str(TAB),
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                cleaned.push(' ');
            }
            c if c.is_control() => {}
            c => cleaned.push(c),
        }
    }
    cleaned
}

/// The length in bytes of the next message at the start of `text`, which is not empty.
fn message_length(text: &str) -> usize {
    if text.len() <= MAX_MESSAGE {
        return text.len();
    }
    let (mut last_space, mut last_grapheme) = (0, 0);
    for (start, grapheme) in window(text).grapheme_indices(true) {
        let end = start + grapheme.len();
        if end > MAX_MESSAGE {
            break;
        }
        last_grapheme = end;
        if grapheme.chars().all(|c| c == ' ' || c == '\u{3000}') {
            last_space = end;
        }
    }
    match (last_space, last_grapheme) {
        (0, 0) => last_character(text),
        (0, grapheme) => grapheme,
        (space, _) => space,
    }
}

/// The longest possible message plus one character, which decides whether the last grapheme
/// continues. Text beyond that cannot matter, so it is not scanned.
fn window(text: &str) -> &str {
    let end = text
        .char_indices()
        .map(|(start, c)| start + c.len_utf8())
        .find(|&end| end > MAX_MESSAGE)
        .unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

fn last_character(text: &str) -> usize {
    let ends = text.char_indices().map(|(start, c)| start + c.len_utf8());
    ends.take_while(|&end| end <= MAX_MESSAGE).last().unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> Vec<String> {
        split_text(text).iter().map(|part| part.as_str().to_owned()).collect()
    }

    #[test]
    fn text_that_fits_is_one_message() {
        assert_eq!(parts("hello  world "), ["hello  world "]);
        assert_eq!(parts(&"a".repeat(512)).len(), 1);
    }

    #[test]
    fn tabs_and_line_breaks_become_spaces_and_other_controls_are_dropped() {
        assert_eq!(parts("a\tb\r\nc\rd\ne\u{85}f"), ["a    b c d e f"]);
        assert_eq!(parts("a\u{0}\u{1b}[31mb\u{7f}\u{9b}c"), ["a[31mbc"]);
        assert!(parts("\u{1}\u{2}\u{7f}").is_empty());
        assert!(parts("").is_empty());
    }

    #[test]
    fn blank_lines_between_others_are_kept() {
        let lines = |text| lines_of(text).flat_map(split_line).collect::<Vec<_>>();
        let shown = |text| lines(text).iter().map(ToString::to_string).collect::<Vec<_>>();
        let code = "\n \nfn a() {\n\tb();\n\n\n}\n\n";
        assert_eq!(shown(code), ["fn a() {", "    b();", " ", " ", "}"]);
        assert_eq!(shown(" \n\t\n"), [""; 0]);
    }

    #[test]
    fn long_text_is_split_after_a_space() {
        let text = "word ".repeat(200);
        let parts = parts(&text);
        assert_eq!(parts.concat(), text);
        assert!(parts.iter().all(|part| part.ends_with(' ')));
        assert_eq!(parts[0].len(), 510);
    }

    #[test]
    fn a_long_word_is_split_between_graphemes() {
        let family = "👨‍👩‍👧‍👦"; // 25 bytes
        let parts = parts(&family.repeat(30));
        assert_eq!(parts, [family.repeat(20), family.repeat(10)]);
    }

    #[test]
    fn a_grapheme_at_the_end_of_a_message_keeps_its_marks() {
        let parts = parts(&format!("{}e\u{301}", "a".repeat(511)));
        assert_eq!(parts, ["a".repeat(511), "e\u{301}".to_owned()]);
    }

    #[test]
    fn a_grapheme_larger_than_a_message_is_split_between_characters() {
        let text = format!("e{}", "\u{301}".repeat(600));
        let parts = parts(&text);
        assert_eq!(parts.concat(), text);
        assert_eq!(parts[0].len(), 511);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_every_part_fits(text in "(\\PC|[ \t\r\n]|\u{301}|👨‍👩|.){0,900}") {
            let parts = parts(&text);
            prop_assert_eq!(parts.concat(), clean(&text));
            prop_assert!(parts.iter().all(|part| (1..=MAX_MESSAGE).contains(&part.len())));
        }

        #[test]
        fn splits_are_after_a_space_or_between_graphemes(text in "[a-z é👩🏽]{513,900}") {
            for part in parts(&text).iter().rev().skip(1) {
                let spaced = part.ends_with(' ');
                prop_assert!(spaced || !part.contains(' '), "{:?}", part);
            }
        }
    }
}
