//! The server's pure state against naive models of it; see [`crate::fuzzing`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod cluster_records;
mod directory;
mod inbound;
mod requests;

pub use cluster_records::cluster_records;
pub use directory::directory;
pub use inbound::inbound;
pub use requests::requests;
