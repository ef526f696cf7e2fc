//! What the server may send to a client of revision 2.

use bytes::{BufMut as _, BytesMut};

use super::candidate::Candidates;
use super::codes::{LeaveReason, NoticeCode, NoticeLevel, SignInRefusal};
use super::dialect::{dialect, put_frame};
use super::outside::{DialReport, Endpoint, MeetingResult, Ticket};
use super::values::{Answered, MemberRevision, PublicKey, SessionId, Text, UnixMillis};
use crate::protocol::kind::Kind;
use crate::protocol::primitives::put_sized;
use crate::protocol::text::MessageText;
use crate::protocol::username::Username;
use crate::protocol::v1;

dialect! {
    /// A frame from server to client.
    ServerFrame, revision 1: v1::ServerFrame;

    /// WELCOME (17): the client has joined.
    WELCOME Welcome {
        /// The name that it has.
        username: Username,
        /// The server's clock.
        now: UnixMillis,
        /// The sequence of the last public event; 0 is none.
        sequence: u64,
        /// The name of the server.
        server: Text<64>,
        /// The topic of the room.
        topic: Text<512>,
        /// How many PRESENT follow.
        present: u32,
    }
    /// REFUSED (18): the client has not joined.
    REFUSED Refused {
        /// Why.
        reason: SignInRefusal,
        /// The same in words for the user.
        text: Text<512>,
    }
    /// PRESENT (19): a user who is in the room.
    PRESENT Present {
        /// Who.
        username: Username,
        /// How they are connected.
        member: MemberRevision,
    }
    /// JOINED (20): a user joined.
    JOINED Joined {
        /// The sequence of the event.
        sequence: u64,
        /// When.
        time: UnixMillis,
        /// Who.
        username: Username,
        /// How they are connected.
        member: MemberRevision,
    }
    /// LEFT (21): a user left.
    LEFT Left {
        /// The sequence of the event.
        sequence: u64,
        /// When.
        time: UnixMillis,
        /// Who.
        username: Username,
        /// Why.
        reason: LeaveReason,
    }
    /// SAID (22): a public message.
    SAID Said {
        /// The sequence of the event.
        sequence: u64,
        /// When.
        time: UnixMillis,
        /// Who said it.
        username: Username,
        /// What was said.
        text: MessageText,
        /// 1: from history; 2: an action, as of `/me`.
        flags: i32,
    }
    /// HISTORYEND (24): all requested messages were sent.
    HISTORYEND HistoryEnd {
        /// The oldest sequence that the server still has.
        oldest: u64,
    }
    /// ASKED (26): a user asks this client for a private session.
    ASKED Asked {
        /// The number of the session.
        session: SessionId,
        /// Who asks.
        username: Username,
        /// Their key.
        key: PublicKey,
    }
    /// ANSWERED (28): the answer to ASK.
    ANSWERED Answered {
        /// The number of the session.
        session: SessionId,
        /// The answer.
        answer: Answered,
    }
    /// CANDIDATES (29): the addresses of the other side, or more of them.
    CANDIDATES Candidates {
        /// The number of the session.
        session: SessionId,
        /// The addresses.
        candidates: Candidates,
    }
    /// NOTICE (30): a text for the user.
    NOTICE Notice {
        /// How serious it is.
        level: NoticeLevel,
        /// What it is about.
        code: NoticeCode,
        /// The text.
        text: Text<512>,
    }
    /// TOPIC (31): an operator set the topic.
    TOPIC Topic {
        /// The sequence of the event.
        sequence: u64,
        /// When.
        time: UnixMillis,
        /// The topic.
        topic: Text<512>,
    }
    /// WHERE (33): the client may show where its private ports are seen.
    WHERE Where {
        /// The number of the session.
        session: SessionId,
        /// To be shown on the connections from these ports.
        ticket: Ticket,
    }
    /// HERE (34): where the server sees this connection.
    HERE Here {
        /// The address and port that it comes from.
        seen: Endpoint,
    }
    /// GO (35): dial the addresses outside the own network now; the other side does the same.
    GO Go {
        /// The number of the session.
        session: SessionId,
    }
    /// OUTCOME (36): how the meeting ended for the other side.
    OUTCOME Outcome {
        /// The number of the session.
        session: SessionId,
        /// How.
        result: MeetingResult,
        /// What became of this side's addresses.
        dialled: DialReport,
    }
}

/// Appends SAID: all that is written of a busy room, so without a frame that would own its parts.
pub fn encode_said(
    sequence: u64,
    time: UnixMillis,
    from: &Username,
    text: &MessageText,
    flags: i32,
    out: &mut BytesMut,
) {
    put_frame(Kind::SAID, out, |out| {
        out.put_u64(sequence);
        out.put_i64(time.0);
        put_sized(out, from.as_str().as_bytes());
        put_sized(out, text.as_str().as_bytes());
        out.put_i32(flags);
    });
}

impl From<v1::ServerFrame> for ServerFrame {
    fn from(frame: v1::ServerFrame) -> Self {
        Self::Revision1(frame)
    }
}
