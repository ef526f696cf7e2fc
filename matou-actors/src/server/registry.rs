//! The registry actor: unique names, and the way from a name to a connection.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};

use actix::fut::ActorFuture;
use actix::prelude::{Actor, AsyncContext, Context, Handler, MessageResult, Recipient};
use slog::{Logger, debug, info};

use super::Route;
use super::directory::{Addresses, Directory, Refused};
use super::messages::{Find, Order, PrivateStep, Step, ToBroker, ToConnection, ToRegistry, ToRoom};
use super::meters::Meters;
use super::vital::Vital;
use crate::protocol::{ClaimedName, Kind};

/// Enforces unique names. Everything that depends on who is here passes through its mailbox, so
/// its order is the order of joins and leaves for room and broker alike.
pub(crate) struct Registry {
    pub(crate) directory: Directory,
    pub(crate) room: Recipient<ToRoom>,
    pub(crate) broker: Recipient<ToBroker>,
    pub(crate) shards: Vec<Recipient<ToConnection>>,
    /// What connections are told once the mailbox is empty.
    pub(crate) answers: Vec<(Route, Order)>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) logger: Logger,
    pub(crate) _vital: Option<Vital>,
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.spawn(AnswerAfterMailbox);
    }
}

/// Polled by actix after each emptying of the mailbox. actix empties it without a pause: if a
/// connection was answered meanwhile and asked again, many of them on other event loops would
/// keep it from ever being empty, and what shares this event loop, the broker included, from
/// its turn.
struct AnswerAfterMailbox;

impl ActorFuture<Registry> for AnswerAfterMailbox {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        registry: &mut Registry,
        _: &mut Context<Registry>,
        _: &mut Task<'_>,
    ) -> Poll<()> {
        registry.answer();
        Poll::Pending
    }
}

// No send below can flood: a connection forwards one thing and then reads no further until it
// has been answered, so each mailbox holds at most one message for each connection.
impl Handler<ToRegistry> for Registry {
    type Result = ();

    fn handle(&mut self, message: ToRegistry, _: &mut Context<Self>) {
        match message {
            ToRegistry::Join { route, claimed, peer, addresses } => {
                self.join(route, &claimed, peer, addresses);
            }
            ToRegistry::Private { route, step } => {
                self.forward(route, step);
                self.answers.push((route, Order::Resume));
            }
            ToRegistry::Leave { id } => {
                if self.directory.leave(id).is_some() {
                    self.meters.users.set(self.directory.len());
                    self.room.do_send(ToRoom::Leave { id });
                    self.broker.do_send(ToBroker::Forget { id });
                }
            }
        }
    }
}

impl Handler<Find> for Registry {
    type Result = MessageResult<Find>;

    fn handle(&mut self, Find(name): Find, _: &mut Context<Self>) -> Self::Result {
        let found = self.directory.find(&name);
        MessageResult(found.map(|member| (member.route, member.name.clone())))
    }
}

impl Registry {
    fn join(
        &mut self,
        route: Route,
        claimed: &ClaimedName,
        peer: SocketAddr,
        addresses: Addresses,
    ) {
        match self.directory.join(route, claimed, addresses) {
            Ok(member) => {
                self.meters.joins.add(1);
                info!(self.logger, "joined"; "peer" => %peer, "username" => &member.name);
                self.room.do_send(ToRoom::Enter { route, name: member.name.clone() });
                self.meters.users.set(self.directory.len());
            }
            Err(refused) => {
                self.meters.names_refused.add(1);
                self.meters.hub_sent(Kind::CORES, 1);
                self.log_refusal(peer, claimed, refused);
                self.answers.push((route, Order::Refuse));
            }
        }
    }

    fn forward(&self, route: Route, step: PrivateStep) {
        let (claimed, step) = match step {
            PrivateStep::Request { to } => (to, Step::Request),
            PrivateStep::Accept { from } => (from, Step::Accept),
            PrivateStep::OfferPorts { to, ports } => (to, Step::OfferPorts(ports)),
        };
        let Some(from) = self.directory.member(route.id) else { return };
        let Some(to) = self.directory.find(&claimed) else {
            self.meters.private.ignored.add(1);
            debug!(self.logger, "private step ignored";
                "username" => &from.name, "step" => ?step, "reason" => "no such user",
                "to" => %claimed.as_str().escape_debug());
            return;
        };
        self.broker.do_send(ToBroker::Step { from: from.clone(), to: to.clone(), step });
    }

    /// Tells the connections whose requests were dealt with.
    pub(super) fn answer(&mut self) {
        for (Route { shard, id }, order) in std::mem::take(&mut self.answers) {
            if let Some(shard) = self.shards.get(shard) {
                shard.do_send(ToConnection { id, order });
            }
        }
    }

    fn log_refusal(&self, peer: SocketAddr, claimed: &ClaimedName, refused: Refused) {
        info!(self.logger, "name refused"; "peer" => %peer, "reason" => %refused,
            "username" => %claimed.as_str().escape_debug());
    }
}
