//! What the tests of faults share: a proxy that breaks connections, and the bill afterwards.

#![allow(dead_code, reason = "each test program uses a part of it")]

#[cfg(target_os = "linux")]
pub(crate) mod capture;
#[cfg(target_os = "linux")]
pub(crate) mod cluster;
pub(crate) mod crowd;
#[cfg(target_os = "linux")]
pub(crate) mod delayed_link;
#[cfg(target_os = "linux")]
pub(crate) mod internet;
pub(crate) mod interposer;
#[cfg(target_os = "linux")]
pub(crate) mod nats;
#[cfg(target_os = "linux")]
pub(crate) mod network;
pub(crate) mod proxy;
pub(crate) mod scene;
pub(crate) mod talk;
pub(crate) mod two;
