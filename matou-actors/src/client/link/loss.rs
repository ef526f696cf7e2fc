//! What follows when the server cannot be reached, or is lost.

use std::time::{Duration, Instant};

use super::server_link::{Departure, ServerLink};
use super::servers::NextServer;
use crate::client::api::event::{ErrorCode, Event};
use crate::client::messages::{ConnectionCommand, LinkEvent};

/// A connection that lasted less does not make other servers, nor short waits, worth trying again: servers that fail
/// as soon as they are spoken to are left in peace.
const LASTING: Duration = Duration::from_secs(1);

/// Which attempts make sense after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outlook {
    /// All.
    Good,
    /// Those at other addresses.
    Elsewhere,
    /// None, before the user does something.
    Hopeless,
}

impl ServerLink {
    /// The connection could not be made, or is lost. With `retry` off another attempt at that address would end
    /// in the same way.
    pub(crate) fn down(&mut self, generation: u64, reason: String, retry: bool, now: Instant) {
        if self.is_current(generation) {
            self.lose(reason, if retry { Outlook::Good } else { Outlook::Elsewhere }, now);
        }
    }

    /// The server has another key than the expected one; that it is not reached follows.
    pub(super) fn refuse_key(&mut self, generation: u64) {
        if self.is_current(generation) {
            self.emit(Event::ServerKeyRefused { server: self.server_name() });
        }
    }

    /// Ends the connection for `reason`, as if it had been lost.
    pub(super) fn cut(&mut self, reason: String, now: Instant) {
        self.command(ConnectionCommand::HangUp);
        self.lose(reason, Outlook::Good, now);
    }

    /// Ends the connection for `reason`; another attempt is the user's to make.
    pub(super) fn cut_for_good(&mut self, reason: String, now: Instant) {
        self.command(ConnectionCommand::HangUp);
        self.lose(reason, Outlook::Hopeless, now);
    }

    fn lose(&mut self, reason: String, outlook: Outlook, now: Instant) {
        let joined = self.connection.take().and_then(|connection| connection.joined);
        self.unwritten = 0;
        let was_joined = self.sign_in.lost();
        self.roster.clear();
        self.roster_changed = true;
        self.past.lost();
        if self.departure == Departure::Leaving {
            return self.report_unacknowledged();
        }
        if let Some(since) = joined {
            let lasted = now.saturating_duration_since(since) >= LASTING;
            self.backoff.lost(lasted);
            if lasted {
                self.servers.end_round();
            }
        }
        let reason = self.sent_away.map_or(reason, |sent_away| sent_away.what_to_do().into());
        let from = self.servers.current_place();
        let next = self.next(outlook);
        if was_joined {
            self.emit(Event::Disconnected { reason: reason.clone() });
            self.report_event(LinkEvent::Lost);
            self.report_unacknowledged();
        } else if next == NextServer::Nothing {
            self.emit(Event::Disconnected { reason: reason.clone() });
        } else if next == NextServer::Round && !self.ready && self.generation == self.first {
            self.error(ErrorCode::Server, format!("{reason}; trying again"));
        }
        self.retry = None;
        self.sent_away = None;
        match next {
            _ if self.departure != Departure::No => {}
            NextServer::Other => {
                let server = self.server_name();
                self.emit(Event::Failover { from, server, reason });
                self.connect();
            }
            NextServer::Round => self.try_later(reason),
            NextServer::Nothing => {}
        }
    }

    /// Chooses the next server. Without `client.reconnect` all are tried until one has accepted the user.
    fn next(&mut self, outlook: Outlook) -> NextServer {
        let is_first_round = self.me().is_none();
        if outlook == Outlook::Hopeless || self.sent_away.is_some() {
            return NextServer::Nothing;
        }
        match self.servers.fail(outlook == Outlook::Elsewhere, &mut self.random) {
            NextServer::Other if self.reconnect || is_first_round => NextServer::Other,
            NextServer::Round if self.reconnect => NextServer::Round,
            _ => NextServer::Nothing,
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
