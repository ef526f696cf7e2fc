//! The server, as the client knows it: reached or not, signed in or not, who is in the room, when
//! to try again. Pure: no actor, socket or clock.
//!
//! The actor beside it performs what it decides. Whatever happens comes in by the methods of [`ServerLink`]; what has to be done is left in
//! order as [`LinkAction`]s. `commands` has what the user wants of the server, `reports` what happens on
//! the connection, `loss` what follows when it is lost, `server_frames` what the server says, `attempts` when it is tried and how long that
//! may take.

use std::time::{Duration, Instant};

use slog::Logger;

use super::action::LinkAction;
use super::backoff::Backoff;
use super::past::HistoryProgress;
use super::roster::Roster;
use super::servers::Servers;
use super::sign_in::SignIn;
use super::view::{ServerRoute, SignInPhase, Standing};
use crate::client::api::event::{ErrorCode, Event};
use crate::client::api::password::Password;
use crate::client::api::server_name::ServerName;
use crate::client::api::settings::ClientSettings;
use crate::client::messages::{ConnectionCommand, LinkEvent};
use crate::protocol::{ClientFrame, Username, v2};
use crate::trust::Fingerprint;

/// The connection to the server, or the attempts at one.
#[derive(Debug)]
pub(super) struct ServerLink {
    pub(super) servers: Servers,
    pub(super) answer_timeout: Duration,
    pub(super) reconnect: bool,
    pub(super) logger: Logger,
    pub(super) random: fastrand::Rng,

    pub(super) connection: Option<OpenConnection>,
    /// The key of the server that was reached last, unless that is a plain connection.
    pub(super) server_key: Option<Fingerprint>,
    /// Counts connections: what an old one reports is ignored.
    pub(super) generation: u64,
    /// How often a name was asked for.
    pub(super) asked: u64,
    pub(super) sign_in: SignIn,
    /// The server's password, as far as the user has given one.
    pub(super) password: Option<Password>,
    pub(super) roster: Roster,
    /// The hub has an older snapshot of it.
    pub(super) roster_changed: bool,
    pub(super) past: HistoryProgress,
    /// The topic of the room, as far as the server has said.
    pub(super) topic: String,
    pub(super) silence: Silence,
    /// The user's own messages that have not come back from the server yet.
    pub(super) unacknowledged: u64,
    /// The last message said that the user was disconnected and should not reconnect automatically.
    pub(super) sent_away: Option<SentAway>,
    pub(super) backoff: Backoff,
    /// The next attempt, to reach the server or to take the name back, by its number.
    pub(super) retry: Option<u64>,
    pub(super) retries: u64,
    /// The first connection to this server: why it fails is said by itself.
    pub(super) first: u64,
    /// The first sign-in is complete, and who is in the room is known.
    pub(super) ready: bool,
    pub(super) departure: Departure,
    /// Bytes that are not written yet, once the connection is being closed.
    pub(super) unwritten: usize,
    pub(super) actions: Vec<LinkAction>,
}

/// A connection that is open, or being opened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OpenConnection {
    pub(super) route: Option<ServerRoute>,
    pub(super) joined: Option<Instant>,
}

/// Why the client stays away until its user wants it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentAway {
    ByOperator,
    /// Two clients with one key would take the name from each other for ever.
    TakenOver,
}

impl SentAway {
    pub(super) fn what_to_do(self) -> &'static str {
        match self {
            Self::ByOperator => "an operator disconnected you; /reconnect tries to come back",
            Self::TakenOver => {
                "you joined from another client with the same key; /reconnect takes your name back here"
            }
        }
    }
}

/// How long the server has been silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Silence {
    /// It has said something.
    #[default]
    None,
    /// It has said nothing for a while.
    Quiet,
    /// It was asked for something since.
    Asked,
}

/// How far signing out is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    No,
    /// A lost connection is not made again.
    Finishing,
    /// The connection is being closed.
    Leaving,
}

