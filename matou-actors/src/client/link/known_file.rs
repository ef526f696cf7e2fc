//! The file of known servers: read before each handshake, appended to at first sight.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::client::api::server_name::ServerName;
use crate::client::key_list;
use crate::trust::{Fingerprint, KnownServers, UnreadableLine};

/// Reads the keys of servers that were seen; none if there is no such file.
pub fn read(file: &Path) -> io::Result<KnownServers> {
    let text = key_list::read(file)?;
    Ok(text.map(|text| KnownServers::parse(&text)).unwrap_or_default())
}

/// The key that was seen at that address; an error, in words for the user, when that cannot be
/// known.
pub(super) async fn look_up(
    file: Option<&Path>,
    name: &ServerName,
) -> Result<Option<Fingerprint>, String> {
    let Some(file) = file.map(Path::to_owned) else { return Ok(None) };
    let name = name.to_string();
    in_background(move || {
        load(&file)?.get(&name).map_err(|UnreadableLine { number }| {
            format!(
                "line {number} of {} names {name}, but no key that can be read: correct it, or run \
                 `matou-bin identity forget {name}` to accept the next key; nothing was sent",
                file.display()
            )
        })
    })
    .await
}

/// Remembers a key that was seen for the first time.
pub(super) async fn add(
    file: Option<&Path>,
    name: &ServerName,
    key: Fingerprint,
) -> Result<(), String> {
    let Some(file) = file.map(Path::to_owned) else { return Ok(()) };
    let name = name.to_string();
    in_background(move || append(&file, &name, key)).await
}

async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()))
}

fn load(file: &Path) -> Result<KnownServers, String> {
    read(file).map_err(|error| {
        format!("cannot read the known servers in {}: {error}; nothing was sent", file.display())
    })
}

fn append(file: &Path, name: &str, key: Fingerprint) -> Result<(), String> {
    let failed = |error: io::Error| {
        format!(
            "cannot write to {}, so the key of {name} could not be remembered: {error}",
            file.display()
        )
    };
    let known = load(file)?;
    let today = jiff::Zoned::now().date().to_string();
    let line = known.line(name, key, &today);
    let line = line.ok_or_else(|| failed(io::Error::other("it lists too many servers")))?;
    if let Some(folder) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(file);
    let mut opened = opened.map_err(failed)?;
    // Behind a line that was cut off this one begins anew.
    let line = if known.is_cut_off() { format!("\n{line}") } else { line };
    opened.write_all(line.as_bytes()).and_then(|()| opened.sync_all()).map_err(failed)
}
