//! `matou-bin server`: settings, log, sockets and signals for the library's server.

mod bind;
mod descriptors;
mod http;
mod key;
mod metrics;
mod notify;
mod operators;
mod reachable;
mod reload;
mod store;

use std::io::{self, IsTerminal};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;

use matou_actors::server::admin::ControlRequest;
use matou_actors::server::{
    PlainClients, RunningServer, SecuritySettings, ServerSettings, StartError,
};
use matou_actors::trust::Identity;
use slog::{Logger, crit, info, warn};
use tokio::sync::mpsc;

use self::metrics::Exporter;
use self::operators::SocketFile;
use self::reload::ReloadSource;
use crate::arguments::ServerArguments;
use crate::discovery::Announcement;
use crate::exit::Failure;
use crate::logging::{Log, LogTarget};
use crate::signals::Signals;
use crate::stdout::print;

/// Runs the server until a signal or an operator stops it.
pub(crate) fn run(arguments: &ServerArguments) -> Result<(), Failure> {
    let source = ReloadSource::new(arguments, descriptors::raise_limit());
    let settings = source.read()?;
    if arguments.check_config {
        bind::addresses(&settings.network).map_err(|failure| unusable(&failure))?;
        if !settings.admin.socket.as_os_str().is_empty() {
            operators::check(&settings.admin.socket).map_err(|failure| unusable(&failure))?;
        }
        matou_actors::server::check_bans(&settings)
            .map_err(|error| Failure::Usage(error.to_string()))?;
        matou_actors::server::check_admitted_keys(&settings)
            .map_err(|error| Failure::Usage(error.to_string()))?;
        if !settings.security.password_file.as_os_str().is_empty() {
            matou_actors::server::read_password(&settings.security.password_file)
                .map_err(|error| Failure::Usage(error.to_string()))?;
        }
        key::check(&settings.security)?;
        store::check(&settings.names)?;
        if refuses_plain_unasked(&settings.security) {
            print(b"Clients that are not encrypted will be refused: they can prove neither a key nor a password.\n")?;
        }
        return print(b"Configuration OK.\n");
    }
    let log = Log::start(settings.log.level, settings.log.format, LogTarget::Stderr)
        .map_err(|error| Failure::Runtime(format!("cannot log: {error}")))?;
    log_panics(log.logger.clone());
    let outcome = Sockets::open(&settings)
        .and_then(|sockets| actix::System::new().block_on(serve(&source, settings, sockets, &log)));
    log.finish();
    outcome
}

/// Everything that the server listens on.
struct Sockets {
    clients: Vec<TcpListener>,
    operators: Option<(SocketFile, UnixListener)>,
    metrics: Option<TcpListener>,
}

impl Sockets {
    fn open(settings: &ServerSettings) -> Result<Self, Failure> {
        let socket = &settings.admin.socket;
        let operators = !socket.as_os_str().is_empty();
        Ok(Self {
            clients: bind::listeners(&settings.network)?,
            operators: operators.then(|| operators::listen(socket)).transpose()?,
            metrics: settings.metrics.listen.map(listen_for_metrics).transpose()?,
        })
    }
}

async fn serve(
    source: &ReloadSource<'_>,
    mut settings: ServerSettings,
    sockets: Sockets,
    log: &Log,
) -> Result<(), Failure> {
    let logger = &log.logger;
    // Before SIGHUP is caught: until then it ends the process, and later the terminal may be gone.
    let had_terminal = io::stdin().is_terminal();
    // Signals are caught before the server is reachable.
    let mut signals = Signals::new()?;
    source.fit(&mut settings, logger);
    let identity = key::load(&settings.security, logger)?;
    if refuses_plain_unasked(&settings.security) {
        warn!(logger, "clients that are not encrypted are refused: they can prove neither a key nor a password";
            "next" => "set security.plain to \"refuse\" explicitly");
    }
    let store = store::open(&settings.names, logger)?;
    let (clients, logger_of_server) = (sockets.clients, logger.clone());
    let started =
        matou_actors::server::start(&settings, identity.as_ref(), store, clients, logger_of_server);
    let mut running = started.map_err(refused)?;
    let (_socket_file, operators) = sockets.operators.unzip();
    // Without operators, a channel that never yields.
    let (_sender, mut controls) = mpsc::channel(1);
    if let Some(operators) = operators {
        controls = running.serve_operators(operators).map_err(refused)?;
    }
    if let Some(listener) = sockets.metrics {
        publish_metrics(listener, &running, logger)?;
    }
    let feeder = actix_rt::spawn(notify::feed_watchdog(running.monitor(), logger.clone()));
    log_addresses(&running, identity.as_ref(), logger);
    let cluster = if settings.cluster.is_on() { settings.cluster.room.as_str() } else { "" };
    let announcement =
        Announcement::start(&settings.discovery, cluster, running.addresses(), logger);
    notify::ready(logger);
    let outcome =
        attend(source, &mut running, &mut signals, had_terminal, &mut controls, log).await;
    // Stopped actors no longer answer the watchdog.
    feeder.abort();
    notify::stopping(logger);
    if let Some(announcement) = announcement {
        // The withdrawal of the announcement is sent meanwhile.
        let _ = actix_rt::task::spawn_blocking(|| announcement.end()).await;
    }
    running.stop().await;
    outcome
}

