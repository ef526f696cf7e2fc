//! What the tests of the client share: a small room to sign in to, and people who drive clients.

#![allow(
    dead_code,
    unused_imports,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used
)]

mod person;
mod raw_peer;
mod room;

pub use person::{Person, name, pair, text};
pub use raw_peer::RawPeer;
pub use room::FakeRoom;

use std::time::Duration;

/// For anything that is awaited.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Awaits `future`, for so long and no longer.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("in vain: {what}"))
}
