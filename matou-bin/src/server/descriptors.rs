//! The descriptors that the process may have: one for each connection and some of its own.

use std::fs;

use matou_actors::server::ServerSettings;
use matou_actors::server::admin::OPERATORS;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use slog::{Logger, warn};

/// Descriptors for listening sockets and their spares, signals, the service manager, files and
/// whatever comes.
const OWN: usize = 16;
/// Descriptors for all that is no client: strangers to the metrics cannot shut out operators.
const RESERVE: usize = OWN + OPERATORS + super::http::AT_ONCE;
/// Descriptors of an event loop.
const PER_ARBITER: usize = 4;
/// Enough for any number of clients; beyond it some systems refuse.
const PLENTY: u64 = 1 << 20;

/// How many descriptors there are, and how many of them are taken by what is no client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Descriptors {
    limit: usize,
    open: usize,
}

/// Raises the soft limit to the hard one, and looks what there is then. To be called before the
/// server starts: what is open then is none of its clients.
pub(super) fn raise_limit() -> Descriptors {
    let before = getrlimit(Resource::Nofile);
    let wanted = before.maximum.unwrap_or(PLENTY).min(PLENTY);
    let current = before.current.unwrap_or(u64::MAX);
    if current < wanted {
        // What is not allowed is not needed by everybody: the server then takes fewer clients.
        let _ =
            setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: before.maximum });
    }
    let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    Descriptors { limit: usize::try_from(now).unwrap_or(usize::MAX), open: open_files() }
}

/// Lowers `limits.clients` to what the descriptors allow, so that operators, metrics and the
/// watchdog always have theirs.
pub(super) fn fit(settings: &mut ServerSettings, descriptors: Descriptors, logger: &Logger) {
    let Descriptors { limit, open } = descriptors;
    let room = room_for_clients(settings.network.arbiters, open, limit);
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

/// Descriptors that are open now.
fn open_files() -> usize {
    fs::read_dir("/dev/fd").map_or(8, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_are_there_already_do_not_count_against_the_others() {
        let descriptors = Descriptors { limit: 300, open: 10 };
        let logger = Logger::root(slog::Discard, slog::o!());
        let fitted = || {
            let mut settings = ServerSettings::default();
            settings.network.arbiters = 1;
            fit(&mut settings, descriptors, &logger);
            settings.limits.clients
        };
        let at_the_start = fitted();
        let _clients: Vec<_> = (0..50).map(|_| tempfile::tempfile().unwrap()).collect();
        assert_eq!((at_the_start, fitted()), (300 - 10 - 40 - 4, at_the_start));
    }

    #[test]
    fn what_the_server_needs_itself_is_not_given_to_clients() {
        assert_eq!(room_for_clients(2, 10, 1024), 1024 - 10 - 40 - 8);
        assert_eq!(room_for_clients(2, 10, 20), 1, "somebody can always connect");
    }
}
