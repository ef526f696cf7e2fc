//! What the actors of the server say to each other.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use actix::prelude::Message;
use bytes::{Bytes, BytesMut};
use ipnet::IpNet;
use tokio::sync::oneshot;

use crate::protocol::v2::{
    self, Candidates, Declined, DialReport, Endpoint, LeaveReason, MeetingResult, NoticeCode,
    NoticeLevel, PrivatePort, SessionId, Text, Ticket,
};
use crate::protocol::{
    ClaimedName, Encode as _, FoldedName, Kind, MessageText, PortPair, Username, encode_message,
    message_length,
};
use crate::server::accept::admission::AdmissionLimits;
use crate::server::accept::bans::Bans;
use crate::server::address_prefix::AddressPrefix;
use crate::server::admin::wire::{ClientReport, ClusterReport, Request, Response};
use crate::server::broker::requests::RequestLimits;
use crate::server::connection::socket::Accepted;
use crate::server::ids::{ConnectionId, MemberId, Route};
use crate::server::reason::Reason;
use crate::server::registry::access::{Access, PasswordCheck};
use crate::server::registry::bound_names::{Binding, BindingRules};
use crate::server::registry::directory::{Addresses, Member, Refused};
use crate::server::room::batch::{Batch, Welcome};
use crate::server::room::event::{Dialect, MemberKey};
use crate::server::room::history::HistoryLimits;
use crate::server::room::rates::RoomRates;
use crate::server::room::roster::Present;
use crate::server::room::sequencer::{Decision, Proposal};
use crate::server::settings::Limits;
use crate::trust::Fingerprint;

/// Listener to shard: a connection was accepted.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Accept {
    pub(crate) id: ConnectionId,
    pub(crate) accepted: Accepted,
    pub(crate) peer: SocketAddr,
    /// It is heard only after this.
    pub(crate) hold: Duration,
}

/// Connection to registry.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum ToRegistry {
    /// COREQ or HELLO. Answered by [`Order::Refuse`], or by the room with [`FromRoom::Admit`].
    Join(JoinRequest),
    /// A step of a private request. Answered by [`Order::Resume`].
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
    /// The other nodes have taken this one for gone.
    Expelled,
    /// Whether clients may be served from now on.
    Serving(bool),
    /// A member elsewhere takes a step towards one who is here.
    Step {
        from: Member,
        to: MemberId,
        step: RemoteStep,
    },
    /// A frame for a member who is here, about one elsewhere.
    Deliver {
        from: MemberId,
        to: MemberId,
        frame: Bytes,
    },
    /// What a member who is here asked did not reach the node of the other one.
    Unreachable {
        from: MemberId,
        session: SessionId,
        name: Username,
    },
}

/// A step towards a member elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RemoteStep {
    Step(Step),
    Session { session: SessionId, step: SessionStep },
}

/// To the node of a cluster.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum ToNode {
    /// Room: these are to happen, in this order. `generation` counts how often the node was
    /// expelled: what was proposed before is void.
    Propose { generation: u64, proposals: Vec<Proposal> },
    /// Room: what was said is to be forgotten on all nodes.
    Purge(Option<FoldedName>),
    /// Registry: a step of one who is here towards a member elsewhere, who has that name.
    Step { from: Member, to: MemberId, name: Username, step: RemoteStep },
    /// Broker: a frame about `from` for a member elsewhere.
    Deliver { from: MemberId, to: MemberId, frame: Bytes },
    /// The server stops: let the members leave; answered when all nodes know.
    Stop(oneshot::Sender<()>),
}

/// Node to room, in the order of all nodes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum FromNode {
    /// The room as it is before the next event, which has the sequence `next`.
    Begin { next: u64, members: Vec<Present> },
    /// These happened.
    Decided(Vec<Decision>),
    /// The other nodes have taken this one for gone: what was proposed is void.
    Expelled,
    /// Forget what was said under that name, or everything.
    Purge(Option<FoldedName>),
}

/// Of the node: how the cluster is.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "ClusterReport")]
pub(crate) struct ReportCluster;

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

/// A step of a request of revision 2, which has a number of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SessionStep {
    /// ANSWER.
    Answer(v2::Answer),
    /// CANDIDATES.
    Candidates(Candidates),
    /// OUTCOME.
    Outcome(MeetingResult, DialReport),
}

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
    /// A connection from a private port shows a ticket. Answered by [`Order::Here`] or
    /// [`Order::Close`].
    Show(PresentedTicket),
    /// A user left.
    Forget { id: MemberId },
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

/// A step of a private request between two known members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Request,
    Accept,
    OfferPorts(PortPair),
    /// ASK.
    Ask(SessionId),
}

/// Registry to room.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum ToRoom {
    /// A client joined.
    ///
    /// `replaces` is the same user on another connection: the others read neither of a leave nor of
    /// a join.
    Enter {
        route: Route,
        name: Username,
        key: MemberKey,
        replaces: Option<MemberId>,
        /// The last event that the client has seen; 0 is none.
        last_sequence: u64,
    },
    /// A client left.
    Leave { id: MemberId, reason: LeaveReason },
}

/// Connection to room: what its client said in a row. One at a time: the next one after the batch
/// with the last of these texts.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Publish {
    pub(crate) route: Route,
    pub(crate) from: Username,
    pub(crate) address: AddressPrefix,
    pub(crate) texts: Vec<MessageText>,
    /// They are about actions, as of `/me`.
    pub(crate) action: bool,
    /// When they were read.
    pub(crate) at: Instant,
    /// Whether the client may go on once they are written.
    pub(crate) resumes: bool,
}

