//! The client's settings: every key of `config/client.toml`, with its default.

use std::ffi::OsString;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use matou_actors::client::{ClientSettings, EncryptionPolicy, Password, Policy, ServerName};
use matou_actors::protocol::Username;
use matou_actors::server::{LogFormat, LogLevel, PasswordFileError};
use serde::Deserialize;

use super::merge::{Merged, Sources, expand};
use super::{Flag, SettingsError};
use crate::input::parse_rate;
use crate::paths::expand_tilde;
use crate::screen::{ScreenSettings, WrongSetting};

/// The shipped file: every key with its default.
pub(crate) const SHIPPED: &str = include_str!("../../../config/client.toml");

/// The environment variable that holds the server's password.
const PASSWORD: &str = "MATOU_CLIENT_PASSWORD";

/// The client's settings, by section.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClientFile {
    /// The server and the user's name.
    pub(crate) client: Client,
    /// Received files.
    pub(crate) files: Files,
    /// Private sessions.
    pub(crate) private: Private,
    /// The log.
    pub(crate) log: LogSection,
    /// The full-screen interface.
    pub(crate) screen: ScreenSettings,
}

/// Section `client`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Client {
    /// The servers of one room, each as [`ServerName::parse`] reads it; empty searches the local network.
    pub(crate) server: Vec<String>,
    /// The name to sign in with; empty prompts for one.
    pub(crate) username: String,
    /// Whether to reconnect after a connection loss.
    pub(crate) reconnect: bool,
    /// Whether the connection to the server is encrypted.
    pub(crate) encryption: EncryptionPolicy,
    /// The file of the server's password; empty is none.
    pub(crate) password_file: PathBuf,
}

/// Section `files`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Files {
    /// The folder for received files; `~` is the home directory.
    pub(crate) downloads: String,
    /// How to answer offered files.
    pub(crate) accept: Policy,
    /// The largest file or folder that is accepted automatically, in bytes; 0 means no limit.
    pub(crate) accept_limit: u64,
    /// Free bytes that downloads leave on the disk.
    pub(crate) reserve: u64,
    /// The speed limit, such as `500k`; empty for none.
    pub(crate) rate: String,
    /// For how many days an incomplete file is kept.
    pub(crate) keep_partial_days: u64,
}

/// Section `private`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Private {
    /// How to answer private requests.
    pub(crate) accept: Policy,
    /// The address to listen on; empty is the one used to reach the server.
    pub(crate) listen: String,
    /// The ports to listen on, `FIRST-LAST`; empty is any free ports.
    pub(crate) ports: String,
    /// Further addresses at which peers can reach this computer, with commas between them.
    pub(crate) address: String,
    /// Whether private sessions have to be encrypted.
    pub(crate) encryption: PrivateEncryption,
    /// Seconds until an unanswered request expires.
    pub(crate) request_seconds: u64,
    /// Seconds allowed for establishing a session.
    pub(crate) connect_seconds: u64,
}

/// Whether private sessions have to be encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PrivateEncryption {
    /// With everyone who can.
    #[default]
    Auto,
    /// With everyone: those who cannot are refused.
    Require,
}

/// Section `log`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogSection {
    /// The log level.
    pub(crate) level: LogLevel,
    /// The line format.
    pub(crate) format: LogFormat,
    /// The file to log to; empty is standard error.
    pub(crate) file: PathBuf,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            server: Vec::new(),
            username: String::new(),
            reconnect: true,
            encryption: EncryptionPolicy::Auto,
            password_file: PathBuf::new(),
        }
    }
}

impl Default for Files {
    fn default() -> Self {
        Self {
            downloads: "~/Downloads".into(),
            accept: Policy::Ask,
            accept_limit: 0,
            reserve: ClientSettings::default().disk_reserve,
            rate: String::new(),
            keep_partial_days: ClientSettings::default().keep_partial_days,
        }
    }
}

impl Default for Private {
    fn default() -> Self {
        let library = ClientSettings::default();
        Self {
            accept: Policy::Ask,
            listen: String::new(),
            ports: String::new(),
            address: String::new(),
            encryption: PrivateEncryption::Auto,
            request_seconds: library.request_timeout.as_secs(),
            connect_seconds: library.connect_timeout.as_secs(),
        }
    }
}

impl Default for LogSection {
    fn default() -> Self {
        Self { level: LogLevel::Warning, format: LogFormat::Text, file: PathBuf::new() }
    }
}

/// Loads the client's settings from `file`, the `MATOU_CLIENT__SECTION__KEY` variables and `flags`:
/// as written, and as used by the library. `home` is the home directory, for `~`.
pub(crate) fn load_client(
    file: Option<&Path>,
    mut variables: Vec<(OsString, OsString)>,
    flags: &[Flag],
    home: Option<&Path>,
) -> Result<(ClientFile, ClientSettings), SettingsError> {
    // It has the form of no setting.
    let given = variables.iter().position(|(name, _)| name == PASSWORD);
    let given = given.map(|at| variables.swap_remove(at).1).filter(|text| !text.is_empty());
    let sources = Sources { shipped: SHIPPED, prefix: "MATOU_CLIENT", file, variables, flags };
    let merged = Merged::new(sources)?;
    let mut file: ClientFile = merged.settings()?;
    let password = &mut file.client.password_file;
    *password = expand(&merged, "client.password_file", password, home)?;
    file.log.file = expand(&merged, "log.file", &file.log.file, home)?;
    let mut settings = translate(&file, home)
        .map_err(|Wrong { key, value, allowed }| merged.invalid(key, value, allowed))?;
    settings.password = read_password(given, &file.client.password_file)
        .map_err(|Wrong { key, value, allowed }| merged.invalid(key, value, allowed))?;
    file.screen
        .check()
        .map_err(|WrongSetting { key, value, allowed }| merged.invalid(&key, value, allowed))?;
    Ok((file, settings))
}

