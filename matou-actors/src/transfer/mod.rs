//! Moves one file over one socket.
//!
//! A file connection has PVFILE headers, each followed by that many raw bytes. The functions that
//! move them ([`send_file`], [`receive_file`]) block, and so run on a thread of its own, which one
//! [`Transfer`] actor supervises: it reports progress, and cancels by shutting the socket down.
//! Decisions ([`ProgressSampler`], [`FileStamp`]) are separate and know no file, socket or clock.

mod acceptance;
mod actor;
#[cfg(test)]
mod actor_tests;
mod archive;
mod arrival;
#[cfg(target_os = "linux")]
mod chunk_sizer;
mod downloads;
mod extension;
#[cfg(target_os = "linux")]
mod linux;
mod mover;
mod naming;
mod portable;
mod progress_sampler;
mod round_trip;
mod source;
mod space;

pub use actor::{Cancel, Orphan, Transfer, TransferEvent, TransferJob, TransferReport, Verdict};
pub use arrival::abort;
pub use downloads::{DownloadError, Downloads, PartFile};
pub(crate) use downloads::{ReservedSpace, rename_new};
pub use extension::extension;
pub use mover::{MoveError, Progress, receive_file, send_file};
pub use naming::FileStamp;
pub use progress_sampler::{Moved, ProgressSampler};
pub use round_trip::hold_send_buffer;
pub use source::{ChosenFile, Pipe, Source, SourceError};
