//! `matou-bin send`, `receive` and `doctor`: commands without a user interface.
//!
//! - `joining`: under which name, and the outcome. `sender`, `receiver`: the decisions of the two
//!   commands; `task`: what they have in common.
//! - `standard`: standard input as a file to send, standard output for a received one.
//! - `doctor`: what prevents private sessions; `firewall`: that of this computer.
//! - `run`: performs the decisions. `bars`: progress on standard error.

mod bars;
mod doctor;
mod firewall;
mod joining;
mod receiver;
mod run;
mod sender;
mod standard;
mod task;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use matou_actors::client::{ClientSettings, Policy, examine_network};
use tokio::time::Instant;

use crate::arguments::{DoctorArguments, JoinArguments, ReceiveArguments, SendArguments};
use crate::client::find::{self, Asks, SearchOutcome};
use crate::client::{own_file, run_to_completion, start_log};
use crate::exit::Failure;
use crate::identity;
use crate::input::home;
use crate::logging::{Log, LogTarget, shifted};
use crate::settings::{Flag, load_client};
use crate::stdout::print;
use doctor::{Doctor, report};
use firewall::firewall_hint;
use joining::Joining;
use receiver::{Amount, Receiver};
use sender::{Payload, Sender};
use task::Task;

/// Sends files and folders, until all are delivered or cannot be.
pub(crate) fn send(arguments: &SendArguments) -> Result<(), Failure> {
    let payloads = payloads(arguments)?;
    let name = &arguments.name;
    if arguments.join.username.as_ref().is_some_and(|own| own.folded() == name.folded()) {
        return Err(Failure::Usage(format!(
            "--username {name} is the recipient: choose another name"
        )));
    }
    let reads_input = payloads.iter().any(Payload::is_pipe);
    let (log, mut settings) = prepare(&arguments.join, &arguments.join.flags(), reads_input)?;
    let wait = Duration::from_secs(arguments.wait);
    settings.request_timeout = wait;
    (settings.accept_files, settings.accept_private) = (Policy::Never, Policy::Never);
    let joining = Joining::new(arguments.join.username.clone(), settings.username, Some(name));
    settings.username = Some(joining.name());
    let task = |now| Sender::new(name.clone(), payloads, wait, now);
    perform(log, settings, joining, task)
}

/// Receives files and folders, until the first is complete or for ever.
pub(crate) fn receive(arguments: &ReceiveArguments) -> Result<(), Failure> {
    let (log, mut settings) = prepare(&arguments.join, &arguments.flags(), false)?;
    let to_output = arguments.is_to_output();
    settings.accept_files = if to_output { Policy::Ask } else { Policy::Always };
    settings.accept_private = if arguments.from.is_some() { Policy::Ask } else { Policy::Always };
    let from = arguments.from.as_ref();
    let joining = Joining::new(arguments.join.username.clone(), settings.username, from);
    settings.username = Some(joining.name());
    let amount = match (to_output, arguments.once) {
        (true, _) => Amount::OneForOutput,
        (false, true) => Amount::Once,
        (false, false) => Amount::Any,
    };
    let task = |_| Receiver::new(arguments.from.clone(), amount);
    perform(log, settings, joining, task)
}

/// Reports what prevents private sessions: of this computer, and with one person.
pub(crate) fn doctor(arguments: &DoctorArguments) -> Result<(), Failure> {
    let (log, mut settings) = prepare(&arguments.join, &arguments.join.flags(), false)?;
    let mut network = run_to_completion(examine_network(&settings));
    network.verdict.extend(firewall_hint(settings.private_ports.as_ref()));
    let (Some(name), true) = (arguments.name.clone(), network.address.is_some()) else {
        log.finish();
        print(format!("{}\n", report(&network, None, arguments.json)).as_bytes())?;
        return match network.address {
            Some(_) => Ok(()),
            None => Err(Failure::Unreachable(
                "check --server HOST[:PORT], and that the server is running".into(),
            )),
        };
    };
    let wait = Duration::from_secs(arguments.wait);
    settings.request_timeout = wait;
    (settings.accept_files, settings.accept_private) = (Policy::Never, Policy::Never);
    let joining = Joining::new(arguments.join.username.clone(), settings.username, Some(&name));
    settings.username = Some(joining.name());
    let task = |now| Doctor::new(name, network, arguments.json, wait, now);
    perform(log, settings, joining, task)
}

/// The files to send, which must exist before the recipient is asked.
fn payloads(arguments: &SendArguments) -> Result<Vec<Payload>, Failure> {
    let is_input = |path: &&PathBuf| path.as_path() == Path::new(standard::DASH);
    if arguments.paths.iter().filter(is_input).count() > 1 {
        return Err(Failure::Usage("standard input (-) can be sent only once".into()));
    }
    let payload = |path: &PathBuf| {
        if is_input(&path) {
            let name = arguments.file_name.clone().into();
            return Ok(Payload::Pipe(name, standard::input()?));
        }
        path.metadata()
            .map(|_| Payload::Path(path.clone()))
            .map_err(|error| Failure::Runtime(format!("cannot send {}: {error}", path.display())))
    };
    arguments.paths.iter().map(payload).collect()
}

/// The log and the settings, with a server and the user's key.
fn prepare(
    join: &JoinArguments,
    flags: &[Flag],
    reads_input: bool,
) -> Result<(Log, ClientSettings), Failure> {
    let path: Option<PathBuf> = join.config.clone().or_else(own_file);
    let variables = std::env::vars_os().collect();
    let (mut file, mut settings) =
        load_client(path.as_deref(), variables, flags, home().as_deref())?;
    file.log.level = shifted(file.log.level, join.verbosity.steps());
    // A server that is lost for a moment is no reason to give up.
    settings.reconnect = true;
    let log = start_log(&file, LogTarget::PlainStderr)?;
    let prepared = add_server(&mut settings, reads_input, &log)
        .and_then(|()| identity::add_to(&mut settings, &log.logger));
    match prepared {
        Ok(()) => Ok((log, settings)),
        Err(failure) => {
            log.finish();
            Err(failure)
        }
    }
}

fn add_server(settings: &mut ClientSettings, reads_input: bool, log: &Log) -> Result<(), Failure> {
    if !settings.servers.is_empty() {
        return Ok(());
    }
    let may_ask = !reads_input && io::stdin().is_terminal();
    let asks = if may_ask { Asks::InLines } else { Asks::Never };
    match find::find(asks, false, &log.logger) {
        Ok(SearchOutcome::Servers(servers, _)) => settings.servers = servers,
        // Only the screen is given the choice.
        Ok(SearchOutcome::Choose(_)) => {}
        Err(Failure::Runtime(reason)) => return Err(Failure::Unreachable(reason)),
        Err(failure) => return Err(failure),
    }
    Ok(())
}

fn perform<T: Task>(
    log: Log,
    settings: ClientSettings,
    joining: Joining,
    task: impl FnOnce(Instant) -> T,
) -> Result<(), Failure> {
    let outcome = run_to_completion(async {
        let (handle, events) = matou_actors::client::start(settings, log.logger.clone());
        run::run(task(Instant::now()), joining, handle, events).await
    });
    log.finish();
    outcome
}
