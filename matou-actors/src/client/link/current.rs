//! The connection to the server that is open, or being opened.

use std::path::PathBuf;
use std::sync::Arc;

use actix::prelude::*;
use slog::Logger;

use super::action::Attempt;
use super::actor::{Link, Setup};
use super::reach::Trust;
use crate::client::api::settings::{ClientSettings, Encryption};
use crate::client::messages::{LinkCommand, LinkReport};
use crate::trust::Identity;

/// The present [`Link`], and what each is started with.
#[derive(Debug)]
pub(crate) struct CurrentLink {
    link: Option<Addr<Link>>,
    identity: Option<Arc<Identity>>,
    encryption: Encryption,
    known_servers: Option<PathBuf>,
    logger: Logger,
}

impl CurrentLink {
    pub(crate) fn new(settings: &ClientSettings, logger: Logger) -> Self {
        Self {
            link: None,
            identity: settings.identity.clone(),
            encryption: settings.encryption,
            known_servers: settings.known_servers.clone(),
            logger,
        }
    }

    /// Opens a connection, which reports to `reports`.
    pub(crate) fn open(&mut self, attempt: Attempt, reports: Recipient<LinkReport>) {
        let Attempt { generation, server, last_sequence, password, alternatives } = attempt;
        let trust = Trust {
            identity: self.identity.clone(),
            encryption: self.encryption,
            known_servers: self.known_servers.clone(),
            password,
        };
        let logger = self.logger.clone();
        let setup =
            Setup { generation, server, last_sequence, alternatives, trust, reports, logger };
        self.link = Some(Link::new(setup).start());
    }

    /// Has the connection do something.
    pub(crate) fn command(&mut self, command: LinkCommand) {
        let hang_up = matches!(command, LinkCommand::HangUp);
        if let Some(link) = &self.link {
            // Bounded: texts wait for room, and the set-up of sessions by what the user does.
            link.do_send(command);
        }
        if hang_up {
            self.link = None;
        }
    }
}
