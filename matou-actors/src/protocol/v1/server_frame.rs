//! What the server may send to a client: frames 1, 2, 4, 6, 8, 11 and 12.

use std::net::IpAddr;

use bytes::{BufMut, BytesMut};

use crate::protocol::address::{PortPair, decode_address, encode_address};
use crate::protocol::codec::{Decode, Encode};
use crate::protocol::error::FrameError;
use crate::protocol::kind::{Kind, TYPE_LENGTH};
use crate::protocol::primitives::{finish, put_sized};
use crate::protocol::text::MessageText;
use crate::protocol::username::Username;

/// A frame from server to client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerFrame {
    /// CORES (1): the answer to COREQ.
    JoinAnswer {
        /// Whether the name is now the client's.
        accepted: bool,
    },
    /// CONOTIF (2): a user joined, or is in the room already.
    Joined(Username),
    /// MSGBC (4): a public message.
    Message {
        /// Who said it.
        from: Username,
        /// What was said.
        text: MessageText,
    },
    /// DISCONOTIF (6): a user left.
    Left(Username),
    /// PVCOREQNOTIF (8): a user asks this client for a private connection.
    PrivateRequested {
        /// `UsernameSrc`: who asks.
        from: Username,
    },
    /// PVCOESTASRC (11): the address of the one who accepted; listen for it now.
    PeerAccepted {
        /// `UsernameDst`: who accepted.
        by: Username,
        /// The only address that may connect.
        address: IpAddr,
    },
    /// PVCOESTADST (12): where the one who asked now listens.
    PeerListening {
        /// `UsernameSrc`: who asked.
        who: Username,
        /// The address to connect to.
        address: IpAddr,
        /// The ports to connect to, messages first.
        ports: PortPair,
    },
}

impl ServerFrame {
    /// The type of the frame.
    pub fn kind(&self) -> Kind {
        match self {
            Self::JoinAnswer { .. } => Kind::CORES,
            Self::Joined(_) => Kind::CONOTIF,
            Self::Message { .. } => Kind::MSGBC,
            Self::Left(_) => Kind::DISCONOTIF,
            Self::PrivateRequested { .. } => Kind::PVCOREQNOTIF,
            Self::PeerAccepted { .. } => Kind::PVCOESTASRC,
            Self::PeerListening { .. } => Kind::PVCOESTADST,
        }
    }
}

impl Decode for ServerFrame {
    fn decode(input: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        finish(input, |cursor| {
            let kind = Kind::decode(cursor)?;
            Ok(match kind {
                Kind::CORES => Self::JoinAnswer {
                    accepted: match cursor.byte()? {
                        0 => false,
                        1 => true,
                        other => return Err(FrameError::Acceptation(other).into()),
                    },
                },
                Kind::CONOTIF => Self::Joined(Username::from_wire(cursor.username()?)?),
                Kind::MSGBC => Self::Message {
                    from: Username::from_wire(cursor.username()?)?,
                    text: MessageText::from_wire(cursor.message()?)?,
                },
                Kind::DISCONOTIF => Self::Left(Username::from_wire(cursor.username()?)?),
                Kind::PVCOREQNOTIF => {
                    Self::PrivateRequested { from: Username::from_wire(cursor.username()?)? }
                }
                Kind::PVCOESTASRC => Self::PeerAccepted {
                    by: Username::from_wire(cursor.username()?)?,
                    address: decode_address(cursor)?,
                },
                Kind::PVCOESTADST => Self::PeerListening {
                    who: Username::from_wire(cursor.username()?)?,
                    address: decode_address(cursor)?,
                    ports: PortPair::decode(cursor)?,
                },
                other => return Err(FrameError::WrongDirection(other).into()),
            })
        })
    }
}

impl Encode for ServerFrame {
    fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::JoinAnswer { accepted } => {
                Kind::CORES.encode(out);
                out.put_u8(u8::from(*accepted));
            }
            Self::Joined(who) => encode_joined(who, out),
            Self::Message { from, text } => encode_message(from, text, out),
            Self::Left(who) => encode_left(who, out),
            Self::PrivateRequested { from } => encode_named(Kind::PVCOREQNOTIF, from, out),
            Self::PeerAccepted { by, address } => {
                encode_named(Kind::PVCOESTASRC, by, out);
                encode_address(*address, out);
            }
            Self::PeerListening { who, address, ports } => {
                encode_named(Kind::PVCOESTADST, who, out);
                encode_address(*address, out);
                ports.encode(out);
            }
        }
    }
}

/// Appends CONOTIF (2) without a [`ServerFrame`] in between.
pub fn encode_joined(who: &Username, out: &mut BytesMut) {
    encode_named(Kind::CONOTIF, who, out);
}

/// Appends DISCONOTIF (6) without a [`ServerFrame`] in between.
pub fn encode_left(who: &Username, out: &mut BytesMut) {
    encode_named(Kind::DISCONOTIF, who, out);
}

/// Appends MSGBC (4) without a [`ServerFrame`] in between.
pub fn encode_message(from: &Username, text: &MessageText, out: &mut BytesMut) {
    encode_named(Kind::MSGBC, from, out);
    put_sized(out, text.as_str().as_bytes());
}

/// How many bytes [`encode_message`] appends.
#[must_use]
pub fn message_length(from: &Username, text: &MessageText) -> usize {
    TYPE_LENGTH + 4 + from.as_str().len() + 4 + text.as_str().len()
}

fn encode_named(kind: Kind, name: &Username, out: &mut BytesMut) {
    kind.encode(out);
    put_sized(out, name.as_str().as_bytes());
}
