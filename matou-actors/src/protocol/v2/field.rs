//! How one field of a frame is read and written.

use bytes::{BufMut, BytesMut};

use crate::protocol::address::PortPair;
use crate::protocol::error::FrameError;
use crate::protocol::primitives::{Cursor, Stop, put_sized};
use crate::protocol::text::MessageText;
use crate::protocol::username::Username;
use crate::protocol::v1::ClaimedName;

/// A field, or a run of fields that have a meaning only together.
pub(super) trait WireField: Sized {
    /// Reads the field; `Stop::NeedMore` at the end of the body.
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop>;

    /// Appends the field.
    fn write(&self, out: &mut BytesMut);
}

/// An `int`, any value.
impl WireField for i32 {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        cursor.int()
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_i32(*self);
    }
}

/// A `long`, any value.
impl WireField for i64 {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        cursor.long()
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_i64(*self);
    }
}

/// An `int` that counts something.
impl WireField for u32 {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        let number = cursor.int()?;
        Ok(Self::try_from(number).map_err(|_| FrameError::Negative(number.into()))?)
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_i32(i32::try_from(*self).unwrap_or(i32::MAX));
    }
}

/// A `long` that counts something.
impl WireField for u64 {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        let number = cursor.long()?;
        Ok(Self::try_from(number).map_err(|_| FrameError::Negative(number))?)
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_i64(i64::try_from(*self).unwrap_or(i64::MAX));
    }
}

impl WireField for Username {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        Ok(Self::from_wire(cursor.username()?)?)
    }

    fn write(&self, out: &mut BytesMut) {
        put_sized(out, self.as_str().as_bytes());
    }
}

impl WireField for ClaimedName {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        Ok(Self::from_wire(cursor.username()?))
    }

    fn write(&self, out: &mut BytesMut) {
        put_sized(out, self.as_str().as_bytes());
    }
}

impl WireField for MessageText {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        Ok(Self::from_wire(cursor.message()?)?)
    }

    fn write(&self, out: &mut BytesMut) {
        put_sized(out, self.as_str().as_bytes());
    }
}

impl WireField for PortPair {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        Self::decode(cursor)
    }

    fn write(&self, out: &mut BytesMut) {
        self.encode(out);
    }
}
