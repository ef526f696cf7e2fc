//! Makes untrusted text safe to display: no control sequences, no hidden characters, nothing
//! that paints over neighbouring text.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_properties::{GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};

/// Combining marks allowed on one base character; more only serve to paint over other lines.
const MAX_MARKS: usize = 6;
const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';
const BLACK_FLAG: char = '\u{1f3f4}';
const DOTTED_CIRCLE: char = '\u{25cc}';

/// Replaces every control, bidi and invisible character by `<U+XXXX>`.
///
/// Joiners and variation selectors are kept where they affect rendering: inside emoji and after
/// letters of joining scripts. Excess combining marks on one base are counted, not shown.
pub(crate) fn sanitize(text: &str) -> Cow<'_, str> {
    // Fast path: almost all text is printable ASCII.
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(rewrite(text))
}

/// Equivalent JSON in which control and hidden characters are written as `\uXXXX`.
///
/// Outside of strings, JSON has no such characters except line breaks, which are kept.
pub(crate) fn json_escaped(json: &str) -> Cow<'_, str> {
    if json.bytes().all(|byte| matches!(byte, 0x20..=0x7e | b'\n')) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if c != '\n' && is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}"); // Writing to a String cannot fail.
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Whether `c` has no visible form: a control, format or bidi character, a line or paragraph
/// separator, or a character without width.
pub(crate) fn is_hidden(c: char) -> bool {
    use GeneralCategory as G;
    match c.general_category() {
        G::Control | G::LineSeparator | G::ParagraphSeparator => true,
        // Prepended number signs are format characters, but visible.
        G::Format => !matches!(
            c,
            '\u{600}'
                ..='\u{605}'
                    | '\u{6dd}'
                    | '\u{70f}'
                    | '\u{890}'
                    | '\u{891}'
                    | '\u{8e2}'
                    | '\u{110bd}'
                    | '\u{110cd}'
        ),
        // Spaces of unusual width; the ideographic and the no-break space are in common use.
        G::SpaceSeparator => matches!(c, '\u{1680}' | '\u{2000}'..='\u{200a}'),
        // U+2800, the braille pattern without dots, looks blank but is not a space.
        _ => c == '\u{2800}' || is_ignorable(c),
    }
}

fn rewrite(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut state = State::default();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        if is_mark(c) && !is_ignorable(c) {
            state.mark(c, &mut out);
            continue;
        }
        state.end_marks(&mut out);
        if is_hidden(c) && !state.allows(c, next) {
            // Writing to a String cannot fail.
            let _ = write!(out, "<U+{:04X}>", u32::from(c));
            state.previous = None;
        } else {
            out.push(c);
            state.previous = Some(c);
        }
        state.in_flag = c == BLACK_FLAG || (state.in_flag && is_tag(c));
    }
    state.end_marks(&mut out);
    out
}

/// Context from the characters before the current one.
#[derive(Default)]
struct State {
    /// The previous character, unless it was escaped.
    previous: Option<char>,
    /// Combining marks since the last base character.
    marks: usize,
    in_flag: bool,
}

impl State {
    fn mark(&mut self, mark: char, out: &mut String) {
        if self.marks == 0 && self.previous.is_none_or(char::is_whitespace) {
            out.push(DOTTED_CIRCLE);
            self.previous = Some(DOTTED_CIRCLE);
        }
        self.marks += 1;
        if self.marks <= MAX_MARKS {
            out.push(mark);
        }
    }

    fn end_marks(&mut self, out: &mut String) {
        if self.marks > MAX_MARKS {
            let _ = write!(out, "<+{} marks>", self.marks - MAX_MARKS);
            self.previous = None;
        }
        self.marks = 0;
    }

    /// Whether the hidden character `c` affects how its visible neighbours are rendered.
    fn allows(&self, c: char, next: Option<char>) -> bool {
        let Some(previous) = self.previous else {
            return false;
        };
        match c {
            ZERO_WIDTH_JOINER if is_pictograph(previous) => next.is_some_and(is_pictograph),
            ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER => {
                is_joining(previous) && next.is_some_and(is_joining)
            }
            '\u{fe0e}' | '\u{fe0f}' => previous.is_emoji_char(),
            '\u{fe00}'..='\u{fe0d}' | '\u{e0100}'..='\u{e01ef}' => {
                previous.general_category() == GeneralCategory::OtherLetter
            }
            _ => self.in_flag && is_tag(c),
        }
    }
}

