//! `matou-bin client`: settings, log, and the choice of user interface.

mod console;
mod console_state;
pub(crate) mod find;
pub(crate) mod json;
mod output;
mod plain;
mod rows;
pub(crate) mod sizes;
mod typed;
mod waiting;
pub(crate) mod waits;
pub(crate) mod words;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use matou_actors::client::ClientSettings;

use crate::arguments::ClientArguments;
use crate::discovery::{FoundServer, places};
use crate::exit::Failure;
use crate::identity;
use crate::input::home;
use crate::logging::{Log, LogTarget, shifted};
use crate::screen::{self, ScreenError, ServerChoice, ServerLabels, TerminalHints};
use crate::settings::{ClientFile, load_client};
use console::{Console, Rendering};
use find::{Asks, SearchOutcome};

/// The user interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The full-screen interface.
    Screen,
    /// Lines for people, without escape sequences.
    Plain,
    /// One JSON object per line.
    Json,
}

/// Runs the client until the user leaves.
pub(crate) fn run(arguments: &ClientArguments) -> Result<(), Failure> {
    let home = home();
    let path = arguments.config.clone().or_else(own_file);
    let variables = std::env::vars_os().collect();
    let (mut file, mut settings) =
        load_client(path.as_deref(), variables, &arguments.flags(), home.as_deref())?;
    file.log.level = shifted(file.log.level, arguments.verbosity.steps());
    let mode = mode(arguments);
    let can_ask = io::stdin().is_terminal();
    if settings.username.is_none() && !can_ask {
        return Err(Failure::Usage(
            "a name is required: use --username NAME, MATOU_CLIENT__CLIENT__USERNAME or \
             client.username in the configuration file"
                .into(),
        ));
    }
    // Log lines would garble the screen.
    let target = if mode == Mode::Screen { LogTarget::Nowhere } else { LogTarget::PlainStderr };
    let log = start_log(&file, target)?;
    let (mut servers, mut found_as) = (Vec::new(), None);
    if settings.servers.is_empty() {
        let asks = match mode {
            Mode::Screen => Asks::OnScreen,
            Mode::Plain if can_ask => Asks::InLines,
            Mode::Plain | Mode::Json => Asks::Never,
        };
        match find::find(asks, mode == Mode::Json, &log.logger) {
            Ok(SearchOutcome::Servers(found, name)) => (settings.servers, found_as) = (found, name),
            Ok(SearchOutcome::Choose(found)) => servers = found.iter().map(choice).collect(),
            Err(failure) => {
                log.finish();
                return Err(failure);
            }
        }
    }
    if let Err(failure) = identity::add_to(&mut settings, &log.logger) {
        log.finish();
        return Err(failure);
    }
    let outcome = match rendering(mode) {
        None => run_to_completion(show(file.screen, settings, (found_as, servers), &log, home)),
        Some(rendering) => {
            run_to_completion(talk(settings, &log, Console { rendering, can_ask, home }))
        }
    };
    log.finish();
    outcome
}

/// Runs the future that lasts as long as the program.
pub(crate) fn run_to_completion<T>(talk: impl Future<Output = T>) -> T {
    let system = actix::System::new();
    let outcome = system.block_on(talk);
    // Dropping the system would wait indefinitely for a blocked DNS lookup or file system; exiting
    // the process does not.
    std::mem::forget(system);
    outcome
}

async fn talk(settings: ClientSettings, log: &Log, console: Console) -> Result<(), Failure> {
    let named = settings.username.is_some();
    let (handle, events) = matou_actors::client::start(settings, log.logger.clone());
    console.run(named, handle, events).await
}

async fn show(
    screen: screen::ScreenSettings,
    settings: ClientSettings,
    (found_as, servers): (Option<String>, Vec<ServerChoice>),
    log: &Log,
    home: Option<PathBuf>,
) -> Result<(), Failure> {
    let username = settings.username.clone();
    let server = screen::server_names(&settings.servers);
    let mut named = ServerLabels::default();
    if let Some(name) = found_as {
        named.add(&settings.servers, &name);
    }
    for choice in &servers {
        named.add(&choice.servers, &choice.name);
    }
    let options = screen::Options { settings: screen, username, server, servers, named, home };
    let client = matou_actors::client::start(settings, log.logger.clone());
    match screen::run(options, client).await {
        Ok(None) => Ok(()),
        Ok(Some(signal)) => {
            // After a hangup there may be no reader.
            let _ = writeln!(io::stderr(), "matou: stopped by {signal}");
            Ok(())
        }
        Err(error @ ScreenError::Setting(_)) => Err(Failure::Usage(error.to_string())),
        Err(error) => Err(Failure::Runtime(error.to_string())),
    }
}

fn choice(server: &FoundServer) -> ServerChoice {
    let (name, address) = (server.name.clone(), places(server));
    ServerChoice { name, address, servers: server.servers(None), is_known: server.is_known() }
}

/// The user's configuration file, if there is one. A link that leads nowhere is one that cannot be
/// read.
pub(crate) fn own_file() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    let folders = etcetera::choose_base_strategy().ok()?;
    let path = folders.config_dir().join("matou").join("client.toml");
    path.symlink_metadata().is_ok().then_some(path)
}

/// The screen needs a terminal with cursor addressing on both standard streams.
fn mode(arguments: &ClientArguments) -> Mode {
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if arguments.json {
        Mode::Json
    } else if arguments.plain || !terminal || TerminalHints::from_environment().is_dumb() {
        Mode::Plain
    } else {
        Mode::Screen
    }
}

/// The output format of the line-based modes.
fn rendering(mode: Mode) -> Option<Rendering> {
    match mode {
        Mode::Screen => None,
        Mode::Plain => Some(Rendering::Plain(plain::Plain::default())),
        Mode::Json => Some(Rendering::Json),
    }
}

/// Starts the log: to the file of the settings, or else to `target`.
pub(crate) fn start_log(file: &ClientFile, target: LogTarget<'_>) -> Result<Log, Failure> {
    let path = file.log.file.as_path();
    let target = if path.as_os_str().is_empty() { target } else { LogTarget::File(path) };
    Log::start(file.log.level, file.log.format, target).map_err(|error| {
        Failure::Runtime(format!("cannot log to {}: {error}; see log.file", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_blocked_file_system_does_not_delay_the_exit() {
        let (answer, stuck) = mpsc::channel::<()>();
        let (done, left) = mpsc::channel();
        thread::spawn(move || {
            run_to_completion(async move {
                let (asked, asking) = tokio::sync::oneshot::channel();
                tokio::task::spawn_blocking(move || {
                    asked.send(()).unwrap();
                    let _ = stuck.recv();
                });
                asking.await.unwrap();
            });
            done.send(()).unwrap();
        });
        left.recv_timeout(Duration::from_secs(20)).unwrap();
        drop(answer);
    }
}
