//! A hostile server, a hostile peer and a man in the middle, each as a separate process, against
//! the real program: what its users see, and that nothing is lost, written or leaked.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

#[path = "attacks/crowd.rs"]
mod crowd;
#[path = "attacks/file_names.rs"]
mod file_names;
#[path = "attacks/hostile.rs"]
mod hostile;
#[path = "attacks/middle.rs"]
mod middle;
#[path = "attacks/partial_files.rs"]
mod partial_files;
#[path = "attacks/peer.rs"]
mod peer;
#[path = "attacks/program/mod.rs"]
mod program;
#[path = "attacks/scene.rs"]
mod scene;
#[path = "attacks/server.rs"]
mod server;

/// The entry of the hostile program: without a role it does nothing.
#[test]
fn hostile_program() {
    program::run();
}
