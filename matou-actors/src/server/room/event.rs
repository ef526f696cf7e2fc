//! The events of the room, and what a client reads of each.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use crate::protocol::v2::{
    self, ACTION, FROM_HISTORY, LeaveReason, MemberRevision, PublicKey, Text, UnixMillis,
};
use crate::protocol::{
    Encode as _, Kind, MessageText, Username, encode_joined, encode_left, encode_message,
};

/// The key of a member of revision 2, shared by all who keep it; a member of revision 1 has none.
pub(crate) type MemberKey = Option<Arc<PublicKey>>;

/// One event with its place in the common order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoomEvent<'a> {
    /// From 0; on the wire from 1.
    pub(crate) sequence: u64,
    /// When it was proposed.
    pub(crate) time: Instant,
    /// When it was committed.
    pub(crate) at: UnixMillis,
    pub(crate) kind: EventKind<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind<'a> {
    Joined {
        name: &'a Username,
        key: Option<&'a PublicKey>,
    },
    Left {
        name: &'a Username,
        reason: LeaveReason,
    },
    Said {
        from: &'a Username,
        text: &'a MessageText,
        action: bool,
    },
    /// `None` removes the topic.
    Topic(Option<&'a MessageText>),
}

/// A revision of the protocol: what the bytes of an event look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    V1,
    V2,
}

/// One value for each dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PerDialect<T> {
    pub(crate) v1: T,
    pub(crate) v2: T,
}

impl<T> PerDialect<T> {
    pub(crate) fn of(&self, dialect: Dialect) -> &T {
        match dialect {
            Dialect::V1 => &self.v1,
            Dialect::V2 => &self.v2,
        }
    }

    pub(crate) fn of_mut(&mut self, dialect: Dialect) -> &mut T {
        match dialect {
            Dialect::V1 => &mut self.v1,
            Dialect::V2 => &mut self.v2,
        }
    }
}

impl Dialect {
    /// The one that a member with that key speaks.
    pub(crate) fn of_member(key: &MemberKey) -> Self {
        if key.is_some() { Self::V2 } else { Self::V1 }
    }

    /// Appends the frame that says `event`.
    pub(crate) fn encode(self, event: &RoomEvent<'_>, out: &mut BytesMut) {
        match self {
            Self::V1 => encode_v1(event, out),
            Self::V2 => encode_v2(event, out),
        }
    }

    /// Appends the frame by which a newcomer learns of a member.
    pub(crate) fn encode_present(
        self,
        name: &Username,
        key: Option<&PublicKey>,
        out: &mut BytesMut,
    ) {
        match self {
            Self::V1 => encode_joined(name, out),
            Self::V2 => {
                let (username, member) = (name.clone(), member(key));
                v2::ServerFrame::Present { username, member }.encode(out);
            }
        }
    }

    /// The frame of a message.
    pub(crate) fn said_kind(self) -> Kind {
        match self {
            Self::V1 => Kind::MSGBC,
            Self::V2 => Kind::SAID,
        }
    }

    /// The frames of the room: of a newcomer's welcome, of each member in it, and of the message of
    /// the day.
    pub(crate) fn welcome_kinds(self) -> [Kind; 3] {
        match self {
            Self::V1 => [Kind::CORES, Kind::CONOTIF, Kind::MSGBC],
            Self::V2 => [Kind::WELCOME, Kind::PRESENT, Kind::NOTICE],
        }
    }
}

/// The number of an event on the wire.
pub(crate) fn wire_sequence(sequence: u64) -> u64 {
    sequence.saturating_add(1)
}

fn encode_v1(event: &RoomEvent<'_>, out: &mut BytesMut) {
    match event.kind {
        EventKind::Joined { name, .. } => encode_joined(name, out),
        EventKind::Left { name, .. } => encode_left(name, out),
        EventKind::Said { from, text, action: false } => encode_message(from, text, out),
        EventKind::Said { from, text, action: true } => {
            encode_message(from, &text.as_action(), out);
        }
        // Revision 1 has no topics.
        EventKind::Topic(_) => {}
    }
}

