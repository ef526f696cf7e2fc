//! Names and texts that are written from right to left, kept from reordering their neighbours.

use std::borrow::Cow;

const FIRST_STRONG_ISOLATE: char = '\u{2068}';
const POP_ISOLATE: char = '\u{2069}';

/// `name` between a first-strong isolate and its end, so that what stands around it keeps its
/// place on terminals that reorder; plain ASCII needs none. Counts no columns.
pub(crate) fn isolated(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("{FIRST_STRONG_ISOLATE}{name}{POP_ISOLATE}"))
}

/// Whether `text` holds letters that are written from right to left.
pub(crate) fn has_right_to_left(text: &str) -> bool {
    !text.is_ascii()
        && text.chars().any(|c| {
            matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
                | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_outside_ascii_are_isolated() {
        assert_eq!(isolated("bob"), "bob");
        assert_eq!(isolated("שרה"), "\u{2068}שרה\u{2069}");
        assert!(has_right_to_left("a שלום") && !has_right_to_left("été 猫"));
    }
}
