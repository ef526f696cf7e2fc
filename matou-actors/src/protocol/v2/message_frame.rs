//! What two clients of revision 2 send each other on the message connection.

use super::codes::{CancelReason, OfferKind, RefuseReason};
use super::dialect::dialect;
use super::values::{Digest, SessionId, Text, UnixMillis};
use crate::protocol::text::MessageText;
use crate::protocol::v1;

dialect! {
    /// A frame from client to client, on the message connection.
    MessageFrame, revision 1: v1::PeerFrame;

    /// SESSION (40): the first frame of each side.
    SESSION Session {
        /// The number of the session.
        session: SessionId,
        /// 0: the sender asked for the session; 1: the sender was asked.
        role: i32,
    }
    /// USE (41): of several connections, the side that asked uses this one.
    USE Use {}
    /// TELL (42): a private message.
    TELL Tell {
        /// From 1, in order.
        number: u64,
        /// 2: an action, as of `/me`.
        flags: i32,
        /// The text.
        text: MessageText,
    }
    /// TOLD (43): all messages up to this one were shown or handed to the program.
    TOLD Told {
        /// The number of the last of them.
        number: u64,
    }
    /// OFFER (44): a file or folder is offered.
    OFFER Offer {
        /// The number of the transfer, from 1.
        transfer: u64,
        /// What it is.
        kind: OfferKind,
        /// Its name, to be made safe by the receiver.
        name: Text<255>,
        /// Its size in bytes; -1 is unknown.
        size: i64,
        /// How many files it holds.
        files: u32,
        /// When it was modified.
        modified: UnixMillis,
    }
    /// TAKE (45): an offer is taken.
    TAKE Take {
        /// The number of the transfer.
        transfer: u64,
        /// A file: how many bytes are already present; a folder: how many HAVE follow.
        have: u64,
    }
    /// REFUSE (46): an offer is not taken.
    REFUSE Refuse {
        /// The number of the transfer.
        transfer: u64,
        /// Why.
        reason: RefuseReason,
    }
    /// CANCEL (47): a transfer ends early.
    CANCEL Cancel {
        /// The number of the transfer.
        transfer: u64,
        /// Why.
        reason: CancelReason,
    }
    /// RECEIPT (48): all of it is on disk, synced and checked.
    RECEIPT Receipt {
        /// The number of the transfer.
        transfer: u64,
        /// Of the file, or over path, size and hash of each entry of a folder.
        hash: Digest,
    }
    /// TYPING (49): whether the user is typing.
    TYPING Typing {
        /// 0 is no.
        state: i32,
    }
    /// PING (50): to be answered by PONG.
    PING Ping {}
    /// PONG (51): the answer to PING.
    PONG Pong {}
    /// PROOF (52): the hash of what is already present.
    PROOF Proof {
        /// The number of the transfer.
        transfer: u64,
        /// How many bytes were hashed.
        have: u64,
        /// Their hash.
        hash: Digest,
    }
}
