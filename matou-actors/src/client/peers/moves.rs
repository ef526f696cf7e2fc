//! A peer that the server says is somewhere else now.
//!
//! The server names the address of each further session with a peer. One that goes where the open
//! session goes is made without the user; any other one only after they have agreed, and talk
//! never changes its other end without a notice.

use std::net::IpAddr;

use super::further::PendingMove;
use super::{Peers, Situation, Wake};
use crate::client::api::event::{Event, RequestState};
use crate::client::connection::sockets;
use crate::client::ids::{RequestId, SessionNumber};
use crate::client::session::Way;
use crate::client::session::plain::PlainRole;
use crate::protocol::{FoldedName, PortPair, Username};

impl Peers {
    /// Where messages to this user go.
    pub(super) fn talk_address(&self, key: &FoldedName) -> Option<IpAddr> {
        let first = self.conversations.get(key)?.sessions().first()?;
        Some(self.sessions.get(first)?.address)
    }

    /// Says that talk changed its other end, if it did since it went to `before`.
    pub(super) fn announce_move(&mut self, key: &FoldedName, before: Option<IpAddr>) {
        let name = self.conversations.get(key).map(|with| with.name().clone());
        if let (Some(name), Some(before), Some(now)) = (name, before, self.talk_address(key))
            && before != now
        {
            self.notice(format!(
                "private messages and files for {name} go to {now} from now on, no longer to \
                 {before}"
            ));
        }
    }

    /// Whether a session with `address` is not to be made now, since one with the same user goes
    /// elsewhere: the user is asked, unless no attempt waits for it.
    pub(super) fn asks_to_move(
        &mut self,
        key: &FoldedName,
        address: IpAddr,
        ports: Option<PortPair>,
    ) -> bool {
        let address = address.to_canonical();
        let Some(open) = self.other_address(key, address) else { return false };
        let request = self.request();
        let Some(with) = self.conversations.get_mut(key) else { return false };
        if with.ask_to_move(PendingMove { request, address, ports }) {
            let from = with.name().clone();
            // After it the peer does not wait either.
            self.limit(key, request, self.settings.connect_timeout);
            self.emit(Event::PrivateMoveRequest { from, address, open });
        }
        true
    }

    /// The user agrees to the move of `key`; false when there is none to agree to.
    pub(super) fn accept_move(&mut self, key: &FoldedName, at: &Situation<'_>) -> bool {
        let id = SessionNumber(self.request().0);
        let Some(with) = self.conversations.get_mut(key) else { return false };
        let Some(to) = with.accept_move(id) else { return false };
        let name = with.name().clone();
        self.emit(Event::PrivateState { with: name.clone(), state: RequestState::Connecting });
        match (to.ports, at.route) {
            (Some(ports), route) => {
                let source = route.map(|route| route.local);
                let role = PlainRole::Dial { address: to.address, ports, source };
                self.start_session(id, name, Way::Plain(role));
            }
            (None, Some(route)) => self.listen_for(id, name, to.address, route.local),
            (None, None) => self.session_ended(key, id, "the connection to the server was lost"),
        }
        true
    }

    /// The user does not agree; false when there was nothing to agree to.
    pub(super) fn decline_move(&mut self, key: &FoldedName) -> bool {
        let Some(with) = self.conversations.get_mut(key) else { return false };
        let Some(remains) = with.decline_move() else { return false };
        self.remains(key, remains, "you declined to talk to another address");
        true
    }

    /// Src: waits for the peer at `peer`.
    pub(super) fn listen_for(
        &mut self,
        id: SessionNumber,
        name: Username,
        peer: IpAddr,
        local: IpAddr,
    ) {
        let address = self.settings.private_listen;
        let address = address.unwrap_or_else(|| sockets::listen_address(local, peer));
        let ports = self.settings.private_ports.clone();
        self.start_session(id, name, Way::Plain(PlainRole::Listen { address, ports, peer }));
    }

    /// The peer asks for a further session, which the user need not be asked about: accepts it
    /// once it is time for it.
    pub(super) fn accept_in_turn(
        &mut self,
        name: Username,
        request: RequestId,
        at: &Situation<'_>,
    ) {
        let key = name.folded();
        let Some(with) = self.conversations.get_mut(&key) else { return };
        let wait = with.defer(request, at.now);
        if wait.is_zero() {
            return self.accepted(name, request, at);
        }
        self.wake_in(wait, Wake::Due { name, request });
    }

    /// The wait of a further session is over.
    pub(super) fn accept_if_due(&mut self, name: Username, request: RequestId, at: &Situation<'_>) {
        let with = self.conversations.get_mut(&name.folded());
        if with.is_some_and(|with| with.is_due(request)) {
            self.accepted(name, request, at);
        }
    }

    /// Where sessions with this user go, or are about to, if none of them to `address`.
    fn other_address(&self, key: &FoldedName, address: IpAddr) -> Option<IpAddr> {
        // The name may have another owner now: that is another question.
        self.conversations.get(key).filter(|with| !with.is_given_up())?;
        let live = self.sessions.values().filter(|live| !live.closed && !live.over);
        let mut theirs = live.filter(|live| live.peer.folded() == *key).map(|live| live.address);
        let first = theirs.next()?;
        (first != address && theirs.all(|other| other != address)).then_some(first)
    }
}
