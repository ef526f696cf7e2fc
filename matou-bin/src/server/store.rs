//! The server's database.

use std::path::PathBuf;

use matou_actors::server::{NamesSettings, Store, StoreError};
use slog::{Logger, warn};

use crate::exit::Failure;
use crate::key_file::data_folder;

/// The database, created at the first start; `None` when there is no place for one and none is
/// asked for.
pub(super) fn open(names: &NamesSettings, logger: &Logger) -> Result<Option<Store>, Failure> {
    let Some(path) = place(names) else {
        no_store("there is no home directory to keep a database in", logger);
        return Ok(None);
    };
    match Store::open(&path) {
        Ok(store) => Ok(Some(store)),
        // To start without it would give the names of others away.
        Err(error @ StoreError::Damaged { .. }) => Err(Failure::Runtime(error.to_string())),
        Err(error) if is_default(names) => {
            no_store(&error.to_string(), logger);
            Ok(None)
        }
        Err(error) => Err(Failure::Runtime(error.to_string())),
    }
}

/// Checks the database, if there is one.
pub(super) fn check(names: &NamesSettings) -> Result<(), Failure> {
    let checked = place(names).map_or(Ok(()), |path| Store::check(&path));
    checked.map_err(|error| Failure::Usage(error.to_string()))
}

fn no_store(reason: &str, logger: &Logger) {
    warn!(logger, "a restart will forget who owns which name"; "reason" => reason,
        "next" => "set names.store to a file that only this server writes");
}

fn place(names: &NamesSettings) -> Option<PathBuf> {
    if is_default(names) {
        return Some(data_folder()?.join("server.redb"));
    }
    Some(names.store.clone())
}

fn is_default(names: &NamesSettings) -> bool {
    names.store.as_os_str().is_empty()
}
