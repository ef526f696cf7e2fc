//! What a server needs to know: every key of `config/server.toml`, with its default.

use serde::Deserialize;

use crate::protocol::{MessageText, Username};

mod error;
mod limits;
mod sections;

pub use error::SettingError;
pub use limits::Limits;
pub use sections::{
    AdminSettings, ClusterSettings, DiscoverySettings, HistorySettings, LogFormat, LogLevel,
    LogSettings, MetricsSettings, NamesSettings, NetworkSettings, PlainClients, PrivateSettings,
    RoomSettings, SecuritySettings,
};

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
    /// The history.
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

impl ServerSettings {
    /// Checks what types cannot express.
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
        let invalid = lines.clone().find(|line| MessageText::parse(line).is_err());
        if invalid.is_none() && lines.nth(MOTD_LINES).is_none() {
            return Ok(());
        }
        Err(SettingError {
            key: "room.motd",
            value: format!("{:?}", invalid.unwrap_or(&self.room.motd)),
            allowed: "up to 16 lines of at most 512 bytes each, without control characters",
        })
    }
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
    fn an_invalid_setting_is_refused_by_key() {
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
