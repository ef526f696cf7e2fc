//! The wire protocol: frames, names, texts and their limits.
//!
//! Everything here is a pure function of bytes. Nothing in this module knows actix, a socket,
//! a file or a clock; `tokio_util`'s codec traits are the only thing it shares with them.
//!
//! - [`v1`]: the frames of revision 1; [`v2`]: those that revision 2 adds.
//! - `kind`: the type codes of both.
//! - `primitives`: the fields that frames are made of; `address`, `text`, `username`: the types
//!   that are valid when they exist; `codec`: the traits that frames implement.

mod address;
mod codec;
mod error;
mod kind;
mod limits;
mod primitives;
mod text;
mod username;
pub mod v1;
pub mod v2;

pub use address::{PortPair, canonical};
pub use codec::{Codec, CodecError, Decode, Encode};
pub use error::{Field, FrameError, TextError, UsernameError};
pub use kind::{Kind, PerKind, TYPE_LENGTH};
pub use limits::{DEFAULT_PORT, FILE_CHUNK, MAX_MESSAGE, MAX_USERNAME};
pub use text::MessageText;
pub use username::{FoldedName, Username};
pub use v1::{
    ClaimedName, ClientFrame, FileHeader, MAX_FRAME, PeerFrame, ServerFrame, encode_joined,
    encode_left, encode_message, message_length,
};

/// The beginning of the server's last message to a client that an operator disconnects; such a
/// client does not reconnect by itself. Revision 1 has no frame for it.
pub(crate) const DISCONNECTED_BY_OPERATOR: &str = "You were disconnected by an operator";
