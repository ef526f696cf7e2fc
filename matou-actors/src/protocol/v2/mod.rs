//! Revision 2: the frames that it adds, types 16 to 63.
//!
//! Each has the size of its body after its type, so that an unknown type is skipped, and bytes
//! after the last known field are ignored: frames can grow. The four dialects are four types:
//! [`ClientFrame`] (client to server), [`ServerFrame`] (server to client), [`MessageFrame`] and
//! [`FileFrame`] (client to client, on the two connections of a private session). The frames of
//! revision 1 keep their bytes; a dialect that uses some has them in its variant `Revision1`.
//!
//! To add a frame: its type code in `protocol/kind.rs`, a variant in the file of its dialect, its
//! golden bytes in `tests/protocol_v2_golden.rs`.

mod candidate;
mod client_frame;
mod codes;
mod dialect;
mod entry_path;
mod field;
mod file_frame;
mod limits;
mod message_frame;
mod outside;
mod server_frame;
mod values;

pub use candidate::{Candidate, CandidateKind, Candidates};
pub use client_frame::ClientFrame;
pub use codes::{
    CancelReason, LeaveReason, NoticeCode, NoticeLevel, OfferKind, RefuseReason, SignInRefusal,
};
pub use entry_path::EntryPath;
pub use file_frame::{DataRun, FileFrame};
pub use limits::{
    ACTION, ALPN_FILE, ALPN_MESSAGE, ALPN_SERVER, FROM_HISTORY, MAX_BODY, MAX_DATA, MAX_FRAME,
    MAX_HISTORY,
};
pub use message_frame::MessageFrame;
pub use outside::{DialReport, DialResult, Dialled, Endpoint, MeetingResult, PrivatePort, Ticket};
pub use server_frame::{ServerFrame, encode_said};
pub use values::{
    Answer, Answered, Declined, Digest, MemberRevision, PasswordProof, PublicKey, SessionId, Text,
    UnixMillis,
};
