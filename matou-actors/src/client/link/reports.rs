//! What happens on the connection to the server.

use std::net::SocketAddr;
use std::time::Instant;

use slog::debug;

use super::action::LinkAction;
use super::server_link::{Connection, Departure, Route, ServerLink};
use crate::client::api::event::{ErrorCode, Event, LinkSecurity};
use crate::client::messages::{LinkEvent, LinkReport};
use crate::trust::Fingerprint;

impl ServerLink {
    /// Something happened on a connection.
    pub(crate) fn report(&mut self, report: LinkReport, now: Instant) {
        let LinkReport { generation, event } = report;
        match event {
            LinkEvent::Up { local, server, security } => {
                self.up(generation, local, server, security);
            }
            LinkEvent::Frames(frames) => {
                for frame in frames {
                    self.frame(generation, frame, now);
                }
            }
            LinkEvent::NotSaid => self.not_said(generation),
            LinkEvent::Unwritten(bytes) => self.unwritten(generation, bytes),
            LinkEvent::Down { reason, retry } => self.down(generation, reason, retry, now),
        }
    }

    /// The server is reached.
    pub(super) fn up(
        &mut self,
        generation: u64,
        local: SocketAddr,
        server: SocketAddr,
        security: LinkSecurity,
    ) {
        if !self.is_current(generation) {
            return;
        }
        debug!(self.logger, "reached the server"; "peer" => %server);
        let route = Some(Route { local: local.ip(), server: server.ip().to_canonical() });
        self.server_key = match &security {
            LinkSecurity::Plain => None,
            LinkSecurity::Encrypted { fingerprint, .. } => Fingerprint::parse(fingerprint),
        };
        self.connection = Some(Connection { route, joined: None });
        self.emit(Event::Security { server: self.server_name(), security });
        match self.sign_in.connected() {
            Some(name) => self.ask(&name),
            None => self.emit(Event::NameNeeded { server: self.server_name() }),
        }
    }

    /// So many bytes are not written yet.
    pub(super) fn unwritten(&mut self, generation: u64, bytes: usize) {
        if self.is_current(generation) {
            self.unwritten = bytes;
        }
    }

    /// The connection could not be made, or is lost. With `retry` off another attempt would end in
    /// the same way.
    pub(super) fn down(&mut self, generation: u64, reason: String, retry: bool, now: Instant) {
        if !self.is_current(generation) {
            return;
        }
        let joined = self.connection.take().and_then(|connection| connection.joined);
        self.unwritten = 0;
        let was_joined = self.sign_in.lost();
        self.roster.clear();
        self.past.lost();
        if self.departure == Departure::Leaving {
            return self.report_unacknowledged();
        }
        if let Some(since) = joined {
            self.backoff.lost(now.saturating_duration_since(since));
        }
        let retry = retry && self.reconnect;
        if was_joined {
            self.emit(Event::Disconnected { reason: reason.clone() });
            self.actions.push(LinkAction::Lost);
            self.report_unacknowledged();
        } else if !retry {
            self.emit(Event::Disconnected { reason: reason.clone() });
        } else if !self.ready && generation == self.first {
            self.error(ErrorCode::Server, format!("{reason}; trying again"));
        }
        self.retry = None;
        if let Some(sent_away) = self.sent_away.take() {
            self.notice(sent_away.what_to_do());
        } else if retry && self.departure == Departure::No {
            self.try_later(reason);
        }
    }

    /// The connection had no room for a text.
    pub(super) fn not_said(&mut self, generation: u64) {
        if self.is_current(generation) {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
            self.error(
                ErrorCode::NotSent,
                "the server is not accepting messages at the moment, so yours was not sent; send it again later",
            );
        }
    }

    /// Says how many of the user's messages may not have been read.
    pub(super) fn report_unacknowledged(&mut self) {
        let count = std::mem::take(&mut self.unacknowledged);
        if count > 0 {
            let messages = if count == 1 { "message" } else { "messages" };
            self.error(
                ErrorCode::NotSent,
                format!(
                    "{count} {messages} may not have reached the room; check what arrived, and send \
                 the rest again"
                ),
            );
        }
    }
}
