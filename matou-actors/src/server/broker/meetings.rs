//! The meetings of those whose request was accepted: where both are seen from outside, and when
//! they dial.
//!
//! Each side gets a ticket, which it shows on connections from its two private ports. Once both
//! sides have, or the wait is over, they get each other's outside addresses and the signal to go.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::protocol::PortPair;
use crate::protocol::v2::{
    Candidate, CandidateKind, Candidates, Endpoint, PrivatePort, SessionId, Ticket,
};
use crate::server::broker::requests::Ignored;
use crate::server::broker::session_request::SessionRequest;
use crate::server::ids::{MemberId, Route};
use crate::server::messages::PresentedTicket;
use crate::server::registry::directory::{Addresses, Member};
use crate::server::shrink_sparse::ShrinkSparse as _;

/// How long a meeting is remembered; the protocol allows it this much time in all.
pub(crate) const MEETING_LIFETIME: Duration = Duration::from_secs(20);
/// How long GO waits, from the asker's candidates on, for sides that have not shown their tickets.
pub(crate) const WAIT_FOR_BOTH: Duration = Duration::from_millis(800);
/// Meetings at a time; further ones get no tickets, and dial without a word from the server.
const MOST: usize = 4096;
/// The most by which one side's GO is held back.
const LONGEST_SHIFT: Duration = Duration::from_millis(500);

/// The meetings that are not over.
#[derive(Debug, Default)]
pub(crate) struct Meetings {
    by_session: HashMap<SessionId, Meeting>,
    by_ticket: HashMap<Ticket, (SessionId, Role)>,
    over: Vec<Route>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Asker,
    Asked,
}

#[derive(Debug)]
struct Meeting {
    asker: Side,
    asked: Side,
    begun: Instant,
    has_gone: bool,
}

#[derive(Debug)]
struct Side {
    member: Member,
    ticket: Ticket,
    /// What the other side has been given of it.
    given: Option<Candidates>,
    messages: Option<Seen>,
    files: Option<Seen>,
    has_reported: bool,
}

/// A connection from a private port.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Endpoint,
    route: Route,
    round_trip: Duration,
}

/// The tickets of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tickets {
    pub(crate) asker: Ticket,
    pub(crate) asked: Ticket,
}

/// What one side is sent when both dial.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Go {
    pub(crate) to: Member,
    /// Of whom the candidates are.
    pub(crate) of: MemberId,
    /// All addresses of the other side, if there is a new one among them.
    pub(crate) candidates: Option<Candidates>,
    /// How long after the other side it goes.
    pub(crate) after: Duration,
}

impl Meetings {
    /// `request` was accepted, and its asker is given these addresses. `None` when there is no room
    /// for another meeting.
    pub(crate) fn begin(
        &mut self,
        request: &SessionRequest,
        given: Candidates,
        now: Instant,
    ) -> Option<Tickets> {
        if self.by_session.len() >= MOST || self.by_session.contains_key(&request.session) {
            return None;
        }
        let tickets = Tickets { asker: random_ticket()?, asked: random_ticket()? };
        let side = |member: &Member, ticket, given| Side {
            member: member.clone(),
            ticket,
            given,
            messages: None,
            files: None,
            has_reported: false,
        };
        let meeting = Meeting {
            asker: side(&request.asker, tickets.asker, None),
            asked: side(&request.asked, tickets.asked, Some(given)),
            begun: now,
            has_gone: false,
        };
        self.by_session.insert(request.session, meeting);
        self.by_ticket.insert(tickets.asker, (request.session, Role::Asker));
        self.by_ticket.insert(tickets.asked, (request.session, Role::Asked));
        Some(tickets)
    }

    /// The other side has been given these addresses of the asker.
    pub(crate) fn offered(&mut self, session: SessionId, given: Candidates) {
        if let Some(meeting) = self.by_session.get_mut(&session) {
            meeting.asker.given = Some(given);
        }
    }

    /// A client shows a ticket; whose meeting it is.
    pub(crate) fn show(
        &mut self,
        shown: &PresentedTicket,
        now: Instant,
    ) -> Result<SessionId, Ignored> {
        self.expire(now);
        let PresentedTicket { ticket, port, .. } = *shown;
        let (session, role) = *self.by_ticket.get(&ticket).ok_or(Ignored::NotPending)?;
        let meeting = self.by_session.get_mut(&session).ok_or(Ignored::NotPending)?;
        let side = match role {
            Role::Asker => &mut meeting.asker,
            Role::Asked => &mut meeting.asked,
        };
        if side.member.key != shown.key {
            return Err(Ignored::NotPending);
        }
        let place = match port {
            PrivatePort::Messages => &mut side.messages,
            PrivatePort::Files => &mut side.files,
            PrivatePort::Other(_) => return Err(Ignored::NotPending),
        };
        if place.is_some() {
            return Err(Ignored::Repeated);
        }
        let PresentedTicket { seen: at, route, round_trip, .. } = *shown;
        *place = Some(Seen { at, route, round_trip });
        Ok(session)
    }

