//! The code under fuzzing, also run by a test with random bytes: the codecs and the server's pure
//! state, each against a naive model. Every function here takes any bytes and panics when the
//! promise that it checks is broken.
//!
//! Compiled for tests and with the feature `fuzzing` only.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod choices;
mod frames;
mod lists;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod valid_v2;

pub(crate) use choices::Choices;
pub use frames::{client_frames, file_headers, frames_v2, peer_frames, server_frames};
pub use lists::{key_files, key_lists};
#[cfg(test)]
pub(crate) use mutation::mutated;

pub use crate::client::fuzzing::greeting;
pub use crate::exchange::fuzzing::{exchange, part_names};
pub use crate::server::fuzzing::{cluster_records, directory, inbound, requests};
pub use crate::trust::fuzzing::{tls_hello, tls_records};
