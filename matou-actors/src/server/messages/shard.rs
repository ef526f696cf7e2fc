//! To a shard.

use std::net::SocketAddr;
use std::time::Duration;

use actix::prelude::Message;
use ipnet::IpNet;
use tokio::sync::oneshot;

use super::connection::LastMessage;
use crate::protocol::Username;
use crate::server::admin::wire::ClientReport;
use crate::server::connection::socket::Accepted;
use crate::server::ids::ConnectionId;
use crate::server::room::batch::{Batch, Welcome};
use crate::server::settings::Limits;

/// Listener to shard: a connection was accepted.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Accept {
    pub(crate) id: ConnectionId,
    pub(crate) accepted: Accepted,
    pub(crate) peer: SocketAddr,
    /// It is read only after this.
    pub(crate) hold: Duration,
}

/// Room to shard.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum FromRoom {
    /// A connection of this shard has entered the room.
    Admit { id: ConnectionId, name: Username, welcome: Welcome },
    /// Bytes for all on this shard. `BatchWritten` when the sockets have been tried.
    Batch(Batch),
}

/// To a shard: the limits of its connections, existing ones included.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetLimits(pub(crate) Limits);

/// To a shard: list the connections.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<ClientReport>")]
pub(crate) struct ListClients;

/// To a shard: disconnect every client of that network, and return how many there were.
#[derive(Clone, Debug, Message)]
#[rtype(result = "usize")]
pub(crate) struct CloseFrom {
    pub(crate) network: IpNet,
    /// What those who have joined get before.
    pub(crate) last_message: LastMessage,
}

/// Stop reading on every connection.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct QuiesceAll;

/// Make every connection write what is queued and end; answered when all have.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CloseAll(pub(crate) oneshot::Sender<()>);
