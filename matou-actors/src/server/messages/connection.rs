//! To a connection, by way of its shard.

use actix::prelude::Message;
use bytes::{Bytes, BytesMut};

use crate::protocol::v2::{self, NoticeCode, NoticeLevel, Text};
use crate::protocol::{Encode as _, Kind, MessageText, Username, encode_message};
use crate::server::ids::ConnectionId;
use crate::server::reason::Reason;
use crate::server::registry::refused::Refused;
use crate::server::room::event::Dialect;

/// Any actor to shard: an order for one of its connections; ignored when that one has ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ToConnection {
    pub(crate) id: ConnectionId,
    pub(crate) order: ConnectionOrder,
}

/// An order to a connection.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum ConnectionOrder {
    /// Answer CORES 0 or REFUSED.
    Refuse(Refused),
    /// CORES 1 or WELCOME is written: take part in the room.
    Welcome { name: Username },
    /// The socket is full: write on when it is writable.
    AwaitWritable,
    /// Send the last message before the end.
    SendLast(LastMessage),
    /// The same user has joined on another connection: say so and end.
    TakenOver,
    /// The forwarded request is done: read on.
    Resume,
    /// The ticket is good: report where the connection comes from, and stay until the meeting is
    /// over.
    Here,
    /// The shard's limits have changed.
    ApplyLimits,
    /// Read nothing any more.
    Quiesce,
    /// Write what is queued and end.
    Close(Reason),
    /// Panic.
    #[cfg(feature = "testing")]
    Panic,
}

/// Why an operator disconnects a client, in words for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastMessage {
    /// Revision 1 has no frame for it: it is sent as a message from this name.
    pub(crate) speaker: Username,
    pub(crate) text: MessageText,
    pub(crate) code: NoticeCode,
}

impl LastMessage {
    /// The frame in that dialect, and its type.
    pub(crate) fn encode(&self, dialect: Dialect) -> (Bytes, Kind) {
        let mut out = BytesMut::new();
        match dialect {
            Dialect::V1 => encode_message(&self.speaker, &self.text, &mut out),
            Dialect::V2 => {
                let text = Text::new(self.text.as_str()).unwrap_or_default();
                let (level, code) = (NoticeLevel::End, self.code);
                v2::ServerFrame::Notice { level, code, text }.encode(&mut out);
            }
        }
        let kind = match dialect {
            Dialect::V1 => Kind::MSGBC,
            Dialect::V2 => Kind::NOTICE,
        };
        (out.freeze(), kind)
    }
}
