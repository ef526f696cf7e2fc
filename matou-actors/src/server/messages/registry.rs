//! To the registry.

use std::net::{IpAddr, SocketAddr};

use actix::prelude::Message;
use bytes::Bytes;
use tokio::sync::oneshot;

use super::steps::{PrivateStep, RemoteStep};
use crate::protocol::v2::{LeaveReason, SessionId};
use crate::protocol::{ClaimedName, Username};
use crate::server::ids::{ConnectionId, MemberId, Route};
use crate::server::registry::access::{Access, PasswordCheck};
use crate::server::registry::bound_names::{Binding, BindingRules};
use crate::server::registry::directory::{Addresses, Member};
use crate::server::room::event::MemberKey;
use crate::trust::Fingerprint;

/// Connection to registry.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum ToRegistry {
    /// COREQ or HELLO. Answered by `ConnectionOrder::Refuse`, or by the room with `FromRoom::Admit`.
    Join(JoinRequest),
    /// A step of a private request. Answered by `ConnectionOrder::Resume`.
    Private { route: Route, step: PrivateStep },
    /// The connection has ended, having joined or not.
    Leave { id: ConnectionId, reason: LeaveReason },
    /// The server stops: write the names that are not written yet.
    CloseStore(oneshot::Sender<()>),
    /// Of the node of a cluster.
    Node(NodeEvent),
}

/// A client asks for a name.
#[derive(Debug)]
pub(crate) struct JoinRequest {
    pub(crate) route: Route,
    pub(crate) claimed: ClaimedName,
    pub(crate) peer: SocketAddr,
    pub(crate) addresses: Addresses,
    pub(crate) key: MemberKey,
    /// The last event that the client has seen; 0 is none.
    pub(crate) last_sequence: u64,
    pub(crate) password: PasswordCheck,
}

/// Node to registry, in the order of all nodes.
#[derive(Debug)]
pub(crate) enum NodeEvent {
    /// A member of any node.
    Joined {
        member: MemberId,
        name: Username,
        key: MemberKey,
        replaces: Option<MemberId>,
    },
    /// The name is taken.
    Refused(MemberId),
    Left(MemberId),
    /// The other nodes count this one as gone.
    Expelled,
    /// Whether clients may be served from now on.
    Serving(bool),
    /// A member elsewhere takes a step towards a local one.
    Step {
        from: Member,
        to: MemberId,
        step: RemoteStep,
    },
    /// A frame for a local member, about one elsewhere.
    Deliver {
        from: MemberId,
        to: MemberId,
        frame: Bytes,
    },
    /// The request of a local member did not reach the other node.
    Unreachable {
        from: MemberId,
        session: SessionId,
        name: Username,
    },
}

/// To the registry: who has that name, without regard to case, and where.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Option<FoundMember>")]
pub(crate) struct Find(pub(crate) ClaimedName);

/// The answer to [`Find`].
#[derive(Clone, Debug)]
pub(crate) struct FoundMember {
    pub(crate) route: Route,
    pub(crate) name: Username,
    pub(crate) address: IpAddr,
}

/// To the registry: who uses that key, and where.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<FoundMember>")]
pub(crate) struct FindKey(pub(crate) Fingerprint);

/// To the registry: the names that belong to keys.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<Binding>")]
pub(crate) struct ListNames;

/// To the registry: release that name; answered with its binding, if it belonged to a key.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Option<Binding>")]
pub(crate) struct ForgetName(pub(crate) Username);

/// To the registry: which users are admitted from now on.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetAccess(pub(crate) Access);

/// To the registry: how names are bound from now on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetNames(pub(crate) BindingRules);
