//! The registry of a server that shares its room: all nodes decide who gets a name.

use std::net::{IpAddr, Ipv4Addr};

use slog::warn;

use crate::protocol::Username;
use crate::protocol::v2::{Declined, LeaveReason};
use crate::server::accept::bans::Moment;
use crate::server::ids::{MemberId, Route};
use crate::server::messages::{
    ConnectionOrder, JoinRequest, NodeEvent, PrivateStep, Relay, RemoteStep, Step, ToBroker,
    ToNode, ToRoom,
};
use crate::server::reason::Reason;
use crate::server::registry::actor::Registry;
use crate::server::registry::directory::{Addresses, Location, Member};
use crate::server::registry::refused::Refused;
use crate::server::registry::shared::RemoteRequest;
use crate::server::room::event::MemberKey;

impl Registry {
    /// A client asks to join. Nothing on this node forbids the name; all nodes decide.
    pub(super) fn ask_to_join(&mut self, request: JoinRequest) {
        let Some(shared) = &mut self.shared else { return };
        let route = request.route;
        if !shared.is_serving {
            // The client tries another server, or this one again.
            self.answers.push((route, ConnectionOrder::Close(Reason::CutOff)));
            return;
        }
        let JoinRequest { claimed, addresses, key, last_sequence, .. } = &request;
        match self.directory.check(claimed, *addresses, key.as_deref(), Moment::now()) {
            Ok(name) => {
                let (key, last_sequence, replaces) = (key.clone(), *last_sequence, None);
                self.room.do_send(ToRoom::Enter { route, name, key, replaces, last_sequence });
                shared.pending.insert(route.id.into(), request);
            }
            Err(refused) => self.refuse(&request, refused),
        }
    }

    /// A step that is not taken: the names of both may be those of others by now.
    pub(super) fn put_off(&self, route: Route, step: &PrivateStep) {
        if let PrivateStep::Ask { session, to } = step
            && let (Some(from), Ok(name)) = (self.directory.member(route.id.into()), to.parse())
        {
            let (from, session, reason) = (from.clone(), *session, Declined::Busy);
            self.broker.do_send(ToBroker::NotHere { from, session, name, reason });
        }
    }

    /// A step towards a member elsewhere.
    pub(super) fn forward_elsewhere(
        &mut self,
        from: Member,
        to: MemberId,
        name: Username,
        step: Step,
    ) {
        let Some(shared) = &mut self.shared else { return };
        if let Step::Ask(session) = step {
            shared.remember(session, RemoteRequest { by: from.id(), whom: to });
        }
        let step = RemoteStep::Step(step);
        self.shared_node(ToNode::Step { from, to, name, step });
    }

    fn shared_node(&self, message: ToNode) {
        if let Some(shared) = &self.shared {
            // Cannot flood: a connection forwards one step at a time.
            shared.node.do_send(message);
        }
    }

    /// Applies what all nodes have decided.
    pub(super) fn follow(&mut self, event: NodeEvent) {
        match event {
            NodeEvent::Joined { member, name, key, replaces } => {
                self.decided(member, name, key, replaces);
            }
            NodeEvent::Refused(member) => {
                let Some(pending) = self.take_pending(member) else { return };
                self.refuse(&pending, Refused::Taken);
            }
            NodeEvent::Left(member) => {
                self.remove_member(member, ConnectionOrder::Close(Reason::CutOff));
            }
            NodeEvent::Expelled => {
                warn!(self.logger, "the other nodes expelled this one";
                    "next" => "its clients are disconnected and can come back");
                let Some(shared) = &mut self.shared else { return };
                let pending = std::mem::take(&mut shared.pending);
                let close =
                    |pending: JoinRequest| (pending.route, ConnectionOrder::Close(Reason::CutOff));
                self.answers.extend(pending.into_values().map(close));
            }
            NodeEvent::Serving(serving) => {
                if let Some(shared) = &mut self.shared {
                    shared.is_serving = serving;
                }
            }
            NodeEvent::Step { from, to, step } => self.step_from_elsewhere(from, to, step),
            NodeEvent::Deliver { from, to, frame } => {
                let to = self.directory.member(to).and_then(Member::route);
                if let (Some(to), Some(shared)) = (to, &self.shared) {
                    // Cannot flood: as with the frames of the broker here.
                    shared.relay.do_send(Relay { from, to, frame });
                }
            }
            NodeEvent::Unreachable { from, session, name } => {
                if let Some(from) = self.directory.member(from).cloned() {
                    let reason = Declined::Busy;
                    self.broker.do_send(ToBroker::NotHere { from, session, name, reason });
                }
            }
        }
    }

    fn take_pending(&mut self, member: MemberId) -> Option<JoinRequest> {
        self.shared.as_mut().and_then(|shared| shared.pending.remove(&member))
    }

    fn decided(
        &mut self,
        member: MemberId,
        name: Username,
        key: MemberKey,
        replaces: Option<MemberId>,
    ) {
        if let Some(replaced) = replaces {
            self.remove_member(replaced, ConnectionOrder::TakenOver);
        }
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let (place, addresses) = match self.take_pending(member) {
            Some(JoinRequest { route, peer, addresses, .. }) => {
                self.joined(peer, &name, key.as_deref());
                (Location::Here(route), addresses)
            }
            None => (Location::Elsewhere(member), Addresses { peer: unknown, local: unknown }),
        };
        self.directory.enter(Member { place, name, addresses, key }, Moment::now());
        self.meters.users.set(self.directory.here());
    }

    /// A member is not here any more; its connection, if it is one of this process, gets `order`.
    fn remove_member(&mut self, member: MemberId, order: ConnectionOrder) {
        let Some(left) = self.directory.leave(member, Moment::now()) else { return };
        self.broker.do_send(ToBroker::Forget { id: member });
        if let Some(route) = left.route() {
            // The room knows that it left; what it keeps of the connection is to go, too.
            self.room.do_send(ToRoom::Leave { id: member, reason: LeaveReason::Removed });
            self.answers.push((route, order));
        }
        self.meters.users.set(self.directory.here());
    }

    fn step_from_elsewhere(&mut self, from: Member, to: MemberId, step: RemoteStep) {
        // The answer depends on the address of the asker.
        self.directory.learn(&from);
        let to = self.directory.member(to).filter(|to| to.route().is_some()).cloned();
        match (to, step) {
            (_, RemoteStep::Session { session, step }) => {
                self.broker.do_send(ToBroker::Session { from, session, step });
            }
            (Some(to), RemoteStep::Step(step)) => {
                self.broker.do_send(ToBroker::Step { from, to, step });
            }
            (None, RemoteStep::Step(Step::Ask(session))) => {
                let (name, reason) = (from.name.clone(), Declined::Left);
                self.broker.do_send(ToBroker::NotHere { from, session, name, reason });
            }
            (None, RemoteStep::Step(_)) => {}
        }
    }
}
