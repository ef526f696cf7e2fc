//! What a server needs to know: every key of `config/server.toml`, with its default.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

mod error;
mod limits;

pub use error::SettingError;
pub use limits::Limits;

use crate::protocol::{MessageText, Username};

/// The most lines of a message of the day: every newcomer gets them all.
const MOTD_LINES: usize = 16;
/// A label of DNS (RFC 1035).
const MAX_INSTANCE_NAME: usize = 63;
/// The longest time that a setting may say, in seconds.
const A_DAY: u64 = 24 * 60 * 60;
/// The most days that a name is kept.
const LONGEST_KEPT: u32 = 36_500;

/// All settings of a server, as sections. The serialized form is the configuration file's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Where and how to listen.
    pub network: NetworkSettings,
    /// How the server announces itself in the local network.
    pub discovery: DiscoverySettings,
    /// The public room.
    pub room: RoomSettings,
    /// What was said before.
    pub history: HistorySettings,
    /// Other servers that share the room.
    pub cluster: ClusterSettings,
    /// Private requests.
    pub private: PrivateSettings,
    /// What one client, one address and all together may use.
    pub limits: Limits,
    /// The server's key, and whether clients have to be encrypted.
    pub security: SecuritySettings,
    /// Names that belong to keys.
    pub names: NamesSettings,
    /// What is logged, and how.
    pub log: LogSettings,
    /// The operators' socket.
    pub admin: AdminSettings,
    /// The metrics port.
    pub metrics: MetricsSettings,
}

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
    /// Messages from before that a newcomer of revision 1 gets, who cannot tell them from new ones.
    pub replay_plain: usize,
}

/// Section `cluster`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterSettings {
    /// Addresses of NATS servers, `nats://HOST:PORT,...`; empty is no cluster.
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
    /// Requests that one user may make in a minute; 0 is no limit.
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
    /// File of the keys that are admitted; empty admits everybody.
    pub admitted_keys: PathBuf,
}

impl SecuritySettings {
    /// Whether clients have to be encrypted: also when they have to prove a key or a password.
    pub fn refuses_plain(&self) -> bool {
        let is_set = |path: &PathBuf| !path.as_os_str().is_empty();
        self.plain == PlainClients::Refuse
            || is_set(&self.password_file)
            || is_set(&self.admitted_keys)
    }
}

/// What becomes of clients that are not encrypted.
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
    /// New names an hour for each address (each /64 in IPv6); 0 is no limit.
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

