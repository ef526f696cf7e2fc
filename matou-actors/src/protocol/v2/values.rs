//! The values that frames of revision 2 are made of.

use std::fmt;

use bytes::{BufMut, BytesMut};
use serde::{Deserialize, Serialize};

use super::candidate::Candidates;
use super::field::WireField;
use crate::protocol::error::{Field, FrameError};
use crate::protocol::primitives::{Cursor, Stop, put_sized};
use crate::protocol::username::Username;

/// An Ed25519 public key, 32 bytes. Whether it is one that may be trusted is judged where links
/// are made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PublicKey(pub [u8; 32]);

/// The number of a private session: 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId(pub [u8; 16]);

/// A BLAKE3 hash, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnixMillis(pub i64);

/// UTF-8 of up to `MAX` bytes, which may be empty and may hold any character: to be sanitized
/// before it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Text<const MAX: usize>(Box<str>);

/// What HELLO proves about the server's password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PasswordProof {
    /// Nothing: the client knows none.
    None,
    /// HMAC-SHA256 over the exporter of the TLS connection, as the protocol says.
    Hmac([u8; 32]),
}

/// How a user in the room is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRevision {
    /// By revision 1, without a key.
    Revision1,
    /// By revision 2, with this key.
    Revision2(PublicKey),
}

/// The answer to a request for a private session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes; these are the own addresses.
    Accepted(Candidates),
    /// No.
    Declined(Declined),
}

/// What the server says about the user's own request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Accepted by this user.
    Accepted {
        /// Who.
        by: Username,
        /// Their key.
        key: PublicKey,
        /// Where they can be reached.
        candidates: Candidates,
    },
    /// The request failed.
    Declined {
        /// Who was asked.
        by: Username,
        /// Why.
        reason: Declined,
    },
}

/// Why a request for a private session failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declined {
    /// The user declined.
    ByUser,
    /// The user cannot answer now.
    Busy,
    /// There is no user of that name.
    NoSuchUser,
    /// The user left.
    Left,
    /// There was no answer in time.
    Expired,
    /// Too many requests are pending.
    TooMany,
    /// The user only talks encrypted.
    EncryptionRequired,
    /// A reason that this program does not know.
    Other(i32),
}

impl<const MAX: usize> Text<MAX> {
    /// Takes `text` unless it is longer than `MAX` bytes.
    pub fn new(text: &str) -> Option<Self> {
        (text.len() <= MAX).then(|| Self(text.into()))
    }

    /// The text as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Declined {
    const fn code(self) -> i32 {
        match self {
            Self::ByUser => 1,
            Self::Busy => 2,
            Self::NoSuchUser => 3,
            Self::Left => 4,
            Self::Expired => 5,
            Self::TooMany => 6,
            Self::EncryptionRequired => 7,
            Self::Other(code) => code,
        }
    }

    /// `None` for 0, which is no refusal.
    const fn from_code(code: i32) -> Option<Self> {
        Some(match code {
            0 => return None,
            1 => Self::ByUser,
            2 => Self::Busy,
            3 => Self::NoSuchUser,
            4 => Self::Left,
            5 => Self::Expired,
            6 => Self::TooMany,
            7 => Self::EncryptionRequired,
            other => Self::Other(other),
        })
    }
}

macro_rules! raw_bytes {
    ($($name:ident)*) => { $(
        impl WireField for $name {
            fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
                cursor.array().map(Self)
            }

            fn write(&self, out: &mut BytesMut) {
                out.put_slice(&self.0);
            }
        }

        /// In hexadecimal digits.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "("))?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str(")")
            }
        }
    )* };
}

raw_bytes! { PublicKey SessionId Digest }

impl WireField for UnixMillis {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        cursor.long().map(Self)
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_i64(self.0);
    }
}

impl<const MAX: usize> WireField for Text<MAX> {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        let bytes = cursor.sized(Field::Text, |size| *size <= MAX)?;
        let text = std::str::from_utf8(bytes).map_err(|_| FrameError::NotUtf8(Field::Text))?;
        Ok(Self(text.into()))
    }

    fn write(&self, out: &mut BytesMut) {
        put_sized(out, self.0.as_bytes());
    }
}

impl WireField for PasswordProof {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        let bytes = cursor.sized(Field::Text, |size| matches!(size, 0 | 32))?;
        Ok(<[u8; 32]>::try_from(bytes).map_or(Self::None, Self::Hmac))
    }

    fn write(&self, out: &mut BytesMut) {
        match self {
            Self::None => put_sized(out, &[]),
            Self::Hmac(bytes) => put_sized(out, bytes),
        }
    }
}

/// Says only whether there is one: it is not for logs.
impl fmt::Debug for PasswordProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "PasswordProof::None",
            Self::Hmac(_) => "PasswordProof::Hmac",
        })
    }
}

/// An `int` of flags; flag 1 says that a key follows.
impl WireField for MemberRevision {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        if cursor.int()? & 1 == 0 {
            return Ok(Self::Revision1);
        }
        WireField::read(cursor).map(Self::Revision2)
    }

    fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Revision1 => out.put_i32(0),
            Self::Revision2(key) => {
                out.put_i32(1);
                key.write(out);
            }
        }
    }
}

/// An `int`; with 0 the candidates follow.
impl WireField for Answer {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        match Declined::from_code(cursor.int()?) {
            None => WireField::read(cursor).map(Self::Accepted),
            Some(reason) => Ok(Self::Declined(reason)),
        }
    }

    fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Accepted(candidates) => {
                out.put_i32(0);
                candidates.write(out);
            }
            Self::Declined(reason) => out.put_i32(reason.code()),
        }
    }
}

/// An `int`, a username; with 0 a key and the candidates follow.
impl WireField for Answered {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        let reason = Declined::from_code(cursor.int()?);
        let by = WireField::read(cursor)?;
        if let Some(reason) = reason {
            return Ok(Self::Declined { by, reason });
        }
        let (key, candidates) = (WireField::read(cursor)?, WireField::read(cursor)?);
        Ok(Self::Accepted { by, key, candidates })
    }

    fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Accepted { by, key, candidates } => {
                out.put_i32(0);
                by.write(out);
                key.write(out);
                candidates.write(out);
            }
            Self::Declined { by, reason } => {
                out.put_i32(reason.code());
                by.write(out);
            }
        }
    }
}
