//! The path of a file within a transfer.

use bytes::BytesMut;

use super::field::WireField;
use crate::protocol::error::{Field, FrameError};
use crate::protocol::primitives::{Cursor, Stop, put_sized};

/// A relative path: parts with `/` between, none of them empty, `.` or `..`; at most 4,096 bytes.
///
/// It cannot lead out of the folder that it is taken in, as far as text can show. Each part is
/// still to be made a safe name before it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryPath(Box<str>);

impl EntryPath {
    /// The longest path, in bytes.
    pub const MAX: usize = 4096;

    /// Takes `path` if it is one as it stands.
    pub fn parse(path: &str) -> Option<Self> {
        let allowed = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        (path.len() <= Self::MAX && path.split('/').all(allowed)).then(|| Self(path.into()))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parts, the outermost folder first.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl WireField for EntryPath {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        let bytes = cursor.sized(Field::Path, |size| (1..=Self::MAX).contains(size))?;
        let text = std::str::from_utf8(bytes).map_err(|_| FrameError::NotUtf8(Field::Path))?;
        Ok(Self::parse(text).ok_or(FrameError::Path)?)
    }

    fn write(&self, out: &mut BytesMut) {
        put_sized(out, self.0.as_bytes());
    }
}
