//! Notifications for the service manager.

use matou_actors::server::Monitor;
use sd_notify::NotifyState;
use slog::{Logger, crit, debug};

/// The server accepts connections.
pub(super) fn ready(logger: &Logger) {
    notify(&[NotifyState::Ready], logger);
}

/// The settings are being reloaded, until [`ready`].
pub(super) fn reloading(logger: &Logger) {
    let states = [Some(NotifyState::Reloading), NotifyState::monotonic_usec_now().ok()];
    notify(&states.into_iter().flatten().collect::<Vec<_>>(), logger);
}

/// The server is stopping.
pub(super) fn stopping(logger: &Logger) {
    notify(&[NotifyState::Stopping], logger);
}

/// Feeds the watchdog twice per timeout while every critical actor responds, until the runtime
/// ends.
pub(super) async fn feed_watchdog(monitor: Monitor, logger: Logger) {
    let Some(watchdog_timeout) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(watchdog_timeout / 2);
    loop {
        ticks.tick().await;
        match monitor.check().await {
            Ok(()) => notify(&[NotifyState::Watchdog], &logger),
            Err(error) => crit!(logger, "watchdog not fed"; "reason" => %error),
        }
    }
}

fn notify(states: &[NotifyState<'_>], logger: &Logger) {
    // A no-op without a service manager.
    if let Err(error) = sd_notify::notify(states) {
        debug!(logger, "service manager not notified"; "reason" => %error);
    }
}
