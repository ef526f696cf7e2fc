//! What was promised, what came out, and whether it was kept.

use super::table::{Table, number};
use super::{BARE, BARE_LOOP};
use crate::files::PAIRED;
use crate::session::Session;

const MATOU: &str = "Matou";

enum Bound {
    Most(f64),
    Least(f64),
}

struct Target {
    what: &'static str,
    bound: Bound,
    value: Option<f64>,
}

/// A row for each target that was measured.
pub(super) fn table(session: &Session) -> String {
    let mut table = Table::new(&["target", "bound", "measured", "kept"]);
    for target in rooms(session).into_iter().chain(files(session)) {
        let Some(value) = target.value else { continue };
        let (bound, kept) = match target.bound {
            Bound::Most(most) => (format!("at most {}", plain(most)), value <= most),
            Bound::Least(least) => (format!("at least {}", plain(least)), value >= least),
        };
        let kept = if kept { "yes" } else { "**no**" };
        table.row(&[target.what.into(), bound, number(value), kept.into()]);
    }
    table.finish()
}

fn rooms(session: &Session) -> Vec<Target> {
    let ratio = |scenario: &str, base: &str, figure: &str| {
        session.ratio((scenario, MATOU), (scenario, base), figure)
    };
    let grown =
        |scenario: &str, figure: &str| session.ratio((scenario, MATOU), ("busy", MATOU), figure);
    let median = |scenario: &str, figure: &str| session.median(scenario, MATOU, figure);
    let most = |what, most, value| Target { what, bound: Bound::Most(most), value };
    let least = |what, least, value| Target { what, bound: Bound::Least(least), value };
    let cost = "cpu_s_per_million";
    vec![
        most("busy room: CPU to the bare server's", 1.5, ratio("busy", BARE, cost)),
        most("busy room: CPU to Redis's", 1.0 / 3.0, ratio("busy", "Redis", cost)),
        most("busy room: CPU to NATS's, on all cores", 0.1, ratio("busy", "NATS, all cores", cost)),
        most("busy room: CPU to NATS's, on one core", 0.1, ratio("busy", "NATS", cost)),
        most("big room: p50 to Redis's", 1.0, ratio("big", "Redis", "p50_ms")),
        most("big room: p99 to Redis's", 1.0, ratio("big", "Redis", "p99_ms")),
        most("big room: CPU to Redis's", 1.0, ratio("big", "Redis", cost)),
        least(
            "messages/s with p99 < 100 ms, 2,000 clients",
            10_000.0,
            median("rate", "messages_per_s"),
        ),
        most("ten times the clients: CPU of a delivery", 1.2, grown("crowd", cost)),
        most("idle client, bytes", 2048.0, median("idle", "resident_bytes_per_client")),
        most("2,000 join at once: all announced, s", 0.3, median("joins", "announced_s")),
        least(
            "five stuck readers: throughput of the others",
            0.9,
            grown("stuck", "deliveries_per_s"),
        ),
        most("start to listening, ms", 20.0, median("start", "start_ms")),
        most("idle client: CPU, ms/s", 0.0, median("client", "idle_cpu_ms_per_s")),
    ]
}

fn files(session: &Session) -> Vec<Target> {
    let ratio = |figure: &str| session.ratio((PAIRED, MATOU), (PAIRED, BARE_LOOP), figure);
    let median = |scenario: &str, figure: &str| session.median(scenario, MATOU, figure);
    vec![
        Target {
            what: "file: throughput to the bare loop's",
            bound: Bound::Least(0.95),
            value: ratio("mb_per_s"),
        },
        Target {
            what: "file: CPU to the bare loop's",
            bound: Bound::Most(1.1),
            value: ratio("cpu_s_per_gib"),
        },
        Target {
            what: "message p99 during a file, to the idle one",
            bound: Bound::Most(2.0),
            value: median("files-latency", "p99_ratio"),
        },
        Target {
            what: "10 files at once: the slowest to the mean",
            bound: Bound::Least(0.7),
            value: median("files-fair", "slowest_to_mean"),
        },
        Target {
            what: "memory of a transfer, MiB",
            bound: Bound::Most(4.0),
            value: median("files", "memory_mib"),
        },
    ]
}

fn plain(value: f64) -> String {
    if value.fract() == 0.0 {
        let shown = number(value);
        shown.split_once('.').map_or(shown.clone(), |(whole, _)| whole.into())
    } else {
        format!("{value:.2}")
    }
}
