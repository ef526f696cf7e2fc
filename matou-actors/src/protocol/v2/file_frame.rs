//! What two clients of revision 2 send each other on the file connection.

use bytes::{BufMut, Bytes, BytesMut};

use super::dialect::dialect;
use super::entry_path::EntryPath;
use super::field::WireField;
use super::limits::MAX_DATA;
use super::values::{Digest, SessionId, UnixMillis};
use crate::protocol::error::{Field, FrameError};
use crate::protocol::primitives::{Cursor, Stop};

/// 1 to [`MAX_DATA`] bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataRun(Bytes);

impl DataRun {
    /// Takes 1 to [`MAX_DATA`] bytes.
    pub fn new(bytes: Bytes) -> Option<Self> {
        (1..=MAX_DATA).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

/// All that is left of the body.
impl WireField for DataRun {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        let bytes = cursor.rest();
        let size = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        let run = Self::new(Bytes::copy_from_slice(bytes));
        Ok(run.ok_or(FrameError::Size { field: Field::Data, size })?)
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_slice(&self.0);
    }
}

dialect! {
    /// A frame from client to client, on the file connection.
    FileFrame;

    /// SESSION (40): the first frame of each side.
    SESSION Session {
        /// The number of the session.
        session: SessionId,
        /// 0: the sender asked for the session; 1: the sender was asked.
        role: i32,
    }
    /// USE (41): of several connections, the side that asked uses this one.
    USE Use {}
    /// ENTRY (60): a file begins.
    ENTRY Entry {
        /// The number of the transfer.
        transfer: u64,
        /// Where it belongs.
        path: EntryPath,
        /// Its size in bytes.
        size: u64,
        /// When it was modified.
        modified: UnixMillis,
        /// 1: executable; 2: a folder itself.
        flags: i32,
        /// Where the data begins.
        offset: u64,
    }
    /// DATA (61): the next bytes of the entry that has begun.
    DATA Data {
        /// The number of the transfer.
        transfer: u64,
        /// The bytes: a multiple of 4,096, or the last of an entry.
        bytes: DataRun,
    }
    /// END (62): the entry is complete.
    END End {
        /// The number of the transfer.
        transfer: u64,
        /// The hash of the entry from its first byte.
        hash: Digest,
    }
    /// HAVE (63): an entry of a folder that the receiver has already.
    HAVE Have {
        /// The number of the transfer.
        transfer: u64,
        /// Which entry.
        path: EntryPath,
        /// Its size in bytes.
        size: u64,
        /// When it was modified.
        modified: UnixMillis,
        /// Its hash.
        hash: Digest,
    }
}
