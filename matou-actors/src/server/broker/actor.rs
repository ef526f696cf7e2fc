//! The broker actor: relays who asks whom, and the tuples of address and ports.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::{Actor, AsyncContext, Context, Handler, Recipient};
use bytes::BytesMut;
use slog::{Logger, debug};

use crate::protocol::{Encode, ServerFrame};
use crate::server::broker::requests::{Ignored, Party, Requests};
use crate::server::lifecycle::critical::CriticalActor;
use crate::server::messages::{Relay, SetRequestLimits, Step, ToBroker};
use crate::server::metrics::meters::Meters;
use crate::server::registry::directory::Member;

/// How often requests whose time is over are looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(2);

/// Relays the set-up of private connections. It never sees what is said on them.
pub(crate) struct Broker {
    pub(crate) requests: Requests,
    /// On the way through the room a frame keeps its place behind what was announced before:
    /// no client is asked by a user whose join it has not read yet.
    pub(crate) room: Recipient<Relay>,
    pub(crate) clock: fn() -> Instant,
    pub(crate) meters: Arc<Meters>,
    pub(crate) logger: Logger,
    pub(crate) _critical: Option<CriticalActor>,
}

impl Actor for Broker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // Each step forgets what is over by then; this is for when there is none.
        ctx.run_interval(EXPIRE_EVERY, |broker, _| {
            broker.requests.expire((broker.clock)());
            broker.count();
        });
    }
}

impl Handler<ToBroker> for Broker {
    type Result = ();

    fn handle(&mut self, message: ToBroker, _: &mut Context<Self>) {
        match message {
            ToBroker::Forget { id } => self.requests.forget(id),
            ToBroker::Step { from, to, step } => match self.decide(&from, &to, step) {
                Ok(frame) => self.send(&from, &to, &frame),
                Err(ignored) => {
                    self.meters.private.ignored.add(1);
                    debug!(self.logger, "private step ignored";
                        "username" => &from.name, "to" => &to.name, "step" => ?step,
                        "reason" => %ignored);
                }
            },
        }
        self.count();
    }
}

impl Handler<SetRequestLimits> for Broker {
    type Result = ();

    fn handle(&mut self, SetRequestLimits(limits): SetRequestLimits, _: &mut Context<Self>) {
        self.requests.set_limits(limits);
    }
}

impl Broker {
    fn count(&self) {
        let accepted = self.requests.accepted();
        self.meters.private.awaiting_answer.set(self.requests.pending().saturating_sub(accepted));
        self.meters.private.awaiting_ports.set(accepted);
    }

    /// The frame that `to` gets for the step that `from` takes.
    fn decide(&mut self, from: &Member, to: &Member, step: Step) -> Result<ServerFrame, Ignored> {
        let now = (self.clock)();
        let (source, target) = (from.id(), to.id());
        let address = from.addresses.seen_by(to.addresses);
        let name = from.name.clone();
        let party = Party { id: source, address: from.addresses.peer.into() };
        match step {
            Step::Request => {
                self.requests.ask(party, target, now)?;
                self.meters.private.requested.add(1);
                Ok(ServerFrame::PrivateRequested { from: name })
            }
            Step::Accept => {
                self.requests.accept(party, target, now)?;
                self.meters.private.accepted.add(1);
                Ok(ServerFrame::PeerAccepted { by: name, address })
            }
            Step::OfferPorts(ports) => {
                self.requests.offer_ports(source, target, now)?;
                self.meters.private.established.add(1);
                Ok(ServerFrame::PeerListening { who: name, address, ports })
            }
        }
    }

    fn send(&self, from: &Member, to: &Member, frame: &ServerFrame) {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        self.meters.hub_sent(frame.kind(), 1);
        // Cannot flood: pending requests are limited for each target, and each of their steps
        // works once.
        let (from, to, frame) = (from.id(), to.route, out.freeze());
        self.room.do_send(Relay { from, to, frame });
    }
}
