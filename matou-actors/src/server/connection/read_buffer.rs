//! The buffer into which all connections of an event loop are read, one at a time.

use std::io;

/// Bytes that one system call reads.
const READ: usize = 16 * 1024;
/// The least room for a read: with less a client would be read in many small pieces.
const LEAST_ROOM: usize = 4 * 1024;

/// The remainder of the last read of a connection, and what is read after it. It grows for a long
/// frame and shrinks again, so that each event loop keeps [`READ`] bytes only.
///
/// Not `FramedRead`, with which the client reads: its buffer of 8 KiB for each connection would be
/// 80 MB for 10,000 idle clients.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    bytes: Vec<u8>,
    filled: usize,
    longest_frame: usize,
}

impl ReadBuffer {
    /// A buffer for frames of at most `longest_frame` bytes.
    pub(super) fn new(longest_frame: usize) -> Self {
        Self { bytes: vec![0; READ], filled: 0, longest_frame }
    }

    /// Puts `kept`, an unfinished frame, in front and reads after it; returns how many bytes were
    /// read.
    pub(super) fn fill(
        &mut self,
        kept: &[u8],
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if kept.len() >= self.longest_frame {
            // The decoder knows the length of each frame from its start, and refuses longer ones.
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame has no end"));
        }
        self.load(kept, LEAST_ROOM);
        let room = self.bytes.get_mut(kept.len()..).unwrap_or_default();
        let fresh = read(room)?;
        self.filled += fresh;
        Ok(fresh)
    }

    /// Puts `kept` in front, without reading: it holds whole frames that were left for later.
    pub(super) fn refill(&mut self, kept: &[u8]) {
        self.load(kept, 0);
    }

    fn load(&mut self, kept: &[u8], room: usize) {
        let size = if kept.len() + room <= READ { READ } else { kept.len() + READ };
        if size != self.bytes.len() {
            self.bytes.resize(size, 0);
            self.bytes.shrink_to_fit();
        }
        if let Some(front) = self.bytes.get_mut(..kept.len()) {
            front.copy_from_slice(kept);
        }
        self.filled = kept.len();
    }

    /// The kept and the read bytes.
    pub(super) fn filled(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    /// Room for bytes that are read and discarded.
    pub(super) fn scratch(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: usize = 65_536 + 64;

    /// Reads a frame of `length` bytes that comes `step` bytes at a time.
    fn read(buffer: &mut ReadBuffer, length: usize, step: usize) -> Vec<u8> {
        let frame: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let (mut kept, mut rest) = (Vec::new(), &frame[..]);
        while !rest.is_empty() {
            let fresh = buffer.fill(&kept, |room| {
                let count = room.len().min(step).min(rest.len());
                room[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                Ok(count)
            });
            assert!(fresh.unwrap() > 0, "a read of no bytes looks like the end of the stream");
            kept = buffer.filled().to_vec();
        }
        assert_eq!(kept, frame);
        kept
    }

    #[test]
    fn a_frame_longer_than_one_read_arrives_whole() {
        for step in [1000, READ, usize::MAX] {
            for length in [1, READ - 1, READ, READ + 1, LONGEST] {
                read(&mut ReadBuffer::new(LONGEST), length, step);
            }
        }
    }

    #[test]
    fn a_long_frame_leaves_no_large_buffer() {
        let mut buffer = ReadBuffer::new(LONGEST);
        read(&mut buffer, LONGEST, READ);
        assert!(buffer.bytes.len() > READ);
        read(&mut buffer, 1, READ);
        assert_eq!(buffer.bytes.capacity(), READ);
    }

    #[test]
    fn a_frame_never_exceeds_its_limit() {
        let mut buffer = ReadBuffer::new(LONGEST);
        let error = buffer.fill(&vec![0; LONGEST], |_| Ok(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
