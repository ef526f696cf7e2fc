//! The header of a file on the file connection: frame 14.

use bytes::{BufMut, BytesMut};

use crate::protocol::codec::{Decode, Encode};
use crate::protocol::error::FrameError;
use crate::protocol::kind::{Kind, TYPE_LENGTH};
use crate::protocol::primitives::finish;

/// PVFILE (14): a file of `size` bytes follows, raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    size: u64,
}

impl FileHeader {
    /// The bytes of a header on the wire: the type and a `long`.
    pub const LENGTH: usize = TYPE_LENGTH + 8;

    /// The header of a file of `size` bytes; `None` over 2^63 - 1, which no `long` holds.
    pub fn new(size: u64) -> Option<Self> {
        i64::try_from(size).ok().map(|_| Self { size })
    }

    /// How many bytes follow; 0 is a file.
    pub fn size(self) -> u64 {
        self.size
    }
}

impl Decode for FileHeader {
    fn decode(input: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        finish(input, |cursor| match Kind::decode(cursor)? {
            Kind::PVFILE => {
                let size = cursor.long()?;
                let size = u64::try_from(size).map_err(|_| FrameError::FileSize(size))?;
                Ok(Self { size })
            }
            other => Err(FrameError::WrongDirection(other).into()),
        })
    }
}

impl Encode for FileHeader {
    fn encode(&self, out: &mut BytesMut) {
        Kind::PVFILE.encode(out);
        out.put_u64(self.size);
    }
}
