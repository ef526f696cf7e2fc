//! The server's counts at one moment, as its operators get them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts by their label.
pub type Counts = BTreeMap<Cow<'static, str>, u64>;

/// What a server has counted since it started, unless a field says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// Connections now, those included that have not joined.
    pub connections: u64,
    /// Actors of connections that are alive now; for a moment those of connections that ended.
    pub connection_actors: u64,
    /// Users in the room now.
    pub users: u64,
    /// Connections that were admitted.
    pub accepted: u64,
    /// Connections that were admitted and read later, since their address connects too often.
    pub delayed_connections: u64,
    /// Names that were accepted.
    pub joins: u64,
    /// Names that were refused.
    pub names_refused: u64,
    /// Connections that were refused, by reason.
    pub refusals: Counts,
    /// Connections that ended, by reason; `queue_overflow`, `stalled` and `lagging` are slow readers.
    pub ends: Counts,
    /// Messages sent in a row that had to wait, by the limit that was reached.
    pub throttled: Counts,
    /// Frames from clients, by type.
    pub frames_in: Counts,
    /// Frames handed to clients' queues, by type.
    pub frames_out: Counts,
    /// Bytes read from clients.
    pub bytes_in: u64,
    /// Bytes written to clients.
    pub bytes_out: u64,
    /// Batches that the event loops have written.
    pub batches: u64,
    /// The most bytes that have waited for one client whose socket took no more.
    pub queue_high_water_bytes: u64,
    /// Steps of private requests, by outcome.
    pub private: Counts,
    /// Private requests that are pending now, by what they wait for.
    pub private_pending: Counts,
    /// Of a cluster: live `nodes`, whether this one is `serving`, the `lag` behind the stream in
    /// messages, how many were `published`, and the `publish_micros` that took in total.
    #[serde(default)]
    pub cluster: Counts,
}
