//! To the listener.

use std::net::SocketAddr;

use actix::prelude::Message;

use crate::server::accept::admission::AdmissionLimits;
use crate::server::ids::ConnectionId;

/// What became of a connection: the shard reports to the listener that it has joined, the
/// connection reports to both that it has ended.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum Lifecycle {
    Joined { peer: SocketAddr },
    Ended { id: ConnectionId, peer: SocketAddr, joined: bool },
}

/// Stop accepting; answered when the listening sockets are closed.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct StopAccepting;

/// To the listener: the limits from now on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetAdmission(pub(crate) AdmissionLimits);
