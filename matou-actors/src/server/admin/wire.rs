//! Requests of operators and their answers: one JSON object a line each way.

use std::net::SocketAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::server::accept::bans::Ban;
use crate::server::metrics::snapshot::Snapshot;
use crate::trust::Fingerprint;

/// A request of an operator, such as `{"command":"kick","name":"alice"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How the server is. Answer: [`Response::Status`].
    Status,
    /// Who is connected. Answer: [`Response::Clients`].
    Clients,
    /// Disconnect a user, and keep that name from that address out for a time, or that key. Answer:
    /// [`Response::Kicked`].
    Kick {
        /// The user, without regard to case, or the fingerprint of a key.
        name: String,
        /// For how long; a minute without it.
        #[serde(default)]
        seconds: Option<u64>,
        /// The reason, for the user and the log.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Refuse an address, a network, a name or a key, and disconnect whom that
    /// concerns. Answer: [`Response::Banned`].
    Ban {
        /// Such as `192.0.2.7`, `2001:db8::/64`, `alice` or `SHA256:...`.
        #[serde(alias = "network")]
        target: String,
        /// For how long; for ever without it.
        #[serde(default)]
        seconds: Option<u64>,
        /// Why, for those who are disconnected and for the operators.
        #[serde(default)]
        reason: Option<String>,
    },
    /// End the ban of exactly this address or network, of this key, or those of this name. Answer:
    /// [`Response::Unbanned`].
    Unban {
        /// As in [`Request::Ban`].
        #[serde(alias = "network")]
        target: String,
    },
    /// The bans in force. Answer: [`Response::Bans`].
    Bans,
    /// The names that belong to keys. Answer: [`Response::Names`].
    Names,
    /// Release a name that belongs to a key. Answer: [`Response::Forgotten`].
    Forget {
        /// The name, without regard to case.
        name: String,
    },
    /// Say something to the room under the name that says the message of the day. Answer:
    /// [`Response::Said`].
    Notice {
        /// One message.
        text: String,
    },
    /// Set the topic of the room, or say what it is. Answer: [`Response::Topic`].
    Topic {
        /// The new topic; an empty one takes it away, and without it nothing changes.
        #[serde(default)]
        text: Option<String>,
    },
    /// Delete the messages of a name, or all messages, from the history: newcomers no longer read
    /// them. Answer: [`Response::Purged`].
    Purge {
        /// The name, without regard to case; without it all messages.
        #[serde(default)]
        name: Option<String>,
    },
    /// How the cluster is. Answer: [`Response::Cluster`].
    Cluster,
    /// Read the configuration again. Answer: [`Response::Reloaded`].
    Reload,
    /// Stop the server. Answer: [`Response::Stopping`].
    Shutdown,
    /// Make an actor panic. Answer: [`Response::Panicking`].
    #[cfg(feature = "testing")]
    Panic {
        /// `listener`, `registry`, `room`, `broker`, `shard`, or `session NAME`.
        actor: String,
    },
}

/// An answer to an operator, such as `{"kicked":{"name":"alice"}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// How the server is.
    Status(Box<Status>),
    /// Who is connected, the longest first.
    Clients(Vec<ClientReport>),
    /// A user was disconnected.
    Kicked {
        /// The user, or the users with that key.
        name: String,
    },
    /// The ban is in force.
    Banned {
        /// The ban.
        ban: Ban,
        /// How many were disconnected.
        disconnected: usize,
    },
    /// The ban has ended.
    Unbanned {
        /// Whose.
        target: String,
    },
    /// The bans in force.
    Bans(Vec<Ban>),
    /// The names that belong to keys, in order.
    Names(Vec<NameReport>),
    /// The name belongs to no one.
    Forgotten(NameReport),
    /// The notice has its place in the room.
    Said,
    /// The topic of the room.
    Topic {
        /// `None` when there is none.
        topic: Option<String>,
    },
    /// Messages were deleted.
    Purged {
        /// How many.
        messages: usize,
    },
    /// How the cluster is.
    Cluster(ClusterReport),
    /// The new settings hold.
    Reloaded {
        /// The keys that differ and need a restart.
        needs_restart: Vec<String>,
    },
    /// The server stops.
    Stopping,
    /// The actor is about to panic.
    #[cfg(feature = "testing")]
    Panicking,
    /// The request failed, or was fulfilled only in part.
    Error {
        /// What happened, and what to do next.
        message: String,
    },
}

/// How a cluster is, as one node sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterReport {
    /// The room's name.
    pub room: String,
    /// Whether this node serves clients.
    pub serving: bool,
    /// The position in the stream up to which it has read, and how many messages follow that.
    pub position: u64,
    /// See `position`.
    pub lag: u64,
    /// Version of the NATS server; empty without a connection.
    pub nats: String,
    /// All nodes that are alive.
    pub nodes: Vec<NodeReport>,
}

/// A node of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Its number, which is new with each start, in hexadecimal.
    pub epoch: String,
    /// It is the one that answers.
    pub own: bool,
    /// Signs of life of another node since its last one; it counts as gone at 4.
    pub missed: u32,
    /// Its members.
    pub members: usize,
}

/// How a server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The server's version.
    pub version: String,
    /// Where it listens.
    pub listening: Vec<SocketAddr>,
    /// The fingerprint of its key, for users who connect for the first time; `None` when it encrypts
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// How many bans are in force.
    pub bans: usize,
    /// What it has counted.
    #[serde(flatten)]
    pub counts: Snapshot,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientReport {
    /// The user's name, once joined.
    pub name: Option<String>,
    /// Where the connection comes from.
    pub address: SocketAddr,
    /// Seconds since it was accepted.
    pub age_seconds: u64,
    /// Bytes that wait to be written to it.
    pub queued_bytes: usize,
    /// The fingerprint of the user's key; `None` when the connection is not encrypted.
    #[serde(default)]
    pub fingerprint: Option<Fingerprint>,
}

/// A name that belongs to a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameReport {
    /// The name, as it was first written.
    pub name: String,
    /// The fingerprint of the key.
    pub fingerprint: Fingerprint,
    /// When it was used first.
    pub first_use: Timestamp,
    /// When it was used last; for a user who is here, the last full hour or later.
    pub last_use: Timestamp,
}

impl Response {
    pub(crate) fn error(reason: impl std::fmt::Display) -> Self {
        Self::Error { message: reason.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_documented() {
        let read = |text| serde_json::from_str::<Request>(text);
        let kick = Request::Kick { name: "alice".into(), seconds: None, reason: None };
        assert_eq!(read(r#"{"command":"kick","name":"alice"}"#).unwrap(), kick);
        let unban = Request::Unban { target: "192.0.2.7".into() };
        assert_eq!(read(r#"{"command":"unban","network":"192.0.2.7"}"#).unwrap(), unban);
        assert_eq!(read(r#"{"command":"status"}"#).unwrap(), Request::Status);
        for bad in [r#"{"command":"kik"}"#, r#"{"command":"kick","name":"a","why":1}"#, "[]", ""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_status_survives_the_wire() {
        let counts = crate::server::metrics::meters::Meters::new(1).snapshot();
        let status =
            Status { version: "1".into(), listening: vec![], fingerprint: None, bans: 3, counts };
        let response = Response::Status(Box::new(status));
        let line = serde_json::to_string(&response).unwrap();
        assert_eq!(serde_json::from_str::<Response>(&line).unwrap(), response);
    }
}
