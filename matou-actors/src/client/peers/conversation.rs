//! The relation with one other user: requests both ways, sessions, and what waits for one.
//!
//! Either side may ask, both may ask at once, and each request stands alone: two that cross both
//! lead to a session. All sessions are read, and one is written to.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::further::{PendingMove, Spacing};
use super::outcome::{Item, Opened, Pursuit, Remains, Requested};
use crate::client::ids::{RequestId, SessionNumber, TransferId};
use crate::protocol::Username;

/// How much may wait for a session to open.
const MOST_WAITING: usize = 10_000;
/// Open sessions from which on the user is asked about another one: the other one decides how many
/// there are, and each has sockets and a thread.
const MOST_UNASKED: usize = 8;

/// The state of things with one user.
#[derive(Debug)]
pub(crate) struct Conversation {
    name: Username,
    asked: Option<OwnRequest>,
    answered: Option<PeerRequest>,
    /// Open ones; the first is talked on.
    sessions: Vec<SessionNumber>,
    waiting: VecDeque<Item>,
    crossing: bool,
    /// Each time that the name was given up, the last session with its owner until then: its
    /// present owner may be another person.
    given_up: BTreeSet<SessionNumber>,
    /// The last session with the former owner of the name.
    past: Option<SessionNumber>,
    spacing: Spacing,
    /// A further session that would go elsewhere: the user is asked.
    moving: Option<PendingMove>,
}

/// The user's own request.
#[derive(Debug, PartialEq, Eq)]
enum OwnRequest {
    Unanswered(RequestId),
    Connecting(SessionNumber),
}

/// The other one's request.
#[derive(Debug, PartialEq, Eq)]
enum PeerRequest {
    Undecided(RequestId),
    /// A further session requested too soon after the one before.
    Deferred(RequestId),
    Accepted(RequestId),
    Connecting(SessionNumber),
}

impl Conversation {
    pub(crate) fn new(name: Username) -> Self {
        let (sessions, waiting) = (Vec::new(), VecDeque::new());
        Self {
            name,
            asked: None,
            answered: None,
            sessions,
            waiting,
            crossing: false,
            given_up: BTreeSet::new(),
            past: None,
            spacing: Spacing::default(),
            moving: None,
        }
    }

    /// The name as its owner writes it.
    pub(crate) fn name(&self) -> &Username {
        &self.name
    }

    /// The open sessions, the one to talk on first.
    pub(crate) fn sessions(&self) -> &[SessionNumber] {
        &self.sessions
    }

    /// There is no request and no session: it may be forgotten.
    pub(crate) fn is_idle(&self) -> bool {
        self.sessions.is_empty()
            && self.asked.is_none()
            && self.answered.is_none()
            && self.moving.is_none()
    }

    /// The user waits for a session.
    pub(crate) fn is_pending(&self) -> bool {
        self.asked.is_some()
            || self.moving.is_some()
            || matches!(self.answered, Some(PeerRequest::Accepted(_) | PeerRequest::Connecting(_)))
    }

    /// Whether the user is asked about another address.
    pub(crate) fn is_moving(&self) -> bool {
        self.moving.is_some()
    }

    /// The user's own `request` was not answered or withdrawn yet.
    pub(crate) fn is_asking(&self, request: RequestId) -> bool {
        self.asked == Some(OwnRequest::Unanswered(request))
    }

    /// A request of the other one waits for the user.
    pub(crate) fn is_asked(&self) -> bool {
        matches!(self.answered, Some(PeerRequest::Undecided(_)))
    }

    /// The name was free for a time, so that its owner may be another than the peer.
    pub(crate) fn is_given_up(&self) -> bool {
        !self.given_up.is_empty()
    }

    /// The present owner of the name has the key of the peer so far: the name never changed hands.
    pub(crate) fn keeps_name(&mut self) {
        self.given_up.clear();
    }

    /// Something of the user's waits for a session.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes `item` for delivery once a session opens; hands it back when too much is queued.
    pub(crate) fn wait(&mut self, item: Item) -> Result<(), Item> {
        if self.waiting.len() >= MOST_WAITING {
            return Err(item);
        }
        self.waiting.push_back(item);
        Ok(())
    }

    /// Takes a waiting file back.
    pub(crate) fn withdraw(&mut self, file: TransferId) {
        self.waiting.retain(|item| *item != Item::File(file));
    }

    /// The user wants a session; `request` is for the answer that is then awaited.
    pub(crate) fn pursue(&mut self, request: RequestId) -> Pursuit {
        if !self.sessions.is_empty() {
            return Pursuit::Open;
        }
        if self.is_pending() {
            return Pursuit::Pending;
        }
        if self.accept(request) {
            return Pursuit::Accept;
        }
        self.asked = Some(OwnRequest::Unanswered(request));
        Pursuit::Ask
    }

