//! Tables and pictures of a session, for docs/PERFORMANCE.md.

mod document;
mod svg;
mod table;
mod targets;

use std::fs;
use std::path::Path;

use self::svg::Row;
use self::table::{Table, number, push};
use crate::error::{Context, Outcome};
use crate::files::PAIRED;
use crate::session::Session;

const BARE: &str = "bare fan-out";
const BARE_LOOP: &str = "bare sendfile + splice";

/// Writes the pictures next to the document and the tables into it.
pub(crate) fn write(session: &Session, document: &Path) -> Outcome<()> {
    let what = || format!("update {}", document.display());
    let mut text = fs::read_to_string(document).context(what())?;
    for (name, part) in parts(session) {
        text = document::replace(&text, name, part.trim_end())?;
    }
    fs::write(document, text).context(what())?;
    let folder = document.with_extension("").with_file_name("performance");
    fs::create_dir_all(&folder).context(what())?;
    for (name, picture) in pictures(session) {
        fs::write(folder.join(format!("{name}.svg")), picture).context(what())?;
    }
    Ok(())
}

/// All tables, one behind the other, for the terminal.
pub(crate) fn text(session: &Session) -> String {
    let mut text = String::new();
    for (name, part) in parts(session) {
        push(&mut text, format_args!("## {name}\n\n{part}\n"));
    }
    text
}

fn parts(session: &Session) -> Vec<(&'static str, String)> {
    vec![
        ("machine", machine(session)),
        ("targets", targets::table(session)),
        ("rooms", rooms(session)),
        ("details", details(session)),
        ("files", files(session)),
    ]
}

fn machine(session: &Session) -> String {
    let machine = &session.machine;
    let mut text = format!(
        "{}, {} cores, {}, Linux {}, congestion control {}.\n",
        machine.processor,
        machine.cores,
        machine.memory,
        machine.kernel,
        machine.congestion_control
    );
    for (subject, version) in &session.versions {
        if subject != BARE {
            push(&mut text, format_args!("- {subject}: {version}\n"));
        }
    }
    for (subject, why) in &session.skipped {
        push(&mut text, format_args!("- {subject} was left out: {why}\n"));
    }
    text
}

/// The table of the comparison: a row for each server.
fn rooms(session: &Session) -> String {
    let mut table = Table::new(&[
        "server",
        "busy room: CPU to the bare server's",
        "deliveries/s",
        "CPU s a million",
        "big room: p50 / p99 ms",
        "CPU of one core",
        "highest rate with p99 < 100 ms, messages/s",
        "idle client, bytes",
        "2,000 join at once, s",
    ]);
    for subject in session.subjects("busy") {
        let median = |scenario: &str, figure: &str| session.median(scenario, subject, figure);
        let cost = session.ratio(("busy", subject), ("busy", BARE), "cpu_s_per_million");
        let pair = |first: Option<f64>, second: Option<f64>| match (first, second) {
            (Some(first), Some(second)) => format!("{} / {}", number(first), number(second)),
            _ => "-".into(),
        };
        let cell = |scenario: &str, figure: &str| match median(scenario, figure) {
            Some(value) => number(value),
            None => failed(session, scenario, subject),
        };
        table.row(&[
            subject.into(),
            cost.map_or("-".into(), number),
            cell("busy", "deliveries_per_s"),
            cell("busy", "cpu_s_per_million"),
            pair(median("big", "p50_ms"), median("big", "p99_ms")),
            median("big", "server_cores")
                .map_or("-".into(), |cores| format!("{:.0} %", cores * 100.0)),
            cell("rate", "messages_per_s"),
            cell("idle", "resident_bytes_per_client"),
            cell("joins", "told_s"),
        ]);
    }
    table.finish()
}

/// What the other scenarios measured.
fn details(session: &Session) -> String {
    let scenarios: [Detail; 6] = [
        (
            "alone",
            "One sender, one receiver",
            &[
                ("p50_ms", "p50 ms"),
                ("p99_ms", "p99 ms"),
                ("cpu_s_per_million", "CPU µs a delivery"),
            ],
        ),
        (
            "crowd",
            "The busy room with 2,000 clients",
            &[
                ("cpu_s_per_million", "CPU s a million"),
                ("deliveries_per_s", "deliveries/s"),
                ("p99_ms", "p99 ms"),
                ("peak_mb", "peak memory, MB"),
            ],
        ),
        (
            "stuck",
            "The busy room with five readers that never read",
            &[
                ("deliveries_per_s", "deliveries/s to the others"),
                ("p999_ms", "p99.9 ms"),
                ("peak_mb", "peak memory, MB"),
            ],
        ),
        (
            "client",
            "The client in `--json` mode, 5,000 messages/s",
            &[
                ("idle_cpu_ms_per_s", "CPU while idle, ms/s"),
                ("client_cores", "CPU of one core"),
                ("behind_ms", "behind the room at the end, ms"),
                ("client_peak_mb", "peak memory, MB"),
            ],
        ),
        ("start", "From start to the first connection", &[("start_ms", "ms")]),
        (
            "joins",
            "2,000 clients join at once",
            &[
                ("accepted_s", "all accepted, s"),
                ("announced_s", "all announced, s"),
                ("server_cpu_s", "CPU s"),
            ],
        ),
    ];
    tables(session, &scenarios)
}

