//! What happens on the connection to the server.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use slog::debug;

use super::server_link::{OpenConnection, ServerLink};
use super::view::ServerRoute;
use crate::client::api::event::{ErrorCode, Event, LinkSecurity};
use crate::client::messages::{ConnectionEvent, ConnectionReport};
use crate::trust::Fingerprint;

impl ServerLink {
    /// Something happened on a connection.
    pub(crate) fn report(&mut self, report: ConnectionReport, now: Instant) {
        let ConnectionReport { generation, event } = report;
        match event {
            ConnectionEvent::Up { local, server, addresses, security } => {
                if self.is_current(generation) {
                    self.servers.reach(server, addresses);
                    self.up(local, server, security);
                }
            }
            ConnectionEvent::Frames(frames) => {
                for frame in frames {
                    self.frame(generation, frame, now);
                }
            }
            ConnectionEvent::NotSaid => self.not_said(generation),
            ConnectionEvent::Unwritten(bytes) => self.unwritten(generation, bytes),
            ConnectionEvent::OtherKey => self.refuse_key(generation),
            ConnectionEvent::Down { reason, retry } => self.down(generation, reason, retry, now),
        }
    }

    /// The server is reached.
    pub(super) fn up(&mut self, local: SocketAddr, server: SocketAddr, security: LinkSecurity) {
        debug!(self.logger, "reached the server"; "peer" => %server);
        let route = Some(ServerRoute { local: local.ip(), server: canonical(server) });
        self.server_key = match &security {
            LinkSecurity::Plain => None,
            LinkSecurity::Encrypted { fingerprint, .. } => Fingerprint::parse(fingerprint),
        };
        self.connection = Some(OpenConnection { route, joined: None });
        self.emit(Event::Security { server: self.server_name(), security });
        match self.sign_in.connected() {
            Some(name) => self.ask(&name),
            None => self.emit(Event::NameNeeded { server: self.server_name() }),
        }
    }

    /// This many bytes are not written yet.
    pub(super) fn unwritten(&mut self, generation: u64, bytes: usize) {
        if self.is_current(generation) {
            self.unwritten = bytes;
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
}

/// The same address as IPv4, if it is one; one of IPv6 keeps its scope.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::from((v4, address.port())),
        IpAddr::V6(_) => address,
    }
}
