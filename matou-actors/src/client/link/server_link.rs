//! The server, as the client knows it: reached or not, signed in or not, who is in the room, when
//! to try again. Pure: no actor, socket or clock.
//!
//! Whatever happens comes in by the methods of [`ServerLink`]; what has to be done is left in
//! order as [`LinkAction`]s, which the hub performs. `server_frames` has what the server says,
//! `attempts` when it is tried and how long that may take.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use slog::{Logger, debug};
use tokio::sync::oneshot;

use super::action::LinkAction;
use super::backoff::Backoff;
use super::past::Past;
use super::roster::Roster;
use super::sign_in::{SignIn, Wish};
use crate::client::api::event::{ErrorCode, Event, LinkSecurity};
use crate::client::api::server_name::ServerName;
use crate::client::api::settings::ClientSettings;
use crate::client::messages::LinkCommand;
use crate::protocol::{ClientFrame, MessageText, Username, v2};
use crate::trust::Fingerprint;

/// How many messages are fetched at a time.
const FETCHED: u32 = 100;

/// The connection to the server, or the attempts at one.
#[derive(Debug)]
pub(crate) struct ServerLink {
    pub(super) server: Option<ServerName>,
    pub(super) answer_timeout: Duration,
    reconnect: bool,
    pub(super) logger: Logger,
    pub(super) random: fastrand::Rng,

    pub(super) connection: Option<Connection>,
    /// The key of the server that was reached last, unless that is a plain connection.
    server_key: Option<Fingerprint>,
    /// Counts connections: what an old one reports is ignored.
    pub(super) generation: u64,
    /// How often a name was asked for.
    pub(super) asked: u64,
    pub(super) sign_in: SignIn,
    /// The server gets a password.
    pub(super) has_password: bool,
    pub(super) roster: Roster,
    pub(super) past: Past,
    /// The user's own messages that have not come back from the server yet.
    pub(super) unacknowledged: u64,
    /// The last message said that the user is disconnected and should not come back by itself.
    pub(super) sent_away: Option<SentAway>,
    pub(super) backoff: Backoff,
    /// The next attempt, to reach the server or to take the name back, by its number.
    pub(super) retry: Option<u64>,
    pub(super) retries: u64,
    /// The first connection to this server: why it fails is said by itself.
    pub(super) first: u64,
    /// The first sign-in is complete, and who is in the room is known.
    pub(super) ready: bool,
    departure: Departure,
    /// Bytes that are not written yet, once the connection is being closed.
    unwritten: usize,
    pub(super) actions: Vec<LinkAction>,
}

/// A connection that is open, or being opened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Connection {
    route: Option<Route>,
    pub(super) joined: Option<Instant>,
}

/// The addresses of a connection to the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) local: IpAddr,
    pub(crate) server: IpAddr,
}

/// Why the client stays away until its user wants it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentAway {
    ByOperator,
    /// Two clients with one key would take the name from each other for ever.
    TakenOver,
}

impl SentAway {
    fn what_to_do(self) -> &'static str {
        match self {
            Self::ByOperator => "an operator disconnected you; /reconnect tries to come back",
            Self::TakenOver => {
                "you joined elsewhere with the same key; /reconnect takes your name back here"
            }
        }
    }
}

/// How far signing out is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Departure {
    No,
    /// A lost connection is not made again.
    Finishing,
    /// The connection is being closed.
    Leaving,
}

impl ServerLink {
    pub(crate) fn new(settings: &ClientSettings, logger: Logger, random: fastrand::Rng) -> Self {
        Self {
            server: None,
            answer_timeout: settings.answer_timeout,
            reconnect: settings.reconnect,
            logger,
            random,
            connection: None,
            server_key: None,
            generation: 0,
            asked: 0,
            sign_in: SignIn::new(settings.username.clone()),
            has_password: settings.password.is_some(),
            roster: Roster::default(),
            past: Past::default(),
            unacknowledged: 0,
            sent_away: None,
            backoff: Backoff::default(),
            retry: None,
            retries: 0,
            first: 1,
            ready: false,
            departure: Departure::No,
            unwritten: 0,
            actions: Vec::new(),
        }
    }

