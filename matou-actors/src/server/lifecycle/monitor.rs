//! Watching a server from outside of its actors.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::{Context, Handler, Recipient};
use futures::future::try_join_all;
use tokio::time::timeout;

use crate::server::accept::listener::Listener;
use crate::server::broker::actor::Broker;
use crate::server::cluster::actor::NodeActor;
use crate::server::lifecycle::wiring::Actors;
#[cfg(feature = "testing")]
use crate::server::messages::Panic;
use crate::server::messages::Ping;
use crate::server::metrics::meters::Meters;
use crate::server::metrics::snapshot::Snapshot;
use crate::server::registry::actor::Registry;
use crate::server::room::actor::Room;
use crate::server::shard::actor::Shard;

/// How long each actor may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A view of a server that runs, for metrics, health checks and watchdogs.
#[derive(Clone, Debug)]
pub struct Monitor {
    actors: Actors,
    meters: Arc<Meters>,
}

/// An actor does not answer: it has failed, or its event loop hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} actor does not answer")]
pub struct Unhealthy(pub &'static str);

impl Monitor {
    pub(crate) fn new(actors: &Actors) -> Self {
        Self { actors: actors.clone(), meters: Arc::clone(&actors.meters) }
    }

    /// What the server has counted.
    pub fn snapshot(&self) -> Snapshot {
        self.meters.snapshot()
    }

    /// Records in `histogram`, from now on and for each batch, the seconds from reading the
    /// oldest message in it to having offered it to every socket of an event loop. Only the first
    /// histogram counts.
    pub fn record_latency(&self, histogram: metrics::Histogram) {
        self.meters.set_latency(histogram);
    }

    /// Whether the server may serve clients: in a cluster only while it is not cut off.
    pub fn is_serving(&self) -> bool {
        self.actors.node.is_none() || self.meters.cluster.serving.value() == 1
    }

    /// Whether every actor without which the server cannot run answers within 5 s.
    pub async fn check(&self) -> Result<(), Unhealthy> {
        let Actors { listener, registry, room, broker, shards, node, .. } = self.actors.clone();
        let hub = [
            ("listener", listener.recipient()),
            ("registry", registry.recipient()),
            ("room", room.recipient()),
            ("broker", broker.recipient()),
        ];
        let shards = shards.into_iter().map(|shard| ("shard", shard.recipient()));
        let node = node.map(|node| ("cluster node", node.recipient()));
        all_answer(hub.into_iter().chain(node).chain(shards)).await
    }
}

/// Asks all at once: the caller waits for one time limit, not for their sum.
async fn all_answer(
    actors: impl Iterator<Item = (&'static str, Recipient<Ping>)>,
) -> Result<(), Unhealthy> {
    let answers =
        actors.map(async |(name, actor)| match timeout(ANSWER_WITHIN, actor.send(Ping)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Unhealthy(name)),
        });
    try_join_all(answers).await.map(drop)
}

/// What every critical actor answers to.
macro_rules! answer {
    ($($actor:ident)*) => {
        $(impl Handler<Ping> for $actor {
            type Result = ();

            fn handle(&mut self, _: Ping, _: &mut Context<Self>) {}
        }

        #[cfg(feature = "testing")]
        impl Handler<Panic> for $actor {
            type Result = ();

            #[allow(clippy::panic)]
            fn handle(&mut self, _: Panic, _: &mut Context<Self>) {
                panic!("a test asked for this panic");
            }
        })*
    };
}

answer!(Listener Registry Room Broker Shard NodeActor);

#[cfg(test)]
mod tests {
    use actix::prelude::{Actor, ResponseFuture};
    use tokio::time::Instant;

    use super::*;

    struct Slow(Duration);

    impl Actor for Slow {
        type Context = Context<Self>;
    }

    impl Handler<Ping> for Slow {
        type Result = ResponseFuture<()>;

        fn handle(&mut self, _: Ping, _: &mut Context<Self>) -> ResponseFuture<()> {
            Box::pin(tokio::time::sleep(self.0))
        }
    }

    fn slow(seconds: u64) -> Recipient<Ping> {
        Slow(Duration::from_secs(seconds)).start().recipient()
    }

    #[actix::test]
    async fn many_slow_actors_take_no_longer_than_one() {
        tokio::time::pause();
        let start = Instant::now();
        let well = [("room", slow(4)), ("broker", slow(4)), ("shard", slow(4))];
        assert_eq!(all_answer(well.into_iter()).await, Ok(()));
        assert_eq!(start.elapsed().as_secs(), 4);
        let ill = [("room", slow(4)), ("broker", slow(6)), ("shard", slow(4))];
        assert_eq!(all_answer(ill.into_iter()).await, Err(Unhealthy("broker")));
        assert_eq!(start.elapsed().as_secs(), 4 + 5);
    }
}
