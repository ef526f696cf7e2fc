//! A meeting: the two connections of a private session of revision 2.

use std::net::SocketAddr;
use std::time::Duration;

use slog::Logger;
use tokio::sync::watch;
use tokio::time::timeout;

use super::candidates::{Surroundings, targets};
use super::greeting::{Secure, Side};
use super::listeners::MeetingPorts;
use super::race::{Failures, race};
use crate::client::connection::sockets::tune_for_messages;
use crate::protocol::v2::Candidates;
use crate::trust::Alpn;

/// Both connections.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) messages: Secure,
    pub(crate) files: Secure,
}

/// Meets the peer within `limit`; the error names each address that was tried, for the user.
pub(crate) async fn meet(
    side: Side,
    ports: MeetingPorts,
    around: Surroundings,
    mut offered: watch::Receiver<Option<Candidates>>,
    limit: Duration,
    logger: Logger,
) -> Result<Met, String> {
    let (to_messages, message_targets) = watch::channel(Vec::new());
    let (to_files, file_targets) = watch::channel(Vec::new());
    let failures = Failures::default();
    let MeetingPorts { messages, files, .. } = ports;
    let meeting = async {
        let messages = race(&side, Alpn::Message, messages, message_targets, &failures, &logger);
        let files = race(&side, Alpn::File, files, file_targets, &failures, &logger);
        tokio::join!(messages, files)
    };
    let dialling = async {
        loop {
            let known = offered.borrow_and_update().clone();
            if let Some(known) = known {
                let known = targets(&known, &around);
                let of = |port: fn(&super::candidates::Target) -> SocketAddr| {
                    known.iter().map(port).collect::<Vec<_>>()
                };
                to_messages.send_replace(of(|target| target.messages));
                to_files.send_replace(of(|target| target.files));
            }
            if offered.changed().await.is_err() {
                // Nothing more comes; the race goes on.
                std::future::pending::<()>().await;
            }
        }
    };
    let met = timeout(limit, async {
        tokio::select! {
            met = meeting => met,
            () = dialling => unreachable!("it never ends"),
        }
    });
    let Ok((messages, files)) = met.await else {
        return Err(format!(
            "no connection within {} s: {}; a firewall or router may be in the way",
            limit.as_secs(),
            failures.describe()
        ));
    };
    tune_for_messages(messages.stream.get_ref().0)
        .map_err(|error| format!("the connection broke: {error}"))?;
    Ok(Met { messages, files })
}
