//! Transfers, as users read of them.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::client::ids::TransferId;
use crate::protocol::Username;

/// A transfer as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TransferInfo {
    /// Its number.
    pub id: TransferId,
    /// Sent or received.
    pub direction: Direction,
    /// How far it is.
    pub state: TransferState,
    /// With whom.
    pub with: Username,
    /// The name of the file or folder; an offer of revision 1 has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Bytes moved so far.
    pub bytes: u64,
    /// Bytes in all, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The file that is sent, or the `.part` file that is written; `None` for an open offer.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "lossy_if_any")]
    pub path: Option<PathBuf>,
}

/// A path is any bytes, and an event that could not be written would be worse than a path with
/// U+FFFD in it.
pub(super) fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

#[allow(clippy::ref_option, reason = "as serde calls it")]
pub(super) fn lossy_if_any<S: Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => lossy(path, serializer),
        None => serializer.serialize_none(),
    }
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferState {
    /// The user has not answered the offer.
    Offered,
    /// It waits for its turn, its session or the other side.
    Waiting,
    /// Bytes move.
    Moving,
}

/// The direction of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the user.
    Incoming,
    /// From the user.
    Outgoing,
}
