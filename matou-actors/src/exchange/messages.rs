//! Orders to an exchange and its reports, and how a transfer ends.

use std::path::PathBuf;
use std::sync::Arc;

use super::rate::RateLimit;
use crate::protocol::v2::{CancelReason, MessageFrame, OfferKind, PublicKey};
use crate::transfer::{ChosenFile, Downloads, Moved};

/// What an exchange is started with.
#[derive(Debug)]
pub struct Settings {
    /// The user asked for the session: own transfers have odd numbers, else even ones.
    pub asked: bool,
    /// The key of the other side: only it can resume what it began.
    pub peer: PublicKey,
    /// Where files go.
    pub downloads: Arc<Downloads>,
    /// The limit of speed of all exchanges.
    pub rate: RateLimit,
}

/// What an exchange is to do. Own transfers have the numbers that [`Report::Numbered`] reports.
#[derive(Debug)]
pub enum ExchangeOrder {
    /// Offer a file or folder; `key` is how the report of its number calls it.
    Offer {
        /// How [`Report::Numbered`] calls it.
        key: u64,
        /// What to send.
        chosen: Arc<ChosenFile>,
    },
    /// Do not send this after all; nothing when it has a number already.
    Withdraw {
        /// As in [`ExchangeOrder::Offer`].
        key: u64,
    },
    /// Accept an offer, into the downloads folder or another one.
    Take {
        /// The number of the transfer.
        transfer: u64,
        /// Another folder than the downloads folder.
        folder: Option<PathBuf>,
    },
    /// Refuse an offer.
    Refuse {
        /// The number of the transfer.
        transfer: u64,
    },
    /// Stop a transfer, in either direction.
    Cancel {
        /// The number of the transfer.
        transfer: u64,
    },
    /// A frame about a transfer was received on the message connection.
    Frame(MessageFrame),
    /// End all transfers and the connection.
    Close,
}

/// What happens in an exchange.
#[derive(Debug)]
pub enum Report {
    /// Send this on the message connection.
    Frame(MessageFrame),
    /// A file or folder that was to be offered has this number.
    Numbered {
        /// As in [`ExchangeOrder::Offer`].
        key: u64,
        /// The number of the transfer.
        transfer: u64,
    },
    /// The other side offers something.
    Offered(Offer),
    /// The other side took it, or it is being received: bytes are about to move.
    Begun {
        /// The number of the transfer.
        transfer: u64,
        /// Where from, or where it grows.
        path: PathBuf,
        /// Bytes in all, if known.
        size: Option<u64>,
        /// Bytes that are present already.
        have: u64,
    },
    /// Bytes have moved.
    Moved {
        /// The number of the transfer.
        transfer: u64,
        /// How many, and how fast.
        moved: Moved,
    },
    /// All of it is here, checked and on disk.
    Received {
        /// The number of the transfer.
        transfer: u64,
        /// Where it is.
        path: PathBuf,
        /// Bytes in all.
        size: u64,
    },
    /// The other side has all of it, checked and on disk.
    Sent {
        /// The number of the transfer.
        transfer: u64,
        /// Bytes in all.
        size: u64,
        /// What of a folder was left out: links and special files.
        skipped: u64,
    },
    /// The offer cannot be accepted now, and still stands.
    NotTaken {
        /// The number of the transfer.
        transfer: u64,
        /// Why, for the user.
        reason: String,
    },
    /// A transfer ended otherwise.
    Failed {
        /// The number of the transfer, or with `key` that of [`ExchangeOrder::Offer`].
        transfer: u64,
        /// It never got a number: `transfer` is the key.
        unnumbered: bool,
        /// The other side refused it.
        refused: bool,
        /// Why, for the user.
        reason: String,
    },
    /// The connection has ended; the last report.
    Ended {
        /// Why, for the user.
        reason: String,
    },
}

/// What the other side offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The number of the transfer.
    pub transfer: u64,
    /// A file or a folder.
    pub kind: OfferKind,
    /// Its name, made safe for this machine.
    pub name: String,
    /// Its size in bytes, if known.
    pub size: Option<u64>,
    /// How many entries a folder has.
    pub entries: u32,
    /// When it was modified, in milliseconds since 1970.
    pub modified: i64,
}

/// What a transfer ends with on this side, with what the other side is to be sent.
#[derive(Debug)]
pub(super) struct End {
    pub(super) code: CancelReason,
    pub(super) reason: String,
    /// What was received is useless.
    pub(super) discards: bool,
}

impl End {
    pub(super) fn new(code: CancelReason, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), discards: false }
    }

    /// The disk of this side failed.
    pub(super) fn disk(reason: &str) -> Self {
        Self::new(CancelReason::Disk, format!("cannot write it: {reason}"))
    }

    /// The same; what was received is useless.
    pub(super) fn discarding(self) -> Self {
        Self { discards: true, ..self }
    }
}
