//! What two clients send each other on the message connection: frames 13 and 15.

use bytes::BytesMut;

use crate::protocol::codec::{Decode, Encode};
use crate::protocol::error::FrameError;
use crate::protocol::kind::Kind;
use crate::protocol::primitives::{finish, put_sized};
use crate::protocol::text::MessageText;

/// A frame from client to client, on the message connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerFrame {
    /// PVMSG (13): a private message.
    Message(MessageText),
    /// PVDISCO (15): private sign-out.
    Close,
}

impl PeerFrame {
    /// The type of the frame.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Message(_) => Kind::PVMSG,
            Self::Close => Kind::PVDISCO,
        }
    }
}

impl Decode for PeerFrame {
    fn decode(input: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        finish(input, |cursor| {
            Ok(match Kind::decode(cursor)? {
                Kind::PVMSG => Self::Message(MessageText::from_wire(cursor.message()?)?),
                Kind::PVDISCO => Self::Close,
                other => return Err(FrameError::WrongDirection(other).into()),
            })
        })
    }
}

impl Encode for PeerFrame {
    fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Message(text) => {
                Kind::PVMSG.encode(out);
                put_sized(out, text.as_str().as_bytes());
            }
            Self::Close => Kind::PVDISCO.encode(out),
        }
    }
}
