//! `matou-bin server`: settings, log, sockets and signals around the library's server.

mod bind;

use std::net::TcpListener;

use matou_actors::server::{Running, StartError};
use slog::{Logger, crit, info};

use crate::arguments::ServerArguments;
use crate::exit::Failure;
use crate::logging::{Log, Target, shifted};
use crate::settings::load_server;
use crate::signals::Signals;

/// Serves until a signal says to stop.
pub(crate) fn run(arguments: &ServerArguments) -> Result<(), Failure> {
    let file = arguments.config.as_deref();
    let mut settings = load_server(file, std::env::vars_os().collect(), &arguments.flags())?;
    settings.log.level = shifted(settings.log.level, arguments.loudness.steps());
    let log = Log::start(settings.log.level, settings.log.format, Target::Stderr)
        .map_err(|error| Failure::Runtime(format!("cannot log: {error}")))?;
    log_panics(log.logger.clone());
    let outcome = bind::listeners(&settings.network).and_then(|listeners| {
        actix::System::new().block_on(serve(&settings, listeners, &log.logger))
    });
    log.finish();
    outcome
}

async fn serve(
    settings: &matou_actors::server::ServerSettings,
    listeners: Vec<TcpListener>,
    logger: &Logger,
) -> Result<(), Failure> {
    // Signals are caught before anybody can know that the server is there.
    let mut signals = Signals::new()?;
    let mut running =
        matou_actors::server::start(settings, listeners, logger.clone()).map_err(refused)?;
    tell_addresses(&running, logger);
    let outcome = tokio::select! {
        name = signals.next() => {
            info!(logger, "stopping"; "reason" => name);
            Ok(())
        }
        failure = running.failed() => {
            crit!(logger, "stopping"; "reason" => %failure);
            Err(Failure::Vital(failure.to_string()))
        }
    };
    running.stop().await;
    outcome
}

fn tell_addresses(running: &Running, logger: &Logger) {
    for address in running.addresses() {
        info!(logger, "listening"; "address" => %address);
    }
}

fn refused(error: StartError) -> Failure {
    match error {
        StartError::Setting(error) => Failure::Usage(error.to_string()),
        StartError::Bans(error) => Failure::Runtime(error.to_string()),
        StartError::Listener(error) => Failure::Runtime(format!("cannot listen: {error}")),
    }
}

/// A panic is a line in the log like any other, so that no format breaks and nothing is lost.
fn log_panics(logger: Logger) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let said = payload.downcast_ref::<&str>().copied();
        let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let said = said.unwrap_or("no message");
        crit!(logger, "panic"; "reason" => said, "place" => place);
    }));
}
