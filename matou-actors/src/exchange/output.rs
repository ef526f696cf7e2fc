//! Output of the file connection: frames, followed by DATA of one transfer, which is read from its
//! file into the buffer that it is encrypted from.

use std::io::IoSlice;

use bytes::BytesMut;

use crate::protocol::v2::MAX_DATA;
use crate::protocol::{Encode, Kind};

/// Type, size and number of DATA.
pub(super) const DATA_FRONT: usize = 16;
/// Bytes of a file that are read and hashed at once: hashing is fastest in long runs that end where
/// a power of two of its chunks does.
pub(super) const MOST_DATA: usize = 4 * MAX_DATA;

/// Frames that are about to be encrypted.
#[derive(Debug, Default)]
pub(super) struct OutgoingFrames {
    frames: BytesMut,
    transfer: u64,
    /// Bytes of a file; the room is kept, since clearing it costs as much as a copy.
    data: Vec<u8>,
    filled: usize,
    /// How much of them has been encrypted.
    taken: usize,
    frames_taken: bool,
}

impl OutgoingFrames {
    /// Appends a frame; not after DATA.
    pub(super) fn push(&mut self, frame: &impl Encode) {
        debug_assert_eq!(self.filled, 0, "DATA comes last");
        frame.encode(&mut self.frames);
    }

    /// Appends DATA of this many bytes, which `fill` writes, as several frames if need be; nothing
    /// if it fails.
    pub(super) fn push_data<E>(
        &mut self,
        transfer: u64,
        count: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.data.len() < count {
            self.data.resize(count, 0);
        }
        fill(self.data.get_mut(..count).unwrap_or_default())?;
        (self.transfer, self.filled) = (transfer, count);
        Ok(())
    }

    /// Bytes of everything.
    pub(super) fn len(&self) -> usize {
        self.frames.len() + self.filled + self.filled.div_ceil(MAX_DATA) * DATA_FRONT
    }

    /// Hands the next part, of one DATA at most, to `write`; false when there is none.
    pub(super) fn take<E>(
        &mut self,
        write: impl FnOnce([IoSlice<'_>; 2]) -> Result<(), E>,
    ) -> Result<bool, E> {
        if !self.frames_taken && !self.frames.is_empty() {
            write([IoSlice::new(&self.frames), IoSlice::new(&[])])?;
            self.frames_taken = true;
            return Ok(true);
        }
        let left = self.data.get(self.taken..self.filled).unwrap_or_default();
        let run = left.get(..MAX_DATA).unwrap_or(left);
        if run.is_empty() {
            return Ok(false);
        }
        write([IoSlice::new(&data_front(self.transfer, run.len())), IoSlice::new(run)])?;
        self.taken += run.len();
        Ok(true)
    }

    pub(super) fn clear(&mut self) {
        self.frames.clear();
        (self.filled, self.taken, self.frames_taken) = (0, 0, false);
    }
}

/// The front of DATA with this many bytes of a file.
fn data_front(transfer: u64, count: usize) -> [u8; DATA_FRONT] {
    let size = i32::try_from(count + size_of::<u64>()).unwrap_or(i32::MAX);
    let (kind, size) = (Kind::DATA.code().to_be_bytes(), size.to_be_bytes());
    let mut front = [0; DATA_FRONT];
    let bytes = kind.into_iter().chain(size).chain(transfer.to_be_bytes());
    for (place, byte) in front.iter_mut().zip(bytes) {
        *place = byte;
    }
    front
}
