//! `matou-bin client`: settings, log, and one of the ways to show events and take commands.

mod console;
mod conversation;
mod json;
mod output;
mod plain;
pub(crate) mod sizes;
mod typed;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use matou_actors::client::ClientSettings;

use crate::arguments::ClientArguments;
use crate::exit::Failure;
use crate::input::home;
use crate::logging::{Log, Target, shifted};
use crate::screen::{self, ScreenError, TerminalHints};
use crate::settings::{ClientFile, load_client};
use console::{Console, Rendering};

/// How the client shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// A full screen.
    Screen,
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
    let log = start_log(&file, mode)?;
    let outcome = match rendering(mode) {
        None => to_its_end(show(file.screen, settings, &log, home)),
        Some(rendering) => to_its_end(talk(settings, &log, Console { rendering, can_ask, home })),
    };
    log.finish();
    outcome
}

/// Runs what lasts as long as the program does.
fn to_its_end<T>(talk: impl Future<Output = T>) -> T {
    let system = actix::System::new();
    let outcome = system.block_on(talk);
    // Dropped, it would wait without limit for a lookup or a file system that does not answer,
    // although everything is over. The end of the process waits for neither.
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
    log: &Log,
    home: Option<PathBuf>,
) -> Result<(), Failure> {
    let (username, server) = (settings.username.clone(), settings.server.clone());
    let options = screen::Options { settings: screen, username, server, home };
    let client = matou_actors::client::start(settings, log.logger.clone());
    match screen::run(options, client).await {
        Ok(None) => Ok(()),
        Ok(Some(signal)) => {
            // Whoever hung up does not read it.
            let _ = writeln!(io::stderr(), "matou: ended by {signal}");
            Ok(())
        }
        Err(error @ ScreenError::Setting(_)) => Err(Failure::Usage(error.to_string())),
        Err(error) => Err(Failure::Runtime(error.to_string())),
    }
}

/// The user's own configuration file, if there is one.
fn own_file() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    let folders = etcetera::choose_base_strategy().ok()?;
    let path = folders.config_dir().join("matou").join("client.toml");
    path.exists().then_some(path)
}

/// A screen only where there is one: a terminal on both ends that can place a cursor.
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

/// How lines are written, where there are lines.
fn rendering(mode: Mode) -> Option<Rendering> {
    match mode {
        Mode::Screen => None,
        Mode::Plain => Some(Rendering::Plain(plain::Plain::default())),
        Mode::Json => Some(Rendering::Json),
    }
}

fn start_log(file: &ClientFile, mode: Mode) -> Result<Log, Failure> {
    let path = Path::new(&file.log.file);
    let target = match (file.log.file.is_empty(), mode) {
        (false, _) => Target::File(path),
        // Lines would run through the screen.
        (true, Mode::Screen) => Target::Nowhere,
        (true, Mode::Plain | Mode::Json) => Target::PlainStderr,
    };
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
    fn a_file_system_that_does_not_answer_keeps_nobody_from_leaving() {
        let (answer, stuck) = mpsc::channel::<()>();
        let (done, left) = mpsc::channel();
        thread::spawn(move || {
            to_its_end(async move {
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
