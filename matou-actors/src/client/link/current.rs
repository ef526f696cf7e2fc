//! The connection to the server that is open, or being opened.

use std::path::PathBuf;
use std::sync::Arc;

use actix::prelude::*;
use slog::Logger;

use super::action::ConnectionAttempt;
use super::connection::{ConnectionSetup, ServerConnection};
use super::reach::Trust;
use crate::client::api::settings::{ClientSettings, EncryptionPolicy};
use crate::client::messages::{ConnectionCommand, ConnectionReport};
use crate::trust::Identity;

/// The present [`ServerConnection`], and what each is started with.
#[derive(Debug)]
pub(super) struct CurrentConnection {
    connection: Option<Addr<ServerConnection>>,
    identity: Option<Arc<Identity>>,
    encryption: EncryptionPolicy,
    known_servers: Option<PathBuf>,
    logger: Logger,
}

impl CurrentConnection {
    pub(crate) fn new(settings: &ClientSettings, logger: Logger) -> Self {
        Self {
            connection: None,
            identity: settings.identity.clone(),
            encryption: settings.encryption,
            known_servers: settings.known_servers.clone(),
            logger,
        }
    }

    /// Opens a connection, which reports to `reports`.
    pub(crate) fn open(
        &mut self,
        attempt: ConnectionAttempt,
        reports: Recipient<ConnectionReport>,
    ) {
        let ConnectionAttempt { generation, server, last_sequence, password, alternatives } =
            attempt;
        let trust = Trust {
            identity: self.identity.clone(),
            encryption: self.encryption,
            known_servers: self.known_servers.clone(),
            password,
        };
        let logger = self.logger.clone();
        let setup = ConnectionSetup {
            generation,
            server,
            last_sequence,
            alternatives,
            trust,
            reports,
            logger,
        };
        self.connection = Some(ServerConnection::new(setup).start());
    }

    /// Has the connection do something.
    pub(crate) fn command(&mut self, command: ConnectionCommand) {
        let hang_up = matches!(command, ConnectionCommand::HangUp);
        if let Some(connection) = &self.connection {
            // Bounded: texts wait for room, and the set-up of sessions by what the user does.
            connection.do_send(command);
        }
        if hang_up {
            self.connection = None;
        }
    }
}
