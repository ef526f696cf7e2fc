//! The sections of the configuration file of a server, with their defaults.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// Section `network`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSettings {
    /// `HOST:PORT` to listen on; `[::]` is IPv6 and IPv4, port 0 any free port.
    pub listen: String,
    /// Event loops that share the connections; 0 is one for each core.
    pub arbiters: usize,
    /// Connections that the kernel keeps waiting for accept.
    pub backlog: u32,
}

/// Section `discovery`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscoverySettings {
    /// Announce the server to clients in the local network (DNS-SD).
    pub announce: bool,
    /// The name under which clients list it; empty is the name of the machine.
    pub name: String,
}

/// Section `room`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomSettings {
    /// Send a newcomer the roster.
    pub replay_roster: bool,
    /// Messages from before that a newcomer of revision 2 gets.
    pub replay: usize,
    /// Said to each newcomer; empty is nothing.
    pub motd: String,
    /// The name that says it, which is reserved.
    pub motd_name: String,
}

/// Section `history`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistorySettings {
    /// Public messages that are kept; 0 is none.
    pub messages: usize,
    /// Hours for which they are kept; 0 is not at all.
    pub hours: u64,
    /// The file that keeps them over a restart; empty is none.
    pub file: PathBuf,
    /// How many earlier messages a newcomer of revision 1 gets, which it cannot distinguish from new ones.
    pub replay_plain: usize,
}

/// Section `cluster`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterSettings {
    /// Addresses of NATS servers, `nats://HOST:PORT,...`; without any there is no cluster.
    pub nats: String,
    /// The name that all servers of the room have in common.
    pub room: String,
    /// The name of this server among them; empty is the name of the machine.
    pub node: String,
    /// File with the credentials for NATS; empty is none.
    pub credentials: PathBuf,
    /// How many NATS servers keep the room's stream; 0 is three where there are three.
    pub replicas: usize,
}

impl ClusterSettings {
    /// Whether the room is shared.
    pub fn is_on(&self) -> bool {
        !self.nats.is_empty()
    }
}

/// Section `private`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivateSettings {
    /// Seconds until an unanswered request is forgotten.
    pub request_seconds: u64,
    /// Requests that may wait for one user.
    pub pending_per_target: usize,
    /// Requests that one user may make in a minute; 0 means no limit.
    pub requests_per_minute: u32,
}

/// Section `security`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecuritySettings {
    /// File of the server's private key; empty is the default place.
    pub key: PathBuf,
    /// Whether revision 1, which is not encrypted, is served.
    pub plain: PlainClients,
    /// File of the password that users need; empty needs none.
    pub password_file: PathBuf,
    /// File of the keys that are admitted; empty admits all.
    pub admitted_keys: PathBuf,
}

impl SecuritySettings {
    /// Whether clients have to be encrypted: also when they have to prove a key or a password.
    pub fn refuses_plain(&self) -> bool {
        self.plain_refused_by().is_some()
    }

    /// The setting because of which clients have to be encrypted.
    pub(crate) fn plain_refused_by(&self) -> Option<&'static str> {
        let settings = [
            ("security.plain", self.plain == PlainClients::Refuse),
            ("security.password_file", !self.password_file.as_os_str().is_empty()),
            ("security.admitted_keys", !self.admitted_keys.as_os_str().is_empty()),
        ];
        settings.into_iter().find_map(|(setting, refuses)| refuses.then_some(setting))
    }
}

/// How clients that are not encrypted are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlainClients {
    /// They are served.
    #[default]
    Allow,
    /// They are disconnected.
    Refuse,
}

/// Section `names`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NamesSettings {
    /// Days that a name belongs to the key that used it last; 0 is not at all.
    pub keep_days: u32,
    /// New names an hour for each address (each /64 in IPv6); 0 means no limit.
    pub new_per_hour: u32,
    /// The database that keeps them over restarts; empty is the default place.
    pub store: PathBuf,
}

/// Section `log`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// The least important level that is logged.
    pub level: LogLevel,
    /// Lines for people, or one JSON object a line.
    pub format: LogFormat,
}

/// Section `admin`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSettings {
    /// Path of the operators' socket; empty is none.
    pub socket: PathBuf,
    /// File that keeps bans over restarts; empty keeps them in memory only.
    pub bans: PathBuf,
}

/// Section `metrics`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsSettings {
    /// Address of the metrics and health port; none by default, empty in a file.
    #[serde(deserialize_with = "address_or_empty")]
    pub listen: Option<SocketAddr>,
}

/// How important a log line must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LogLevel {
    Error,
    Warning,
    #[default]
    Info,
    Debug,
    Trace,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            listen: format!("[::]:{}", crate::protocol::DEFAULT_PORT),
            arbiters: 0,
            backlog: 4096,
        }
    }
}

impl Default for DiscoverySettings {
    fn default() -> Self {
        Self { announce: true, name: String::new() }
    }
}

impl Default for RoomSettings {
    fn default() -> Self {
        Self { replay_roster: true, replay: 50, motd: String::new(), motd_name: "Server".into() }
    }
}

impl Default for HistorySettings {
    fn default() -> Self {
        Self { messages: 500, hours: 24, file: PathBuf::new(), replay_plain: 0 }
    }
}

impl Default for PrivateSettings {
    fn default() -> Self {
        Self { request_seconds: 120, pending_per_target: 10, requests_per_minute: 30 }
    }
}

impl Default for NamesSettings {
    fn default() -> Self {
        Self { keep_days: 90, new_per_hour: 3, store: PathBuf::new() }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}

fn address_or_empty<'de, D>(deserializer: D) -> Result<Option<SocketAddr>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let expected = "an address as IP:PORT, or nothing";
    let refused = |_| serde::de::Error::invalid_value(serde::de::Unexpected::Str(&text), &expected);
    text.parse().map(Some).map_err(refused)
}