    /// The user wants another session beside the open ones, since those take no files any more.
    pub(crate) fn pursue_another(&mut self, request: RequestId) -> Pursuit {
        if self.is_pending() {
            return Pursuit::Pending;
        }
        self.asked = Some(OwnRequest::Unanswered(request));
        Pursuit::Ask
    }

    /// PVCOREQNOTIF.
    pub(crate) fn requested(&mut self, request: RequestId) -> Requested {
        if self.answered.is_some() {
            return Requested::Repeat;
        }
        let talking = !self.sessions.is_empty() && self.sessions.len() < MOST_UNASKED;
        if (self.asked.is_some() || talking) && !self.is_given_up() {
            self.crossing = self.asked.is_some();
            self.answered = Some(PeerRequest::Accepted(request));
            return Requested::Wanted;
        }
        self.answered = Some(PeerRequest::Undecided(request));
        Requested::Undecided
    }

    /// How long a wanted session has to wait for its turn, since it is a further one; then
    /// [`Conversation::is_due`] says whether it is still wanted.
    pub(crate) fn defer(&mut self, request: RequestId, now: Instant) -> Duration {
        if self.sessions.is_empty() {
            return Duration::ZERO;
        }
        let wait = self.spacing.wait(now);
        if !wait.is_zero() {
            self.answered = Some(PeerRequest::Deferred(request));
        }
        wait
    }

    /// The wait of a further session is over; whether to accept it.
    pub(crate) fn is_due(&mut self, request: RequestId) -> bool {
        let due = self.answered == Some(PeerRequest::Deferred(request));
        if due {
            self.answered = Some(PeerRequest::Accepted(request));
        }
        due
    }

    /// PVCOESTASRC or PVCOESTADST names another address than that of the open session; whether
    /// to ask the user about it. An attempt that is not awaited, or a second question, is none.
    pub(crate) fn ask_to_move(&mut self, to: PendingMove) -> bool {
        let expected = if to.ports.is_some() {
            matches!(self.answered, Some(PeerRequest::Accepted(_)))
                && self.answered.take().is_some()
        } else {
            matches!(self.asked, Some(OwnRequest::Unanswered(_))) && self.asked.take().is_some()
        };
        let asks = expected && self.moving.is_none();
        if asks {
            self.moving = Some(to);
        }
        asks
    }

    /// The user agrees that the next session, `session`, goes elsewhere than the open one.
    pub(crate) fn accept_move(&mut self, session: SessionNumber) -> Option<PendingMove> {
        let to = self.moving.take()?;
        match to.ports {
            Some(_) => self.answered = Some(PeerRequest::Connecting(session)),
            None => self.asked = Some(OwnRequest::Connecting(session)),
        }
        self.crossing = false;
        Some(to)
    }

    /// The user does not agree; `None` when nothing was asked.
    pub(crate) fn decline_move(&mut self) -> Option<Remains> {
        self.moving.take()?;
        Some(self.remains(true))
    }

    /// The user accepts; false when there is no request.
    pub(crate) fn accept(&mut self, request: RequestId) -> bool {
        let undecided =
            matches!(self.answered, Some(PeerRequest::Undecided(_) | PeerRequest::Deferred(_)));
        if undecided {
            self.answered = Some(PeerRequest::Accepted(request));
        }
        undecided
    }

    /// The user declines; false when there is no request.
    pub(crate) fn decline(&mut self) -> bool {
        let undecided = self.is_asked();
        if undecided {
            self.answered = None;
        }
        undecided
    }

    /// PVCOESTASRC; whether the user asked, and so to listen for `session`.
    pub(crate) fn peer_accepted(&mut self, session: SessionNumber) -> bool {
        let asked = matches!(self.asked, Some(OwnRequest::Unanswered(_)));
        if asked {
            self.asked = Some(OwnRequest::Connecting(session));
        }
        asked
    }

    /// PVCOESTADST; whether the user accepted, and so to connect for `session`.
    pub(crate) fn peer_listening(&mut self, session: SessionNumber) -> bool {
        let accepted = matches!(self.answered, Some(PeerRequest::Accepted(_)));
        if accepted {
            self.answered = Some(PeerRequest::Connecting(session));
        }
        accepted
    }

