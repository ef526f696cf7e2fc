//! The server's own key.

use std::path::{Path, PathBuf};

use matou_actors::server::SecuritySettings;
use matou_actors::trust::Identity;
use slog::{Logger, info, warn};

use crate::exit::Failure;
use crate::key_file::{self, KeyOrigin, data_folder};

/// The key, generated at the first start; `None` when there is no place for one and none is asked
/// for.
pub(super) fn load(
    security: &SecuritySettings,
    logger: &Logger,
) -> Result<Option<Identity>, Failure> {
    let loaded = match place(security) {
        Some(path) => key_file::load_or_make(&path)
            .map(|loaded| (loaded, path))
            .map_err(|error| error.to_string()),
        None => Err("there is no home directory to keep a key in".to_owned()),
    };
    match loaded {
        Ok(((identity, origin), path)) => {
            let made = origin == KeyOrigin::Made;
            info!(logger, "{}", if made { "generated the server's key" } else { "the server's key" };
                "fingerprint" => %identity.fingerprint(), "path" => %path.display());
            Ok(Some(identity))
        }
        Err(error) if is_needed(security) => Err(Failure::Runtime(error)),
        Err(error) => {
            warn!(logger, "no client can be encrypted"; "reason" => error,
                "next" => "set security.key to a file that the server can write");
            Ok(None)
        }
    }
}

/// Checks the file of the key, if there is one.
pub(super) fn check(security: &SecuritySettings) -> Result<(), Failure> {
    place(security).map_or(Ok(()), |path| key_file::check(&path)).map_err(Failure::Usage)
}

fn place(security: &SecuritySettings) -> Option<PathBuf> {
    if is_default(&security.key) {
        return Some(data_folder()?.join("server.key"));
    }
    Some(security.key.clone())
}

fn is_default(key: &Path) -> bool {
    key.as_os_str().is_empty()
}

/// Without a key the server would not do what its settings say.
fn is_needed(security: &SecuritySettings) -> bool {
    !is_default(&security.key) || security.refuses_plain()
}
