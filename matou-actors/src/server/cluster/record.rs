//! The content of the stream: records, and the messages that contain them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::protocol::v2::{LeaveReason, PublicKey};
use crate::protocol::{FoldedName, MessageText, Username};
use crate::server::cluster::liveness::Liveness;
use crate::server::ids::{Epoch, MemberId};
use crate::server::registry::names::NameForms;

/// The first byte of everything that nodes send. Nodes of different formats cannot be one room.
const FORMAT: u8 = 2;
/// Members in one part of a roster.
pub(crate) const ROSTER_PART: usize = 2_000;

/// What a node publishes at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) from: Epoch,
    /// From 1, one more with each message of this epoch; the same when it is published again.
    pub(crate) number: u64,
    pub(crate) records: Vec<Record>,
}

/// Something that happens. Times are milliseconds since 1970 on the clock of its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// The first of an epoch.
    Hello {
        node: Box<str>,
    },
    /// The node is alive, and has that hash after the message at that position.
    Alive {
        position: u64,
        hash: u64,
        at: i64,
    },
    Join(Box<Join>),
    Leave {
        member: MemberId,
        reason: LeaveReason,
        at: i64,
    },
    Say {
        from: Username,
        texts: Vec<MessageText>,
        action: bool,
        at: i64,
    },
    /// The messages of that name, or all, are to be forgotten.
    Purge {
        name: Option<FoldedName>,
    },
    /// The node stops: its members leave.
    Bye {
        at: i64,
    },
    /// An operator sets the topic, or takes it away.
    Topic {
        topic: Option<MessageText>,
        at: i64,
    },
}

/// A client asks to join. The first one in the stream gets the name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Join {
    pub(crate) member: MemberId,
    pub(crate) name: Username,
    pub(crate) forms: NameForms,
    pub(crate) key: Option<PublicKey>,
    pub(crate) at: i64,
}

/// The state that all nodes share after the message at a position, so that a new node need not read
/// the stream from its beginning. Its members are in the parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClusterRoster {
    pub(crate) position: u64,
    pub(crate) hash: u64,
    /// The sequence of the next event.
    pub(crate) events: u64,
    pub(crate) topic: Option<MessageText>,
    pub(crate) nodes: Vec<(Epoch, Liveness)>,
    /// Where the parts are.
    pub(crate) parts: Vec<u64>,
    /// Where the roster before is; 0 is none.
    pub(crate) previous: u64,
}

/// Some members of a roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RosterPart {
    pub(crate) members: Vec<Resident>,
}

/// A member and its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Resident {
    pub(crate) member: MemberId,
    pub(crate) node: Epoch,
    pub(crate) name: Username,
    pub(crate) forms: NameForms,
    pub(crate) key: Option<PublicKey>,
}

/// Not a message of this program, or one of another version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("format {0} is not {FORMAT}: the nodes run different versions")]
    Format(u8),
    #[error("it is damaged: {0}")]
    Damaged(#[from] postcard::Error),
    #[error("it is empty")]
    Empty,
}

/// The bytes of `value`.
pub(crate) fn encode<T: Serialize>(value: &T) -> Bytes {
    // Only types without a known length fail, of which there are none.
    let body = postcard::to_allocvec(value).unwrap_or_default();
    [&[FORMAT][..], &body].concat().into()
}

/// What [`encode`] made bytes of.
pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    match bytes.split_first() {
        Some((&FORMAT, body)) => Ok(postcard::from_bytes(body)?),
        Some((&format, _)) => Err(DecodeError::Format(format)),
        None => Err(DecodeError::Empty),
    }
}

impl Record {
    /// About how many bytes it has.
    pub(crate) fn length(&self) -> usize {
        const FIXED: usize = 32;
        FIXED
            + match self {
                Self::Say { texts, .. } => texts.iter().map(|text| text.as_str().len() + 2).sum(),
                Self::Join(_) => 6 * FIXED,
                Self::Topic { topic: Some(topic), .. } => topic.as_str().len(),
                _ => 0,
            }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_record_is_decoded_as_encoded() {
        let name = Username::parse("Ann").unwrap();
        let records = vec![
            Record::Hello { node: "harbour".into() },
            Record::Alive { position: 7, hash: u64::MAX, at: 1 },
            Record::Join(Box::new(Join {
                member: MemberId(9),
                forms: NameForms::of(&name),
                name: name.clone(),
                key: Some(PublicKey([3; 32])),
                at: -1,
            })),
            Record::Say {
                from: name.clone(),
                texts: vec![MessageText::parse("hi").unwrap()],
                action: true,
                at: 5,
            },
            Record::Leave { member: MemberId(9), reason: LeaveReason::Removed, at: 6 },
            Record::Purge { name: Some(name.folded()) },
            Record::Bye { at: 8 },
            Record::Topic { topic: MessageText::parse("hi").ok(), at: 9 },
            Record::Topic { topic: None, at: 9 },
        ];
        let message = Message { from: Epoch(4), number: 2, records };
        assert_eq!(decode::<Message>(&encode(&message)), Ok(message));
    }

    #[test]
    fn another_format_is_named() {
        assert_eq!(decode::<Message>(&[1, 0]), Err(DecodeError::Format(1)));
        assert_eq!(decode::<Message>(&[]), Err(DecodeError::Empty));
    }

    #[test]
    fn texts_and_names_that_the_protocol_forbids_are_refused() {
        // A message of epoch 1, number 1, with one Say of "a\nb" by "Al", worked out by hand from
        // postcard's specification: varints, lengths before strings, the index of the variant.
        let bytes = b"\x02\x01\x01\x01\x04\x02Al\x01\x03a\nb\x00\x00";
        assert!(matches!(decode::<Message>(bytes), Err(DecodeError::Damaged(_))));
        let bytes = b"\x02\x01\x01\x01\x04\x02Al\x01\x03a b\x00\x00";
        assert!(decode::<Message>(bytes).is_ok());
        let bytes = b"\x02\x01\x01\x01\x04\x02A \x01\x03a b\x00\x00";
        assert!(matches!(decode::<Message>(bytes), Err(DecodeError::Damaged(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let framed = [&[FORMAT][..], &bytes].concat();
            let _ = decode::<Message>(&framed);
            let _ = decode::<ClusterRoster>(&framed);
            let _ = decode::<RosterPart>(&framed);
        }
    }
}
