//! What the evidence of a meeting means.

use std::net::{IpAddr, SocketAddr};

use super::evidence::{Evidence, Translation};
use crate::client::api::diagnosis::{Attempt, AttemptResult};
use crate::client::api::event::Direction;

/// The other user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The user of this client.
    Own,
    /// The other one.
    Peers,
}

/// How something that is in the way behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    Refuses,
    Drops,
}

/// One thing that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// There is a way, found by a dial of this side.
    Connected { by: Whose, at: SocketAddr },
    /// Messages found a way and files did not.
    FilesBlocked { own_port: u16 },
    /// The addresses of the other side were never received.
    NoAddresses,
    /// A computer of the own network blocks incoming connections.
    Computer { whose: Whose, at: SocketAddr, block: Block },
    /// Two computers of one network do not hear each other.
    Apart { own: Option<SocketAddr>, theirs: SocketAddr },
    /// A router uses another port for each connection.
    ChangesPorts { whose: Whose, outside: Option<IpAddr> },
    /// A router, or a firewall if nothing is translated, blocks incoming connections.
    Border { whose: Whose, at: SocketAddr, block: Block, translates: bool },
    /// The two have no IP version in common.
    NoRoute { to: SocketAddr },
    /// Something else has the address of the other side.
    OtherProgram { at: SocketAddr },
    /// Nothing was dialled.
    Nothing,
}

/// What the evidence means, the likeliest cause first; never empty.
pub(super) fn findings(evidence: &Evidence) -> Vec<Finding> {
    let report = &evidence.report;
    if let Some((at, by_own)) = report.reached {
        let by = if by_own { Whose::Own } else { Whose::Peers };
        let own_port = report.ports.file.get();
        return if report.has_files {
            vec![Finding::Connected { by, at }]
        } else {
            vec![Finding::FilesBlocked { own_port }]
        };
    }
    if evidence.theirs().is_empty() {
        return vec![Finding::NoAddresses];
    }
    let attempts: Vec<_> = evidence.attempts().collect();
    let near = near(evidence, &attempts);
    if !near.is_empty() {
        return near;
    }
    let mut found = translated(evidence);
    if found.is_empty() {
        found.extend(border(evidence, &attempts, Direction::Outgoing));
        found.extend(border(evidence, &attempts, Direction::Incoming));
    }
    let first = |result| attempts.iter().find(|attempt| attempt.result == result);
    if found.is_empty()
        && let Some(other) = first(AttemptResult::OtherProgram)
    {
        found.push(Finding::OtherProgram { at: other.address });
    }
    if found.is_empty() {
        let without_route = first(AttemptResult::NoRoute);
        let to = without_route.map(|attempt| Finding::NoRoute { to: attempt.address });
        found.push(to.unwrap_or(Finding::Nothing));
    }
    found
}

/// What stops two computers of one network.
fn near(evidence: &Evidence, attempts: &[Attempt]) -> Vec<Finding> {
    let blocked = |direction| {
        let near = attempts.iter().filter(move |attempt| attempt.direction == direction);
        let mut near = near.filter(|attempt| evidence.is_near(attempt.address.ip()));
        near.find_map(|attempt| Some((attempt.address, block(attempt.result)?)))
    };
    let Some((theirs, their_block)) = blocked(Direction::Outgoing) else { return Vec::new() };
    let own = blocked(Direction::Incoming);
    let computer = |whose, at, block| Finding::Computer { whose, at, block };
    match (their_block, own) {
        (Block::Drops, None) => vec![Finding::Apart { own: None, theirs }],
        (Block::Drops, Some((own, Block::Drops))) => {
            vec![Finding::Apart { own: Some(own), theirs }]
        }
        (block, None) => vec![computer(Whose::Peers, theirs, block)],
        (block, Some((own, own_block))) => {
            vec![computer(Whose::Peers, theirs, block), computer(Whose::Own, own, own_block)]
        }
    }
}

/// Routers that no one passes.
fn translated(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    if evidence.own_translation() == Translation::ChangesPort {
        let outside = evidence.report.outside.map(|outside| outside.address);
        found.push(Finding::ChangesPorts { whose: Whose::Own, outside });
    }
    if evidence.peer_translation() == Translation::ChangesPort {
        let outside = evidence.theirs().first().map(|seen| seen.address);
        found.push(Finding::ChangesPorts { whose: Whose::Peers, outside });
    }
    found
}

/// What blocks incoming connections at the border of the network of one side.
fn border(evidence: &Evidence, attempts: &[Attempt], direction: Direction) -> Option<Finding> {
    let mut tried = attempts.iter().filter(|attempt| attempt.direction == direction);
    let (at, block) = tried.find_map(|attempt| Some((attempt.address, block(attempt.result)?)))?;
    let (whose, translation) = match direction {
        Direction::Outgoing => (Whose::Peers, evidence.peer_translation()),
        Direction::Incoming => (Whose::Own, evidence.own_translation()),
    };
    let translates = translation == Translation::KeepsPort;
    Some(Finding::Border { whose, at, block, translates })
}

fn block(result: AttemptResult) -> Option<Block> {
    match result {
        AttemptResult::Refused => Some(Block::Refuses),
        AttemptResult::Silent => Some(Block::Drops),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
