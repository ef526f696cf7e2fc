//! File descriptor limits: one per connection, plus those the server needs itself.

use std::fs;

use matou_actors::server::ServerSettings;
use matou_actors::server::admin::OPERATORS;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use slog::{Logger, warn};

/// Descriptors for listening sockets and their spares, signals, the service manager, files and
/// a margin.
const OWN: usize = 16;
/// Descriptors reserved from clients, so that neither operators nor metrics are locked out.
const RESERVE: usize = OWN + OPERATORS + super::http::MAX_CONCURRENT;
/// Descriptors per event loop.
const PER_ARBITER: usize = 4;
/// The highest limit to request; some systems reject higher ones.
const PLENTY: u64 = 1 << 20;

/// The descriptor limit, and the descriptors in use by other things than clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Descriptors {
    limit: usize,
    open: usize,
}

/// Raises the soft limit to the hard limit. Must be called before the server starts, so that no
/// open descriptor belongs to a client.
pub(super) fn raise_limit() -> Descriptors {
    let before = getrlimit(Resource::Nofile);
    let wanted = before.maximum.unwrap_or(PLENTY).min(PLENTY);
    let current = before.current.unwrap_or(u64::MAX);
    if current < wanted {
        // On failure the server accepts fewer clients.
        let _ =
            setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: before.maximum });
    }
    let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    Descriptors { limit: usize::try_from(now).unwrap_or(usize::MAX), open: open_files() }
}

/// Lowers `limits.clients` to what the descriptor limit allows, reserving those for operators,
/// metrics and the watchdog.
pub(super) fn fit(settings: &mut ServerSettings, descriptors: Descriptors, logger: &Logger) {
    let Descriptors { limit, open } = descriptors;
    let room = room_for_clients(settings.network.arbiters, open, limit);
    if settings.limits.clients > room {
        warn!(logger, "limits.clients lowered: too few file descriptors";
            "limits.clients" => settings.limits.clients, "clients" => room,
            "descriptors" => limit, "next" => "raise ulimit -n or LimitNOFILE");
        settings.limits.clients = room;
    }
}

fn room_for_clients(arbiters: usize, open: usize, limit: usize) -> usize {
    let arbiters = match arbiters {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        count => count,
    };
    limit.saturating_sub(open + RESERVE + arbiters * PER_ARBITER).max(1)
}

/// The number of open descriptors.
fn open_files() -> usize {
    fs::read_dir("/dev/fd").map_or(8, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connected_clients_do_not_lower_the_limit_on_reload() {
        let descriptors = Descriptors { limit: 300, open: 10 };
        let logger = Logger::root(slog::Discard, slog::o!());
        let fitted = || {
            let mut settings = ServerSettings::default();
            settings.network.arbiters = 1;
            fit(&mut settings, descriptors, &logger);
            settings.limits.clients
        };
        let at_start = fitted();
        let _clients: Vec<_> = (0..50).map(|_| tempfile::tempfile().unwrap()).collect();
        assert_eq!((at_start, fitted()), (300 - 10 - 40 - 4, at_start));
    }

    #[test]
    fn reserved_descriptors_are_not_given_to_clients() {
        assert_eq!(room_for_clients(2, 10, 1024), 1024 - 10 - 40 - 8);
        assert_eq!(room_for_clients(2, 10, 20), 1, "at least one client can always connect");
    }
}
