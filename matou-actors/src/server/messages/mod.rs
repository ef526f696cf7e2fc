//! What the actors of the server send each other, by receiver.

mod broker;
mod connection;
mod listener;
mod node;
mod registry;
mod room;
mod shard;
mod steps;

use actix::prelude::Message;

use crate::server::accept::bans::Bans;
use crate::server::admin::wire::{Request, Response};

pub(crate) use self::broker::{SetRequestLimits, ToBroker};
pub(crate) use self::connection::{ConnectionOrder, LastMessage, ToConnection};
pub(crate) use self::listener::{Lifecycle, SetAdmission, StopAccepting};
pub(crate) use self::node::{ReportCluster, ToNode};
pub(crate) use self::registry::{
    Find, FindKey, ForgetName, FoundMember, JoinRequest, ListNames, NodeEvent, SetAccess, SetNames,
    ToRegistry,
};
pub(crate) use self::room::{
    Announce, BatchWritten, Drain, FromNode, Publish, Purge, Purged, Recall, Relay, ReportTopic,
    SetRoom, SetTopic, ToRoom,
};
pub(crate) use self::shard::{
    Accept, CloseAll, CloseFrom, FromRoom, ListClients, QuiesceAll, SetLimits,
};
pub(crate) use self::steps::{PresentedTicket, PrivateStep, RemoteStep, SessionStep, Step};

/// To any critical actor: answer.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Ping;

/// To the admin actor: an operator's request.
#[derive(Debug, Message)]
#[rtype(result = "Response")]
pub(crate) struct AdminRequest(pub(crate) Request);

/// To the listener and the registry: the bans from now on.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetBans(pub(crate) Bans);

/// To any critical actor: panic.
#[cfg(feature = "testing")]
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Panic;
