//! A peer that the server says is somewhere else now.
//!
//! The server names the address of each further session with a peer. One that goes where the open
//! session goes is made without the user; any other one only after they have agreed, and talk
//! never changes its other end without a notice.

use std::net::IpAddr;
use std::time::Instant;

use actix::prelude::*;

use super::Hub;
use crate::client::api::event::{Event, RequestState};
use crate::client::connection::sockets;
use crate::client::ids::{RequestId, SessionId};
use crate::client::session::actor::Role;
use crate::client::session::further::Move;
use crate::protocol::{FoldedName, PortPair, Username};

impl Hub {
    /// Where what is written to this user goes.
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
        ctx: &mut Context<Self>,
    ) -> bool {
        let address = address.to_canonical();
        let Some(open) = self.other_address(key, address) else { return false };
        let request = self.request();
        let Some(with) = self.conversations.get_mut(key) else { return false };
        if with.ask_to_move(Move { request, address, ports }) {
            let from = with.name().clone();
            // Behind it the peer does not wait any more either.
            Self::limit(key, request, self.settings.connect_timeout, ctx);
            self.emit(Event::PrivateMoveRequest { from, address, open });
        }
        true
    }

    /// The user agrees to the move of `key`; false when there is none to agree to.
    pub(super) fn accept_move(&mut self, key: &FoldedName, ctx: &mut Context<Self>) -> bool {
        let id = SessionId(self.request().0);
        let Some(with) = self.conversations.get_mut(key) else { return false };
        let Some(to) = with.accept_move(id) else { return false };
        let name = with.name().clone();
        self.emit(Event::PrivateState { with: name.clone(), state: RequestState::Connecting });
        match (to.ports, self.link.as_ref().and_then(|link| link.up)) {
            (Some(ports), up) => {
                let source = up.map(|up| up.local);
                self.start_session(
                    id,
                    name,
                    Role::Dial { address: to.address, ports, source },
                    ctx,
                );
            }
            (None, Some(up)) => self.listen_for(id, name, to.address, up.local, ctx),
            (None, None) => self.session_ended(key, id, "the server is lost"),
        }
        true
    }

    /// The user does not agree; false when there was nothing to agree to.
    pub(super) fn decline_move(&mut self, key: &FoldedName) -> bool {
        let Some(with) = self.conversations.get_mut(key) else { return false };
        let Some(remains) = with.decline_move() else { return false };
        self.remains(key, remains, "you declined to talk with another address");
        true
    }

    /// Src: waits for the peer at `peer`.
    pub(super) fn listen_for(
        &mut self,
        id: SessionId,
        name: Username,
        peer: IpAddr,
        local: IpAddr,
        ctx: &mut Context<Self>,
    ) {
        let address = self.settings.private_listen;
        let address = address.unwrap_or_else(|| sockets::listen_address(local, peer));
        let ports = self.settings.private_ports.clone();
        self.start_session(id, name, Role::Listen { address, ports, peer }, ctx);
    }

    /// The peer asks for a further session, which the user need not be asked about: accepts it
    /// once it is time for it.
    pub(super) fn accept_in_turn(
        &mut self,
        name: Username,
        request: RequestId,
        ctx: &mut Context<Self>,
    ) {
        let key = name.folded();
        let Some(with) = self.conversations.get_mut(&key) else { return };
        let wait = with.defer(request, Instant::now());
        if wait.is_zero() {
            return self.accepted(name, request, ctx);
        }
        Self::later(ctx, wait, move |hub, ctx| {
            if hub.conversations.get_mut(&key).is_some_and(|with| with.is_due(request)) {
                hub.accepted(name, request, ctx);
            }
        });
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
