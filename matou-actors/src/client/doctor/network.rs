//! What is in the way between this computer and everybody else, as far as the server can show it.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::evidence::{Translation, translation};
use crate::client::api::event::LinkSecurity;
use crate::client::api::settings::ClientSettings;
use crate::client::link::reach::{Trust, server_at};
use crate::client::meeting::{MeetingPorts, ServerAt, own_networks, show};
use crate::client::peers::reachable::Reach;
use crate::protocol::v2::{PrivatePort, Ticket};

/// How this computer is connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NetworkReport {
    /// The server as the user named it.
    pub server: String,
    /// Where it was reached; `None`: it was not.
    pub address: Option<SocketAddr>,
    /// Private ports of this computer, and where the server sees connections from them.
    pub ports: Vec<ObservedPort>,
    /// What it means and what to do.
    pub verdict: Vec<String>,
}

/// A port of this computer, and what it is outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ObservedPort {
    /// Its number.
    pub port: u16,
    /// The address and port that the server sees, if it says so.
    pub outside: Option<SocketAddr>,
}

/// Reaches the first server that answers, and lets it say where it sees two private ports.
pub async fn examine_network(settings: &ClientSettings) -> NetworkReport {
    let trust = Trust {
        identity: settings.identity.clone(),
        encryption: settings.encryption,
        known_servers: settings.known_servers.clone(),
        password: settings.password.clone(),
    };
    let mut report = NetworkReport {
        server: String::new(),
        address: None,
        ports: Vec::new(),
        verdict: vec!["No server was named.".into()],
    };
    for server in &settings.servers {
        report.server = server.to_string();
        match server_at(server, &trust).await {
            Ok((address, security)) => {
                report.address = Some(address);
                report.ports = observe(settings, address, &security).await;
                report.verdict = verdict(&report.ports, &own_networks());
                return report;
            }
            Err(reason) => report.verdict = vec![format!("The server was not reached: {reason}.")],
        }
    }
    report
}

/// Where the server sees the ports that a private session would have.
async fn observe(
    settings: &ClientSettings,
    address: SocketAddr,
    security: &LinkSecurity,
) -> Vec<ObservedPort> {
    let ports = MeetingPorts::bind(settings.private_listen, settings.private_ports.as_ref());
    let Ok(MeetingPorts { ports, .. }) = &ports else { return Vec::new() };
    let server = ServerAt::of(address, security);
    let one = async |port: u16| {
        let outside = match (server, &settings.identity) {
            (Some(server), Some(identity)) => {
                let shown = show(server, identity, Ticket::NONE, PrivatePort::Messages, port).await;
                shown.ok().map(|shown| shown.seen.into())
            }
            _ => None,
        };
        ObservedPort { port, outside }
    };
    let (messages, files) = tokio::join!(one(ports.message.get()), one(ports.file.get()));
    vec![messages, files]
}

/// What the server's view of these ports means.
fn verdict(ports: &[ObservedPort], networks: &[IpNet]) -> Vec<String> {
    if ports.is_empty() {
        let text =
            "No two ports are free for private sessions: check private.listen and private.ports.";
        return vec![text.into()];
    }
    let seen: Vec<(u16, SocketAddr)> =
        ports.iter().filter_map(|port| Some((port.port, port.outside?))).collect();
    let Some((port, outside)) = seen.first().copied() else {
        let text =
            "The server does not say where it sees this computer: it is not encrypted, or older.";
        return vec![text.into()];
    };
    let is_own = networks.iter().any(|network| network.addr() == outside.ip().to_canonical());
    let keeps = seen.iter().all(|(port, outside)| *port == outside.port());
    let at = outside.ip();
    let first = match translation(is_own, keeps) {
        _ if Reach::of(at) == Reach::Loopback => {
            "The server is on this computer: how others see it is not known.".to_owned()
        }
        Translation::None if Reach::of(at) == Reach::Public => format!(
            "This computer has the public address {at} itself: only firewalls can be in the way of others."
        ),
        Translation::None => format!(
            "The server is in a network of this computer, which it sees at {at}: no router is between \
             them, and how the rest of the internet sees this computer is not known."
        ),
        Translation::ChangesPort => format!(
            "Your router gives each connection another port (port {port} is {} outside): people outside can \
             be dialled from here, but not dial this computer. Forward two TCP ports of the router to this \
             computer and set private.ports to them and private.address to {at}, use IPv6, or use another \
             network.",
            outside.port()
        ),
        Translation::KeepsPort | Translation::Unknown => format!(
            "A router is in front of this computer. It is {at} outside and keeps ports, so that private \
             sessions can pass it from both sides at once."
        ),
    };
    let second = "Whether a firewall lets connections in, only another computer can find out: ask a person \
                  in the room, and run doctor NAME.";
    vec![first, second.into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_follows_from_where_the_server_sees_two_ports() {
        let networks: Vec<IpNet> =
            ["192.168.1.7/24", "203.0.113.9/24"].map(|network| network.parse().unwrap()).into();
        let at = |port, outside: &str| ObservedPort { port, outside: outside.parse().ok() };
        let cases = [
            (vec![], "private.ports"),
            (vec![at(4000, ""), at(4001, "")], "does not say"),
            (vec![at(4000, "127.0.0.1:4000")], "on this computer"),
            (vec![at(4000, "192.168.1.7:4000")], "no router is between"),
            (vec![at(4000, "203.0.113.9:4000"), at(4001, "203.0.113.9:4001")], "public address"),
            (vec![at(4000, "198.51.100.1:4000"), at(4001, "198.51.100.1:4001")], "keeps ports"),
            (vec![at(4000, "198.51.100.1:4000"), at(4001, "198.51.100.1:61000")], "another port"),
            (vec![at(4000, "198.51.100.1:60000")], "port 4000 is 60000 outside"),
        ];
        for (ports, expected) in cases {
            let verdict = verdict(&ports, &networks);
            assert!(verdict[0].contains(expected), "{verdict:?}");
        }
    }
}
