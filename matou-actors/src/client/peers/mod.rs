//! Other users, as far as something private goes on with them. Pure: no actor, socket or clock.
//!
//! Whatever happens comes in by the methods of [`Peers`], with the [`Situation`] that it happens
//! in; what has to be done is left in order as [`PeerAction`]s, which the hub performs.
//!
//! - `commands`: what the user wants of other users; `delivery`: that texts and files arrive.
//! - `server_frames`: what the server says about other users. `requests`: private requests; `encrypted`: those of revision 2; with `numbered_requests`; `keys`: whose keys are known; `moves`: peers who are said to be somewhere else.
//! - `sessions`: what private sessions report. `files`: the same for files, and what the user
//!   wants of those.
//! - [`conversation`]: the state of things with one user, `outcome`: what comes of what happened to it; `further`: sessions beside the first.
//! - `reachable`: addresses that are connected to. `transfers`, `accept_rate`: files of this run.
//! - `doctor`: what is in the way between the user and others.
//! - `resend`: texts that did not arrive.

mod accept_rate;
mod commands;
mod conversation;
#[cfg(test)]
mod conversation_tests;
mod delivery;
mod diagnoses;
mod doctor;
mod encrypted;
mod files;
mod further;
mod keys;
mod known_keys;
mod moves;
mod numbered_requests;
mod outcome;
#[cfg(test)]
mod pair_tests;
pub(crate) mod reachable;
mod requests;
mod resend;
mod server_frames;
mod sessions;
#[cfg(test)]
mod tests;
mod transfers;
mod undelivered;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use slog::Logger;
use tokio::sync::oneshot;

use self::accept_rate::AcceptRate;
use self::conversation::Conversation;
use self::diagnoses::Diagnoses;
use self::further::Allowance;
use self::known_keys::KnownKeys;
use self::numbered_requests::EncryptedRequests;
use self::outcome::Item;
use self::transfers::PeerTransfers;
use self::undelivered::Undelivered;
use crate::client::api::event::{ErrorCode, Event, KeyStanding};
use crate::client::api::settings::{ClientSettings, Policy};
use crate::client::ids::{RequestId, SessionNumber, TransferId, TransferIds};
use crate::client::link::roster::Roster;
use crate::client::link::view::{ServerRoute, ServerView};
use crate::client::messages::{GiveUp, SessionCommand};
use crate::client::session::Way;
use crate::protocol::v2::{self, PublicKey};
use crate::protocol::{FoldedName, Username};
use crate::trust::{Fingerprint, Person};

/// All other users.
#[derive(Debug)]
pub(crate) struct Peers {
    settings: ClientSettings,
    logger: Logger,
    conversations: HashMap<FoldedName, Conversation>,
    sessions: HashMap<SessionNumber, LiveSession>,
    pending_closes: Vec<PendingClose>,
    /// For private requests that the settings accept.
    allowance: Allowance,
    ignored: HashSet<FoldedName>,
    /// Whose requests and files are accepted without the user.
    allowed: HashMap<FoldedName, Username>,
    /// When users were asked last who have not accepted that.
    asked: HashMap<FoldedName, Instant>,
    numbers: u64,
    transfers: PeerTransfers,
    accept_rate: AcceptRate,
    /// The client signs out: nothing new is begun.
    leaving: bool,
    encrypted: EncryptedRequests,
    keys: KnownKeys,
    undelivered: Undelivered,
    doctor: Diagnoses,
    actions: Vec<PeerAction>,
}

/// What matters of everything else when something happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation<'a> {
    /// The user's name, once it was accepted.
    pub(crate) me: Option<&'a Username>,
    /// The server is connected, and has accepted the name.
    pub(crate) joined: bool,
    /// The two ends of the connection to the server.
    pub(crate) route: Option<ServerRoute>,
    /// The fingerprint of the key of the server, also once it is lost; `None` if it is plain.
    pub(crate) server_key: Option<Fingerprint>,
    pub(crate) roster: &'a Roster,
    pub(crate) now: Instant,
    pub(crate) today: jiff::civil::Date,
}

