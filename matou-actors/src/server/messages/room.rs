//! To the room.

use std::time::Instant;

use actix::prelude::Message;
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::protocol::v2::LeaveReason;
use crate::protocol::{FoldedName, MessageText, Username, message_length};
use crate::server::address_prefix::AddressPrefix;
use crate::server::ids::{MemberId, Route};
use crate::server::room::event::MemberKey;
use crate::server::room::history::HistoryLimits;
use crate::server::room::rates::RoomRates;
use crate::server::room::roster::Present;
use crate::server::room::sequencer::Decision;

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

/// Connection to room: consecutive messages of its client. One at a time: the next one after the
/// batch with the last of these texts.
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
    /// How many bytes all others read of the first `count` texts.
    pub(crate) fn length(&self, count: usize) -> usize {
        self.texts.iter().take(count).map(|text| message_length(&self.from, text)).sum()
    }
}

/// Connection to room: its client asks for the messages before the event with that sequence. One at
/// a time: answered by frames and `ConnectionOrder::Resume`.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Recall {
    pub(crate) route: Route,
    pub(crate) before: u64,
    pub(crate) count: u32,
}

/// Broker to room: a frame for one client, which receives it after everything announced before; it
/// is dropped when the client whose step it announces has left.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Relay {
    pub(crate) from: MemberId,
    pub(crate) to: Route,
    pub(crate) frame: Bytes,
}

/// Shard to room: the batch has been handed to every socket that takes it.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct BatchWritten {
    pub(crate) shard: usize,
}

/// Node to room, in the order of all nodes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum FromNode {
    /// The room as it is before the next event, which has the sequence `next`.
    Begin { next: u64, members: Vec<Present>, topic: Option<MessageText> },
    /// These happened.
    Decided(Vec<Decision>),
    /// The other nodes count this one as gone: its proposals are void.
    Expelled,
    /// Forget the messages of that name, or all.
    Purge(Option<FoldedName>),
}

/// To the room: say this in the server's name.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Announce(pub(crate) MessageText);

/// To the room: forget the messages of that name, or all.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Purged")]
pub(crate) struct Purge(pub(crate) Option<FoldedName>);

/// To the room: what the topic is.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Option<MessageText>")]
pub(crate) struct ReportTopic;

/// To the room: the topic is another from now on, or none.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetTopic(pub(crate) Option<MessageText>);

/// The answer to [`Purge`].
#[derive(Debug)]
pub(crate) struct Purged {
    pub(crate) messages: usize,
    /// Says whether they were removed from the file, too, if there is a file.
    pub(crate) saved: Option<oneshot::Receiver<Result<(), String>>>,
}

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

/// Ask the room to answer once everything said has been handed to the shards.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Drain(pub(crate) oneshot::Sender<()>);