/// Handles signals and operator requests until one of them, or a failure, stops the server.
async fn attend(
    source: &ReloadSource<'_>,
    running: &mut RunningServer,
    signals: &mut Signals,
    had_terminal: bool,
    controls: &mut mpsc::Receiver<ControlRequest>,
    log: &Log,
) -> Result<(), Failure> {
    loop {
        tokio::select! {
            name = signals.next() => match name {
                // No reload: the terminal was closed, and with it the way to stop the server.
                "SIGHUP" if had_terminal && !io::stdin().is_terminal() => {
                    info!(log.logger, "stopping"; "reason" => "its terminal was closed");
                    return Ok(());
                }
                // The outcome is logged.
                "SIGHUP" => drop(source.reload(running, log)),
                name => {
                    info!(log.logger, "stopping"; "reason" => name);
                    return Ok(());
                }
            },
            Some(request) = controls.recv() => match request {
                ControlRequest::Reload(answer) => {
                    // The operator may have disconnected.
                    let _ = answer.send(source.reload(running, log));
                }
                ControlRequest::Shutdown => {
                    info!(log.logger, "stopping"; "reason" => "an operator's request");
                    return Ok(());
                }
            },
            failure = running.failed() => {
                crit!(log.logger, "stopping"; "reason" => %failure);
                return Err(Failure::Critical(failure.to_string()));
            }
        }
    }
}

fn publish_metrics(
    listener: TcpListener,
    running: &RunningServer,
    logger: &Logger,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Runtime(format!("cannot serve metrics: {error}"));
    let address = listener.local_addr().map_err(failed)?;
    http::serve(listener, Exporter::new(running.monitor())?, logger.clone()).map_err(failed)?;
    info!(logger, "metrics"; "address" => %address);
    if !address.ip().is_loopback() {
        warn!(logger, "metrics are readable from the network"; "address" => %address,
            "next" => "set metrics.listen to 127.0.0.1, or restrict the port with a firewall");
    }
    Ok(())
}

/// Clients that are not encrypted are refused although `security.plain` allows them.
fn refuses_plain_unasked(security: &SecuritySettings) -> bool {
    security.plain == PlainClients::Allow && security.refuses_plain()
}

/// A failure that comes from the settings, found before the start.
fn unusable(failure: &Failure) -> Failure {
    Failure::Usage(failure.to_string())
}

fn listen_for_metrics(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        Failure::Runtime(format!("cannot listen on {address} for metrics.listen: {error}"))
    })
}

fn log_addresses(running: &RunningServer, identity: Option<&Identity>, logger: &Logger) {
    for address in running.addresses() {
        info!(logger, "listening"; "address" => %address);
    }
    for name in reachable::server_names(running.addresses()) {
        // With the fingerprint there is nothing to take on trust at the first connection.
        let key = identity.map(|identity| format!("#{}", identity.fingerprint()));
        let key = key.unwrap_or_default();
        info!(logger, "Others connect with: matou-bin client --server {}{}", name, key);
    }
}

fn refused(error: StartError) -> Failure {
    match error {
        StartError::Setting(error) => Failure::Usage(error.to_string()),
        StartError::AdmittedKeys(error) => Failure::Runtime(error.to_string()),
        StartError::Password(error) => Failure::Runtime(error.to_string()),
        StartError::Bans(error) => Failure::Runtime(error.to_string()),
        StartError::Key(error) => Failure::Runtime(error.to_string()),
        StartError::Listener(error) => Failure::Runtime(format!("cannot listen: {error}")),
    }
}

/// Logs panics like any other record, so that they are kept and the format stays intact.
fn log_panics(logger: Logger) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let message = payload.downcast_ref::<&str>().copied();
        let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = message.unwrap_or("no message");
        crit!(logger, "panic"; "reason" => message, "place" => place);
    }));
}
