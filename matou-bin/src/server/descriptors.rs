//! The descriptors that the process may have: one for each connection and some of its own.

use std::fs;

use matou_actors::server::ServerSettings;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use slog::{Logger, warn};

/// Descriptors for operators, metrics, the service manager, files and whatever comes.
const RESERVE: usize = 16;
/// Descriptors of an event loop.
const PER_ARBITER: usize = 4;
/// Enough for any number of clients; beyond it some systems refuse.
const PLENTY: u64 = 1 << 20;

/// Raises the soft limit to the hard one, and returns what it is then.
pub(super) fn raise_limit() -> usize {
    let before = getrlimit(Resource::Nofile);
    let wanted = before.maximum.unwrap_or(PLENTY).min(PLENTY);
    let current = before.current.unwrap_or(u64::MAX);
    if current < wanted {
        // What is not allowed is not needed by everybody: the server then takes fewer clients.
        let _ =
            setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: before.maximum });
    }
    let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(now).unwrap_or(usize::MAX)
}

/// Lowers `limits.clients` to what `limit` descriptors allow, so that operators, metrics and the
/// watchdog always have theirs.
pub(super) fn fit(settings: &mut ServerSettings, limit: usize, logger: &Logger) {
    let room = room_for_clients(settings.network.arbiters, open_files(), limit);
    if settings.limits.clients > room {
        warn!(logger, "fewer clients than configured: the descriptors do not suffice";
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

/// Descriptors that are open now, before the server has started.
fn open_files() -> usize {
    fs::read_dir("/dev/fd").map_or(8, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_needs_itself_is_not_given_to_clients() {
        assert_eq!(room_for_clients(2, 10, 1024), 1024 - 10 - 16 - 8);
        assert_eq!(room_for_clients(2, 10, 20), 1, "somebody can always connect");
    }
}
