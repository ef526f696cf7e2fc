//! The numbers by which the client's actors know what they speak of; each is unique within a run.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// The number under which a file offer or a transfer is spoken of; unique within one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransferId(pub u64);

/// The number of a private message of the user's that the other side will confirm; unique within one
/// run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

/// Allocates the numbers of messages; clones share the sequence.
#[derive(Clone, Debug, Default)]
pub(crate) struct MessageIds(Arc<AtomicU64>);

/// Allocates the numbers of offers and transfers; clones share the sequence.
#[derive(Clone, Debug, Default)]
pub(crate) struct TransferIds(Arc<AtomicU64>);

/// A private session, or the attempt to open one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SessionNumber(pub(crate) u64);

/// One wait for the answer to a private request, by which its time limit knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(pub(crate) u64);

impl MessageIds {
    /// One that was never given out before.
    pub(crate) fn next(&self) -> MessageId {
        MessageId(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl TransferIds {
    /// One that was never given out before.
    pub(crate) fn next(&self) -> TransferId {
        TransferId(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for TransferId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.trim_start_matches('#').parse().map(Self)
    }
}
