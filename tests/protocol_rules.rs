//! The rules of PROTOCOL.md, "The server", each as bytes against the real server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

#[path = "protocol_rules/joining.rs"]
mod joining;
#[path = "protocol_rules/leaving.rs"]
mod leaving;
#[path = "protocol_rules/private_setup.rs"]
mod private_setup;
#[path = "protocol_rules/room.rs"]
mod room;
#[path = "protocol_rules/violations.rs"]
mod violations;