fn is_mark(c: char) -> bool {
    matches!(c.general_category(), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
}

/// Letters and vowel signs of the scripts from Arabic to Sinhala, which joiners reshape.
fn is_joining(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{dff}') && !c.is_ascii()
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..='\u{e007f}')
}

/// `Default_Ignorable_Code_Point`, except those of category Cf.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2065}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{e0000}'..='\u{e0fff}')
}

fn is_pictograph(c: char) -> bool {
    c == '\u{fe0f}' || (!c.is_ascii() && c.is_emoji_char())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_text_is_unchanged() {
        for text in ["hello, world", "Élodie", "e\u{301}", "猫", "👨‍👩‍👧‍👦", "❤️", "1️⃣", "👩🏽‍🚀", "🏳️‍🌈"]
        {
            assert_eq!(sanitize(text), text);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        let table = [
            ("\u{1b}[2J", "<U+001B>[2J"),
            ("a\u{7}\r\nb", "a<U+0007><U+000D><U+000A>b"),
            ("\u{9b}31m", "<U+009B>31m"),
            ("\u{202e}abc", "<U+202E>abc"),
            ("\u{2066}x\u{2069}", "<U+2066>x<U+2069>"),
            ("a\u{200b}b\u{200d}c", "a<U+200B>b<U+200D>c"),
            ("\u{feff}\u{3164}\u{ad}", "<U+FEFF><U+3164><U+00AD>"),
            ("a\u{fe0f}", "a<U+FE0F>"),
            ("\u{2028}\u{e0041}", "<U+2028><U+E0041>"),
        ];
        for (text, shown) in table {
            assert_eq!(sanitize(text), shown);
        }
    }

    #[test]
    fn text_of_many_scripts_is_unchanged() {
        for text in [
            "plain ASCII ~ text",
            "Ça été naïf — «oui»…",
            "日本語 テキスト",
            "שלום עולם",
            "e\u{301}a\u{308}",
            "👩\u{200d}👩\u{200d}👧 👍🏽 ❤\u{fe0f} 1\u{fe0f}\u{20e3}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "می\u{200c}خواهم",
            "ภาษาไทย ที่",
        ] {
            assert_eq!(sanitize(text), text);
        }
    }

    #[test]
    fn hidden_and_reordering_characters_are_escaped() {
        for (text, shown) in [
            ("a\u{1b}[2Jb", "a<U+001B>[2Jb"),
            ("a\u{9b}31mb", "a<U+009B>31mb"),
            ("a\u{7}\u{7f}\nb", "a<U+0007><U+007F><U+000A>b"),
            ("a\u{202e}b\u{2066}c", "a<U+202E>b<U+2066>c"),
            ("a\u{200b}b\u{feff}c\u{ad}d", "a<U+200B>b<U+FEFF>c<U+00AD>d"),
            ("a\u{200d}b", "a<U+200D>b"),
            ("\u{3164}\u{115f}\u{ffa0}\u{2800}", "<U+3164><U+115F><U+FFA0><U+2800>"),
            ("a\u{2028}b\u{2029}", "a<U+2028>b<U+2029>"),
            ("a\u{e0041}b", "a<U+E0041>b"),
            ("a\u{fe0f}b\u{34f}", "a<U+FE0F>b<U+034F>"),
            ("a\u{fff9}b\u{1d173}\u{206a}", "a<U+FFF9>b<U+1D173><U+206A>"),
            ("a\u{2003}b", "a<U+2003>b"),
        ] {
            assert_eq!(sanitize(text), shown, "{}", text.escape_unicode());
        }
    }

    #[test]
    fn excess_combining_marks_are_counted_and_a_lone_mark_gets_a_base() {
        let heap = format!("a{}b", "\u{301}".repeat(50));
        assert_eq!(sanitize(&heap), format!("a{}<+44 marks>b", "\u{301}".repeat(6)));
        assert_eq!(sanitize("\u{301}a"), "\u{25cc}\u{301}a");
    }

    proptest::proptest! {
        #[test]
        fn no_control_character_survives(text in "\\PC{0,40}|.{0,40}") {
            let once = sanitize(&text).into_owned();
            proptest::prop_assert!(!once.chars().any(char::is_control));
        }
    }
}