/// Appends the frame by which a client of revision 2 reads `event` later; nothing for an event that
/// is not a message.
pub(crate) fn encode_past(event: &RoomEvent<'_>, out: &mut BytesMut) {
    if let EventKind::Said { from, text, action } = event.kind {
        put_said(event, from, text, action, FROM_HISTORY, out);
    }
}

fn encode_v2(event: &RoomEvent<'_>, out: &mut BytesMut) {
    let (sequence, time) = (wire_sequence(event.sequence), event.at);
    let frame = match event.kind {
        EventKind::Joined { name, key } => {
            let (username, member) = (name.clone(), member(key));
            v2::ServerFrame::Joined { sequence, time, username, member }
        }
        EventKind::Left { name, reason } => {
            v2::ServerFrame::Left { sequence, time, username: name.clone(), reason }
        }
        EventKind::Said { from, text, action } => {
            return put_said(event, from, text, action, 0, out);
        }
        EventKind::Topic(topic) => {
            v2::ServerFrame::Topic { sequence, time, topic: topic_text(topic) }
        }
    };
    frame.encode(out);
}

/// A topic as frames hold it.
pub(crate) fn topic_text(topic: Option<&MessageText>) -> Text<512> {
    // A valid message stays one: it is no longer, and of the same characters.
    topic.and_then(|topic| Text::new(topic.as_str())).unwrap_or_default()
}

fn put_said(
    event: &RoomEvent<'_>,
    from: &Username,
    text: &MessageText,
    action: bool,
    flags: i32,
    out: &mut BytesMut,
) {
    let flags = if action { flags | ACTION } else { flags };
    v2::encode_said(wire_sequence(event.sequence), event.at, from, text, flags, out);
}

fn member(key: Option<&PublicKey>) -> MemberRevision {
    key.map_or(MemberRevision::Revision1, |key| MemberRevision::Revision2(*key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::MAX_MESSAGE;

    fn encoded(dialect: Dialect, kind: EventKind<'_>) -> Vec<u8> {
        let event =
            RoomEvent { sequence: 6, time: Instant::now(), at: UnixMillis(0x0102_0304), kind };
        let mut out = BytesMut::new();
        dialect.encode(&event, &mut out);
        out.to_vec()
    }

    /// The bytes are worked out by hand from the tables of the protocol.
    #[test]
    fn an_event_is_a_frame_of_either_revision() {
        let (name, text) = (Username::parse("Al").unwrap(), MessageText::parse("hi").unwrap());
        let said = EventKind::Said { from: &name, text: &text, action: true };
        assert_eq!(encoded(Dialect::V1, said), b"\0\0\0\x04\0\0\0\x02Al\0\0\0\x04* hi");
        let head = b"\0\0\0\0\0\0\0\x07\0\0\0\0\x01\x02\x03\x04\0\0\0\x02Al";
        let expected = [b"\0\0\0\x16\0\0\0\x20", &head[..], b"\0\0\0\x02hi\0\0\0\x02"];
        assert_eq!(encoded(Dialect::V2, said), expected.concat());
        let left = EventKind::Left { name: &name, reason: LeaveReason::Removed };
        let expected = [b"\0\0\0\x15\0\0\0\x1a", &head[..], b"\0\0\0\x02"];
        assert_eq!(encoded(Dialect::V2, left), expected.concat());
        let key = PublicKey([9; 32]);
        let joined = EventKind::Joined { name: &name, key: Some(&key) };
        let expected = [b"\0\0\0\x14\0\0\0\x3a", &head[..], b"\0\0\0\x01", &[9; 32]];
        assert_eq!(encoded(Dialect::V2, joined), expected.concat());
        let topic = EventKind::Topic(Some(&text));
        assert_eq!(encoded(Dialect::V1, topic), b"");
        let expected = [b"\0\0\0\x1f\0\0\0\x16", &head[..16], b"\0\0\0\x02hi"];
        assert_eq!(encoded(Dialect::V2, topic), expected.concat());
    }

    #[test]
    fn a_long_action_is_cut_at_a_character_for_revision_1() {
        let text = MessageText::parse(&"é".repeat(MAX_MESSAGE / 2)).unwrap();
        assert_eq!(text.as_action().as_str(), format!("* {}", "é".repeat(255)));
    }
}