    /// The attempt `session` succeeded.
    pub(crate) fn opened(&mut self, session: SessionNumber) -> Opened {
        if self.past.is_some_and(|last| session <= last) {
            return Opened::Late;
        }
        self.forget_attempt(session);
        let still = self.given_up.split_off(&session);
        if let Some(last) = std::mem::replace(&mut self.given_up, still).pop_last() {
            (self.past, self.crossing) = (Some(last), false);
            let former = std::mem::replace(&mut self.sessions, vec![session]);
            return Opened::Renewed { former, waiting: self.take_waiting() };
        }
        let first = self.sessions.is_empty();
        // One that was asked for while another is open is the better one to talk on: it was
        // asked for because something is wrong with the other. Two requests that crossed lead to
        // equal ones, and changing over would mix up the order of messages.
        if self.crossing {
            self.sessions.push(session);
        } else {
            self.sessions.insert(0, session);
        }
        if first { Opened::First } else { Opened::Another }
    }

    /// What waited for a session, in order.
    pub(crate) fn take_waiting(&mut self) -> Vec<Item> {
        self.waiting.drain(..).collect()
    }

    /// A session ended, or the attempt at one failed.
    pub(crate) fn ended(&mut self, session: SessionNumber) -> Remains {
        let open = self.sessions.contains(&session);
        self.sessions.retain(|other| *other != session);
        let attempt = self.forget_attempt(session);
        self.remains(open || attempt)
    }

    /// The time limit of `request` is over.
    pub(crate) fn expired(&mut self, request: RequestId) -> Remains {
        let asked = self.asked == Some(OwnRequest::Unanswered(request));
        let answered = matches!(
            self.answered,
            Some(PeerRequest::Accepted(of) | PeerRequest::Undecided(of)) if of == request
        );
        let moving = self.moving.is_some_and(|to| to.request == request);
        if moving {
            self.moving = None;
        }
        if asked {
            self.asked = None;
        }
        if answered {
            self.answered = None;
        }
        self.remains(asked || answered || moving)
    }

    /// The other one left or the connection to the server was lost: no unfinished request can be answered.
    pub(crate) fn unreachable(&mut self) -> Remains {
        let asked = matches!(self.asked, Some(OwnRequest::Unanswered(_)));
        let unfinished =
            matches!(self.answered, Some(PeerRequest::Accepted(_) | PeerRequest::Undecided(_)));
        if matches!(self.answered, Some(PeerRequest::Deferred(_))) {
            self.answered = None;
        }
        let moving = self.moving.take().is_some();
        if asked {
            self.asked = None;
        }
        if unfinished {
            self.answered = None;
        }
        let asking = match self.asked {
            Some(OwnRequest::Connecting(session)) => Some(session),
            _ => None,
        };
        let answering = match self.answered {
            Some(PeerRequest::Connecting(session)) => Some(session),
            _ => None,
        };
        let last = self.sessions.iter().copied().chain(asking).chain(answering).max();
        self.given_up.extend(last);
        self.remains(asked || unfinished || moving)
    }

    /// The user ends everything; the sessions and attempts to close, and what was not delivered.
    /// `None` when there is neither. A request that waits for the user remains.
    pub(crate) fn close(&mut self) -> Option<(Vec<SessionNumber>, Vec<Item>)> {
        if self.sessions.is_empty() && !self.is_pending() {
            return None;
        }
        let mut sessions = std::mem::take(&mut self.sessions);
        if let Some(OwnRequest::Connecting(session)) = self.asked.take() {
            sessions.push(session);
        }
        match self.answered.take() {
            Some(PeerRequest::Connecting(session)) => sessions.push(session),
            Some(undecided @ PeerRequest::Undecided(_)) => self.answered = Some(undecided),
            Some(PeerRequest::Accepted(_) | PeerRequest::Deferred(_)) | None => {}
        }
        (self.crossing, self.moving) = (false, None);
        Some((sessions, self.take_waiting()))
    }

    fn forget_attempt(&mut self, session: SessionNumber) -> bool {
        if self.asked == Some(OwnRequest::Connecting(session)) {
            self.asked = None;
            return true;
        }
        if self.answered == Some(PeerRequest::Connecting(session)) {
            self.answered = None;
            return true;
        }
        false
    }

    fn remains(&mut self, something_ended: bool) -> Remains {
        if !something_ended {
            return Remains::Nothing;
        }
        if self.is_pending() {
            return Remains::More;
        }
        if !self.sessions.is_empty() {
            return match self.take_waiting() {
                nothing if nothing.is_empty() => Remains::More,
                items => Remains::Undelivered(items),
            };
        }
        self.crossing = false;
        self.given_up.clear();
        Remains::Over(self.take_waiting())
    }
}