    /// What both sides are sent: once, when the asker has sent its addresses and either both sides
    /// are seen or `has_waited`. The side that is informed later comes first.
    pub(crate) fn go(&mut self, session: SessionId, has_waited: bool) -> Option<[Go; 2]> {
        let meeting = self.by_session.get_mut(&session)?;
        let is_known = meeting.asker.is_seen() && meeting.asked.is_seen();
        if meeting.has_gone || meeting.asker.given.is_none() || !(is_known || has_waited) {
            return None;
        }
        meeting.has_gone = true;
        let Meeting { asker, asked, .. } = meeting;
        let difference = match (asker.round_trip(), asked.round_trip()) {
            (Some(one), Some(other)) => one.abs_diff(other),
            _ => Duration::ZERO,
        };
        let shift = (difference / 2).min(LONGEST_SHIFT);
        let asker_is_near = asker.round_trip() < asked.round_trip();
        let mut both = [asked.go_to(asker), asker.go_to(asked)];
        if !asker_is_near {
            both.reverse();
        }
        let [near, far] = &mut both;
        (near.after, far.after) = (shift, Duration::ZERO);
        both.reverse();
        Some(both)
    }

    /// OUTCOME of one side; returns who is to be informed. Once for each side.
    pub(crate) fn outcome(&mut self, by: MemberId, session: SessionId) -> Result<Member, Ignored> {
        let meeting = self.by_session.get_mut(&session).ok_or(Ignored::NotPending)?;
        let Meeting { asker, asked, .. } = meeting;
        let (own, other) = if asker.member.id() == by {
            (asker, asked)
        } else if asked.member.id() == by {
            (asked, asker)
        } else {
            return Err(Ignored::NotPending);
        };
        if std::mem::replace(&mut own.has_reported, true) {
            return Err(Ignored::Repeated);
        }
        let (other, is_over) = (other.member.clone(), other.has_reported);
        if is_over {
            self.remove(session);
        }
        Ok(other)
    }

    /// Forgets the meetings whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        let is_over = |meeting: &Meeting| now >= meeting.begun + MEETING_LIFETIME;
        let over = self.by_session.iter().filter(|(_, meeting)| is_over(meeting));
        for session in over.map(|(session, _)| *session).collect::<Vec<_>>() {
            self.remove(session);
        }
    }

    /// Takes the connections that are needed no longer.
    pub(crate) fn take_over(&mut self) -> Vec<Route> {
        std::mem::take(&mut self.over)
    }

    fn remove(&mut self, session: SessionId) {
        let Some(meeting) = self.by_session.remove(&session) else { return };
        for side in [&meeting.asker, &meeting.asked] {
            self.by_ticket.remove(&side.ticket);
            self.over.extend([side.messages, side.files].into_iter().flatten().map(|s| s.route));
        }
        self.by_session.shrink_sparse();
        self.by_ticket.shrink_sparse();
    }
}

impl Side {
    fn is_seen(&self) -> bool {
        self.messages.is_some() && self.files.is_some()
    }

    fn round_trip(&self) -> Option<Duration> {
        self.messages.or(self.files).map(|seen| seen.round_trip)
    }

    /// What the other side, `to`, is sent.
    fn go_to(&self, to: &Self) -> Go {
        let candidates = self.outside(to.member.addresses);
        let (to, of) = (to.member.clone(), self.member.id());
        Go { to, of, candidates, after: Duration::ZERO }
    }

    /// The given addresses, preceded by the address from outside if that was not among them.
    fn outside(&self, other: Addresses) -> Option<Candidates> {
        let (given, messages) = (self.given.as_ref()?, self.messages?);
        // On its own machine the server sees addresses that mean nothing elsewhere.
        let seen = Addresses { peer: messages.at.address, ..self.member.addresses };
        let guessed = given.as_slice().first()?.ports.file;
        let file = self.files.map_or(guessed, |files| files.at.port);
        let outside = Candidate {
            address: seen.seen_by(other),
            ports: PortPair { message: messages.at.port, file },
            kind: CandidateKind::SeenByServer,
        };
        if given.as_slice().contains(&outside) {
            return None;
        }
        let all = std::iter::once(outside).chain(given.as_slice().iter().copied());
        Candidates::new(all.take(Candidates::MAX).collect())
    }
}

/// `None` if the system has no random numbers.
fn random_ticket() -> Option<Ticket> {
    let mut ticket = Ticket::NONE;
    aws_lc_rs::rand::fill(&mut ticket.0).ok()?;
    Some(ticket)
}

#[cfg(test)]
mod tests;