impl Publish {
    /// How many bytes everybody else reads of the first `count` texts.
    pub(crate) fn length(&self, count: usize) -> usize {
        self.texts.iter().take(count).map(|text| message_length(&self.from, text)).sum()
    }
}

/// Connection to room: its client asks for what was said before the event with that sequence. One
/// at a time: answered by frames and [`Order::Resume`].
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Recall {
    pub(crate) route: Route,
    pub(crate) before: u64,
    pub(crate) count: u32,
}

/// Broker to room: a frame for one client, which gets it behind all that was said before; it
/// is dropped when the client whose step it announces has left.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Relay {
    pub(crate) from: MemberId,
    pub(crate) to: Route,
    pub(crate) frame: Bytes,
}

/// Room to shard.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum FromRoom {
    /// A connection of this shard has entered the room.
    Admit { id: ConnectionId, name: Username, welcome: Welcome },
    /// Bytes for everybody on this shard. [`BatchWritten`] when the sockets have been tried.
    Batch(Batch),
}

/// Shard to room: the batch has been handed to every socket that takes it.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct BatchWritten {
    pub(crate) shard: usize,
}

/// Anybody to shard: an order for one of its connections; ignored when that one has ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ToConnection {
    pub(crate) id: ConnectionId,
    pub(crate) order: Order,
}

/// An order to a connection.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum Order {
    /// Answer CORES 0 or REFUSED.
    Refuse(Refused),
    /// CORES 1 or WELCOME is written: take part in the room.
    Welcome { name: Username },
    /// The socket takes no more: write on when it does.
    AwaitWritable,
    /// Send the last words before the end.
    SendLast(LastMessage),
    /// The same user has joined on another connection: say so and end.
    TakenOver,
    /// What was forwarded has been dealt with: read on.
    Resume,
    /// The ticket is good: say where the connection comes from, and stay until the meeting is over.
    Here,
    /// The shard's limits have changed.
    ApplyLimits,
    /// Read nothing any more.
    Quiesce,
    /// Write what is queued and end.
    Close(Reason),
    /// Panic.
    #[cfg(feature = "testing")]
    Panic,
}

/// Why an operator disconnects a client, in words for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastMessage {
    /// Revision 1 has no frame for it: it comes as a message from this name.
    pub(crate) speaker: Username,
    pub(crate) text: MessageText,
    pub(crate) code: NoticeCode,
}

impl LastMessage {
    /// The frame in that dialect, and its type.
    pub(crate) fn encode(&self, dialect: Dialect) -> (Bytes, Kind) {
        let mut out = BytesMut::new();
        match dialect {
            Dialect::V1 => encode_message(&self.speaker, &self.text, &mut out),
            Dialect::V2 => {
                let text = Text::new(self.text.as_str()).unwrap_or_default();
                let (level, code) = (NoticeLevel::End, self.code);
                v2::ServerFrame::Notice { level, code, text }.encode(&mut out);
            }
        }
        let kind = match dialect {
            Dialect::V1 => Kind::MSGBC,
            Dialect::V2 => Kind::NOTICE,
        };
        (out.freeze(), kind)
    }
}

/// What became of a connection: the shard reports to the listener that it has joined, the
/// connection reports to both that it has ended.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum Lifecycle {
    Joined { peer: SocketAddr },
    Ended { id: ConnectionId, peer: SocketAddr, joined: bool },
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

/// To the registry: let others have that name; answered with what it was, if it belonged to a key.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Option<Binding>")]
pub(crate) struct ForgetName(pub(crate) Username);

/// To the room: say this in the server's name.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Announce(pub(crate) MessageText);

/// To the room: forget what was said under that name, or everything.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Purged")]
pub(crate) struct Purge(pub(crate) Option<FoldedName>);

/// The answer to [`Purge`].
#[derive(Debug)]
pub(crate) struct Purged {
    pub(crate) messages: usize,
    /// Says whether the file is rid of them, too, if there is a file.
    pub(crate) saved: Option<oneshot::Receiver<Result<(), String>>>,
}

/// Stop accepting; answered when the listening sockets are closed.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct StopAccepting;

/// Stop reading on every connection.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct QuiesceAll;

/// Ask the room to answer once everything said has been handed to the shards.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Drain(pub(crate) oneshot::Sender<()>);

/// Make every connection write what is queued and end; the answer comes when all have.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CloseAll(pub(crate) oneshot::Sender<()>);

/// To the listener: the limits from now on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetAdmission(pub(crate) AdmissionLimits);

/// To the broker: the limits from now on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetRequestLimits(pub(crate) RequestLimits);

/// To the room: how new members are welcomed and how fast it takes messages from now on.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetRoom {
    pub(crate) replay_roster: bool,
    /// The message of the day, a frame for each line.
    pub(crate) motd: Vec<MessageText>,
    pub(crate) rates: RoomRates,
    pub(crate) history: HistoryLimits,
}

/// To the registry: who is let in from now on.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetAccess(pub(crate) Access);

/// To the registry: how names are bound from now on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetNames(pub(crate) BindingRules);

/// To a shard: the limits of its connections, existing ones included.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetLimits(pub(crate) Limits);

/// To any critical actor: answer.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Ping;

/// To the admin actor: an operator's request.
#[derive(Debug, Message)]
#[rtype(result = "Response")]
pub(crate) struct AdminRequest(pub(crate) Request);

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

/// To the listener and the registry: the bans from now on.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetBans(pub(crate) Bans);

/// To any critical actor: panic.
#[cfg(feature = "testing")]
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Panic;
