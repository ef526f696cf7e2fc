//! What both sides of a meeting saw.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::client::api::diagnosis::{Attempt, AttemptResult};
use crate::client::api::event::Direction;
use crate::client::meeting::MeetingReport;
use crate::protocol::Username;
use crate::protocol::v2::{Candidate, CandidateKind, DialReport, DialResult};

/// Everything that is known of a meeting that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) peer: Username,
    /// The networks of this machine.
    pub(crate) networks: Vec<IpNet>,
    pub(crate) report: MeetingReport,
    /// What the other side saw, if it has said so.
    pub(crate) by_peer: Option<DialReport>,
}

/// What the router of one side does with the port of a connection that goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Translation {
    /// There is no router that translates.
    None,
    KeepsPort,
    ChangesPort,
    /// The server does not say.
    Unknown,
}

impl Evidence {
    /// The addresses that the other side offered.
    pub(super) fn theirs(&self) -> &[Candidate] {
        self.report.offered.as_ref().map_or(&[], |offered| offered.as_slice())
    }

    /// Both directions, those from here first.
    pub(super) fn attempts(&self) -> impl Iterator<Item = Attempt> {
        let own = attempts(&self.report.dialled, Direction::Outgoing);
        own.chain(self.by_peer.iter().flat_map(|report| attempts(report, Direction::Incoming)))
    }

    /// Whether it is in a network of this machine.
    pub(super) fn is_near(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    pub(super) fn own_translation(&self) -> Translation {
        let Some(outside) = self.report.outside else { return Translation::Unknown };
        let is_own = self.networks.iter().any(|network| network.addr() == outside.address);
        translation(is_own, outside.port == self.report.ports.message)
    }

    pub(super) fn peer_translation(&self) -> Translation {
        let is_seen = |candidate: &&Candidate| candidate.kind == CandidateKind::SeenByServer;
        let seen = self.theirs().iter().find(is_seen);
        let mut own = self.theirs().iter().filter(|candidate| !is_seen(candidate)).peekable();
        let (Some(seen), Some(first)) = (seen, own.peek().copied()) else {
            return Translation::Unknown;
        };
        let is_own = own.any(|candidate| candidate.address == seen.address);
        translation(is_own, seen.ports.message == first.ports.message)
    }
}

pub(super) fn translation(is_own: bool, is_same_port: bool) -> Translation {
    match (is_own, is_same_port) {
        (true, _) => Translation::None,
        (false, true) => Translation::KeepsPort,
        (false, false) => Translation::ChangesPort,
    }
}

fn attempts(report: &DialReport, direction: Direction) -> impl Iterator<Item = Attempt> {
    report.as_slice().iter().map(move |dialled| Attempt {
        direction,
        address: SocketAddr::from(dialled.to),
        result: match dialled.result {
            DialResult::Reached => AttemptResult::Reached,
            DialResult::Refused => AttemptResult::Refused,
            DialResult::Silent => AttemptResult::Silent,
            DialResult::NoRoute => AttemptResult::NoRoute,
            DialResult::NotTried | DialResult::Other(_) => AttemptResult::NotTried,
            DialResult::Foreign => AttemptResult::OtherProgram,
        },
    })
}