/// An invalid value of the right type.
struct Wrong {
    key: &'static str,
    value: String,
    allowed: String,
}

fn wrong(key: &'static str, value: &impl std::fmt::Debug, allowed: &str) -> Wrong {
    Wrong { key, value: format!("{value:?}"), allowed: allowed.to_owned() }
}

fn translate(file: &ClientFile, home: Option<&Path>) -> Result<ClientSettings, Wrong> {
    let ClientFile { client, files, private, .. } = file;
    for (key, seconds) in [
        ("private.request_seconds", private.request_seconds),
        ("private.connect_seconds", private.connect_seconds),
    ] {
        if seconds == 0 {
            return Err(wrong(key, &seconds, "1 or more is expected"));
        }
    }
    Ok(ClientSettings {
        servers: servers(&client.server)?,
        username: username(&client.username)?,
        downloads: downloads(&files.downloads, home)?,
        accept_files: files.accept,
        accept_limit: if files.accept_limit == 0 { u64::MAX } else { files.accept_limit },
        rate: rate(&files.rate)?,
        keep_partial_days: files.keep_partial_days,
        accept_private: private.accept,
        private_listen: listen_address(&private.listen)?,
        private_ports: ports(&private.ports)?,
        private_addresses: addresses(&private.address)?,
        require_private_encryption: private.encryption == PrivateEncryption::Require,
        disk_reserve: files.reserve,
        request_timeout: Duration::from_secs(private.request_seconds),
        connect_timeout: Duration::from_secs(private.connect_seconds),
        reconnect: client.reconnect,
        encryption: client.encryption,
        ..ClientSettings::default()
    })
}

/// The password: what the variable holds, or else the file.
fn read_password(variable: Option<OsString>, file: &Path) -> Result<Option<Password>, Wrong> {
    if let Some(text) = variable {
        let text = text.into_string().map_err(|_| {
            let allowed = format!("{PASSWORD} is not UTF-8");
            Wrong { key: "client.password_file", value: String::new(), allowed }
        })?;
        return Ok(Some(Password::new(text.into())));
    }
    if file.as_os_str().is_empty() {
        return Ok(None);
    }
    let read = matou_actors::server::read_password(file);
    let wrong = |error: PasswordFileError| wrong("client.password_file", &file, &error.to_string());
    read.map(|text| Some(Password::new(text))).map_err(wrong)
}

fn servers(list: &[String]) -> Result<Vec<ServerName>, Wrong> {
    let named = list.iter().filter(|server| !server.trim().is_empty());
    let parsed = named.map(|server| {
        let allowed = "HOST, HOST:PORT, [ADDRESS]:PORT or matou://HOST:PORT is expected, with a port from \
                       1 to 65535, and with or without #SHA256:... behind it; or several of these, for one \
                       room; or nothing, to search for servers";
        ServerName::parse(server).map_err(|_| wrong("client.server", server, allowed))
    });
    parsed.collect()
}

fn username(name: &str) -> Result<Option<Username>, Wrong> {
    if name.is_empty() {
        return Ok(None);
    }
    Username::parse(name)
        .map(Some)
        .map_err(|error| wrong("client.username", &name, &error.to_string()))
}

fn downloads(path: &str, home: Option<&Path>) -> Result<PathBuf, Wrong> {
    if path.is_empty() {
        return Err(wrong("files.downloads", &path, "the path of a folder is expected"));
    }
    expand_tilde(path.as_ref(), home).map_err(|error| wrong("files.downloads", &path, &error))
}

fn listen_address(address: &str) -> Result<Option<IpAddr>, Wrong> {
    if address.is_empty() {
        return Ok(None);
    }
    let allowed = "an IP address of this machine, or nothing, is expected";
    address.parse().map(Some).map_err(|_| wrong("private.listen", &address, allowed))
}

fn rate(rate: &str) -> Result<Option<u64>, Wrong> {
    if rate.is_empty() {
        return Ok(None);
    }
    let allowed = "a number of bytes a second, such as 500k or 2M, or nothing, is expected";
    parse_rate(rate).map(Some).ok_or_else(|| wrong("files.rate", &rate, allowed))
}

fn addresses(list: &str) -> Result<Vec<IpAddr>, Wrong> {
    let addresses = list.split(',').map(str::trim).filter(|address| !address.is_empty());
    let addresses: Result<Vec<IpAddr>, _> = addresses.map(str::parse).collect();
    let allowed = "IP addresses with commas between them, or nothing, are expected";
    addresses.map_err(|_| wrong("private.address", &list, allowed))
}

/// At least two ports, since each session needs two; none that a peer would refuse.
fn ports(range: &str) -> Result<Option<RangeInclusive<u16>>, Wrong> {
    if range.trim().is_empty() {
        return Ok(None);
    }
    let parsed = range
        .split_once('-')
        .and_then(|(first, last)| Some(first.trim().parse().ok()?..=last.trim().parse().ok()?));
    parsed
        .filter(|ports| *ports.start() >= 1024 && ports.start() < ports.end())
        .map(Some)
        .ok_or_else(|| {
            let allowed = "FIRST-LAST with at least two ports from 1024 to 65535, or nothing, \
                           is expected, such as 40000-40010";
            wrong("private.ports", &range, allowed)
        })
}
