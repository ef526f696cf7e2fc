//! What is sent: one file, or all of a folder.

use std::path::PathBuf;

use crate::protocol::v2::{EntryPath, OfferKind, Text, UnixMillis};

/// Flags of ENTRY.
pub(in crate::exchange) const EXECUTABLE: i32 = 1;
pub(in crate::exchange) const FOLDER: i32 = 2;

/// Everything that is sent, in order: folders before what they hold.
#[derive(Clone, Debug)]
pub(in crate::exchange) struct Manifest {
    pub(in crate::exchange) kind: OfferKind,
    pub(in crate::exchange) name: Text<255>,
    pub(in crate::exchange) root: PathBuf,
    pub(in crate::exchange) entries: Vec<Entry>,
    /// Of a pipe it is not known.
    pub(in crate::exchange) size: Option<u64>,
    pub(in crate::exchange) modified: UnixMillis,
    /// Links and special files, which are not sent.
    pub(in crate::exchange) skipped: u64,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::exchange) struct Entry {
    pub(in crate::exchange) path: EntryPath,
    pub(in crate::exchange) size: u64,
    pub(in crate::exchange) modified: UnixMillis,
    pub(in crate::exchange) flags: i32,
}

impl Manifest {
    /// Where an entry of it is.
    pub(in crate::exchange) fn path_of(&self, entry: &Entry) -> PathBuf {
        match self.kind {
            OfferKind::Folder => self.root.join(entry.path.as_str()),
            _ => self.root.clone(),
        }
    }
}
