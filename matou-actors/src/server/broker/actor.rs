//! The broker actor: relays private requests, and the tuples of address and ports.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::{Actor, AsyncContext, Context, Handler, Recipient};
use bytes::BytesMut;
use slog::{Logger, debug};

use crate::protocol::v2::{
    self, Answer, Answered, Candidate, CandidateKind, Candidates, SessionId,
};
use crate::protocol::{Encode, ServerFrame};
use crate::server::broker::meetings::{Go, Meetings, WAIT_FOR_BOTH};
use crate::server::broker::requests::{Ignored, Party, Requests};
use crate::server::broker::session_request::SessionRequest;
use crate::server::ids::{MemberId, Route};
use crate::server::lifecycle::critical::CriticalActor;
use crate::server::messages::{
    ConnectionOrder, PresentedTicket, Relay, SessionStep, SetRequestLimits, Step, ToBroker,
    ToConnection, ToNode,
};
use crate::server::metrics::meters::Meters;
use crate::server::reason::Reason;
use crate::server::registry::directory::{Location, Member};

/// How often requests whose time is over are looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(2);

/// Relays the set-up of private connections. Their content never passes through it.
pub(crate) struct Broker {
    pub(crate) requests: Requests,
    pub(crate) meetings: Meetings,
    /// On its way through the room a frame keeps its place after earlier announcements: no client
    /// is asked by a user whose join it has not read yet.
    pub(crate) room: Recipient<Relay>,
    /// The way to members on other nodes of the cluster.
    pub(crate) node: Option<Recipient<ToNode>>,
    /// For the connections from private ports, which are in no room.
    pub(crate) shards: Vec<Recipient<ToConnection>>,
    pub(crate) clock: fn() -> Instant,
    pub(crate) meters: Arc<Meters>,
    pub(crate) logger: Logger,
    pub(crate) _critical: Option<CriticalActor>,
}

impl Actor for Broker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // Each step forgets requests that are over by then; this is for when there are no steps.
        ctx.run_interval(EXPIRE_EVERY, |broker, _| {
            broker.requests.expire((broker.clock)());
            broker.meetings.expire((broker.clock)());
            broker.settle();
        });
    }
}

impl Handler<ToBroker> for Broker {
    type Result = ();

    fn handle(&mut self, message: ToBroker, ctx: &mut Context<Self>) {
        match message {
            ToBroker::Forget { id } => self.requests.forget(id),
            ToBroker::NotHere { from, session, name, reason } => {
                let answer = Answered::Declined { by: name, reason };
                self.send(from.id(), &from, &v2::ServerFrame::Answered { session, answer });
            }
            ToBroker::Step { from, to, step } => match self.decide(&from, &to, step) {
                Ok(frame) => self.send(from.id(), &to, &frame),
                Err(ignored) => self.ignored(&from, &step, ignored),
            },
            ToBroker::Session { from, session, step } => {
                let is_offer = matches!(step, SessionStep::Candidates(_));
                match self.decide_session(&from, session, &step) {
                    Ok(frames) => {
                        for (to, frame) in frames {
                            self.send(from.id(), &to, &frame);
                        }
                    }
                    Err(ignored) => self.ignored(&from, &step, ignored),
                }
                self.meet(session, false, ctx);
                if is_offer {
                    ctx.run_later(WAIT_FOR_BOTH, move |broker, ctx| {
                        broker.meet(session, true, ctx);
                    });
                }
            }
            ToBroker::Show(shown) => self.show(&shown, ctx),
        }
        self.settle();
    }
}

impl Handler<SetRequestLimits> for Broker {
    type Result = ();

    fn handle(&mut self, SetRequestLimits(limits): SetRequestLimits, _: &mut Context<Self>) {
        self.requests.set_limits(limits);
    }
}

impl Broker {
    /// Informs the askers of failed requests, and counts pending ones.
    fn settle(&mut self) {
        for (request, reason) in self.requests.take_declined() {
            let SessionRequest { session, asker, asked } = request;
            let answer = Answered::Declined { by: asked.name, reason };
            // Of the asker itself: the other one may have left.
            self.send(asker.id(), &asker, &v2::ServerFrame::Answered { session, answer });
        }
        for route in self.meetings.take_over() {
            self.order(route, ConnectionOrder::Close(Reason::Observed));
        }
        let accepted = self.requests.accepted();
        self.meters.private.awaiting_answer.set(self.requests.pending().saturating_sub(accepted));
        self.meters.private.awaiting_ports.set(accepted);
    }

    fn ignored(&self, from: &Member, step: &dyn std::fmt::Debug, ignored: Ignored) {
        self.meters.private.ignored.add(1);
        debug!(self.logger, "private step ignored";
            "username" => &from.name, "step" => ?step, "reason" => %ignored);
    }

    /// The frame that `to` gets for the step that `from` takes.
    fn decide(
        &mut self,
        from: &Member,
        to: &Member,
        step: Step,
    ) -> Result<v2::ServerFrame, Ignored> {
        let now = (self.clock)();
        let (source, target) = (from.id(), to.id());
        let address = from.addresses.seen_by(to.addresses);
        let name = from.name.clone();
        let party = Party { id: source, address: from.addresses.peer.into() };
        Ok(match step {
            Step::Request => {
                self.requests.ask(party, target, now)?;
                self.meters.private.requested.add(1);
                ServerFrame::PrivateRequested { from: name }.into()
            }
            Step::Accept => {
                self.requests.accept(party, target, now)?;
                self.meters.private.accepted.add(1);
                ServerFrame::PeerAccepted { by: name, address }.into()
            }
            Step::OfferPorts(ports) => {
                self.requests.offer_ports(source, target, now)?;
                self.meters.private.established.add(1);
                ServerFrame::PeerListening { who: name, address, ports }.into()
            }
            Step::Ask(session) => {
                let key = *from.key.clone().ok_or(Ignored::NotPending)?;
                let request = SessionRequest { session, asker: from.clone(), asked: to.clone() };
                self.requests.ask_for_session(request, now)?;
                self.meters.private.requested.add(1);
                v2::ServerFrame::Asked { session, username: name, key }
            }
        })
    }