impl ServerSettings {
    /// Checks what types cannot say.
    pub fn check(&self) -> Result<(), SettingError> {
        let limits = &self.limits;
        let at_least_one: [(&'static str, u64); 12] = [
            ("network.backlog", self.network.backlog.into()),
            ("private.request_seconds", self.private.request_seconds),
            ("private.pending_per_target", wide(self.private.pending_per_target)),
            ("limits.clients", wide(limits.clients)),
            ("limits.unjoined", wide(limits.unjoined)),
            ("limits.unjoined_per_address", wide(limits.unjoined_per_address)),
            ("limits.per_address", wide(limits.per_address)),
            ("limits.name_attempts", limits.name_attempts.into()),
            ("limits.join_seconds", limits.join_seconds),
            ("limits.frame_seconds", limits.frame_seconds),
            ("limits.stall_seconds", limits.stall_seconds),
            ("limits.lag_seconds", limits.lag_seconds),
        ];
        for (key, value) in at_least_one {
            if value == 0 {
                return Err(SettingError { key, value: "0".into(), allowed: "1 or more" });
            }
            if key.ends_with("_seconds") && value > A_DAY {
                let (value, allowed) = (value.to_string(), "at most 86400, a day");
                return Err(SettingError { key, value, allowed });
            }
        }
        limits.check()?;
        if self.names.keep_days > LONGEST_KEPT {
            return Err(SettingError {
                key: "names.keep_days",
                value: self.names.keep_days.to_string(),
                allowed: "0 (names belong to no one) to 36500, a hundred years",
            });
        }
        if self.network.arbiters > 1024 {
            return Err(SettingError {
                key: "network.arbiters",
                value: self.network.arbiters.to_string(),
                allowed: "0 (one for each core) to 1024",
            });
        }
        let name = &self.discovery.name;
        if name.len() > MAX_INSTANCE_NAME || name.chars().any(char::is_control) {
            return Err(SettingError {
                key: "discovery.name",
                value: format!("{name:?}"),
                allowed: "at most 63 bytes without control characters",
            });
        }
        let at_most: [(&'static str, u64, u64, &'static str); 4] = [
            ("history.messages", wide(self.history.messages), 10_000, "0 (none) to 10000"),
            ("history.hours", self.history.hours, 8760, "0 (not at all) to 8760, a year"),
            ("history.replay_plain", wide(self.history.replay_plain), 50, "0 (none) to 50"),
            ("room.replay", wide(self.room.replay), 500, "0 (none) to 500"),
        ];
        for (key, value, most, allowed) in at_most {
            if value > most {
                return Err(SettingError { key, value: value.to_string(), allowed });
            }
        }
        self.check_cluster()?;
        self.check_motd()?;
        self.motd_name().map(|_| ())
    }

    /// The name that says the message of the day.
    pub(crate) fn motd_name(&self) -> Result<Username, SettingError> {
        Username::parse(&self.room.motd_name).map_err(|_| SettingError {
            key: "room.motd_name",
            value: format!("{:?}", self.room.motd_name),
            allowed: "a name: 1 to 32 bytes of letters and digits",
        })
    }

    fn check_cluster(&self) -> Result<(), SettingError> {
        let ClusterSettings { room, node, replicas, .. } = &self.cluster;
        if !self.cluster.is_on() {
            return Ok(());
        }
        // A part of a subject and of the name of a stream.
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if room.is_empty() || room.len() > 64 || !room.chars().all(is_word) {
            return Err(SettingError {
                key: "cluster.room",
                value: format!("{room:?}"),
                allowed: "1 to 64 letters, digits, - and _",
            });
        }
        if node.len() > 64 || node.chars().any(char::is_control) {
            return Err(SettingError {
                key: "cluster.node",
                value: format!("{node:?}"),
                allowed: "at most 64 bytes without control characters",
            });
        }
        if !matches!(replicas, 0 | 1 | 3 | 5) {
            return Err(SettingError {
                key: "cluster.replicas",
                value: replicas.to_string(),
                allowed: "0 (three where there are three), 1, 3 or 5",
            });
        }
        if !self.history.file.as_os_str().is_empty() {
            return Err(SettingError {
                key: "history.file",
                value: self.history.file.display().to_string(),
                allowed: "empty in a cluster, whose stream keeps what was said",
            });
        }
        Ok(())
    }

    fn check_motd(&self) -> Result<(), SettingError> {
        let mut lines = self.room.motd.lines().filter(|line| !line.is_empty());
        let unspeakable = lines.clone().find(|line| MessageText::parse(line).is_err());
        if unspeakable.is_none() && lines.nth(MOTD_LINES).is_none() {
            return Ok(());
        }
        Err(SettingError {
            key: "room.motd",
            value: format!("{:?}", unspeakable.unwrap_or(&self.room.motd)),
            allowed: "up to 16 lines of at most 512 bytes each, without control characters",
        })
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

fn wide(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut ServerSettings)) -> Option<&'static str> {
        let mut settings = ServerSettings::default();
        change(&mut settings);
        settings.check().err().map(|error| error.key)
    }

    #[test]
    fn the_defaults_work() {
        assert_eq!(refused(|_| {}), None);
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_key() {
        assert_eq!(refused(|s| s.limits.clients = 0), Some("limits.clients"));
        assert_eq!(refused(|s| s.limits.connect_burst = 0), Some("limits.connect_burst"));
        assert_eq!(refused(|s| s.limits.room_byte_burst = 0), Some("limits.room_byte_burst"));
        assert_eq!(refused(|s| s.limits.join_seconds = u64::MAX), Some("limits.join_seconds"));
        assert_eq!(refused(|s| s.history.replay_plain = 51), Some("history.replay_plain"));
        assert_eq!(refused(|s| s.room.replay = 501), Some("room.replay"));
        assert_eq!(refused(|s| s.discovery.name = "é".repeat(31)), None);
        assert_eq!(refused(|s| s.discovery.name = "é".repeat(32)), Some("discovery.name"));
        assert_eq!(refused(|s| s.discovery.name = "a\n".into()), Some("discovery.name"));
        assert_eq!(refused(|s| s.room.motd_name = "the server".into()), Some("room.motd_name"));
        assert_eq!(refused(|s| s.room.motd = "a\n\nb\n".into()), None);
        assert_eq!(refused(|s| s.room.motd = "a\u{7}".into()), Some("room.motd"));
        assert_eq!(refused(|s| s.room.motd = "line\n".repeat(17)), Some("room.motd"));
        assert_eq!(refused(|s| s.room.motd = "x".repeat(513)), Some("room.motd"));
    }
}
