//! One room on several real servers, with the order of a real NATS `JetStream` stream.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

#[path = "cluster/faults.rs"]
mod faults;
#[path = "cluster/names.rs"]
mod names;
#[path = "cluster/partition.rs"]
mod partition;
#[path = "cluster/private.rs"]
mod private;
#[path = "cluster/restart.rs"]
mod restart;
#[path = "cluster/room.rs"]
mod room;
