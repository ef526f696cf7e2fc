//! What the service manager is told, where there is one.

use matou_actors::server::Monitor;
use sd_notify::NotifyState;
use slog::{Logger, crit, debug};

/// The server takes connections.
pub(super) fn ready(logger: &Logger) {
    tell(&[NotifyState::Ready], logger);
}

/// The settings are read again; [`ready`] ends it.
pub(super) fn reloading(logger: &Logger) {
    let states = [Some(NotifyState::Reloading), NotifyState::monotonic_usec_now().ok()];
    tell(&states.into_iter().flatten().collect::<Vec<_>>(), logger);
}

/// The server stops.
pub(super) fn stopping(logger: &Logger) {
    tell(&[NotifyState::Stopping], logger);
}

/// Tells the watchdog that the server is well, twice in the time that it waits, as long as
/// every vital actor answers; until the runtime ends.
pub(super) async fn feed_watchdog(monitor: Monitor, logger: Logger) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(patience / 2);
    loop {
        ticks.tick().await;
        match monitor.check().await {
            Ok(()) => tell(&[NotifyState::Watchdog], &logger),
            Err(error) => crit!(logger, "the watchdog is not fed"; "reason" => %error),
        }
    }
}

fn tell(states: &[NotifyState<'_>], logger: &Logger) {
    // Does nothing where there is no service manager.
    if let Err(error) = sd_notify::notify(states) {
        debug!(logger, "the service manager was not told"; "reason" => %error);
    }
}
