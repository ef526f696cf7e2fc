//! Watching a server from outside of its actors.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::{Actor, Addr, Context, Handler, Message};
use tokio::time::timeout;

use super::admin::Fail;
use super::broker::Broker;
use super::listener::Listener;
use super::meters::Meters;
use super::registry::Registry;
use super::room::Room;
use super::shard::Shard;
use super::snapshot::Snapshot;
use super::wiring::Actors;

/// How long each actor may take to answer that it is there.
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

/// To any actor: answer.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Ping;

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

    /// Whether every actor without which the server cannot go on answers within 5 s.
    pub async fn check(&self) -> Result<(), Unhealthy> {
        answers("listener", &self.actors.listener).await?;
        answers("registry", &self.actors.registry).await?;
        answers("room", &self.actors.room).await?;
        answers("broker", &self.actors.broker).await?;
        for shard in &self.actors.shards {
            answers("shard", shard).await?;
        }
        Ok(())
    }
}

async fn answers<A>(name: &'static str, actor: &Addr<A>) -> Result<(), Unhealthy>
where
    A: Actor<Context = Context<A>> + Handler<Ping>,
{
    match timeout(ANSWER_WITHIN, actor.send(Ping)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Unhealthy(name)),
    }
}

/// What every vital actor answers to.
macro_rules! answer {
    ($($actor:ident)*) => {
        $(impl Handler<Ping> for $actor {
            type Result = ();

            fn handle(&mut self, _: Ping, _: &mut Context<Self>) {}
        }

        impl Handler<Fail> for $actor {
            type Result = ();

            #[allow(clippy::panic)]
            fn handle(&mut self, _: Fail, _: &mut Context<Self>) {
                panic!("an operator's test asked for this panic");
            }
        })*
    };
}

answer!(Listener Registry Room Broker Shard);
