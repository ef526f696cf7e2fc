//! Starting a server and stopping it again.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::{Duration, Instant};

use actix::prelude::{Actor, Addr, Arbiter, Recipient};
use slog::{Logger, info, warn};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::admission::{Admission, AdmissionLimits};
use super::broker::Broker;
use super::connection::Uplinks;
use super::directory::Directory;
use super::fanout::Fanout;
use super::listener::Listener;
use super::messages::{CloseAll, Drain, QuiesceAll, StopAccepting};
use super::registry::Registry;
use super::requests::{RequestLimits, Requests};
use super::room::Room;
use super::settings::{Limits, Private, ServerSettings, SettingError};
use super::shard::Shard;
use super::token_bucket::Rate;
use super::vital::Vital;
use crate::protocol::{MessageText, Username};

/// How long the whole of [`Running::stop`] may take.
const STOP_WITHIN: Duration = Duration::from_secs(4);
/// How long what was said may take to reach the shards once nobody is read any more.
const DRAIN_WITHIN: Duration = Duration::from_secs(1);

/// A server that runs. Dropping it does not stop it.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    listener: Addr<Listener>,
    room: Addr<Room>,
    shards: Vec<Addr<Shard>>,
    arbiters: Vec<Arbiter>,
    failures: mpsc::UnboundedReceiver<&'static str>,
    logger: Logger,
}

