//! What every newcomer reads first and last: that it has joined where, and the message of the day.

use bytes::{Bytes, BytesMut};

use crate::protocol::v2::{self, NoticeCode, NoticeLevel, Text, UnixMillis};
use crate::protocol::{Encode, MessageText, ServerFrame, Username, encode_message};
use crate::server::room::event::{Dialect, PerDialect, topic_text, wire_sequence};

/// The name of the server, and the message of the day.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    server_name: Text<64>,
    motd: PerDialect<Bytes>,
    messages: u64,
}

impl Greeting {
    /// The message of the day is sent in the name of the server.
    pub(super) fn new(server: &Username, motd: &[MessageText]) -> Self {
        let (mut v1, mut v2) = (BytesMut::new(), BytesMut::new());
        for text in motd {
            encode_message(server, text, &mut v1);
            let text = Text::new(text.as_str()).unwrap_or_default();
            let (level, code) = (NoticeLevel::Info, NoticeCode::None);
            v2::ServerFrame::Notice { level, code, text }.encode(&mut v2);
        }
        Self {
            server_name: Text::new(server.as_str()).unwrap_or_default(),
            motd: PerDialect { v1: v1.freeze(), v2: v2.freeze() },
            messages: u64::try_from(motd.len()).unwrap_or_default(),
        }
    }

    /// CORES or WELCOME. `sequence` is that of the newcomer's own arrival; `present` members are
    /// announced after it.
    pub(super) fn first(
        &self,
        dialect: Dialect,
        name: &Username,
        (sequence, now): (u64, UnixMillis),
        topic: Option<&MessageText>,
        present: usize,
    ) -> Bytes {
        match dialect {
            Dialect::V1 => encoded(&ServerFrame::JoinAnswer { accepted: true }),
            Dialect::V2 => encoded(&v2::ServerFrame::Welcome {
                username: name.clone(),
                now,
                // That of the event before.
                sequence: wire_sequence(sequence).saturating_sub(1),
                server: self.server_name.clone(),
                topic: topic_text(topic),
                present: u32::try_from(present).unwrap_or(u32::MAX),
            }),
        }
    }

    /// The frames of the message of the day, if there is one.
    pub(super) fn motd(&self, dialect: Dialect) -> Option<Bytes> {
        (self.messages > 0).then(|| self.motd.of(dialect).clone())
    }

    /// How many messages the message of the day is.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }
}

/// The bytes of a frame.
pub(super) fn encoded(frame: &impl Encode) -> Bytes {
    let mut out = BytesMut::new();
    frame.encode(&mut out);
    out.freeze()
}