impl ServerLink {
    pub(super) fn new(settings: &ClientSettings, logger: Logger, random: fastrand::Rng) -> Self {
        Self {
            servers: Servers::default(),
            answer_timeout: settings.answer_timeout,
            reconnect: settings.reconnect,
            logger,
            random,
            connection: None,
            server_key: None,
            generation: 0,
            asked: 0,
            sign_in: SignIn::new(settings.username.clone()),
            password: settings.password.clone(),
            roster: Roster::default(),
            roster_changed: false,
            past: HistoryProgress::default(),
            topic: String::new(),
            silence: Silence::default(),
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
    pub(super) fn take_actions(&mut self) -> Vec<LinkAction> {
        std::mem::take(&mut self.actions)
    }

    /// The roster, if it has changed since it was last asked for.
    pub(super) fn changed_roster(&mut self) -> Option<Roster> {
        std::mem::take(&mut self.roster_changed).then(|| self.roster.clone())
    }

    /// How things stand, for the hub.
    pub(super) fn standing(&self) -> Standing {
        let is_leaving = self.departure == Departure::Leaving;
        Standing {
            generation: self.generation,
            me: self.me().cloned(),
            is_joined: self.is_joined(),
            sign_in: match () {
                () if is_leaving && self.is_closed() => SignInPhase::SignedOut,
                () if self.ready => SignInPhase::Complete,
                () if self.is_signing_in() => SignInPhase::UnderWay,
                () => SignInPhase::NotBegun,
            },
            route: self.route(),
            server_key: self.server_key,
            outstanding: if is_leaving { self.outstanding() } else { (0, 0) },
        }
    }

    /// The user's name: the one accepted last, by this or a lost connection.
    pub(super) fn me(&self) -> Option<&Username> {
        self.sign_in.me()
    }

    /// Whether the server is connected and has accepted the name.
    pub(super) fn is_joined(&self) -> bool {
        self.sign_in.is_joined()
    }

    pub(super) fn route(&self) -> Option<ServerRoute> {
        self.connection.and_then(|connection| connection.route)
    }

    /// Whether the first sign-in is still under way.
    pub(super) fn is_signing_in(&self) -> bool {
        let wanted = self.sign_in.is_asking() || self.sign_in.is_joined();
        !self.ready && self.connection.is_some() && wanted
    }

    /// Whether no connection is open or being opened.
    pub(super) fn is_closed(&self) -> bool {
        self.connection.is_none()
    }

    /// The user's messages that have not come back, and bytes that are not written, while the
    /// connection is being closed.
    pub(super) fn outstanding(&self) -> (u64, usize) {
        (self.unacknowledged, self.unwritten)
    }

    /// Begins, with the addresses of one room, or with none when the user has yet to choose one.
    pub(super) fn start(&mut self, servers: Vec<ServerName>) {
        self.servers = Servers::new(servers);
        self.connect();
    }

    /// Sends a frame that was decided on while the connection of that generation was the present one.
    pub(super) fn send_private(&mut self, generation: u64, frame: v2::ClientFrame) {
        if self.is_current(generation) {
            self.send(frame);
        }
    }

    pub(super) fn send(&mut self, frame: v2::ClientFrame) {
        if self.connection.is_some() {
            self.command(ConnectionCommand::Send(frame));
        }
    }

    /// The user signs out once nothing is under way.
    pub(super) fn finish(&mut self) {
        self.departure = Departure::Finishing;
    }

    /// The user signs out now.
    pub(super) fn leave(&mut self) {
        self.departure = Departure::Leaving;
        self.retry = None;
        if self.route().is_none() {
            return self.hang_up();
        }
        if self.sign_in.is_joined() {
            self.command(ConnectionCommand::Send(ClientFrame::Leave.into()));
        }
        self.command(ConnectionCommand::Close);
    }

    /// Waits no more for the server to read and answer.
    pub(super) fn give_up(&mut self) {
        self.report_unacknowledged();
        self.hang_up();
    }

    pub(super) fn is_current(&self, generation: u64) -> bool {
        self.connection.is_some() && generation == self.generation
    }

    /// It is known who is here, and so who can be written to.
    pub(super) fn enter_room(&mut self) {
        self.ready = true;
        self.report_event(LinkEvent::Ready);
    }

    pub(super) fn hang_up(&mut self) {
        if self.connection.take().is_some() {
            self.command(ConnectionCommand::HangUp);
        }
    }

    pub(super) fn server_name(&self) -> String {
        self.servers.current().map(ToString::to_string).unwrap_or_default()
    }

    pub(super) fn command(&mut self, command: ConnectionCommand) {
        self.actions.push(LinkAction::Command(command));
    }

    pub(super) fn report_event(&mut self, event: LinkEvent) {
        self.actions.push(LinkAction::Report(event));
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.report_event(LinkEvent::Emit(event));
    }

    pub(super) fn error(&mut self, code: ErrorCode, message: impl Into<String>) {
        self.emit(Event::Error { code, message: message.into() });
    }

    pub(super) fn notice(&mut self, message: impl Into<String>) {
        self.emit(Event::Notice { message: message.into() });
    }
}