/// An actor without which the server cannot go on has panicked: the process should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} actor failed")]
pub struct Failure(pub &'static str);

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting that cannot work.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A listening socket that cannot be used.
    #[error("cannot use the listening socket: {0}")]
    Listener(#[from] io::Error),
}

/// Starts a server on sockets that listen already, inside the running actix system, whose
/// thread becomes the first of the server's event loops.
pub fn start(
    settings: &ServerSettings,
    listeners: Vec<StdListener>,
    logger: Logger,
) -> Result<Running, StartError> {
    settings.check()?;
    let mut sockets = Vec::new();
    let mut addresses = Vec::new();
    for listener in listeners {
        listener.set_nonblocking(true)?;
        addresses.push(listener.local_addr()?);
        sockets.push(TcpListener::from_std(listener)?);
    }
    let (failed, failures) = mpsc::unbounded_channel();
    let count = shard_count(settings.network.arbiters);
    let arbiters: Vec<Arbiter> = (1..count).map(|_| Arbiter::new()).collect();
    let actors = wire(settings, sockets, &arbiters, &failed, &logger);
    Ok(Running {
        addresses,
        listener: actors.0,
        room: actors.1,
        shards: actors.2,
        arbiters,
        failures,
        logger,
    })
}

impl Running {
    /// The addresses on which the server listens, with the ports that were chosen.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Resolves when an actor without which the server cannot go on has panicked.
    pub async fn failed(&mut self) -> Failure {
        match self.failures.recv().await {
            Some(name) => Failure(name),
            None => std::future::pending().await,
        }
    }

    /// Stops: accept nobody, read nothing, write what was said, close. Gives up on those who do
    /// not read after 4 s.
    pub async fn stop(self) {
        if timeout(STOP_WITHIN, self.stop_orderly()).await.is_err() {
            warn!(self.logger, "stopping took too long"; "limit_s" => STOP_WITHIN.as_secs());
        }
        for arbiter in self.arbiters {
            arbiter.stop();
            // An arbiter that hangs must not hang the process: it ends with it.
            drop(arbiter);
        }
        info!(self.logger, "stopped");
    }

    async fn stop_orderly(&self) {
        // An actor that is gone already has nothing left to stop.
        let _ = self.listener.send(StopAccepting).await;
        for shard in &self.shards {
            let _ = shard.send(QuiesceAll).await;
        }
        let (drained, wait) = oneshot::channel();
        self.room.do_send(Drain(drained)); // Sent once.
        let _ = timeout(DRAIN_WITHIN, wait).await;
        let closing = self.shards.iter().map(|shard| {
            let (closed, wait) = oneshot::channel();
            shard.do_send(CloseAll(closed)); // Sent once.
            wait
        });
        futures::future::join_all(closing.collect::<Vec<_>>()).await;
    }
}

/// Creates the actors and lets each know those that it speaks to. The hub (listener, registry,
/// room, broker) lives on the calling thread, which is also the first shard's.
fn wire(
    settings: &ServerSettings,
    sockets: Vec<TcpListener>,
    arbiters: &[Arbiter],
    failed: &mpsc::UnboundedSender<&'static str>,
    logger: &Logger,
) -> (Addr<Listener>, Addr<Room>, Vec<Addr<Shard>>) {
    use actix::prelude::{AsyncContext, Context};

    let vital = |name| Some(Vital::new(name, failed));
    // The actors know each other in a circle (room to shard to connection to room), so the
    // contexts, and with them the addresses, are made before the actors.
    let (listener, room) = (Context::<Listener>::new(), Context::<Room>::new());
    let (registry, broker) = (Context::<Registry>::new(), Context::<Broker>::new());
    let uplinks = Uplinks {
        registry: registry.address().recipient(),
        room: room.address().recipient(),
        listener: listener.address().recipient(),
        logger: logger.clone(),
    };
    let homes = std::iter::once(Arbiter::current()).chain(arbiters.iter().map(Arbiter::handle));
    let shards: Vec<Addr<Shard>> = homes
        .enumerate()
        .map(|(index, home)| {
            let (uplinks, written) = (uplinks.clone(), room.address().recipient());
            let (limits, vital) = (settings.limits.clone(), vital("shard"));
            Shard::start_in_arbiter(&home, move |_| {
                Shard::new(index, uplinks, written, limits, vital)
            })
        })
        .collect();

    let motd_name = Username::parse(&settings.room.motd_name).ok();
    let mut fanout = Fanout::new(shards.len(), settings.room.replay_roster);
    let motd = motd_lines(&settings.room.motd);
    fanout.set_motd(motd_name.as_ref().filter(|_| !motd.is_empty()).map(|name| (name, &*motd)));
    let room = room.run(Room {
        fanout,
        shards: recipients(&shards),
        gathering: false,
        draining: Vec::new(),
        _vital: vital("room"),
    });
    let broker = broker.run(Broker {
        requests: Requests::new(request_limits(&settings.private)),
        shards: recipients(&shards),
        clock: Instant::now,
        logger: logger.clone(),
        _vital: vital("broker"),
    });
    registry.run(Registry {
        directory: Directory::new(motd_name.as_ref()),
        room: room.clone().recipient(),
        broker: broker.recipient(),
        shards: recipients(&shards),
        logger: logger.clone(),
        _vital: vital("registry"),
    });
    let listener = listener.run(Listener {
        sockets,
        shards: recipients(&shards),
        admission: Admission::new(admission_limits(&settings.limits)),
        accepted: 0,
        logger: logger.clone(),
        _vital: vital("listener"),
    });
    (listener, room, shards)
}

fn recipients<A, M>(addresses: &[Addr<A>]) -> Vec<Recipient<M>>
where
    A: Actor + actix::Handler<M>,
    A::Context: actix::dev::ToEnvelope<A, M>,
    M: actix::Message + Send + 'static,
    M::Result: Send,
{
    addresses.iter().map(|address| address.clone().recipient()).collect()
}

fn shard_count(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        count => count,
    }
}

fn admission_limits(limits: &Limits) -> AdmissionLimits {
    AdmissionLimits {
        clients: limits.clients,
        unjoined: limits.unjoined,
        unjoined_per_address: limits.unjoined_per_address,
        per_address: limits.per_address,
    }
}

fn request_limits(private: &Private) -> RequestLimits {
    RequestLimits {
        lifetime: Duration::from_secs(private.request_seconds),
        pending_per_target: private.pending_per_target,
        rate: Rate::new(
            private.requests_per_minute,
            Duration::from_secs(60),
            private.requests_per_minute,
        ),
    }
}

/// The lines of the message of the day that can be said; others were refused when checked.
fn motd_lines(motd: &str) -> Vec<MessageText> {
    motd.lines().filter_map(|line| MessageText::parse(line).ok()).collect()
}
