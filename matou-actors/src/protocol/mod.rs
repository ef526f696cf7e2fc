//! The wire protocol: frames, names, texts and their limits.
//!
//! Everything here is a pure function of bytes. Nothing in this module knows actix, a socket,
//! a file or a clock; `tokio_util`'s codec traits are the only thing it shares with them.
//!
//! The three dialects are three types, so that a frame cannot be sent the wrong way:
//! [`ClientFrame`] (client to server), [`ServerFrame`] (server to client) and [`PeerFrame`]
//! (client to client, message connection). A file connection carries [`FileHeader`]s, each
//! followed by that many raw bytes.
//!
//! To add a frame: its type code in `kind.rs`, a variant with its two match arms in the file
//! of its dialect, its golden bytes in `tests/protocol_golden.rs`.

mod address;
mod client_frame;
mod codec;
mod error;
mod file_header;
mod kind;
mod peer_frame;
mod server_frame;
mod text;
mod username;
mod wire;

pub use address::{PortPair, canonical};
pub use client_frame::{ClaimedName, ClientFrame};
pub use codec::{Codec, CodecError, Decode, Encode};
pub use error::{Field, FrameError, TextError, UsernameError};
pub use file_header::FileHeader;
pub use kind::Kind;
pub use peer_frame::PeerFrame;
pub use server_frame::{ServerFrame, encode_joined, encode_left, encode_message};
pub use text::MessageText;
pub use username::{Username, UsernameKey};

/// The longest encoded username, in bytes.
pub const MAX_USERNAME: usize = 32;
/// The longest encoded message text, in bytes.
pub const MAX_MESSAGE: usize = 512;
/// The largest frame of any dialect, in bytes: MSGBC with the longest name and text.
pub const MAX_FRAME: usize = 1 + 4 + MAX_USERNAME + 4 + MAX_MESSAGE;
/// A file travels in chunks of this many bytes, the last one may be smaller.
pub const FILE_CHUNK: usize = 4096;
/// The port that a server listens on unless told otherwise.
pub const DEFAULT_PORT: u16 = 6286;
