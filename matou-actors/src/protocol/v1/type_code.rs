//! The type of a frame on the wire.

use bytes::{BufMut, BytesMut};

use crate::protocol::error::FrameError;
use crate::protocol::kind::Kind;
use crate::protocol::primitives::{Cursor, Stop};

impl Kind {
    /// Reads the type at the front of a frame; those of revision 2 are unknown to revision 1.
    pub(super) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        let code = cursor.int()?;
        let kind = Self::from_code(code).filter(|kind| kind.revision() == 1);
        Ok(kind.ok_or(FrameError::UnknownType(code))?)
    }

    pub(in crate::protocol) fn encode(self, out: &mut BytesMut) {
        out.put_i32(self.code());
    }
}
