//! What a client may send to the server: frames 0, 3, 5, 7, 9 and 10.

use bytes::BytesMut;

use crate::protocol::address::PortPair;
use crate::protocol::codec::{Decode, Encode};
use crate::protocol::error::{FrameError, UsernameError};
use crate::protocol::kind::Kind;
use crate::protocol::limits::MAX_USERNAME;
use crate::protocol::primitives::{finish, put_sized};
use crate::protocol::text::MessageText;
use crate::protocol::username::Username;

/// A frame from client to server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFrame {
    /// COREQ (0): ask for a public connection under this name.
    Join(ClaimedName),
    /// MSG (3): say this to the room.
    Say(MessageText),
    /// DISCO (5): sign out.
    Leave,
    /// PVCOREQ (7): ask this user for a private connection.
    RequestPrivate {
        /// `UsernameDst`: who is asked.
        to: ClaimedName,
    },
    /// PVCOACC (9): accept the private connection that this user asked for.
    AcceptPrivate {
        /// `UsernameSrc`: who asked.
        from: ClaimedName,
    },
    /// PVCOPORT (10): the ports on which the asking side now listens.
    OfferPorts {
        /// `UsernameDst`: who accepted.
        to: ClaimedName,
        /// The ports.
        ports: PortPair,
    },
}

/// A name as a client wrote it: 1 to 32 bytes of UTF-8, which need not be a [`Username`].
///
/// It is not an error on the wire: COREQ with it is refused, the other frames do not find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedName(Box<str>);

impl ClaimedName {
    /// The username that it is, or why it is none.
    pub fn parse(&self) -> Result<Username, UsernameError> {
        Username::parse(&self.0)
    }

    /// Takes a field of a frame (its size and UTF-8 are checked already).
    pub(in crate::protocol) fn from_wire(name: &str) -> Self {
        Self(name.into())
    }

    /// The text as sent: to be escaped before it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Any text that fits a name's field, as a client sends it that knows no better; `None` when
    /// it does not fit.
    pub fn unchecked(text: &str) -> Option<Self> {
        (1..=MAX_USERNAME).contains(&text.len()).then(|| Self(text.into()))
    }
}

impl From<&Username> for ClaimedName {
    fn from(name: &Username) -> Self {
        Self(name.as_str().into())
    }
}

impl ClientFrame {
    /// The type of the frame.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Join(_) => Kind::COREQ,
            Self::Say(_) => Kind::MSG,
            Self::Leave => Kind::DISCO,
            Self::RequestPrivate { .. } => Kind::PVCOREQ,
            Self::AcceptPrivate { .. } => Kind::PVCOACC,
            Self::OfferPorts { .. } => Kind::PVCOPORT,
        }
    }
}

impl Decode for ClientFrame {
    fn decode(input: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        finish(input, |cursor| {
            Ok(match Kind::decode(cursor)? {
                Kind::COREQ => Self::Join(ClaimedName::from_wire(cursor.username()?)),
                Kind::MSG => Self::Say(MessageText::from_wire(cursor.message()?)?),
                Kind::DISCO => Self::Leave,
                Kind::PVCOREQ => {
                    Self::RequestPrivate { to: ClaimedName::from_wire(cursor.username()?) }
                }
                Kind::PVCOACC => {
                    Self::AcceptPrivate { from: ClaimedName::from_wire(cursor.username()?) }
                }
                Kind::PVCOPORT => Self::OfferPorts {
                    to: ClaimedName::from_wire(cursor.username()?),
                    ports: PortPair::decode(cursor)?,
                },
                other => return Err(FrameError::WrongDirection(other).into()),
            })
        })
    }
}

impl Encode for ClientFrame {
    fn encode(&self, out: &mut BytesMut) {
        self.kind().encode(out);
        match self {
            Self::Join(name)
            | Self::RequestPrivate { to: name }
            | Self::AcceptPrivate { from: name } => put_sized(out, name.0.as_bytes()),
            Self::Say(text) => put_sized(out, text.as_str().as_bytes()),
            Self::Leave => {}
            Self::OfferPorts { to, ports } => {
                put_sized(out, to.0.as_bytes());
                ports.encode(out);
            }
        }
    }
}
