//! The listener actor: accepts connections and spreads them over the shards.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix::prelude::{
    Actor, ActorContext, AsyncContext, Context, Handler, Recipient, StreamHandler,
};
use futures::stream;
use slog::{Logger, info, warn};
use tokio::net::{TcpListener, TcpStream};

use super::ConnectionId;
use super::admission::Admission;
use super::messages::{Accept, Lifecycle, StopAccepting};
use super::vital::Vital;

/// How long to leave the kernel's queue alone after an accept that failed: the descriptors that
/// it lacks will not come back sooner for asking.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Accepts connections while [`Admission`] lets them in.
pub(crate) struct Listener {
    pub(crate) sockets: Vec<TcpListener>,
    pub(crate) shards: Vec<Recipient<Accept>>,
    pub(crate) admission: Admission,
    pub(crate) accepted: u64,
    pub(crate) logger: Logger,
    pub(crate) _vital: Option<Vital>,
}

type Accepted = io::Result<(TcpStream, SocketAddr)>;

impl Actor for Listener {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        for socket in self.sockets.drain(..) {
            ctx.add_stream(stream::unfold(socket, |socket| async {
                let accepted = socket.accept().await;
                if accepted.is_err() {
                    tokio::time::sleep(BACK_OFF).await;
                }
                Some((accepted, socket))
            }));
        }
    }
}

impl StreamHandler<Accepted> for Listener {
    fn handle(&mut self, accepted: Accepted, _: &mut Context<Self>) {
        match accepted {
            Ok((stream, peer)) => self.welcome(stream, peer),
            Err(error) => warn!(self.logger, "accept failed"; "reason" => %error),
        }
    }
}

impl Listener {
    fn welcome(&mut self, stream: TcpStream, peer: SocketAddr) {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        if let Err(refusal) = self.admission.admit(peer.ip(), fastrand::f64()) {
            info!(self.logger, "connection refused"; "peer" => %peer, "reason" => %refusal);
            return;
        }
        self.accepted += 1;
        let id = ConnectionId(self.accepted);
        let next = usize::try_from(self.accepted).unwrap_or_default() % self.shards.len().max(1);
        match (stream.into_std(), self.shards.get(next)) {
            // Cannot flood: admission limits how many there are.
            (Ok(stream), Some(shard)) => shard.do_send(Accept { id, stream, peer }),
            (Err(error), _) => {
                warn!(self.logger, "connection lost"; "peer" => %peer, "reason" => %error);
                self.admission.ended(peer.ip(), false);
            }
            (Ok(_), None) => self.admission.ended(peer.ip(), false),
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
    }
}

impl Handler<StopAccepting> for Listener {
    type Result = ();

    fn handle(&mut self, _: StopAccepting, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