impl<'a> Situation<'a> {
    /// That of a client of `server`, now.
    pub(crate) fn now(server: &'a ServerView) -> Self {
        Self {
            me: server.me(),
            joined: server.is_joined(),
            route: server.route(),
            server_key: server.server_key(),
            roster: server.roster(),
            now: Instant::now(),
            today: jiff::Zoned::now().date(),
        }
    }
}

/// Something to be done.
#[derive(Debug)]
pub(crate) enum PeerAction {
    Emit(Event),
    /// The same, but only if the user's side has taken all events before it.
    EmitUnlessBehind(Event),
    /// Send a frame to the server.
    Send(v2::ClientFrame),
    /// Start a private session.
    Start {
        id: SessionNumber,
        peer: Username,
        way: Way,
    },
    /// Keep the key of a person on the server with that fingerprint.
    Remember {
        server: String,
        person: Person,
    },
    /// Show the words by which both sides compare their keys.
    Verify {
        name: Username,
        own: PublicKey,
        theirs: PublicKey,
    },
    /// Have a private session do something.
    Session(SessionNumber, SessionCommand),
    /// Call [`Peers::wake`] in a while.
    Wake(Duration, Wake),
}

/// What is looked at again later.
#[derive(Clone, Debug)]
pub(crate) enum Wake {
    /// A request that may not have been answered.
    Limit { key: FoldedName, request: RequestId },
    /// The user's own request, which had to wait.
    Ask { name: Username, request: RequestId },
    /// A request for a further session, which may be accepted now.
    Due { name: Username, request: RequestId },
    /// An offer that is taken without the user.
    Take(TransferId),
}

/// A private session, or the attempt at one.
#[derive(Debug)]
struct LiveSession {
    peer: Username,
    /// Where the peer is.
    address: IpAddr,
    /// Where both connections go, once they are there.
    open: Option<IpAddr>,
    /// In revision 2: the number of the request, and whether it was the user's.
    meeting: Option<(v2::SessionId, bool)>,
    /// The key that the peer has proved, or has to prove.
    key: Option<PublicKey>,
    /// How far that key was known before the session.
    standing: Option<KeyStanding>,
    /// No file was given back yet.
    takes_files: bool,
    /// The user, or the client on its way out, closed it.
    closed: bool,
    /// The message connection ended by itself: only files that were sent before may come.
    over: bool,
    /// Bytes of texts that were not written when that was last reported, once it is closed.
    unwritten: usize,
}

/// A conversation that the user closed, until its sessions have reported what was before that.
#[derive(Debug)]
struct PendingClose {
    with: Username,
    sessions: Vec<SessionNumber>,
    undelivered: Vec<Item>,
    /// Dropped once the end was reported.
    _reported: oneshot::Sender<()>,
}

impl Peers {
    pub(crate) fn new(settings: ClientSettings, logger: Logger, now: Instant) -> Self {
        Self {
            settings,
            logger,
            conversations: HashMap::new(),
            sessions: HashMap::new(),
            pending_closes: Vec::new(),
            allowance: Allowance::new(now),
            ignored: HashSet::new(),
            allowed: HashMap::new(),
            asked: HashMap::new(),
            numbers: 0,
            transfers: PeerTransfers::default(),
            accept_rate: AcceptRate::default(),
            leaving: false,
            encrypted: EncryptedRequests::default(),
            keys: KnownKeys::default(),
            undelivered: Undelivered::default(),
            doctor: Diagnoses::default(),
            actions: Vec::new(),
        }
    }

    /// Takes what has to be done, in order.
    pub(crate) fn take_actions(&mut self) -> Vec<PeerAction> {
        std::mem::take(&mut self.actions)
    }