    /// Takes what has to be done, in order.
    pub(crate) fn take_actions(&mut self) -> Vec<LinkAction> {
        std::mem::take(&mut self.actions)
    }

    /// The user's name: the one accepted last, by this or a lost connection.
    pub(crate) fn me(&self) -> Option<&Username> {
        self.sign_in.me()
    }

    /// Whether the server is connected and has accepted the name.
    pub(crate) fn is_joined(&self) -> bool {
        self.sign_in.is_joined()
    }

    /// Whether the first sign-in is complete.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(crate) fn route(&self) -> Option<Route> {
        self.connection.and_then(|connection| connection.route)
    }

    /// The fingerprint of the key of the server, also once it is lost: people are known by it. `None`
    /// when the connection is, or was, plain.
    pub(crate) fn server_key(&self) -> Option<Fingerprint> {
        self.server_key
    }

    /// Whether the first sign-in is still under way.
    pub(crate) fn is_signing_in(&self) -> bool {
        let wanted = self.sign_in.is_asking() || self.sign_in.is_joined();
        !self.ready && self.connection.is_some() && wanted
    }

    /// Whether no connection is open or being opened.
    pub(crate) fn is_closed(&self) -> bool {
        self.connection.is_none()
    }

    /// The user's messages that have not come back, and bytes that are not written, while the
    /// connection is being closed.
    pub(crate) fn outstanding(&self) -> (u64, usize) {
        (self.unacknowledged, self.unwritten)
    }

    /// Begins: `server` is `HOST` or `HOST:PORT`, or empty when the user has yet to choose one.
    pub(crate) fn start(&mut self, server: &str) {
        if server.is_empty() {
            return;
        }
        match ServerName::parse(server) {
            Ok(server) => {
                self.server = Some(server);
                self.connect();
            }
            Err(message) => self.error(ErrorCode::Server, message),
        }
    }

    /// The user wants a name.
    pub(crate) fn wish(&mut self, name: Username) {
        match self.sign_in.wish(name) {
            Wish::Ask(name) => self.ask(&name),
            Wish::Later if self.connection.is_none() && self.retry.is_none() => {
                self.notice("not connected to the server; /reconnect tries again, with this name");
            }
            Wish::Later => {}
            Wish::Busy(asked) => {
                self.error(
                    ErrorCode::Name,
                    format!("the server has not answered yet whether it accepts the name {asked}"),
                );
            }
            Wish::SignedIn(own) => {
                self.error(
                    ErrorCode::Name,
                    format!("you are already signed in as {own}; quit and start again to use another name"),
                );
            }
        }
    }

    /// The user wants another server, which is possible until they have a name on one.
    pub(crate) fn use_server(&mut self, server: ServerName) {
        if let Some(me) = self.me() {
            let message = format!(
                "you are signed in as {me} on {}; to change servers, quit and start again with --server {server}",
                self.server_name()
            );
            return self.error(ErrorCode::Server, message);
        }
        self.hang_up();
        self.sign_in.lost();
        self.retry = None;
        self.first = self.generation + 1;
        self.past = Past::default();
        self.server = Some(server);
        self.connect();
    }

    /// The user says something to everybody, or says what they do; the next text may follow once the other end of what
    /// is returned is dropped.
    pub(crate) fn say(&mut self, text: MessageText, action: bool) -> Option<oneshot::Receiver<()>> {
        if !self.sign_in.is_joined() {
            self.error(
                ErrorCode::NotSent,
                "not connected to the server, so your message was not sent; /reconnect",
            );
            return None;
        }
        let (room, wait) = oneshot::channel();
        self.unacknowledged += 1;
        self.command(LinkCommand::Say { text, action, room });
        Some(wait)
    }

    /// The user wants to read what was said before the oldest message that was shown.
    pub(crate) fn fetch_history(&mut self) {
        let before = if self.sign_in.is_joined() { self.past.fetch() } else { None };
        match before {
            Some(before) => self.command(LinkCommand::Recall { before, count: FETCHED }),
            None => self.emit(Event::History { messages: Vec::new(), more: false }),
        }
    }

    /// The connection had no room for a text.
    pub(crate) fn not_said(&mut self, generation: u64) {
        if self.is_current(generation) {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
            self.error(
                ErrorCode::NotSent,
                "the server is not accepting messages at the moment, so yours was not sent; send it again later",
            );
        }
    }

    /// Sends a frame that the set-up of a private session needs.
    pub(crate) fn send(&mut self, frame: v2::ClientFrame) {
        if self.connection.is_some() {
            self.command(LinkCommand::Send(frame));
        }
    }

    /// The server gets another password.
    pub(crate) fn use_password(&mut self) {
        self.has_password = true;
        self.reconnect();
    }

    /// The user does not want to wait for the next attempt.
    pub(crate) fn reconnect(&mut self) {
        if self.sign_in.is_joined() {
            return self.notice("the server is connected");
        }
        self.retry = None;
        self.try_again();
    }

    /// The user signs out once nothing is under way.
    pub(crate) fn finish(&mut self) {
        self.departure = Departure::Finishing;
    }

    /// The user signs out now.
    pub(crate) fn leave(&mut self) {
        self.departure = Departure::Leaving;
        self.retry = None;
        if self.route().is_none() {
            return self.hang_up();
        }
        if self.sign_in.is_joined() {
            self.command(LinkCommand::Send(ClientFrame::Leave.into()));
        }
        self.command(LinkCommand::Close);
    }

    /// Waits no more for the server to read and answer.
    pub(crate) fn give_up(&mut self) {
        self.report_unacknowledged();
        self.hang_up();
    }

    /// The server is reached.
    pub(crate) fn up(
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
    pub(crate) fn unwritten(&mut self, generation: u64, bytes: usize) {
        if self.is_current(generation) {
            self.unwritten = bytes;
        }
    }

    /// The connection could not be made, or is lost. With `retry` off another attempt would end in
    /// the same way.
    pub(crate) fn down(&mut self, generation: u64, reason: String, retry: bool, now: Instant) {
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

    pub(super) fn is_current(&self, generation: u64) -> bool {
        self.connection.is_some() && generation == self.generation
    }

    /// Ends the connection for `reason`, as if it had been lost.
    pub(super) fn cut(&mut self, reason: String, now: Instant) {
        self.command(LinkCommand::HangUp);
        self.down(self.generation, reason, true, now);
    }

    /// Ends the connection for `reason`; another attempt is the user's to make.
    pub(super) fn cut_for_good(&mut self, reason: String, now: Instant) {
        self.command(LinkCommand::HangUp);
        self.down(self.generation, reason, false, now);
    }

    /// It is known who is here, and so who can be written to.
    pub(super) fn enter_room(&mut self) {
        self.ready = true;
        self.actions.push(LinkAction::Ready);
    }

    fn hang_up(&mut self) {
        if self.connection.take().is_some() {
            self.command(LinkCommand::HangUp);
        }
    }

    /// Says how many of the user's messages may not have been read.
    fn report_unacknowledged(&mut self) {
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

    pub(super) fn server_name(&self) -> String {
        self.server.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    fn command(&mut self, command: LinkCommand) {
        self.actions.push(LinkAction::Command(command));
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.actions.push(LinkAction::Emit(event));
    }

    fn error(&mut self, code: ErrorCode, message: impl Into<String>) {
        self.emit(Event::Error { code, message: message.into() });
    }

    pub(super) fn notice(&mut self, message: impl Into<String>) {
        self.emit(Event::Notice { message: message.into() });
    }
}
