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
//! - One `Shard` per event loop owns the connections on it; whatever is for a connection
//!   sends to the shard in its `Route`.
//! - The registry's mailbox orders joins, leaves and private steps; the room's mailbox orders
//!   what everybody reads. The registry sends to room and broker, the broker to the room, and
//!   none of them back, so there is no circular wait.
//! - Each folder holds one actor (`actor`, `listener`) and the pure state that it drives; pure
//!   files know no actor. `lifecycle` starts, reloads, watches and stops them.

mod accept;
mod address_prefix;
pub mod admin;
mod after_mailbox;
mod broker;
mod cluster;
mod connection;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod ids;
mod lifecycle;
mod log_limiter;
mod messages;
mod metrics;
mod reason;
mod registry;
mod room;
mod settings;
mod shard;
mod shrink_sparse;
mod store;
#[cfg(test)]
mod tests;
mod token_bucket;

pub use accept::admitted_keys::AdmittedKeysError;
pub use accept::bans::Ban;
pub use accept::bans_file::BansFileError;
pub use accept::password_file::{PasswordFileError, read_password};
pub use lifecycle::monitor::{Monitor, Unhealthy};
pub use lifecycle::reload::ReloadError;
pub use lifecycle::start::{
    CriticalFailure, RunningServer, StartError, check_admitted_keys, check_bans, start,
};
pub use metrics::snapshot::{Counts, Snapshot};
pub use settings::{
    AdminSettings, ClusterSettings, DiscoverySettings, HistorySettings, Limits, LogFormat,
    LogLevel, LogSettings, MetricsSettings, NamesSettings, NetworkSettings, PlainClients,
    PrivateSettings, RoomSettings, SecuritySettings, ServerSettings, SettingError,
};
pub use store::{Store, StoreError};