    /// Where the numbers of offers come from.
    pub(crate) fn transfer_ids(&self) -> TransferIds {
        self.transfers.ids()
    }

    /// The time of an [`PeerAction::Wake`] has come.
    pub(crate) fn wake(&mut self, wake: Wake, at: &Situation<'_>) {
        match wake {
            Wake::Limit { key, request } => self.end_requests(
                &key,
                |with| with.expired(request),
                "no answer in time; /open asks again",
            ),
            Wake::Ask { name, request } => self.ask_if_wanted(name, request, at),
            Wake::Due { name, request } => self.accept_if_due(name, request, at),
            Wake::Take(id) => self.take_if_offered(id),
        }
    }

    /// Whether something is under way that is waited for before signing out.
    pub(crate) fn is_busy(&self) -> bool {
        let pending = |with: &Conversation| with.is_pending() || with.has_waiting();
        self.transfers.is_busy() || self.conversations.values().any(pending)
    }

    /// Whether no session is there any more.
    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Bytes of texts that closed sessions have not written yet.
    pub(crate) fn unwritten(&self) -> usize {
        self.sessions.values().map(|live| live.unwritten).sum()
    }

    /// The user signs out: says goodbye to all.
    pub(crate) fn leave(&mut self) {
        self.leaving = true;
        let waiting = self.conversations.values_mut();
        let waiting: Vec<_> =
            waiting.map(|with| (with.name().clone(), with.take_waiting())).collect();
        for (to, items) in waiting {
            self.undelivered(to, items, "you signed out");
        }
        for session in self.session_ids() {
            // All connections are waited for together.
            self.close_session(session, "you signed out", GiveUp::WhenHungUp);
        }
    }

    /// Waits no more for what the others do not take.
    pub(crate) fn give_up(&mut self) {
        for id in self.session_ids() {
            self.command(Some(id), SessionCommand::HangUp);
            if self.sessions.get(&id).is_some_and(|live| live.unwritten > 0) {
                self.texts_unsent(id, "the other side stopped reading");
            }
        }
        self.sessions.clear();
    }

    /// What to do with what this user asks for, where the settings say `policy`; `standing` is how far
    /// the key was known that they have proved.
    fn policy(
        &self,
        name: &Username,
        policy: Policy,
        standing: Option<KeyStanding>,
        at: &Situation<'_>,
    ) -> Policy {
        let is_compared = || {
            let key = at.roster.key(&name.folded());
            let now = key.and_then(|key| self.standing(name, &key, at).ok());
            now == Some(KeyStanding::Compared)
        };
        let says_yes = match policy {
            _ if self.allowed.contains_key(&name.folded()) => true,
            Policy::Known => {
                standing.is_some_and(|standing| standing != KeyStanding::New)
                    || (standing.is_some() && is_compared())
            }
            Policy::Compared => {
                standing == Some(KeyStanding::Compared) || (standing.is_some() && is_compared())
            }
            other => return other,
        };
        if says_yes { Policy::Always } else { Policy::Ask }
    }

    fn session_ids(&self) -> Vec<SessionNumber> {
        self.sessions.keys().copied().collect()
    }

    fn emit(&mut self, event: Event) {
        self.actions.push(PeerAction::Emit(event));
    }

    fn error(&mut self, code: ErrorCode, message: impl Into<String>) {
        self.emit(Event::Error { code, message: message.into() });
    }

    fn notice(&mut self, message: impl Into<String>) {
        self.emit(Event::Notice { message: message.into() });
    }

    fn send(&mut self, frame: impl Into<v2::ClientFrame>) {
        self.actions.push(PeerAction::Send(frame.into()));
    }

    fn wake_in(&mut self, delay: Duration, wake: Wake) {
        self.actions.push(PeerAction::Wake(delay, wake));
    }

    fn request(&mut self) -> RequestId {
        self.numbers += 1;
        RequestId(self.numbers)
    }
}
