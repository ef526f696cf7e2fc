//! The text of a message, public or private.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::{FrameError, TextError};
use super::limits::MAX_MESSAGE;

/// A message that may travel: 1 to 512 bytes of UTF-8 without control characters.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct MessageText(Arc<str>);

impl TryFrom<String> for MessageText {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        Self::parse(&text)
    }
}

impl MessageText {
    /// Takes `text` if it is a message as it stands.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        check(text)?;
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text about an action, as of `/me`, as revision 1 says it, which has no frame for that:
    /// "* text". The last characters of one that is longer then than a message may be are cut.
    #[must_use]
    pub fn as_action(&self) -> Self {
        let mut words = format!("* {self}");
        while words.len() > MAX_MESSAGE {
            words.pop();
        }
        Self(words.into())
    }

    /// Checks text from a frame (its size and UTF-8 are checked already).
    pub(in crate::protocol) fn from_wire(text: &str) -> Result<Self, FrameError> {
        check(text).map_err(|_| FrameError::ControlCharacter)?;
        Ok(Self(text.into()))
    }
}

fn check(text: &str) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    if text.len() > MAX_MESSAGE {
        return Err(TextError::TooLong(text.len()));
    }
    // Almost all text is ASCII without controls: one pass over bytes settles it.
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return Ok(());
    }
    match text.chars().find(|c| c.is_control()) {
        Some(control) => Err(TextError::Control(control)),
        None => Ok(()),
    }
}

impl AsRef<str> for MessageText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shows the length only: message text has no business in logs.
impl fmt::Debug for MessageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageText({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_1_to_512_bytes() {
        assert_eq!(MessageText::parse(""), Err(TextError::Empty));
        assert!(MessageText::parse(&"é".repeat(256)).is_ok());
        assert_eq!(MessageText::parse(&"é".repeat(257)), Err(TextError::TooLong(514)));
    }

    #[test]
    fn every_control_character_is_refused_and_its_neighbours_are_not() {
        for c in (0..=0x1f).chain(0x7f..=0x9f).filter_map(char::from_u32) {
            assert_eq!(MessageText::parse(&format!("a{c}b")), Err(TextError::Control(c)));
        }
        for c in ['\u{20}', '\u{7e}', '\u{a0}', '\u{200d}', '🐈'] {
            assert!(MessageText::parse(&c.to_string()).is_ok());
        }
    }
}
