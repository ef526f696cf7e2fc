//! What a session of revision 2 is started with.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use slog::Logger;

use super::files::SharedFiles;
use crate::client::ids::{MessageIds, SessionNumber};
use crate::client::meeting::ServerAt;
use crate::client::messages::SessionReport;
use crate::protocol::Username;
use crate::protocol::v2::{self, Candidates, PublicKey};
use crate::trust::Identity;

/// Whom to meet, and why.
#[derive(Clone, Debug)]
pub(crate) struct MeetingSetup {
    pub(crate) session: v2::SessionId,
    /// The user asked for the session.
    pub(crate) asked: bool,
    /// The key that the peer has to prove.
    pub(crate) key: PublicKey,
    /// Where the peer can be reached, if that is known already.
    pub(crate) candidates: Option<Candidates>,
    /// The two ends of the connection to the server.
    pub(crate) local: IpAddr,
    pub(crate) server: IpAddr,
    /// The server, to show it the own ports.
    pub(crate) show_to: Option<ServerAt>,
}

/// What a session is started with.
#[derive(Debug)]
pub(crate) struct EncryptedSetup {
    pub(crate) id: SessionNumber,
    pub(crate) peer: Username,
    pub(crate) meeting: MeetingSetup,
    pub(crate) identity: Arc<Identity>,
    pub(crate) listen: Option<IpAddr>,
    pub(crate) ports: Option<RangeInclusive<u16>>,
    /// Further addresses at which the user says that they can be reached.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) connect_timeout: Duration,
    pub(crate) messages: MessageIds,
    pub(crate) files: SharedFiles,
    pub(crate) reports: Recipient<SessionReport>,
    pub(crate) logger: Logger,
}
