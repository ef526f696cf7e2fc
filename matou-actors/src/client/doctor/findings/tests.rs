//! What both sides saw, and what that means.

use std::num::NonZeroU16;

use super::*;
use crate::client::meeting::MeetingReport;
use crate::protocol::v2::{
    Candidate, CandidateKind, Candidates, DialReport, DialResult, Dialled, Endpoint,
};
use crate::protocol::{PortPair, Username};

const LAN: &str = "192.168.1.9";
const OWN_LAN: &str = "192.168.1.7";
const FAR: &str = "198.51.100.9";
const OWN_FAR: &str = "203.0.113.7";
const REFUSED: DialResult = DialResult::Refused;
const SILENT: DialResult = DialResult::Silent;

fn port(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

fn at(address: &str, number: u16) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), number)
}

fn candidate(address: &str, kind: CandidateKind, message: u16) -> Candidate {
    let ports = PortPair { message: port(message), file: port(message + 1) };
    Candidate { address: address.parse().unwrap(), ports, kind }
}

fn dialled(all: &[(&str, u16, DialResult)]) -> DialReport {
    let all = all.iter().map(|(address, number, result)| Dialled {
        to: Endpoint { address: address.parse().unwrap(), port: port(*number) },
        result: *result,
    });
    DialReport::new(all.collect())
}

/// A router on each side that keeps ports; nothing was dialled yet.
fn evidence() -> Evidence {
    let offered = vec![
        candidate(FAR, CandidateKind::SeenByServer, 5000),
        candidate("192.168.50.9", CandidateKind::Interface, 5000),
    ];
    Evidence {
        peer: Username::parse("Bea").unwrap(),
        networks: vec![format!("{OWN_LAN}/24").parse().unwrap()],
        report: MeetingReport {
            dialled: DialReport::default(),
            offered: Candidates::new(offered),
            ports: PortPair { message: port(4000), file: port(4001) },
            outside: Some(Endpoint { address: OWN_FAR.parse().unwrap(), port: port(4000) }),
            reached: None,
            has_files: false,
        },
        by_peer: None,
    }
}

/// A peer in the own network.
fn in_one_network(own: DialResult, by_peer: Option<DialResult>) -> Vec<Finding> {
    let mut evidence = evidence();
    evidence.report.offered = Candidates::new(vec![
        candidate(OWN_FAR, CandidateKind::SeenByServer, 5000),
        candidate(LAN, CandidateKind::Interface, 5000),
    ]);
    evidence.report.dialled = dialled(&[(LAN, 5000, own), (OWN_FAR, 5000, SILENT)]);
    evidence.by_peer = by_peer.map(|result| dialled(&[(OWN_LAN, 4000, result)]));
    findings(&evidence)
}

#[test]
fn in_one_network_the_computer_that_refuses_or_the_network_is_the_cause() {
    let theirs = |block| Finding::Computer { whose: Whose::Peers, at: at(LAN, 5000), block };
    let own = |block| Finding::Computer { whose: Whose::Own, at: at(OWN_LAN, 4000), block };
    let apart = |own| Finding::Apart { own, theirs: at(LAN, 5000) };
    let cases = [
        (REFUSED, None, vec![theirs(Block::Refuses)]),
        (SILENT, None, vec![apart(None)]),
        (SILENT, Some(SILENT), vec![apart(Some(at(OWN_LAN, 4000)))]),
        (REFUSED, Some(SILENT), vec![theirs(Block::Refuses), own(Block::Drops)]),
        (SILENT, Some(REFUSED), vec![theirs(Block::Drops), own(Block::Refuses)]),
        (REFUSED, Some(DialResult::NotTried), vec![theirs(Block::Refuses)]),
    ];
    for (one, other, expected) in cases {
        assert_eq!(in_one_network(one, other), expected, "{one:?} {other:?}");
    }
}

#[test]
fn a_router_that_changes_ports_outranks_all_other_causes() {
    let own = Finding::ChangesPorts { whose: Whose::Own, outside: Some(at(OWN_FAR, 1).ip()) };
    let theirs = Finding::ChangesPorts { whose: Whose::Peers, outside: Some(at(FAR, 1).ip()) };
    for (own_port, their_port, expected) in [
        (40_123, 5000, vec![own]),
        (4000, 40_123, vec![theirs]),
        (40_123, 40_456, vec![own, theirs]),
    ] {
        let mut evidence = evidence();
        evidence.report.outside =
            Some(Endpoint { address: OWN_FAR.parse().unwrap(), port: port(own_port) });
        evidence.report.offered = Candidates::new(vec![
            candidate(FAR, CandidateKind::SeenByServer, their_port),
            candidate("192.168.50.9", CandidateKind::Interface, 5000),
        ]);
        evidence.report.dialled = dialled(&[(FAR, their_port, SILENT)]);
        assert_eq!(findings(&evidence), expected);
    }
}

#[test]
fn an_own_public_address_means_no_router_whatever_the_port() {
    let mut evidence = evidence();
    evidence.networks = vec![format!("{OWN_FAR}/24").parse().unwrap()];
    evidence.report.offered = Candidates::new(vec![
        candidate(FAR, CandidateKind::SeenByServer, 5000),
        candidate(FAR, CandidateKind::Interface, 5000),
    ]);
    evidence.report.dialled = dialled(&[(FAR, 5000, SILENT)]);
    evidence.by_peer = Some(dialled(&[(OWN_FAR, 4000, REFUSED)]));
    let border = |whose, at, block| Finding::Border { whose, at, block, translates: false };
    let expected = [
        border(Whose::Peers, at(FAR, 5000), Block::Drops),
        border(Whose::Own, at(OWN_FAR, 4000), Block::Refuses),
    ];
    assert_eq!(findings(&evidence), expected);
}

#[test]
fn routers_that_keep_ports_and_let_nothing_in_are_named_with_their_way_of_doing_so() {
    let mut evidence = evidence();
    let router = |whose, at, block| Finding::Border { whose, at, block, translates: true };
    evidence.report.dialled =
        dialled(&[(FAR, 5000, REFUSED), ("192.168.50.9", 5000, DialResult::NotTried)]);
    let theirs = router(Whose::Peers, at(FAR, 5000), Block::Refuses);
    assert_eq!(findings(&evidence), [theirs]);
    evidence.by_peer = Some(dialled(&[(OWN_FAR, 4000, SILENT)]));
    let own = router(Whose::Own, at(OWN_FAR, 4000), Block::Drops);
    assert_eq!(findings(&evidence), [theirs, own]);
}

#[test]
fn remaining_cases_are_described_as_they_are() {
    let mut evidence = evidence();
    assert_eq!(findings(&evidence), [Finding::Nothing]);
    evidence.report.dialled = dialled(&[("2001:db8::9", 5000, DialResult::NoRoute)]);
    assert_eq!(findings(&evidence), [Finding::NoRoute { to: at("2001:db8::9", 5000) }]);
    evidence.report.dialled = dialled(&[(FAR, 5000, DialResult::Foreign)]);
    assert_eq!(findings(&evidence), [Finding::OtherProgram { at: at(FAR, 5000) }]);
    evidence.report.offered = None;
    assert_eq!(findings(&evidence), [Finding::NoAddresses]);
    evidence.report.reached = Some((at(FAR, 5000), false));
    assert_eq!(findings(&evidence), [Finding::FilesBlocked { own_port: 4001 }]);
    evidence.report.has_files = true;
    let connected = Finding::Connected { by: Whose::Peers, at: at(FAR, 5000) };
    assert_eq!(findings(&evidence), [connected]);
}