    /// Which frames a step of the request with that number sends to whom.
    fn decide_session(
        &mut self,
        from: &Member,
        session: SessionId,
        step: &SessionStep,
    ) -> Result<Vec<(Member, v2::ServerFrame)>, Ignored> {
        let now = (self.clock)();
        Ok(match step {
            SessionStep::Answer(Answer::Declined(reason)) => {
                self.requests.decline_session(from, session, *reason, now)?;
                Vec::new()
            }
            SessionStep::Answer(Answer::Accepted(candidates)) => {
                let key = *from.key.clone().ok_or(Ignored::NotPending)?;
                let request = self.requests.accept_session(from, session, now)?;
                self.meters.private.accepted.add(1);
                let candidates = with_seen(candidates, from, &request.asker);
                let tickets = self.meetings.begin(&request, candidates.clone(), now);
                let answer = Answered::Accepted { by: from.name.clone(), key, candidates };
                let SessionRequest { asker, asked, .. } = request;
                let mut frames =
                    vec![(asker.clone(), v2::ServerFrame::Answered { session, answer })];
                if let Some(tickets) = tickets {
                    for (to, ticket) in [(asker, tickets.asker), (asked, tickets.asked)] {
                        frames.push((to, v2::ServerFrame::Where { session, ticket }));
                    }
                }
                frames
            }
            SessionStep::Candidates(candidates) => {
                let request = self.requests.offer_candidates(from, session, now)?;
                self.meters.private.established.add(1);
                let candidates = with_seen(candidates, from, &request.asked);
                self.meetings.offered(session, candidates.clone());
                vec![(request.asked, v2::ServerFrame::Candidates { session, candidates })]
            }
            SessionStep::Outcome(result, dialled) => {
                let other = self.meetings.outcome(from.id(), session)?;
                let (result, dialled) = (*result, dialled.clone());
                vec![(other, v2::ServerFrame::Outcome { session, result, dialled })]
            }
        })
    }

    /// WHERE with a ticket.
    fn show(&mut self, shown: &PresentedTicket, ctx: &mut Context<Self>) {
        match self.meetings.show(shown, (self.clock)()) {
            Ok(session) => {
                self.order(shown.route, ConnectionOrder::Here);
                self.meet(session, false, ctx);
            }
            Err(ignored) => {
                self.meters.private.ignored.add(1);
                debug!(self.logger, "ticket refused"; "reason" => %ignored);
                self.order(shown.route, ConnectionOrder::Close(Reason::BadTicket));
            }
        }
    }

    /// Sends both sides on their way, if they can go now.
    fn meet(&mut self, session: SessionId, has_waited: bool, ctx: &mut Context<Self>) {
        for Go { to, of, candidates, after } in
            self.meetings.go(session, has_waited).into_iter().flatten()
        {
            if let Some(candidates) = candidates {
                self.send(of, &to, &v2::ServerFrame::Candidates { session, candidates });
            }
            let go = v2::ServerFrame::Go { session };
            if after.is_zero() {
                self.send(of, &to, &go);
            } else {
                ctx.run_later(after, move |broker, _| broker.send(of, &to, &go));
            }
        }
    }

    /// Cannot flood: each connection shows one ticket, and is closed once.
    fn order(&self, Route { shard, id }: Route, order: ConnectionOrder) {
        if let Some(shard) = self.shards.get(shard) {
            shard.do_send(ToConnection { id, order });
        }
    }

    /// Sends a frame that is about `from`.
    fn send(&self, from: MemberId, to: &Member, frame: &v2::ServerFrame) {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        if let Some(kind) = frame.kind() {
            self.meters.hub_sent(kind, 1);
        }
        let frame = out.freeze();
        // Cannot flood: pending requests are limited for each target, and each of their steps
        // works once.
        match (to.place, &self.node) {
            (Location::Here(to), _) => self.room.do_send(Relay { from, to, frame }),
            (Location::Elsewhere(to), Some(node)) => {
                node.do_send(ToNode::Deliver { from, to, frame });
            }
            (Location::Elsewhere(_), None) => {}
        }
    }
}

/// The candidates of `from`, and before them the address that the server sees, with the ports of
/// the first one. No one else says what the server sees.
fn with_seen(candidates: &Candidates, from: &Member, to: &Member) -> Candidates {
    let theirs = candidates.as_slice();
    let seen = theirs.first().map(|first| Candidate {
        address: from.addresses.seen_by(to.addresses),
        ports: first.ports,
        kind: CandidateKind::SeenByServer,
    });
    let theirs = theirs.iter().map(|candidate| Candidate {
        kind: match candidate.kind {
            CandidateKind::SeenByServer => CandidateKind::Interface,
            kind => kind,
        },
        ..*candidate
    });
    let all = seen.into_iter().chain(theirs).take(Candidates::MAX).collect();
    Candidates::new(all).unwrap_or_else(|| candidates.clone())
}
