//! What was found, for the user: what stops the connection, and what to do.

use std::net::IpAddr;

use super::evidence::Evidence;
use super::findings::{Block, Finding, Whose, findings};
use crate::client::api::diagnosis::Diagnosis;
use crate::protocol::Username;

/// Everything that is known of the ways between both sides.
pub(crate) fn diagnose(evidence: &Evidence) -> Diagnosis {
    Diagnosis {
        with: evidence.peer.clone(),
        connected: evidence.report.reached.is_some() && evidence.report.has_files,
        attempts: evidence.attempts().collect(),
        verdict: verdict(evidence),
    }
}

/// What it means, a sentence or two for each cause.
pub(crate) fn verdict(evidence: &Evidence) -> Vec<String> {
    findings(evidence).iter().map(|finding| words(*finding, evidence)).collect()
}

fn words(finding: Finding, evidence: &Evidence) -> String {
    let peer = &evidence.peer;
    match finding {
        Finding::Connected { by: Whose::Own, at } => {
            format!("This computer reached {peer} at {at}.")
        }
        Finding::Connected { by: Whose::Peers, at } => {
            format!("{peer} reached this computer from {at}.")
        }
        Finding::FilesBlocked { own_port } => format!(
            "The message connection works, but the file connection does not. Also allow incoming \
             TCP connections on port {own_port} of this computer or on the second port of \
             {peer}'s; private.ports sets which ports are used."
        ),
        Finding::NoAddresses => format!(
            "No addresses came from {peer}: their connection to the server may be lost. Try again."
        ),
        Finding::Computer { whose: Whose::Peers, at, block } => format!(
            "{peer}'s computer at {} {}: a firewall on it is in the way. Allow incoming TCP \
             connections on port {} there; private.ports sets which ports are used.",
            at.ip(),
            behaves(block),
            at.port()
        ),
        Finding::Computer { whose: Whose::Own, at, block } => format!(
            "This computer {} at {at}: its firewall is in the way. Allow incoming TCP connections on port \
             {} here; private.ports sets which ports are used.",
            behaves(block),
            at.port()
        ),
        Finding::Apart { own, theirs } => {
            let own = own.map_or(evidence.report.ports.message.get(), |own| own.port());
            format!(
                "Neither computer answers the other, although both are in the same network: both \
                 firewalls drop incoming connections, or the network isolates its devices, as \
                 guest Wi-Fi does. Allow incoming TCP connections on port {own} of this computer \
                 or on port {} of {peer}'s, or use another network.",
                theirs.port()
            )
        }
        Finding::ChangesPorts { whose, outside } => changes_ports(whose, outside, peer),
        Finding::Border { whose, at, block, translates } => {
            let (what, where_to) = match (whose, translates) {
                (Whose::Own, true) => ("Your router".to_owned(), "this computer".to_owned()),
                (Whose::Own, false) => (
                    "The firewall of this computer or of its network".to_owned(),
                    "this computer".to_owned(),
                ),
                (Whose::Peers, true) => (format!("{peer}'s router"), format!("{peer}'s computer")),
                (Whose::Peers, false) => (
                    format!("The firewall of {peer}'s computer or of its network"),
                    format!("{peer}'s computer"),
                ),
            };
            let to_do = if translates { "Forward" } else { "Allow" };
            format!(
                "{what} {} at {at}. {to_do} TCP port {} to {where_to}; private.ports sets which ports are \
                 used. It is enough if one side lets connections in.",
                behaves(block),
                at.port()
            )
        }
        Finding::NoRoute { to } => {
            let (missing, other) = if to.is_ipv6() { ("IPv6", "IPv4") } else { ("IPv4", "IPv6") };
            format!(
                "This computer cannot reach {to}: it has no {missing}, and {peer} offers no \
                 {other} that can be reached. Use a network with {missing} on both sides."
            )
        }
        Finding::OtherProgram { at } => format!(
            "Another program or computer answers at {at}, which {peer} gave as their address. Check \
             private.address and the forwarded ports of {peer}."
        ),
        Finding::Nothing => format!(
            "{peer} gave no address that this computer may connect to, and did not connect \
             either. Set private.address and private.ports on one side to what its router \
             forwards."
        ),
    }
}

fn changes_ports(whose: Whose, outside: Option<IpAddr>, peer: &Username) -> String {
    let outside = outside.map_or("the router's address".to_owned(), |outside| outside.to_string());
    let (router, computer) = match whose {
        Whose::Own => ("Your router".to_owned(), "this computer".to_owned()),
        Whose::Peers => (format!("{peer}'s router"), format!("{peer}'s computer")),
    };
    format!(
        "{router} uses a different port for each connection, so no one outside can connect to \
         {computer} through it. Forward two TCP ports of that router to {computer} and set \
         private.ports to them and private.address to {outside} there, use IPv6 on both sides, or \
         use another network."
    )
}

fn behaves(block: Block) -> &'static str {
    match block {
        Block::Refuses => "refuses connections",
        Block::Drops => "drops connections",
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;
    use crate::client::meeting::MeetingReport;
    use crate::protocol::PortPair;
    use crate::protocol::v2::DialReport;

    #[test]
    fn each_cause_names_the_side_and_the_remedy() {
        let port = |number| NonZeroU16::new(number).unwrap();
        let evidence = Evidence {
            peer: Username::parse("Bea").unwrap(),
            networks: Vec::new(),
            report: MeetingReport {
                dialled: DialReport::default(),
                offered: None,
                ports: PortPair { message: port(4000), file: port(4001) },
                outside: None,
                reached: None,
                has_files: false,
            },
            by_peer: None,
        };
        let at = "198.51.100.9:5000".parse().unwrap();
        let (block, translates) = (Block::Drops, true);
        let cases = [
            (Finding::Connected { by: Whose::Own, at }, "reached Bea", "198.51.100.9:5000"),
            (Finding::FilesBlocked { own_port: 4001 }, "file connection does not", "port 4001"),
            (Finding::NoAddresses, "came from Bea", "Try again"),
            (
                Finding::Computer { whose: Whose::Peers, at, block },
                "Bea's computer",
                "port 5000 there",
            ),
            (Finding::Computer { whose: Whose::Own, at, block }, "This computer", "port 5000 here"),
            (Finding::Apart { own: None, theirs: at }, "guest Wi-Fi", "port 4000"),
            (
                Finding::ChangesPorts { whose: Whose::Own, outside: Some(at.ip()) },
                "Your router uses a different port for each connection",
                "private.address to 198.51.100.9",
            ),
            (
                Finding::ChangesPorts { whose: Whose::Peers, outside: None },
                "Bea's router uses",
                "use IPv6 on both sides, or use another network",
            ),
            (
                Finding::Border { whose: Whose::Peers, at, block, translates },
                "Bea's router drops",
                "Forward TCP port 5000 to Bea's computer",
            ),
            (Finding::NoRoute { to: at }, "has no IPv4", "network with IPv4"),
            (Finding::OtherProgram { at }, "Another program", "private.address"),
            (Finding::Nothing, "no address", "private.ports"),
        ];
        for (finding, what, to_do) in cases {
            let words = words(finding, &evidence);
            assert!(words.contains(what) && words.contains(to_do), "{words}");
        }
    }
}
