//! The file connection of a private session, which has one owner: [`FileConnection`].
//! [`crate::transfer`] moves the bytes.
//!
//! - `state`: what goes on over it, and what follows from each thing that happens. Pure.
//! - `revision1`: the part of that which stands in for the frames that revision 1 lacks.
//! - `performer`: does what was decided, with the socket, the watch and the transfers.
//! - `header_watch`: waits for headers.

mod header_watch;
mod performer;
mod revision1;
mod state;
#[cfg(test)]
mod state_model_tests;
#[cfg(test)]
mod state_tests;

pub(crate) use header_watch::HeaderSeen;
pub(crate) use performer::{FileConnection, FileContext};
pub(crate) use state::FileInput;
#[cfg(test)]
pub(crate) use state::{Circumstances, FileEffect, FileState, TransferEnding, WatchFrom};
