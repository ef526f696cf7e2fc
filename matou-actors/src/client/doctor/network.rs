//! What prevents connections to this computer, as far as the server can show it.

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
    /// The address and port that the server sees, if it reports them.
    pub outside: Option<SocketAddr>,
}

/// Reaches the first server that answers, and asks it where it sees two private ports.
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
        verdict: vec!["No server given; use --server HOST[:PORT].".into()],
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
            Err(reason) => {
                report.verdict = vec![format!("The server could not be reached: {reason}.")];
            }
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
            "No two ports are free for private sessions; check private.listen and private.ports.";
        return vec![text.into()];
    }
    let seen: Vec<(u16, SocketAddr)> =
        ports.iter().filter_map(|port| Some((port.port, port.outside?))).collect();
    let Some((port, outside)) = seen.first().copied() else {
        let text = "The server does not report how it sees this computer: the connection is not \
                    encrypted, or the server is an older version.";
        return vec![text.into()];
    };
    let is_own = networks.iter().any(|network| network.addr() == outside.ip().to_canonical());
    let keeps = seen.iter().all(|(port, outside)| *port == outside.port());
    let at = outside.ip();
    let first = match translation(is_own, keeps) {
        _ if Reach::of(at) == Reach::Loopback => {
            "The server runs on this computer, so it is unknown how others see this computer."
                .to_owned()
        }
        Translation::None if Reach::of(at) == Reach::Public => format!(
            "This computer has the public address {at} itself: only a firewall can keep others out."
        ),
        Translation::None => format!(
            "The server is in this computer's network and sees it at {at}: there is no router \
             between them, and it is unknown how the rest of the internet sees this computer."
        ),
        Translation::ChangesPort => format!(
            "Your router uses a different port for each connection (port {port} is {} outside): \
             this computer can connect to people outside, but they cannot connect to it. Forward \
             two TCP ports of the router to this computer and set private.ports to them and \
             private.address to {at}, use IPv6, or use another network.",
            outside.port()
        ),
        Translation::KeepsPort | Translation::Unknown => format!(
            "This computer is behind a router, with the address {at} outside. The router keeps \
             ports, so private sessions work when both sides connect at the same time."
        ),
    };
    let second = "Only another computer can find out whether a firewall lets connections in: ask \
                  someone in the room, and run doctor NAME.";
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
            (vec![at(4000, ""), at(4001, "")], "does not report"),
            (vec![at(4000, "127.0.0.1:4000")], "runs on this computer"),
            (vec![at(4000, "192.168.1.7:4000")], "no router between"),
            (vec![at(4000, "203.0.113.9:4000"), at(4001, "203.0.113.9:4001")], "public address"),
            (vec![at(4000, "198.51.100.1:4000"), at(4001, "198.51.100.1:4001")], "keeps ports"),
            (vec![at(4000, "198.51.100.1:4000"), at(4001, "198.51.100.1:61000")], "different port"),
            (vec![at(4000, "198.51.100.1:60000")], "port 4000 is 60000 outside"),
        ];
        for (ports, expected) in cases {
            let verdict = verdict(&ports, &networks);
            assert!(verdict[0].contains(expected), "{verdict:?}");
        }
    }
}
