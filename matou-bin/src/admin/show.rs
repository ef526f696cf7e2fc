//! Renders a server's responses as text.

use std::fmt::Write;

use matou_actors::server::admin::{
    ClientReport, ClusterReport, NameReport, NodeReport, Response, Status,
};
use matou_actors::server::{Ban, Counts};

use crate::sanitize::sanitize;

/// The text of `response`.
pub(super) fn text(response: &Response) -> String {
    match response {
        Response::Status(status) => of_status(status),
        Response::Clients(clients) => of_clients(clients),
        Response::Kicked { name } => format!("{} was disconnected.\n", sanitize(name)),
        Response::Banned { ban, disconnected } => {
            let connections = if *disconnected == 1 { "connection" } else { "connections" };
            format!("Banned {}; {disconnected} {connections} closed.\n", of_ban(ban))
        }
        Response::Unbanned { target } => format!("{} is no longer banned.\n", sanitize(target)),
        Response::Bans(bans) if bans.is_empty() => "No bans.\n".into(),
        Response::Bans(bans) => bans.iter().map(|ban| of_ban(ban) + "\n").collect(),
        Response::Names(names) if names.is_empty() => "No names are bound to keys.\n".into(),
        Response::Names(names) => of_names(names),
        Response::Forgotten(NameReport { name, fingerprint, .. }) => {
            format!("{} no longer belongs to {fingerprint}.\n", sanitize(name))
        }
        Response::Topic { topic: Some(topic) } => format!("Topic: {}\n", sanitize(topic)),
        Response::Topic { topic: None } => "No topic.\n".into(),
        Response::Purged { messages: 1 } => "1 message deleted from the history.\n".into(),
        Response::Purged { messages } => format!("{messages} messages deleted from the history.\n"),
        Response::Cluster(report) => of_cluster(report),
        Response::Said => "Notice sent.\n".into(),
        Response::Reloaded { needs_restart } if needs_restart.is_empty() => {
            "Settings reloaded.\n".into()
        }
        Response::Reloaded { needs_restart } => format!(
            "Settings reloaded, except those that need a restart: {}.\n",
            needs_restart.join(", ")
        ),
        Response::Stopping => "The server is stopping.\n".into(),
        #[cfg(feature = "testing")]
        Response::Panicking => "The actor will panic.\n".into(),
        // Reported as an error by the caller.
        Response::Error { .. } => String::new(),
    }
}

fn of_status(status: &Status) -> String {
    let counts = &status.counts;
    let listening: Vec<String> = status.listening.iter().map(ToString::to_string).collect();
    let lines = [
        ("version", status.version.clone()),
        ("listening", listening.join(", ")),
        ("key", status.fingerprint.map_or("none".into(), |key| key.to_string())),
        ("uptime", age(counts.uptime_seconds)),
        ("users", counts.users.to_string()),
        ("connections", counts.connections.to_string()),
        ("connection actors", counts.connection_actors.to_string()),
        ("bans", status.bans.to_string()),
        ("pending private requests", of_counts(&counts.private_pending)),
        ("connections accepted", counts.accepted.to_string()),
        ("connections delayed", counts.delayed_connections.to_string()),
        ("connections refused", of_counts(&counts.refusals)),
        ("connections closed", of_counts(&counts.ends)),
        ("names accepted", counts.joins.to_string()),
        ("names refused", counts.names_refused.to_string()),
        ("messages delayed", of_counts(&counts.throttled)),
        ("frames received", of_counts(&counts.frames_in)),
        ("frames sent", of_counts(&counts.frames_out)),
        ("bytes received", counts.bytes_in.to_string()),
        ("bytes sent", counts.bytes_out.to_string()),
        ("longest queue (bytes)", counts.queue_high_water_bytes.to_string()),
        ("private session steps", of_counts(&counts.private)),
    ];
    lines.iter().fold(String::new(), |mut text, (label, value)| {
        let _ = writeln!(text, "{label:<25} {}", sanitize(value)); // Writing to a String cannot fail.
        text
    })
}

