//! The type of a frame on the wire.

use bytes::{BufMut, BytesMut};

use super::kind::Kind;
use crate::protocol::error::FrameError;
use crate::protocol::primitives::{Cursor, Stop};

impl TryFrom<i32> for Kind {
    type Error = FrameError;

    fn try_from(code: i32) -> Result<Self, FrameError> {
        Self::from_code(code).ok_or(FrameError::UnknownType(code))
    }
}

impl Kind {
    /// Reads the type at the front of a frame.
    pub(super) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        Ok(Self::try_from(cursor.int()?)?)
    }

    pub(super) fn encode(self, out: &mut BytesMut) {
        out.put_i32(self.code());
    }
}
