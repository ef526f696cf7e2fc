//! Revision 1: the frames of the original description, types 0 to 15.
//!
//! The three dialects are three types, so that a frame cannot be sent the wrong way:
//! [`ClientFrame`] (client to server), [`ServerFrame`] (server to client) and [`PeerFrame`]
//! (client to client, message connection). On a file connection come [`FileHeader`]s, each
//! followed by that many raw bytes.
//!
//! To add a frame: its type code in `protocol/kind.rs`, a variant with its two match arms in the file
//! of its dialect, its golden bytes in `tests/protocol_golden.rs`.

mod client_frame;
mod file_header;
mod peer_frame;
mod server_frame;
mod type_code;

pub use client_frame::{ClaimedName, ClientFrame};
pub use file_header::FileHeader;
pub use peer_frame::PeerFrame;
pub use server_frame::{ServerFrame, encode_joined, encode_left, encode_message, message_length};

use super::kind::TYPE_LENGTH;
use super::limits::{MAX_MESSAGE, MAX_USERNAME};

/// The largest frame of any dialect, in bytes: MSGBC with the longest name and text.
pub const MAX_FRAME: usize = TYPE_LENGTH + 4 + MAX_USERNAME + 4 + MAX_MESSAGE;
