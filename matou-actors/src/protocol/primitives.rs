//! Reading and writing the primitive fields: `byte`, `int`, `long`, sized runs of bytes.

use bytes::{BufMut, BytesMut};

use super::error::{Field, FrameError};
use super::limits::{MAX_MESSAGE, MAX_USERNAME};

/// Why a read stopped. [`finish`] turns "more bytes needed" into `Ok(None)`.
pub(in crate::protocol) enum Stop {
    NeedMore,
    Bad(FrameError),
}

impl From<FrameError> for Stop {
    fn from(error: FrameError) -> Self {
        Self::Bad(error)
    }
}

/// A frame with the number of bytes it took, or `None` when its end is not there yet.
pub(in crate::protocol) fn finish<'a, T>(
    input: &'a [u8],
    parse: impl FnOnce(&mut Cursor<'a>) -> Result<T, Stop>,
) -> Result<Option<(T, usize)>, FrameError> {
    let mut cursor = Cursor::new(input);
    match parse(&mut cursor) {
        Ok(frame) => Ok(Some((frame, input.len() - cursor.rest.len()))),
        Err(Stop::NeedMore) => Ok(None),
        Err(Stop::Bad(error)) => Err(error),
    }
}

/// The bytes of a frame not yet read.
pub(in crate::protocol) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(in crate::protocol) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// All that is left.
    pub(in crate::protocol) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(in crate::protocol) fn byte(&mut self) -> Result<u8, Stop> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(in crate::protocol) fn int(&mut self) -> Result<i32, Stop> {
        self.array().map(i32::from_be_bytes)
    }

    pub(in crate::protocol) fn long(&mut self) -> Result<i64, Stop> {
        self.array().map(i64::from_be_bytes)
    }

    /// A username's text; its rules beyond size and UTF-8 are the caller's.
    pub(in crate::protocol) fn username(&mut self) -> Result<&'a str, Stop> {
        self.text(Field::Username, MAX_USERNAME)
    }

    /// A message's text; its rules beyond size and UTF-8 are the caller's.
    pub(in crate::protocol) fn message(&mut self) -> Result<&'a str, Stop> {
        self.text(Field::Message, MAX_MESSAGE)
    }

    /// A run of bytes after its size. The size is checked as soon as it is there, before the run
    /// itself is waited for.
    pub(in crate::protocol) fn sized(
        &mut self,
        field: Field,
        is_allowed: impl FnOnce(&usize) -> bool,
    ) -> Result<&'a [u8], Stop> {
        let size = self.int()?;
        let length = usize::try_from(size).ok().filter(is_allowed);
        let length = length.ok_or(FrameError::Size { field, size })?;
        self.take(length)
    }

    fn text(&mut self, field: Field, limit: usize) -> Result<&'a str, Stop> {
        let bytes = self.sized(field, |length| (1..=limit).contains(length))?;
        Ok(std::str::from_utf8(bytes).map_err(|_| FrameError::NotUtf8(field))?)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Stop::NeedMore)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(in crate::protocol) fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Stop::NeedMore)?;
        self.rest = rest;
        Ok(*taken)
    }
}

/// Appends a run of bytes after its size. Every caller passes a bounded type, so the size fits.
pub(in crate::protocol) fn put_sized(out: &mut BytesMut, run: &[u8]) {
    out.put_i32(i32::try_from(run.len()).unwrap_or(i32::MAX));
    out.put_slice(run);
}
