//! Sends the content of a pipe: its size is not known before its end.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::digest::finish;
use super::output::OutgoingFrames;
use crate::protocol::v2::{Digest, MAX_DATA};

/// All DATA but the last has a multiple of these.
const PAGE: usize = 4096;

/// A pipe that is being read.
#[derive(Debug)]
pub(super) struct PipeReader {
    input: File,
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    filled: usize,
    ended: bool,
    ready: bool,
}

/// The outcome of a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PipeStep {
    /// DATA with this many bytes.
    Data(u64),
    /// There is nothing to read now.
    Dry,
    /// All of it was sent.
    Ended(Digest),
}

impl PipeReader {
    pub(super) fn new(input: File) -> Self {
        let buffer = vec![0; MAX_DATA];
        let hasher = blake3::Hasher::new();
        Self { input, hasher, buffer, filled: 0, ended: false, ready: true }
    }

    /// Whether there may be something to read.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Looks whether there is something to read.
    pub(super) fn look(&mut self) {
        self.ready = is_readable(self.input.as_fd());
    }

    pub(super) fn input(&self) -> BorrowedFd<'_> {
        self.input.as_fd()
    }

    /// Reads what is available, without waiting for more, and appends it to `out`.
    pub(super) fn step(&mut self, transfer: u64, out: &mut OutgoingFrames) -> io::Result<PipeStep> {
        if !self.ended {
            self.look();
            if !self.ready || !self.read()? {
                return Ok(PipeStep::Dry);
            }
        }
        let whole = if self.ended { self.filled } else { self.filled - self.filled % PAGE };
        if whole > 0 {
            self.push(transfer, whole, out)?;
            return Ok(PipeStep::Data(u64::try_from(whole).unwrap_or(0)));
        }
        Ok(if self.ended { PipeStep::Ended(finish(&self.hasher)) } else { PipeStep::Dry })
    }

    /// Reads once; false if that has to be tried again.
    fn read(&mut self) -> io::Result<bool> {
        match self.input.read(self.buffer.get_mut(self.filled..).unwrap_or_default()) {
            Ok(read) => {
                self.filled += read;
                self.ended = read == 0;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.ready = false;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn push(&mut self, transfer: u64, whole: usize, out: &mut OutgoingFrames) -> io::Result<()> {
        let bytes = self.buffer.get(..whole).unwrap_or_default();
        self.hasher.update(bytes);
        out.push_data(transfer, whole, |room| {
            room.copy_from_slice(bytes);
            Ok::<_, io::Error>(())
        })?;
        self.buffer.copy_within(whole..self.filled, 0);
        self.filled -= whole;
        Ok(())
    }
}

/// Whether a read returns at once: there are bytes, or the end, or an error.
fn is_readable(input: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(input, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
}
