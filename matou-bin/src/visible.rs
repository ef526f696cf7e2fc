//! Text from outside as text that can be shown: nothing in it acts on a terminal or hides.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_properties::{GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};

/// `text` with every control, bidi and invisible character as `<U+XXXX>`.
///
/// The joiners and selectors inside emoji sequences stay, since they are seen there.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    // Almost all text is printable ASCII.
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if is_hidden(c) && !in_emoji(before, c, characters.peek().copied()) {
            let _ = write!(shown, "<U+{:04X}>", u32::from(c)); // A String takes all.
        } else {
            shown.push(c);
        }
        before = Some(c);
    }
    Cow::Owned(shown)
}

/// JSON text that says the same as `json`, with the characters that act or hide as `\uXXXX`.
///
/// Outside of strings there are none but line ends, and they stay.
pub(crate) fn json_escaped(json: &str) -> Cow<'_, str> {
    if json.bytes().all(|byte| matches!(byte, 0x20..=0x7e | b'\n')) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if c != '\n' && is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}"); // A String takes all.
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Whether `c` acts instead of being seen: a control, format or bidi character, a line or
/// paragraph separator, or one that has no width.
pub(crate) fn is_hidden(c: char) -> bool {
    use GeneralCategory as G;
    matches!(
        c.general_category(),
        G::Control | G::Format | G::LineSeparator | G::ParagraphSeparator
    ) || is_ignorable(c)
}

/// `Default_Ignorable_Code_Point` as far as it is not of category Cf.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2065}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{e0000}'..='\u{e0fff}')
}

fn in_emoji(before: Option<char>, c: char, after: Option<char>) -> bool {
    let Some(before) = before else { return false };
    match c {
        '\u{200d}' => {
            (is_pictograph(before) || before == '\u{fe0f}') && after.is_some_and(is_pictograph)
        }
        '\u{fe0e}' | '\u{fe0f}' => before.is_emoji_char(),
        _ => false,
    }
}

fn is_pictograph(c: char) -> bool {
    !c.is_ascii() && c.is_emoji_char()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_seen_stays() {
        for text in ["hello, world", "Élodie", "e\u{301}", "猫", "👨‍👩‍👧‍👦", "❤️", "1️⃣", "👩🏽‍🚀", "🏳️‍🌈"]
        {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn what_acts_or_hides_is_spelled_out() {
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
            assert_eq!(visible(text), shown);
        }
    }
}
