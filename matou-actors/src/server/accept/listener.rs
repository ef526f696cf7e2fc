//! The listener actor: accepts connections and spreads them over the shards.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::{
    Actor, ActorContext, AsyncContext, Context, Handler, Recipient, StreamHandler,
};
use futures::stream;
use slog::{Logger, warn};
use tokio::net::TcpListener;

use crate::server::accept::admission::{Admission, AdmissionLimits, Refusal};
use crate::server::accept::bans::{Bans, Moment};
use crate::server::accept::socket::{AcceptOutcome, ListeningSocket};
use crate::server::connection::socket::Accepted;
use crate::server::ids::ConnectionId;
use crate::server::lifecycle::critical::CriticalActor;
use crate::server::log_limiter::{LogLimiter, LogLimiters, Suppressed};
use crate::server::messages::{Accept, Lifecycle, SetAdmission, SetBans, StopAccepting};
use crate::server::metrics::meters::Meters;

/// Refusals, for each reason, and failures are logged once in this time: clients can cause any
/// number of them.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Accepts clients while [`Admission`] has room for them.
pub(crate) struct Listener {
    sockets: Vec<TcpListener>,
    shards: Vec<Recipient<Accept>>,
    admission: Admission,
    bans: Bans,
    /// The number of the last connection.
    accepted: u64,
    refusals: LogLimiters<Refusal>,
    holds: LogLimiter,
    failures: LogLimiter,
    meters: Arc<Meters>,
    logger: Logger,
    _critical: Option<CriticalActor>,
}

impl Listener {
    pub(crate) fn new(
        sockets: Vec<TcpListener>,
        shards: Vec<Recipient<Accept>>,
        limits: AdmissionLimits,
        bans: Bans,
        meters: Arc<Meters>,
        logger: Logger,
        critical: Option<CriticalActor>,
    ) -> Self {
        Self {
            sockets,
            shards,
            admission: Admission::new(limits),
            bans,
            accepted: 0,
            refusals: LogLimiters::new(LOG_EVERY),
            holds: LogLimiter::new(LOG_EVERY),
            failures: LogLimiter::new(LOG_EVERY),
            meters,
            logger,
            _critical: critical,
        }
    }

    /// Numbers the connections, beginning after `last`.
    pub(crate) fn counting_from(self, ConnectionId(last): ConnectionId) -> Self {
        Self { accepted: last, ..self }
    }

    fn admit_or_refuse(&mut self, accepted: Accepted, peer: SocketAddr) {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let hold = match self.admit(peer) {
            Ok(hold) => hold,
            Err(refusal) => {
                accepted.refuse();
                self.refused(refusal, 1, Some(peer));
                return;
            }
        };
        if !hold.is_zero() {
            self.delayed(peer, hold);
        }
        self.accepted += 1;
        self.meters.accepted.add(1);
        let id = ConnectionId(self.accepted);
        let next = usize::try_from(self.accepted).unwrap_or_default() % self.shards.len().max(1);
        match self.shards.get(next) {
            // Cannot flood: admission limits how many there are.
            Some(shard) => shard.do_send(Accept { id, accepted, peer, hold }),
            None => self.admission.ended(peer.ip(), false),
        }
        self.meters.connections.set(self.admission.connected());
    }

    fn admit(&mut self, peer: SocketAddr) -> Result<Duration, Refusal> {
        if !self.bans.is_empty() && self.bans.is_banned(peer.ip(), Moment::now()) {
            return Err(Refusal::Banned);
        }
        self.admission.admit(peer.ip(), fastrand::f64(), Instant::now())
    }

    fn delayed(&mut self, peer: SocketAddr, hold: Duration) {
        self.meters.delayed_connections.add(1);
        if let Some(unlogged) = self.holds.permit(Instant::now()) {
            warn!(self.logger, "connections delayed"; "peer" => %peer,
                "reason" => %Refusal::TooOften, "seconds" => hold.as_secs_f32(),
                Suppressed(unlogged));
        }
    }

    fn refused(&mut self, refusal: Refusal, times: u64, peer: Option<SocketAddr>) {
        self.meters.refused(refusal, times);
        if let Some(unlogged) = self.refusals.permit(refusal, Instant::now()) {
            let peer = peer.map_or("unknown".into(), |peer| peer.to_string());
            warn!(self.logger, "connections refused"; "peer" => peer, "reason" => %refusal,
                "refused" => times, Suppressed(unlogged));
        }
    }
}

impl Actor for Listener {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        for socket in self.sockets.drain(..) {
            ctx.add_stream(stream::unfold(ListeningSocket::new(socket), |mut listening| async {
                Some((listening.next().await, listening))
            }));
        }
    }
}

impl StreamHandler<AcceptOutcome> for Listener {
    fn handle(&mut self, outcome: AcceptOutcome, _: &mut Context<Self>) {
        match outcome {
            AcceptOutcome::Connected(accepted, peer) => self.admit_or_refuse(accepted, peer),
            AcceptOutcome::NoDescriptor(times) => self.refused(Refusal::Descriptors, times, None),
            AcceptOutcome::Failed(error) => {
                if let Some(unlogged) = self.failures.permit(Instant::now()) {
                    warn!(self.logger, "accept failed";
                        "reason" => %error, Suppressed(unlogged));
                }
            }
        }
    }
}

impl Handler<Lifecycle> for Listener {
    type Result = ();

    fn handle(&mut self, message: Lifecycle, _: &mut Context<Self>) {
        match message {
            Lifecycle::Joined { peer } => self.admission.joined(peer.ip()),
            Lifecycle::Ended { peer, joined, .. } => self.admission.ended(peer.ip(), joined),
        }
        self.meters.connections.set(self.admission.connected());
    }
}

impl Handler<SetAdmission> for Listener {
    type Result = ();

    fn handle(&mut self, SetAdmission(limits): SetAdmission, _: &mut Context<Self>) {
        self.admission.set_limits(limits);
    }
}

impl Handler<SetBans> for Listener {
    type Result = ();

    fn handle(&mut self, SetBans(bans): SetBans, _: &mut Context<Self>) {
        self.bans = bans;
    }
}

impl Handler<StopAccepting> for Listener {
    type Result = ();

    fn handle(&mut self, _: StopAccepting, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
