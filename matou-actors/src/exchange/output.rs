//! What goes out on the file connection: frames, and behind them at most one DATA, which is read from
//! its file to where it is encrypted from.

use bytes::BytesMut;

use crate::protocol::{Encode, Kind};

/// Type, size and number of DATA.
pub(super) const DATA_FRONT: usize = 16;

/// Frames that are about to be encrypted.
#[derive(Debug, Default)]
pub(super) struct Output {
    frames: BytesMut,
    /// Room for one DATA; it is kept, since clearing it costs as much as a copy.
    data: Vec<u8>,
    filled: usize,
}

impl Output {
    /// Appends a frame; not behind DATA.
    pub(super) fn push(&mut self, frame: &impl Encode) {
        debug_assert_eq!(self.filled, 0, "DATA comes last");
        frame.encode(&mut self.frames);
    }

    /// Appends DATA of so many bytes, which `fill` writes; nothing if it fails.
    pub(super) fn push_data<E>(
        &mut self,
        transfer: u64,
        count: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let length = DATA_FRONT + count;
        if self.data.len() < length {
            self.data.resize(length, 0);
        }
        let (front, room) = self.data.split_at_mut(DATA_FRONT);
        fill(room.get_mut(..count).unwrap_or_default())?;
        let size = i32::try_from(count + 8).unwrap_or(i32::MAX);
        let kind = Kind::DATA.code().to_be_bytes();
        let bytes = kind.into_iter().chain(size.to_be_bytes()).chain(transfer.to_be_bytes());
        for (place, byte) in front.iter_mut().zip(bytes) {
            *place = byte;
        }
        self.filled = length;
        Ok(())
    }

    /// Everything, in order.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        [&self.frames, self.data.get(..self.filled).unwrap_or_default()]
    }

    /// Bytes of everything.
    pub(super) fn len(&self) -> usize {
        self.frames.len() + self.filled
    }

    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.filled = 0;
    }
}
