//! What a client of revision 2 may send to the server.

use super::candidate::Candidates;
use super::dialect::dialect;
use super::outside::{DialReport, MeetingResult, PrivatePort, Ticket};
use super::values::{Answer, PasswordProof, SessionId, Text};
use crate::protocol::text::MessageText;
use crate::protocol::v1::{self, ClaimedName};

dialect! {
    /// A frame from client to server.
    ClientFrame, revision 1: v1::ClientFrame;

    /// HELLO (16): join; the first frame, and again after REFUSED.
    HELLO Hello {
        /// The name that is asked for.
        username: ClaimedName,
        /// The program and its version.
        program: Text<64>,
        /// The proof of the server's password.
        password: PasswordProof,
        /// The last public event that this client has seen; 0 is none.
        last_sequence: u64,
    }
    /// HISTORY (23): ask for earlier messages.
    HISTORY History {
        /// Events before this sequence.
        before: u64,
        /// How many: 1 to 500.
        count: u32,
    }
    /// ASK (25): ask a user for a private session.
    ASK Ask {
        /// The number of the session.
        session: SessionId,
        /// Who is asked.
        username: ClaimedName,
    }
    /// ANSWER (27): answer a request.
    ANSWER Answer {
        /// The number of the session.
        session: SessionId,
        /// The answer.
        answer: Answer,
    }
    /// CANDIDATES (29): the own addresses, or more of them.
    CANDIDATES Candidates {
        /// The number of the session.
        session: SessionId,
        /// The addresses.
        candidates: Candidates,
    }
    /// SAY (32): say this to the room.
    SAY Say {
        /// 2: an action, as of `/me`.
        flags: i32,
        /// The text.
        text: MessageText,
    }
    /// WHERE (33): the first frame of a connection from a private port, which never joins.
    WHERE Where {
        /// The ticket that the server gave for the session.
        ticket: Ticket,
        /// From which port the connection comes.
        port: PrivatePort,
    }
    /// OUTCOME (36): how the meeting ended.
    OUTCOME Outcome {
        /// The number of the session.
        session: SessionId,
        /// How.
        result: MeetingResult,
        /// What became of the addresses of the other side, for that side.
        dialled: DialReport,
    }
}

impl From<v1::ClientFrame> for ClientFrame {
    fn from(frame: v1::ClientFrame) -> Self {
        Self::Revision1(frame)
    }
}
