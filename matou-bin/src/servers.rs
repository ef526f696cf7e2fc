//! `matou-bin servers`: what a client without a server would find.

use slog::{Discard, Logger, o};

use crate::discovery::{NONE_FOUND, json, list, search};
use crate::exit::Failure;
use crate::identity::known_servers;
use crate::stdout::print;

/// Lists the servers of this machine and of the local network.
pub(crate) fn run(as_json: bool) -> Result<(), Failure> {
    let found = search(&known_servers()?, &Logger::root(Discard, o!()));
    if as_json {
        print(format!("{}\n", json(&found)).as_bytes())?;
    } else {
        print(list(&found).as_bytes())?;
    }
    if found.is_empty() { Err(Failure::Runtime(NONE_FOUND.into())) } else { Ok(()) }
}
