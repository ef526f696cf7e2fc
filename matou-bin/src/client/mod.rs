//! `matou-bin client`: settings, log, and one of the ways to show events and take commands.

mod console;
mod conversation;
mod json;
mod output;
mod plain;
pub(crate) mod sizes;
mod typed;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use matou_actors::client::ClientSettings;

use crate::arguments::ClientArguments;
use crate::exit::Failure;
use crate::input::home;
use crate::logging::{Log, Target, shifted};
use crate::settings::{ClientFile, load_client};
use console::{Console, Rendering};

/// How the client shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Lines for people, without any escape sequence.
    Plain,
    /// One JSON object a line.
    Json,
}

/// Talks until the user leaves.
pub(crate) fn run(arguments: &ClientArguments) -> Result<(), Failure> {
    let home = home();
    let path = arguments.config.clone().or_else(own_file);
    let variables = std::env::vars_os().collect();
    let (mut file, settings) =
        load_client(path.as_deref(), variables, &arguments.flags(), home.as_deref())?;
    file.log.level = shifted(file.log.level, arguments.loudness.steps());
    let mode = mode(arguments);
    let can_ask = io::stdin().is_terminal();
    if settings.username.is_none() && !can_ask {
        return Err(Failure::Usage(
            "a name is needed: give one with --username NAME, MATOU_CLIENT__CLIENT__USERNAME or \
             client.username in the configuration file"
                .into(),
        ));
    }
    let log = start_log(&file)?;
    let console = Console { rendering: rendering(mode), can_ask, home };
    let outcome = actix::System::new().block_on(talk(settings, &log, console));
    log.finish();
    outcome
}

async fn talk(settings: ClientSettings, log: &Log, console: Console) -> Result<(), Failure> {
    let named = settings.username.is_some();
    let (handle, events) = matou_actors::client::start(settings, log.logger.clone());
    console.run(named, handle, events).await
}

/// The user's own configuration file, if there is one.
fn own_file() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    let folders = etcetera::choose_base_strategy().ok()?;
    let path = folders.config_dir().join("matou").join("client.toml");
    path.exists().then_some(path)
}

fn mode(arguments: &ClientArguments) -> Mode {
    if arguments.json { Mode::Json } else { Mode::Plain }
}

fn rendering(mode: Mode) -> Rendering {
    match mode {
        Mode::Plain => Rendering::Plain(plain::Plain::default()),
        Mode::Json => Rendering::Json,
    }
}

fn start_log(file: &ClientFile) -> Result<Log, Failure> {
    let path = Path::new(&file.log.file);
    let target = if file.log.file.is_empty() { Target::PlainStderr } else { Target::File(path) };
    Log::start(file.log.level, file.log.format, target).map_err(|error| {
        Failure::Runtime(format!("cannot log to {}: {error}; see log.file", path.display()))
    })
}
