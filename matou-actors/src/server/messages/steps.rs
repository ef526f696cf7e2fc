//! The steps of a private request, as they pass between registry, broker and nodes.

use std::time::Duration;

use crate::protocol::v2::{
    self, Candidates, DialReport, Endpoint, MeetingResult, PrivatePort, SessionId, Ticket,
};
use crate::protocol::{ClaimedName, PortPair};
use crate::server::ids::Route;
use crate::server::room::event::MemberKey;

/// One step of a private request, as the client named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PrivateStep {
    /// PVCOREQ.
    Request { to: ClaimedName },
    /// PVCOACC.
    Accept { from: ClaimedName },
    /// PVCOPORT.
    OfferPorts { to: ClaimedName, ports: PortPair },
    /// ASK.
    Ask { session: SessionId, to: ClaimedName },
    /// A step of the request that has this number.
    Session { session: SessionId, step: SessionStep },
}

/// A step of a request of revision 2, which has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SessionStep {
    /// ANSWER.
    Answer(v2::Answer),
    /// CANDIDATES.
    Candidates(Candidates),
    /// OUTCOME.
    Outcome(MeetingResult, DialReport),
}

/// A step of a private request between two known members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Request,
    Accept,
    OfferPorts(PortPair),
    /// ASK.
    Ask(SessionId),
}

/// A step towards a member elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RemoteStep {
    Step(Step),
    Session { session: SessionId, step: SessionStep },
}

/// WHERE: a ticket, and the connection on which it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PresentedTicket {
    pub(crate) route: Route,
    pub(crate) ticket: Ticket,
    pub(crate) port: PrivatePort,
    pub(crate) seen: Endpoint,
    pub(crate) key: MemberKey,
    pub(crate) round_trip: Duration,
}
