//! What transfers want done, and the outcome.

use std::path::PathBuf;

use super::manifest::Entry;
use crate::exchange::messages::{Offer, Report};
use crate::protocol::v2::{Digest, EntryPath, FileFrame, UnixMillis};

/// Something to be done, in the order in which it was wanted and before the next frame is taken.
/// `C` is what the user chose to send.
#[derive(Debug)]
pub(in crate::exchange) enum Effect<C> {
    /// Report this, which may be a frame for the message connection.
    Report(Report),
    /// Report that a transfer failed; with what `kept` says if there still is something at its path.
    ReportFailed { transfer: u64, reason: String, kept: Option<Kept> },
    /// Send this on the file connection.
    Frame(FileFrame),
    /// See what the chosen thing consists of. Answered by `Transfers::surveyed`.
    Survey { key: u64, chosen: C },
    /// Answered by `Transfers::source_done`.
    Source { transfer: u64, job: SourceJob },
    /// Answered by `Transfers::target_done`.
    Target { transfer: u64, job: TargetJob },
    /// The transfer is over: close its files.
    Close { transfer: u64 },
}

/// What remains of a failed transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::exchange) struct Kept {
    pub(in crate::exchange) path: PathBuf,
    /// To end a sentence with.
    pub(in crate::exchange) words: String,
}

/// Something to be done with the files of an outgoing transfer. Reading or hashing from 0 on begins
/// the hash of the open file anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum SourceJob {
    /// Open an entry, which must be as offered.
    Open(Entry),
    /// Hash the open file up to a position.
    Hash { from: u64, until: u64 },
    /// Read and hash bytes of the open file, and send them as DATA.
    Read { from: u64, count: usize },
    /// Check that the open file has not been changed since it was opened.
    Check,
    /// Read what is available in the pipe, and send it as DATA.
    ReadPipe,
}

/// The outcome of a [`SourceJob`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum SourceDone {
    Opened,
    /// The hash of all bytes up to that position.
    Hashed(Digest),
    Read,
    /// The hash of all that was read.
    Unchanged(Digest),
    PipeRead(u64),
    /// There is nothing to send now; perhaps there is more to read.
    PipeDry {
        ready: bool,
    },
    PipeEnded(Digest),
}

/// Why a [`SourceJob`] was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum SourceError {
    /// The file differs from the offer.
    Changed,
    /// Why, for the user.
    Unreadable(String),
}

/// Something to be done with the files of an incoming transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum TargetJob {
    /// Find the part of an offer, or create it, in this folder or the downloads folder.
    Prepare { offer: Offer, folder: Option<PathBuf> },
    /// Hash the part of a file, up to a position.
    HashPart { from: u64, until: u64 },
    /// Hash a file that is present in a folder, up to a position.
    HashPresent { path: EntryPath, from: u64, until: u64 },
    /// Make a folder in the folder that is received.
    MakeFolder { path: EntryPath, modified: UnixMillis },
    /// Keep a file that is already present in the received folder.
    Keep { path: EntryPath },
    /// Let a file grow from this position on; what follows it is cut off. At 0 its hash begins
    /// anew, otherwise it continues after [`TargetJob::HashPart`].
    Grow { offset: u64 },
    /// Write the buffered bytes of the growing file.
    Flush,
    /// Put the file that has grown at its place in the folder.
    Place { path: EntryPath, modified: UnixMillis, executable: bool },
    /// Put the file that has grown on the disk.
    Sync { modified: UnixMillis, executable: bool },
    /// The transfer is complete: rename it to its final name.
    Complete { modified: UnixMillis },
    /// Remove the part: it is useless.
    Discard,
}

/// The outcome of a [`TargetJob`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum TargetDone {
    Prepared {
        /// Where it grows.
        path: PathBuf,
        there: There,
    },
    /// The hash of all bytes up to that position; after [`TargetJob::Flush`] of the whole file.
    Hashed(Digest),
    /// Whether it has the name here by which the sender calls it.
    Kept(bool),
    Done,
    /// All of it is on disk, at this path.
    Complete(PathBuf),
}

/// What is present of an offer from an earlier attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum There {
    /// Bytes of a file to resume after.
    Bytes(u64),
    /// Whole files of a folder.
    Files(Vec<PresentFile>),
}

/// A whole file that is already present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::exchange) struct PresentFile {
    pub(in crate::exchange) path: EntryPath,
    pub(in crate::exchange) size: u64,
    pub(in crate::exchange) modified: UnixMillis,
}
