//! The chat server: a listener, connections, a registry, a room and a broker, each an actor.
//!
//! ```text
//!             accepts               claims, leaves,           enters, leaves
//!  Listener ──────────▶ Shard ─▶ Connection ─────────▶ Registry ─────────────▶ Room
//!                         ▲          │  private steps     │                    ▲ ▲ │
//!                         │          │                    └─────▶ Broker ──────┘ │ │
//!                         │          │                    steps   frames for one │ │
//!                         │          └───────────────── publishes ───────────────┘ │
//!                         └◀──────────── batches for all, frames for one ──────────┘
//! ```
//!
//! - One `Shard` for each event loop owns the connections on it; whoever wants to reach a
//!   connection names its `Route` to the shard.
//! - The order of joins, leaves and private steps is the order of the registry's mailbox; the
//!   order of the room is the order of the room's. The registry speaks to room and broker, the
//!   broker to the room, and none of them back, so nothing can wait in a circle.
//! - What decides is pure and knows no actor: `names`, `directory`, `requests`, `admission`,
//!   `token_bucket`, `log`, `outbox`, `roster`, `fanout`, `patrol`, `connection::inbound`.

mod accept;
pub mod admin;
mod admission;
mod bans;
mod broker;
mod connection;
mod directory;
mod fanout;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod listener;
mod log;
mod messages;
mod meters;
mod monitor;
mod names;
mod outbox;
mod patrol;
mod reason;
mod registry;
mod reload;
mod requests;
mod room;
mod roster;
mod running;
mod settings;
mod shard;
mod shrink;
mod snapshot;
mod tally;
#[cfg(test)]
mod tests;
mod throttle;
mod token_bucket;
mod vital;
mod wiring;

pub use bans::{Ban, BansFileError};
pub use monitor::{Monitor, Unhealthy};
pub use running::{Failure, Running, StartError, start};
pub use settings::{
    Admin, Limits, Log, LogFormat, LogLevel, Metrics, Network, Private, Room, ServerSettings,
    SettingError,
};
pub use snapshot::{Counts, Snapshot};

/// A connection of this server's life; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ConnectionId(u64);

impl ConnectionId {
    /// The holder of names that nobody may have.
    pub(crate) const NOBODY: Self = Self(0);
}

/// How to reach a connection: through its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    shard: usize,
    id: ConnectionId,
}
