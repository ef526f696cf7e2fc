//! The server as the hub sees it: what its link reported last.

use std::net::{IpAddr, SocketAddr};

use super::roster::Roster;
use crate::protocol::Username;
use crate::trust::Fingerprint;

/// The addresses of a connection to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerRoute {
    pub(crate) local: IpAddr,
    pub(crate) server: SocketAddr,
}

/// How things stand with the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Counts connections.
    pub(super) generation: u64,
    pub(super) me: Option<Username>,
    pub(super) is_joined: bool,
    pub(super) sign_in: SignInPhase,
    pub(super) route: Option<ServerRoute>,
    pub(super) server_key: Option<Fingerprint>,
    pub(super) outstanding: (u64, usize),
}

/// How far the first sign-in is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignInPhase {
    /// There is no server, or no name.
    NotBegun,
    UnderWay,
    /// It is known who is here.
    Complete,
    /// The user has signed out, and no connection is left.
    SignedOut,
}

/// What the hub knows of the server.
#[derive(Debug)]
pub(crate) struct ServerView {
    standing: Standing,
    /// A snapshot; the link owns the roster.
    roster: Roster,
}

impl ServerView {
    /// Before the first report: a sign-in may be under way.
    pub(crate) fn new() -> Self {
        let standing = Standing {
            generation: 0,
            me: None,
            is_joined: false,
            sign_in: SignInPhase::UnderWay,
            route: None,
            server_key: None,
            outstanding: (0, 0),
        };
        Self { standing, roster: Roster::default() }
    }

    pub(crate) fn update(&mut self, standing: Option<Standing>, roster: Option<Roster>) {
        if let Some(standing) = standing {
            self.standing = standing;
        }
        if let Some(roster) = roster {
            self.roster = roster;
        }
    }

    /// Which connection this is about.
    pub(crate) fn generation(&self) -> u64 {
        self.standing.generation
    }

    /// The user's name: the one accepted last, by this or a lost connection.
    pub(crate) fn me(&self) -> Option<&Username> {
        self.standing.me.as_ref()
    }

    /// Whether the server is connected and has accepted the name.
    pub(crate) fn is_joined(&self) -> bool {
        self.standing.is_joined
    }

    /// Whether the first sign-in is complete.
    pub(crate) fn is_ready(&self) -> bool {
        self.standing.sign_in == SignInPhase::Complete
    }

    /// Whether the first sign-in is still under way.
    pub(crate) fn is_signing_in(&self) -> bool {
        self.standing.sign_in == SignInPhase::UnderWay
    }

    /// Whether the user has signed out, and no connection is left.
    pub(crate) fn has_left(&self) -> bool {
        self.standing.sign_in == SignInPhase::SignedOut
    }

    /// The two ends of the connection, while it is there.
    pub(crate) fn route(&self) -> Option<ServerRoute> {
        self.standing.route
    }

    /// The fingerprint of the key of the server, also once it is lost: people are known by it. `None`
    /// when the connection is, or was, plain.
    pub(crate) fn server_key(&self) -> Option<Fingerprint> {
        self.standing.server_key
    }

    /// While signing out: the user's messages that have not come back, and bytes that are not written.
    pub(crate) fn outstanding(&self) -> (u64, usize) {
        self.standing.outstanding
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }
}
