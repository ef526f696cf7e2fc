//! The names and limits of revision 2.

use crate::protocol::kind::TYPE_LENGTH;

/// The protocol that a client and a server agree on by ALPN.
pub const ALPN_SERVER: &[u8] = b"matou/2";
/// The protocol of a message connection between two clients.
pub const ALPN_MESSAGE: &[u8] = b"matou-message/2";
/// The protocol of a file connection between two clients.
pub const ALPN_FILE: &[u8] = b"matou-file/2";

/// The longest body of a frame, in bytes.
pub const MAX_BODY: usize = 65_536;
/// The largest frame, in bytes: type, size and body.
pub const MAX_FRAME: usize = TYPE_LENGTH + 4 + MAX_BODY;
/// The most bytes of a file in one DATA frame.
pub const MAX_DATA: usize = 61_440;
/// A flag of SAY and SAID: the text is about an action, as of `/me`.
pub const ACTION: i32 = 2;
/// The flag of SAID: it was said before the client joined or while it was away.
pub const FROM_HISTORY: i32 = 1;
/// The most messages that one HISTORY may ask for.
pub const MAX_HISTORY: u32 = 500;
