//! The server's settings.

use std::ffi::OsString;
use std::net::Ipv6Addr;
use std::path::Path;

use matou_actors::server::ServerSettings;

use super::merge::{Merged, Sources, expand};
use super::{Flag, SettingsError};

/// The shipped file: every key with its default.
pub(crate) const SHIPPED: &str = include_str!("../../../config/server.toml");

/// Loads the server's settings from `file`, the `MATOU_SERVER__SECTION__KEY` variables and `flags`.
/// `home` is the home directory, for `~`.
pub(crate) fn load_server(
    file: Option<&Path>,
    variables: Vec<(OsString, OsString)>,
    flags: &[Flag],
    home: Option<&Path>,
) -> Result<ServerSettings, SettingsError> {
    let sources = Sources { shipped: SHIPPED, prefix: "MATOU_SERVER", file, variables, flags };
    let merged = Merged::new(sources)?;
    let mut settings: ServerSettings = merged.settings()?;
    let admin = &mut settings.admin;
    admin.socket = expand(&merged, "admin.socket", &admin.socket, home)?;
    admin.bans = expand(&merged, "admin.bans", &admin.bans, home)?;
    settings.history.file = expand(&merged, "history.file", &settings.history.file, home)?;
    let cluster = &mut settings.cluster;
    cluster.credentials = expand(&merged, "cluster.credentials", &cluster.credentials, home)?;
    let security = &mut settings.security;
    security.key = expand(&merged, "security.key", &security.key, home)?;
    let password = &mut security.password_file;
    *password = expand(&merged, "security.password_file", password, home)?;
    let admitted = &mut security.admitted_keys;
    *admitted = expand(&merged, "security.admitted_keys", admitted, home)?;
    let names = &mut settings.names;
    names.store = expand(&merged, "names.store", &names.store, home)?;
    settings.check().map_err(|error| {
        merged.invalid(error.key, error.value, format!("{} is expected", error.allowed))
    })?;
    if !is_host_and_port(&settings.network.listen) {
        let value = format!("{:?}", settings.network.listen);
        let allowed = "HOST:PORT is expected, such as [::]:6286 for all addresses, 127.0.0.1:0 or \
                       [::1]:6286";
        return Err(merged.invalid("network.listen", value, allowed.into()));
    }
    Ok(settings)
}

fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_is_valid = match bracketed {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && !host.contains([':', '*', '[', ']', ' ']),
    };
    host_is_valid && port.parse::<u16>().is_ok()
}
