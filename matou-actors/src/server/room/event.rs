//! What happens in the room, and what of it a client reads.

use std::time::Instant;

use bytes::BytesMut;

use crate::protocol::{MessageText, Username, encode_joined, encode_left, encode_message};

/// One event with its place in the order that everybody reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoomEvent<'a> {
    pub(crate) sequence: u64,
    /// When it was proposed.
    pub(crate) time: Instant,
    pub(crate) kind: EventKind<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind<'a> {
    Joined(&'a Username),
    Left(&'a Username),
    Said { from: &'a Username, text: &'a MessageText },
}

/// A revision of the protocol: what the bytes of an event look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    V1,
}

impl Dialect {
    /// Appends the frame that says `event`.
    pub(crate) fn encode(self, event: &RoomEvent<'_>, out: &mut BytesMut) {
        match (self, event.kind) {
            (Self::V1, EventKind::Joined(name)) => encode_joined(name, out),
            (Self::V1, EventKind::Left(name)) => encode_left(name, out),
            (Self::V1, EventKind::Said { from, text }) => encode_message(from, text, out),
        }
    }
}
