//! The private sessions that run.

use std::collections::HashMap;
use std::sync::Arc;

use actix::prelude::*;
use slog::Logger;

use super::Way;
use super::encrypted::{EncryptedSession, EncryptedSetup, SharedFiles};
use super::plain::{PlainSession, PlainSetup};
use crate::client::api::event::Event;
use crate::client::api::settings::ClientSettings;
use crate::client::files::FileContext;
use crate::client::ids::{MessageIds, SessionNumber, TransferIds};
use crate::client::messages::{SessionCommand, SessionReport};
use crate::exchange::RateLimit;
use crate::protocol::Username;
use crate::transfer::Downloads;

/// The sessions, and what each is started with.
#[derive(Debug)]
pub(crate) struct Sessions {
    running: HashMap<SessionNumber, Recipient<SessionCommand>>,
    settings: ClientSettings,
    messages: MessageIds,
    transfers: TransferIds,
    rate: RateLimit,
    downloads: Arc<Downloads>,
    logger: Logger,
}

impl Sessions {
    /// None yet; `transfers` numbers what they are offered.
    pub(crate) fn new(
        settings: ClientSettings,
        transfers: TransferIds,
        downloads: Arc<Downloads>,
        logger: Logger,
    ) -> Self {
        let rate = RateLimit::default();
        rate.set(settings.rate);
        let (running, messages) = (HashMap::new(), MessageIds::default());
        Self { running, settings, messages, transfers, rate, downloads, logger }
    }

    /// Starts one, which reports to `reports`; false if that is not possible.
    pub(crate) fn start(
        &mut self,
        id: SessionNumber,
        peer: Username,
        way: Way,
        reports: Recipient<SessionReport>,
    ) -> bool {
        let (connect_timeout, logger) = (self.settings.connect_timeout, self.logger.clone());
        let (downloads, ids) = (Arc::clone(&self.downloads), self.transfers.clone());
        let session = match (way, self.settings.identity.clone()) {
            (Way::Plain(role), _) => {
                let files = FileContext { downloads, ids };
                let setup = PlainSetup { id, peer, role, connect_timeout, files, reports, logger };
                PlainSession::new(setup).start().recipient()
            }
            // Without a key of the user's own the server knows of none, and no one asks.
            (Way::Encrypted(_), None) => return false,
            (Way::Encrypted(meeting), Some(identity)) => EncryptedSession::new(EncryptedSetup {
                id,
                peer,
                meeting: *meeting,
                identity,
                listen: self.settings.private_listen,
                ports: self.settings.private_ports.clone(),
                addresses: self.settings.private_addresses.clone(),
                connect_timeout,
                messages: self.messages.clone(),
                files: SharedFiles { downloads, ids, rate: self.rate.clone() },
                reports,
                logger,
            })
            .start()
            .recipient(),
        };
        self.running.insert(id, session);
        true
    }

    /// Sends one a command; false if it is gone.
    pub(crate) fn command(&self, id: SessionNumber, command: SessionCommand) -> bool {
        match self.running.get(&id).filter(|session| session.connected()) {
            Some(session) => {
                // Bounded by what the user typed, and by the files that were offered.
                session.do_send(command);
                true
            }
            None => false,
        }
    }

    /// One has ended.
    pub(crate) fn ended(&mut self, id: SessionNumber) {
        self.running.remove(&id);
    }

    /// Limits the speed of files of revision 2.
    pub(crate) fn limit_rate(&self, rate: u64) {
        self.rate.set(Some(rate));
    }

    /// How fast files of revision 2 are sent.
    pub(crate) fn describe_rate(&self) -> Event {
        let message = match self.rate.get() {
            Some(rate) => format!("files are sent at no more than {} a second", size(rate)),
            None => "files are sent as fast as possible".into(),
        };
        Event::Notice { message }
    }
}

/// Bytes in the largest unit that leaves them whole, as they are typed: "500 kB".
fn size(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    let unit = units.into_iter().find(|(unit, _)| bytes.is_multiple_of(*unit));
    let (unit, name) = unit.unwrap_or((1, "bytes"));
    format!("{} {name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_named_in_the_unit_that_it_was_typed_in() {
        let rates =
            [(2_000_000_000, "2 GB"), (1_500_000, "1500 kB"), (500_000, "500 kB"), (1, "1 bytes")];
        for (rate, name) in rates {
            assert_eq!(size(rate), name);
        }
    }
}
