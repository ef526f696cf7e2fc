//! Fits a line into the rows of a terminal, so that no text of another user begins a row.
//!
//! Every line of the program begins with the time. A text that filled a row to its end could put
//! an imitation of such a line at the beginning of the next one.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

/// What continued rows begin with: as wide as the time, so that texts stand in one column.
const INDENT: &str = "         ";
/// The narrowest terminal whose rows are broken here.
const NARROWEST: usize = 2 * INDENT.len();

/// `line` in rows of a terminal that is `width` columns wide, each row but the first one indented.
///
/// Where the width is not known (a pipe, a file that is shown later) or changes afterwards, a text
/// can still end up at the beginning of a row. So runs of spaces become one space, and a time
/// followed by a sign, as lines of the program begin, gets a visible mark in between.
pub(super) fn rows(line: &str, width: Option<usize>) -> String {
    let line = mark_times(&single_spaces(line));
    match width {
        Some(width) if width >= NARROWEST => broken(&line, width),
        _ => line,
    }
}

fn single_spaces(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for c in line.chars() {
        if !(c.is_whitespace() && text.ends_with(' ')) {
            text.push(if c.is_whitespace() { ' ' } else { c });
        }
    }
    text
}

/// Marks the space after each time that is followed by a sign, except the time at the very
/// beginning, which is the program's.
fn mark_times(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    // The last characters with a width: marks on them change little of what they look like.
    let mut before: Vec<char> = Vec::with_capacity(TIME);
    let mut rest = line.chars().peekable();
    let mut count = 0;
    while let Some(c) = rest.next() {
        let is_space = c == ' ' && count > TIME && is_time(&before);
        if is_space && rest.peek().copied().is_some_and(is_sign) {
            text.push_str("<U+0020>");
        } else {
            text.push(c);
        }
        if c.width() != Some(0) {
            count += 1;
            if before.len() == TIME {
                before.remove(0);
            }
            before.push(c);
        }
    }
    text
}

/// The characters of `HH:MM:SS`.
const TIME: usize = 8;

/// Whether `characters` look like `HH:MM:SS`, in whichever digits and with whichever colons.
fn is_time(characters: &[char]) -> bool {
    characters.len() == TIME
        && characters.iter().enumerate().all(|(index, c)| match index {
            2 | 5 => !c.is_alphanumeric() && *c != ' ',
            _ => c.is_numeric(),
        })
}

/// Whether `c` could pass for the sign that follows the time in a line of the program: `*`, `!`,
/// `?`, `<` or `[`.
fn is_sign(c: char) -> bool {
    !c.is_alphanumeric() && !matches!(c, ' ' | '(' | ')' | ',' | '.' | ';' | ':' | '-' | '/' | '"')
}

/// Breaks `line` at spaces, and a word that is longer than a row where the row ends.
fn broken(line: &str, width: usize) -> String {
    let mut text = String::with_capacity(line.len() + INDENT.len());
    let mut column = 0;
    for word in line.split_word_bounds() {
        let columns = widest(word);
        if column + columns > width && column > INDENT.len() && columns <= width - INDENT.len() {
            next_row(&mut text, &mut column);
            if word == " " {
                continue;
            }
        }
        for grapheme in word.graphemes(true) {
            let columns = widest(grapheme);
            if column + columns > width && column > INDENT.len() {
                next_row(&mut text, &mut column);
            }
            text.push_str(grapheme);
            column += columns;
        }
    }
    text
}

fn next_row(text: &mut String, column: &mut usize) {
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
    text.push_str(INDENT);
    *column = INDENT.len();
}

/// The most columns that a terminal may show `text` in: some show ambiguous characters in two, and
/// each part of a joined emoji by itself.
fn widest(text: &str) -> usize {
    let columns = |c: char| c.width().unwrap_or(0).max(c.width_cjk().unwrap_or(0));
    text.chars().map(columns).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    const LINE: &str = "19:20:01 <Bob> hello";

    #[test]
    fn a_short_line_stays_as_it_is() {
        assert_eq!(rows(LINE, None), LINE);
        assert_eq!(rows(LINE, Some(80)), LINE);
        assert_eq!(rows(LINE, Some(LINE.len())), LINE);
    }

    #[test]
    fn a_long_line_is_broken_at_a_space_and_indented() {
        assert_eq!(rows(LINE, Some(19)), "19:20:01 <Bob>\n         hello");
        let word = format!("19:20:01 <Bob> {}", "x".repeat(20));
        assert_eq!(
            rows(&word, Some(20)),
            "19:20:01 <Bob> xxxxx\n         xxxxxxxxxxx\n         xxxx"
        );
    }

    #[test]
    fn runs_of_spaces_cannot_fill_a_row() {
        let imitation = format!("19:20:01 <Bob> hi{}* private session", " ".repeat(63));
        assert_eq!(rows(&imitation, None), "19:20:01 <Bob> hi * private session");
    }

    #[test]
    fn an_imitated_beginning_of_a_line_is_marked() {
        for time in ["19:20:01", "19∶20∶01", "１９：２０：０１"] {
            for sign in ["*", "!", "?", "<Ann>", "[Ann to Bob]", "＊"] {
                let line = format!("19:20:01 <Bob> {time} {sign} x");
                let marked = format!("19:20:01 <Bob> {time}<U+0020>{sign} x");
                assert_eq!(rows(&line, None), marked);
            }
        }
        let marked_digit = "19:20:01 <Bob> 1\u{323}9:20:01 * x";
        assert!(rows(marked_digit, None).contains("01<U+0020>*"), "a mark hides nothing");
        let honest = "19:20:01 * Bob said it at 12:00:00 (noon), and 12:00:01 again";
        assert_eq!(rows(honest, None), honest);
    }

    #[test]
    fn wide_and_ambiguous_characters_count_as_the_widest_that_they_can_be() {
        let line = format!("19:20:01 <Bob> {}", "猫".repeat(10));
        assert_eq!(rows(&line, Some(20)).lines().count(), 3);
        let line = format!("19:20:01 <Bob> {}", "§".repeat(20));
        assert_eq!(rows(&line, Some(25)).lines().count(), 3, "two columns in some terminals");
    }

    proptest! {
        #[test]
        fn no_beginning_of_a_line_is_left_inside_one(
            filler in "[a-z \u{323}猫§]{0,200}",
            sign in "[*!?<\\[＊‽]",
            spaces in 1_usize..100,
        ) {
            let gap = " ".repeat(spaces);
            let line = format!("19:20:01 <Bob> {filler}19:20:02{gap}{sign} x");
            let shown = rows(&line, None);
            prop_assert!(!shown.contains("  "), "{shown}");
            prop_assert!(shown.contains(&format!("19:20:02<U+0020>{sign}")), "{shown}");
        }

        #[test]
        fn every_row_fits_and_only_the_first_begins_at_the_left(
            text in "[a-z* !?<>:0-9猫§é👩\u{200d}]{0,300}",
            width in 1_usize..200,
        ) {
            let line = format!("19:20:01 <Bob> {text}");
            let broken = rows(&line, Some(width));
            let mut rows = broken.lines();
            prop_assert!(rows.next().unwrap_or_default().starts_with("19:20:01 <Bob>"));
            if width >= NARROWEST {
                for row in broken.lines() {
                    prop_assert!(row.width_cjk() <= width, "{row:?}");
                }
                for row in rows {
                    prop_assert!(row.starts_with(INDENT));
                }
            }
        }
    }
}
