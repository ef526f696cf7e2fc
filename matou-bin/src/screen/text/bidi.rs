//! Names and texts that are written from right to left, kept from reordering their neighbours.
//!
//! A terminal that reorders does so row by row. Whatever holds a letter from right to left stands
//! between isolates here, and beside it every name does, whatever its letters.

use std::borrow::Cow;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

const FIRST_STRONG_ISOLATE: char = '\u{2068}';
const POP_ISOLATE: char = '\u{2069}';

/// `name` between a first-strong isolate and its end when it is written from right to left, so that
/// its neighbours keep their place on terminals that reorder. Other names get none: some terminals
/// (GNU screen) print isolates as columns of their own.
pub(crate) fn isolated(name: &str) -> Cow<'_, str> {
    isolated_text(name)
}

/// `name` in a row that holds `text` as well: digits and Latin letters are kept in their place
/// too when `text` is written from right to left.
pub(crate) fn isolated_beside<'a>(name: &'a str, text: &str) -> Cow<'a, str> {
    if name.is_empty() || !has_right_to_left(text) {
        return isolated(name);
    }
    Cow::Owned(wrapped(name))
}

/// `text`, which others wrote, as one piece that reorders nothing around it.
pub(crate) fn isolated_text(text: &str) -> Cow<'_, str> {
    if has_right_to_left(text) { Cow::Owned(wrapped(text)) } else { Cow::Borrowed(text) }
}

/// A sentence of the program's own, written from left to right: each word in it that has letters
/// from right to left, such as a name or a part of a path, is isolated by itself, so that nothing
/// remains that could reorder the others.
pub(crate) fn sentence(text: &str) -> Cow<'_, str> {
    if !has_right_to_left(text) {
        return Cow::Borrowed(text);
    }
    let mut isolated = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while !rest.is_empty() {
        let (between, behind) = rest.split_at(rest.find(in_word).unwrap_or(rest.len()));
        let end = behind.find(|c| !in_word(c)).unwrap_or(behind.len());
        let (word, behind) = behind.split_at(end);
        isolated.push_str(between);
        isolated.push_str(&isolated_text(word));
        rest = behind;
    }
    Cow::Owned(isolated)
}

/// Whether `text` holds letters that are written from right to left.
pub(crate) fn has_right_to_left(text: &str) -> bool {
    !text.is_ascii()
        && text.chars().any(|c| {
            matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
                | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
        })
}

/// What names are made of, and what shapes their letters.
fn in_word(c: char) -> bool {
    c.is_alphanumeric()
        || c.general_category_group() == GeneralCategoryGroup::Mark
        || matches!(c, '\u{200c}' | '\u{200d}')
}

fn wrapped(text: &str) -> String {
    format!("{FIRST_STRONG_ISOLATE}{text}{POP_ISOLATE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_right_to_left_names_are_isolated() {
        for name in ["bob", "Élodie", "猫", "Ωμέγα"] {
            assert_eq!(isolated(name), name);
        }
        assert_eq!(isolated("שרה"), "\u{2068}שרה\u{2069}");
        assert!(has_right_to_left("a שלום") && !has_right_to_left("été 猫"));
    }

    #[test]
    fn beside_text_from_right_to_left_every_name_is() {
        for name in ["bob", "123", "שרה"] {
            assert_eq!(isolated_beside(name, "שלום"), format!("\u{2068}{name}\u{2069}"));
        }
        assert_eq!(isolated_beside("123", "hello"), "123");
        assert_eq!(isolated_beside("", "שלום"), "");
    }

    #[test]
    fn in_a_sentence_only_words_from_right_to_left_are_isolated() {
        assert_eq!(sentence("Élodie and 猫 joined"), "Élodie and 猫 joined");
        for (text, isolated) in [
            ("123, שרה2 and bob joined", "123, <שרה2> and bob joined"),
            ("/home/תמונות/שָׁרָה-2026.jpg", "/home/<תמונות>/<שָׁרָה>-2026.jpg"),
            ("می\u{200c}خواهم", "<می\u{200c}خواهم>"),
        ] {
            let isolated = isolated.replace('<', "\u{2068}").replace('>', "\u{2069}");
            assert_eq!(sentence(text), isolated);
        }
    }
}
