//! The broker actor: relays who asks whom, and the tuples of address and ports.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::{Actor, AsyncContext, Context, Handler, Recipient};
use bytes::BytesMut;
use slog::{Logger, debug};

use crate::protocol::v2::{
    self, Answer, Answered, Candidate, CandidateKind, Candidates, Declined, SessionId,
};
use crate::protocol::{Encode, ServerFrame};
use crate::server::broker::requests::{Ignored, Party, Requests};
use crate::server::broker::session_request::SessionRequest;
use crate::server::ids::MemberId;
use crate::server::lifecycle::critical::CriticalActor;
use crate::server::messages::{Relay, SessionStep, SetRequestLimits, Step, ToBroker};
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
            broker.settle();
        });
    }
}

impl Handler<ToBroker> for Broker {
    type Result = ();

    fn handle(&mut self, message: ToBroker, _: &mut Context<Self>) {
        match message {
            ToBroker::Forget { id } => self.requests.forget(id),
            ToBroker::NotHere { from, session, name } => {
                let (by, reason) = (name, Declined::NoSuchUser);
                let answer = Answered::Declined { by, reason };
                self.send(from.id(), &from, &v2::ServerFrame::Answered { session, answer });
            }
            ToBroker::Step { from, to, step } => match self.decide(&from, &to, step) {
                Ok(frame) => self.send(from.id(), &to, &frame),
                Err(ignored) => self.ignored(&from, &step, ignored),
            },
            ToBroker::Session { from, session, step } => {
                match self.decide_session(&from, session, &step) {
                    Ok(Some((to, frame))) => self.send(from.id(), &to, &frame),
                    Ok(None) => {}
                    Err(ignored) => self.ignored(&from, &step, ignored),
                }
            }
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
    /// Informs those whose requests came to nothing, and counts what is pending.
    fn settle(&mut self) {
        for (request, reason) in self.requests.take_declined() {
            let SessionRequest { session, asker, asked } = request;
            let answer = Answered::Declined { by: asked.name, reason };
            // Of the asker itself: the other one may have left.
            self.send(asker.id(), &asker, &v2::ServerFrame::Answered { session, answer });
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

    /// Who gets which frame for a step of the request with that number.
    fn decide_session(
        &mut self,
        from: &Member,
        session: SessionId,
        step: &SessionStep,
    ) -> Result<Option<(Member, v2::ServerFrame)>, Ignored> {
        let now = (self.clock)();
        Ok(match step {
            SessionStep::Answer(Answer::Declined(reason)) => {
                self.requests.decline_session(from, session, *reason, now)?;
                None
            }
            SessionStep::Answer(Answer::Accepted(candidates)) => {
                let key = *from.key.clone().ok_or(Ignored::NotPending)?;
                let request = self.requests.accept_session(from, session, now)?;
                self.meters.private.accepted.add(1);
                let candidates = with_seen(candidates, from, &request.asker);
                let answer = Answered::Accepted { by: from.name.clone(), key, candidates };
                Some((request.asker, v2::ServerFrame::Answered { session, answer }))
            }
            SessionStep::Candidates(candidates) => {
                let request = self.requests.offer_candidates(from, session, now)?;
                self.meters.private.established.add(1);
                let candidates = with_seen(candidates, from, &request.asked);
                Some((request.asked, v2::ServerFrame::Candidates { session, candidates }))
            }
        })
    }

    /// Sends a frame that is about `from`.
    fn send(&self, from: MemberId, to: &Member, frame: &v2::ServerFrame) {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        if let Some(kind) = frame.kind() {
            self.meters.hub_sent(kind, 1);
        }
        // Cannot flood: pending requests are limited for each target, and each of their steps
        // works once.
        let (to, frame) = (to.route, out.freeze());
        self.room.do_send(Relay { from, to, frame });
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
