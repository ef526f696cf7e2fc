//! What a client needs to know before it starts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::client::api::password::Password;
use crate::client::api::server_name::ServerName;
use crate::protocol::Username;
use crate::trust::Identity;

/// Settings of one client. The library reads no file and no environment: the program that
/// starts the client fills this in.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The servers of one room: the first that answers is used, and another one when it is lost. Empty waits for
    /// [`crate::client::Command::UseServers`].
    pub servers: Vec<ServerName>,
    /// The name to sign in with; without one, the client connects and waits for
    /// [`crate::client::Command::SignIn`].
    pub username: Option<Username>,
    /// Where received files go; made when missing.
    pub downloads: PathBuf,
    /// What to do with files that are offered.
    pub accept_files: Policy,
    /// The largest file or folder that is accepted without the user, in bytes.
    pub accept_limit: u64,
    /// The limit of speed for files of revision 2, in bytes a second.
    pub rate: Option<u64>,
    /// For how many days an incomplete file is kept.
    pub keep_partial_days: u64,
    /// What to do with private requests.
    pub accept_private: Policy,
    /// Listen for private connections on this address instead of the one by which the client
    /// reaches the server.
    pub private_listen: Option<IpAddr>,
    /// Listen for private connections on ports of this range instead of any free ones.
    pub private_ports: Option<RangeInclusive<u16>>,
    /// Free bytes that a download leaves on its disk.
    pub disk_reserve: u64,
    /// How long a private request of the user's own, or of another, waits for its answer.
    pub request_timeout: Duration,
    /// How long the server may take to say whether the name may be had.
    pub answer_timeout: Duration,
    /// How long the two connections of a private session may take to be made.
    pub connect_timeout: Duration,
    /// Reconnect to the server after a loss.
    pub reconnect: bool,
    /// The user's key; without one nothing is encrypted.
    pub identity: Option<Arc<Identity>>,
    /// Whether the connection to the server is encrypted.
    pub encryption: EncryptionPolicy,
    /// The server's password, if it has one; see [`crate::client::Event::PasswordNeeded`].
    pub password: Option<Password>,
    /// The file of the keys of servers that were seen; without one each is seen for the first time.
    pub known_servers: Option<PathBuf>,
    /// The file of the keys of people that were seen; without one each is seen for the first time.
    pub known_people: Option<PathBuf>,
    /// Whether private sessions with people of revision 1, which are plain, are refused.
    pub require_private_encryption: bool,
    /// Further addresses at which peers of revision 2 can reach this client.
    pub private_addresses: Vec<IpAddr>,
}

/// Whether the connection to the server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncryptionPolicy {
    /// If the server can, or its key was ever seen.
    #[default]
    Auto,
    /// Always.
    Require,
    /// Never.
    Off,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            servers: vec![ServerName::from(SocketAddr::from((
                Ipv4Addr::LOCALHOST,
                crate::protocol::DEFAULT_PORT,
            )))],
            username: None,
            downloads: PathBuf::from("."),
            accept_files: Policy::Ask,
            accept_limit: u64::MAX,
            rate: None,
            keep_partial_days: 7,
            accept_private: Policy::Ask,
            private_listen: None,
            private_ports: None,
            disk_reserve: 64 * 1024 * 1024,
            request_timeout: Duration::from_secs(120),
            answer_timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(10),
            reconnect: true,
            identity: None,
            encryption: EncryptionPolicy::Auto,
            password: None,
            known_servers: None,
            known_people: None,
            require_private_encryption: false,
            private_addresses: Vec::new(),
        }
    }
}

/// What to do with something that another user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Ask the user and wait for an answer.
    #[default]
    Ask,
    /// Say yes at once to people whose key was known before, and ask about others.
    Known,
    /// Say yes at once to people whose key the user has compared, and ask about others.
    Compared,
    /// Say yes at once.
    Always,
    /// Say no at once.
    Never,
}