/// What moving files came to.
fn files(session: &Session) -> String {
    let scenarios: [Detail; 3] = [
        (
            "files",
            "A file from memory to memory over loopback",
            &[
                ("mb_per_s", "MB/s"),
                ("cpu_s_per_gib", "CPU s a GiB, both sides"),
                ("memory_mib", "memory, MiB"),
            ],
        ),
        (
            "files-latency",
            "A message of 64 bytes on the connection next to it",
            &[
                ("idle_p50_us", "idle p50 µs"),
                ("idle_p99_us", "idle p99 µs"),
                ("p50_us", "p50 µs during a file"),
                ("p99_us", "p99 µs during a file"),
            ],
        ),
        (
            "files-fair",
            "Ten files at once",
            &[
                ("slowest_to_mean", "slowest to the mean"),
                ("mean_mb_per_s", "mean MB/s"),
                ("memory_mib", "memory of each, MiB"),
            ],
        ),
    ];
    paired(session) + &tables(session, &scenarios)
}

/// The bare loop and Matou in short turns: ratios within a round.
fn paired(session: &Session) -> String {
    let base = (PAIRED, BARE_LOOP);
    let mut table = Table::new(&[
        "",
        "throughput to the bare loop's",
        "CPU to the bare loop's",
        "MB/s",
        "CPU s a GiB, both sides",
    ]);
    let subjects = session.subjects(PAIRED);
    if subjects.is_empty() {
        return String::new();
    }
    for subject in subjects {
        let ratio = |figure: &str| {
            let quartiles = session.quartiles((PAIRED, subject), base, figure);
            quartiles.map_or_else(
                || failed(session, PAIRED, subject),
                |[low, middle, high]| {
                    format!("{} ({} to {})", number(middle), number(low), number(high))
                },
            )
        };
        let cell = |figure: &str| {
            let median = session.median(PAIRED, subject, figure);
            median.map_or_else(|| failed(session, PAIRED, subject), number)
        };
        let ratios = match subject {
            BARE_LOOP => ["1".into(), "1".into()],
            _ => [ratio("mb_per_s"), ratio("cpu_s_per_gib")],
        };
        let [throughput, cost] = ratios;
        let figures = [cell("mb_per_s"), cell("cpu_s_per_gib")];
        table.row(&[&[subject.to_owned(), throughput, cost], figures.as_slice()].concat());
    }
    let title = "Short turns over memory that is there already: median (and quartiles) of ratios";
    format!("**{title}** (`{PAIRED}`)\n\n{}\n", table.finish())
}

/// A scenario, its title, and its figures with their column heads.
type Detail<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

fn tables(session: &Session, scenarios: &[Detail<'_>]) -> String {
    let mut text = String::new();
    for (scenario, title, figures) in scenarios.iter().copied() {
        let subjects = session.subjects(scenario);
        if subjects.is_empty() {
            continue;
        }
        let heads: Vec<&str> =
            std::iter::once("").chain(figures.iter().map(|(_, head)| *head)).collect();
        let mut table = Table::new(&heads);
        for subject in subjects {
            let cells = figures.iter().map(|(figure, _)| {
                let median = session.median(scenario, subject, figure);
                median.map_or_else(|| failed(session, scenario, subject), number)
            });
            table.row(&std::iter::once(subject.to_owned()).chain(cells).collect::<Vec<_>>());
        }
        push(&mut text, format_args!("**{title}** (`{scenario}`)\n\n{}\n", table.finish()));
    }
    text
}

fn failed(session: &Session, scenario: &str, subject: &str) -> String {
    match session.failure(scenario, subject) {
        Some(why) if why.contains("did not happen") => "not in time".into(),
        Some(_) => "failed".into(),
        None => "-".into(),
    }
}

fn pictures(session: &Session) -> Vec<(&'static str, String)> {
    type Series = &'static [(&'static str, &'static str)];
    let charts: [(&str, &str, &str, &str, Series); 5] = [
        (
            "busy",
            "busy",
            "Busy room: CPU for a million deliveries",
            "s",
            &[("cpu_s_per_million", "CPU")],
        ),
        ("big", "big", "Big room: time to deliver", "ms", &[("p50_ms", "p50"), ("p99_ms", "p99")]),
        (
            "rate",
            "rate",
            "Highest rate to 2,000 clients with p99 below 100 ms",
            "messages/s",
            &[("messages_per_s", "rate")],
        ),
        (
            "idle",
            "idle",
            "Memory of an idle client",
            "B",
            &[("resident_bytes_per_client", "resident")],
        ),
        ("files", "files", "A file of 2 GiB over loopback", "MB/s", &[("mb_per_s", "throughput")]),
    ];
    let mut pictures = Vec::new();
    for (name, scenario, title, unit, series) in charts {
        let rows = session.subjects(scenario).into_iter().filter_map(|subject| {
            let values: Option<Vec<f64>> = series
                .iter()
                .map(|(figure, _)| session.median(scenario, subject, figure))
                .collect();
            Some(Row { label: subject, values: values? })
        });
        let rows: Vec<Row<'_>> = rows.collect();
        if !rows.is_empty() {
            let names: Vec<&str> = series.iter().map(|(_, name)| *name).collect();
            pictures.push((name, svg::bars(title, unit, &names, &rows)));
        }
    }
    pictures
}
