//! To the broker.

use actix::prelude::Message;

use super::steps::{PresentedTicket, SessionStep, Step};
use crate::protocol::Username;
use crate::protocol::v2::{Declined, SessionId};
use crate::server::broker::requests::RequestLimits;
use crate::server::ids::MemberId;
use crate::server::registry::directory::Member;

/// Registry to broker: a step between two who are both here.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum ToBroker {
    /// `from` takes a step towards `to`.
    Step { from: Member, to: Member, step: Step },
    /// `from` asks for a user of revision 2 who is not here.
    NotHere { from: Member, session: SessionId, name: Username, reason: Declined },
    /// `from` takes a step of the request with this number.
    Session { from: Member, session: SessionId, step: SessionStep },
    /// A connection from a private port shows a ticket. Answered by `ConnectionOrder::Here`
    /// or `ConnectionOrder::Close`.
    Show(PresentedTicket),
    /// A user left.
    Forget { id: MemberId },
}

/// To the broker: the limits from now on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetRequestLimits(pub(crate) RequestLimits);