fn of_counts(counts: &Counts) -> String {
    let counts: Vec<String> = counts
        .iter()
        .filter(|&(_, &count)| count > 0)
        .map(|(label, count)| format!("{label} {count}"))
        .collect();
    if counts.is_empty() { "none".into() } else { counts.join(", ") }
}

fn of_clients(clients: &[ClientReport]) -> String {
    let mut text =
        format!("{:<33} {:<47} {:>9} {:>12} {}\n", "NAME", "ADDRESS", "AGE", "QUEUED", "KEY");
    for client in clients {
        let name = client.name.as_deref().map_or("-".into(), sanitize);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{name:<33} {:<47} {:>9} {:>12} {}",
            client.address.to_string(),
            age(client.age_seconds),
            client.queued_bytes,
            client.fingerprint.map_or("-".into(), |key| key.to_string())
        );
    }
    text
}

fn of_cluster(report: &ClusterReport) -> String {
    let ClusterReport { room, serving, position, lag, nats, nodes } = report;
    let serving = if *serving { "yes" } else { "no: cut off from the others" };
    let nats = if nats.is_empty() { "not connected" } else { nats };
    let mut text = format!(
        "room              {}\nserving           {serving}\nNATS              {}\n\
         position          {position}, {lag} behind\n\n{:<33} {:<17} {:>8} {:>7}\n",
        sanitize(room),
        sanitize(nats),
        "NODE",
        "EPOCH",
        "MEMBERS",
        "MISSED"
    );
    for NodeReport { name, epoch, own, missed, members } in nodes {
        let name = format!("{}{}", sanitize(name), if *own { " (this one)" } else { "" });
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<33} {epoch:<17} {members:>8} {missed:>7}");
    }
    text
}

fn of_names(names: &[NameReport]) -> String {
    let mut text = format!("{:<33} {:<20} {:<20} {}\n", "NAME", "FIRST USE", "LAST USE", "KEY");
    for NameReport { name, fingerprint, first_use, last_use } in names {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<33} {:<20} {:<20} {fingerprint}",
            sanitize(name),
            format!("{first_use:.0}"),
            format!("{last_use:.0}")
        );
    }
    text
}

fn of_ban(ban: &Ban) -> String {
    let until = ban.until.map_or("permanently".into(), |until| format!("until {until:.0}"));
    let reason = if ban.reason.is_empty() { String::new() } else { format!(": {}", ban.reason) };
    sanitize(&format!("{ban} {until}{reason}")).into_owned()
}

/// A duration in at most two units.
fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_at_most_two_units() {
        let ages = [59, 60, 3599, 3600, 90_000].map(age);
        assert_eq!(ages, ["59s", "1m 0s", "59m 59s", "1h 0m", "1d 1h"]);
    }

    #[test]
    fn the_client_table_is_sanitized() {
        let client = ClientReport {
            name: Some("a\u{202e}b".into()),
            address: "[2001:db8::1]:5000".parse().unwrap(),
            age_seconds: 61,
            queued_bytes: 7,
            fingerprint: None,
        };
        let unjoined = ClientReport { name: None, ..client.clone() };
        let shown = of_clients(&[client, unjoined]);
        let rows: Vec<Vec<&str>> =
            shown.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["a<U+202E>b", "[2001:db8::1]:5000", "1m", "1s", "7", "-"]);
        assert_eq!(rows[2][0], "-");
    }

    #[test]
    fn a_ban_shows_its_end_and_reason() {
        let mut ban = Ban {
            network: "192.0.2.0/24".parse().ok(),
            name: None,
            key: None,
            until: None,
            reason: String::new(),
        };
        assert_eq!(of_ban(&ban), "192.0.2.0/24 permanently");
        ban.until = Some("2030-01-02T03:04:05Z".parse().unwrap());
        ban.reason = "spam".into();
        assert_eq!(of_ban(&ban), "192.0.2.0/24 until 2030-01-02T03:04:05Z: spam");
        let banned = |disconnected| text(&Response::Banned { ban: ban.clone(), disconnected });
        assert!(banned(1).ends_with("; 1 connection closed.\n"), "{}", banned(1));
        assert!(banned(2).ends_with("; 2 connections closed.\n"), "{}", banned(2));
    }
}
