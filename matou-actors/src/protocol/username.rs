//! Usernames: what one is, and when two are the same or look the same.

use std::fmt;
use std::sync::Arc;

use caseless::Caseless;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_security::GeneralSecurityProfile;
use unicode_security::general_security_profile::IdentifierType;

use super::error::{FrameError, UsernameError};
use super::limits::MAX_USERNAME;

/// A name that may be used: 1 to 32 bytes of UTF-8, only letters (general category L*) and
/// decimal digits (Nd), none of them invisible (`Default_Ignorable`: U+3164, U+115F, U+FFA0).
///
/// Equality is by bytes; [`Username::folded`] compares without regard to case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Username(Arc<str>);

/// A username without regard to case: two names are the same person when these are equal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FoldedName(Box<str>);

impl Username {
    /// Takes `name` if it is a username as it stands.
    pub fn parse(name: &str) -> Result<Self, UsernameError> {
        if name.is_empty() {
            return Err(UsernameError::Empty);
        }
        if name.len() > MAX_USERNAME {
            return Err(UsernameError::TooLong(name.len()));
        }
        match name.chars().find(|&c| !is_allowed(c)) {
            Some(c) => Err(UsernameError::Character(c)),
            None => Ok(Self(name.into())),
        }
    }

    /// The name as its owner wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without regard to case (canonical caseless matching, Unicode 3.13 D145).
    pub fn folded(&self) -> FoldedName {
        FoldedName(fold(&self.0).into())
    }

    /// Checks a name that the server vouches for (its size and UTF-8 are checked already).
    pub(in crate::protocol) fn from_wire(name: &str) -> Result<Self, FrameError> {
        Self::parse(name).map_err(FrameError::Username)
    }

    /// What the name looks like: two names look alike when they share one of these.
    ///
    /// UTS 39 skeletons of the compatibility form (which undoes full-width forms), taken before
    /// and after case folding: Cyrillic Н looks like H only as a capital, Cyrillic в like B only
    /// once folded back, so one of the two alone would miss half of the pairs.
    pub(crate) fn skeletons(&self) -> [Box<str>; 2] {
        let compatible: String = self.0.nfkc().collect();
        let as_written: String = unicode_security::skeleton(&compatible).collect();
        let folded: String = unicode_security::skeleton(&fold(&compatible)).collect();
        [fold(&as_written).into(), fold(&folded).into()]
    }

    /// Whether the name stays within ASCII; one that does not can pass for another one.
    pub(crate) fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

impl FoldedName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_allowed(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    let letter_or_digit = matches!(
        c.general_category(),
        GeneralCategory::UppercaseLetter
            | GeneralCategory::LowercaseLetter
            | GeneralCategory::TitlecaseLetter
            | GeneralCategory::ModifierLetter
            | GeneralCategory::OtherLetter
            | GeneralCategory::DecimalNumber
    );
    letter_or_digit && c.identifier_type() != Some(IdentifierType::Default_Ignorable)
}

fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().nfd().default_case_fold().nfc().collect()
}

impl TryFrom<String> for Username {
    type Error = UsernameError;

    fn try_from(name: String) -> Result<Self, UsernameError> {
        Self::parse(&name)
    }
}

impl AsRef<str> for Username {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl slog::Value for Username {
    fn serialize(
        &self,
        _record: &slog::Record<'_>,
        key: slog::Key,
        serializer: &mut dyn slog::Serializer,
    ) -> slog::Result {
        serializer.emit_str(key, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    fn alike(a: &str, b: &str) -> bool {
        let (a, b) = (name(a).skeletons(), name(b).skeletons());
        a.iter().any(|skeleton| b.contains(skeleton))
    }

    #[test]
    fn letters_and_digits_of_every_script_are_names() {
        for ok in ["a", "Z9", "Élodie", "Иван", "Ωmega", "猫", "ｆｕｌｌ", "٣", "ǅ", "あいう"]
        {
            assert_eq!(name(ok).as_str(), ok);
        }
    }

    #[test]
    fn a_name_has_1_to_32_bytes() {
        assert_eq!(Username::parse(""), Err(UsernameError::Empty));
        assert!(Username::parse(&"a".repeat(32)).is_ok());
        assert_eq!(Username::parse(&"é".repeat(17)), Err(UsernameError::TooLong(34)));
    }

    #[test]
    fn names_of_other_than_visible_letters_and_digits_are_refused() {
        let bad = [
            "a b",
            "a_b",
            "a-b",
            "a.b",
            "🐈",
            "e\u{301}",
            "²",
            "Ⅷ",
            "a\u{200d}b",
            "a\u{0}",
            "\u{3164}",
            "\u{115f}",
            "\u{1160}",
            "\u{ffa0}",
            "\u{202e}a",
            "\u{ad}a",
        ];
        for bad in bad {
            assert!(
                matches!(Username::parse(bad), Err(UsernameError::Character(_))),
                "{}",
                bad.escape_unicode()
            );
        }
    }

    #[test]
    fn keys_ignore_case_in_every_script() {
        for (a, b) in
            [("Bob", "bOB"), ("ÉLODIE", "élodie"), ("ИВАН", "иван"), ("straße", "STRASSE")]
        {
            assert_eq!(name(a).folded(), name(b).folded(), "{a} {b}");
        }
        assert_ne!(name("bob").folded(), name("bob2").folded());
    }

    #[test]
    fn names_of_other_scripts_look_like_the_latin_ones_they_imitate() {
        let pairs = [
            ("Harry", "Нarry"),   // Cyrillic capital Н
            ("harry", "Нarry"),   // the same, by its folded form
            ("paypal", "раураl"), // Cyrillic р а у р а
            ("Alice", "Αlice"),   // Greek capital alpha
            ("omega", "οmega"),   // Greek omicron
            ("bob", "ｂｏｂ"),
            ("Ivan", "Іvan"), // Cyrillic І
        ];
        for (a, b) in pairs {
            assert!(alike(a, b), "{a} {b}");
        }
        assert!(!alike("alice", "иван"));
    }
}
