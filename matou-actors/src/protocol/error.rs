//! What can be wrong with bytes, names and texts that came from outside.

use std::fmt;

use super::kind::Kind;

/// Where in a frame a size or a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A username, of whichever role.
    Username,
    /// The text of a message.
    Message,
    /// A raw IP address.
    Address,
    /// What follows the type and size of a frame of revision 2.
    Body,
    /// Any other text of a frame of revision 2.
    Text,
    /// The path of a file within a transfer.
    Path,
    /// The bytes of a file.
    Data,
    /// How many addresses a frame has.
    Candidates,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Username => "username",
            Self::Message => "message",
            Self::Address => "address",
            Self::Body => "frame",
            Self::Text => "text",
            Self::Path => "path",
            Self::Data => "data",
            Self::Candidates => "candidate list",
        })
    }
}

/// A violation of the protocol: the connection that sent it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The type names no frame.
    #[error("unknown frame type {0}")]
    UnknownType(i32),
    /// The type names a frame that the sender may not send.
    #[error("frame {0} may not come from this side")]
    WrongDirection(Kind),
    /// A size is negative, zero or over its limit; nothing was allocated for it.
    #[error("{field} size {size} is not allowed")]
    Size {
        /// What the size belongs to.
        field: Field,
        /// The size as sent.
        size: i32,
    },
    /// A text is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotUtf8(Field),
    /// A message holds a control character (U+0000-001F, U+007F-009F).
    #[error("control character in a message")]
    ControlCharacter,
    /// A name that the other side vouches for breaks the rules of names.
    #[error("username is not allowed: {0}")]
    Username(UsernameError),
    /// A port is outside 1 to 65535.
    #[error("port {0} is outside 1-65535")]
    Port(i32),
    /// CORES with an acceptation that is neither 0 nor 1.
    #[error("answer {0} is neither 0 nor 1")]
    Acceptation(u8),
    /// A frame of revision 2 that is shorter than its fields.
    #[error("frame {0} ends inside its fields")]
    Truncated(Kind),
    /// A number that counts something is negative.
    #[error("number {0} is negative")]
    Negative(i64),
    /// A path that could lead out of its transfer.
    #[error("path is absolute, or has an empty part, \".\" or \"..\" in it")]
    Path,
    /// PVFILE with a negative size.
    #[error("file size {0} is negative")]
    FileSize(i64),
}

/// Why a string is not a username.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// No characters at all.
    #[error("a name needs at least one letter or digit")]
    Empty,
    /// Over [`MAX_USERNAME`](super::MAX_USERNAME) bytes.
    #[error("a name has at most 32 bytes, this one has {0}")]
    TooLong(usize),
    /// A character that is neither a letter nor a digit, or an invisible one.
    #[error("a name has only letters and digits, not {0:?}")]
    Character(char),
}

/// Why a string is not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// No characters at all.
    #[error("a message cannot be empty")]
    Empty,
    /// Over [`MAX_MESSAGE`](super::MAX_MESSAGE) bytes.
    #[error("a message has at most 512 bytes, this one has {0}")]
    TooLong(usize),
    /// A control character (U+0000-001F, U+007F-009F).
    #[error("a message cannot hold the control character {}", .0.escape_unicode())]
    Control(char),
}
