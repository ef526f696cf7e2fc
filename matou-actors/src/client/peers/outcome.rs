//! The outcome of something that happened to a [`Conversation`](super::conversation::Conversation).

use crate::client::ids::{SessionNumber, TransferId};
use crate::client::messages::PrivateText;

/// What the user wants delivered, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Text(PrivateText),
    File(TransferId),
}

/// How a session is established that the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pursuit {
    /// There is one.
    Open,
    /// It is under way.
    Pending,
    /// The other one had asked: accept.
    Accept,
    /// Ask.
    Ask,
}

/// The outcome of a request of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requested {
    /// It is known already.
    Repeat,
    /// The user has asked as well, or talks with them already, and so wants it: accept.
    Wanted,
    /// The user decides.
    Undecided,
}

/// What a session that has opened is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// The only one.
    First,
    /// One more with the same peer.
    Another,
    /// The first one with the present owner of the name. Those with its former owner are not talked on
    /// any more, and what waited was meant for them.
    Renewed { former: Vec<SessionNumber>, waiting: Vec<Item> },
    /// One with the former owner of the name, too late.
    Late,
}

/// What remains when a session, an attempt or a request ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Remains {
    /// Nothing that the user had to do with has ended.
    Nothing,
    /// Another session or attempt continues.
    More,
    /// Another session continues, and does not take this.
    Undelivered(Vec<Item>),
    /// It was the last one; this can not be delivered.
    Over(Vec<Item>),
}
