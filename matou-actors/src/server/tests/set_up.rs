//! Registry and broker together: a private set-up in which one of the two leaves at every step.

use std::slice;
use std::time::{Duration, Instant};

use actix::prelude::{Actor, Addr};
use slog::{Discard, Logger, o};

use super::{
    Probe, claim, id, join_request, meters, ports, registry, relayed, request_limits, route,
};
use crate::protocol::v2::LeaveReason;
use crate::server::broker::actor::Broker;
use crate::server::broker::meetings::Meetings;
use crate::server::broker::requests::Requests;
use crate::server::messages::{PrivateStep, Relay, ToBroker, ToConnection, ToRegistry, ToRoom};
use crate::server::registry::actor::Registry;

const ALICE: u64 = 1;
const BOB: u64 = 2;
/// A client that takes the name of the one that left.
const HEIR: u64 = 3;

struct Fixture {
    registry: Addr<Registry>,
    broker: Addr<Broker>,
    relay: Probe<Relay>,
    _shard: Probe<ToConnection>,
    _room: Probe<ToRoom>,
}

impl Fixture {
    async fn start() -> Self {
        let (room, relay, shard) = (Probe::start(), Probe::start(), Probe::start());
        let logger = Logger::root(Discard, o!());
        let lifetime = Duration::from_secs(120);
        let limits = request_limits(lifetime, 10);
        let broker = Broker {
            meters: meters(),
            requests: Requests::new(limits),
            meetings: Meetings::default(),
            room: relay.recipient(),
            node: None,
            shards: Vec::new(),
            clock: Instant::now,
            logger: logger.clone(),
            _critical: None,
        };
        let broker = broker.start();
        let registry = registry(&room, broker.clone().recipient(), slice::from_ref(&shard));
        let fixture =
            Self { registry: registry.start(), broker, relay, _shard: shard, _room: room };
        fixture.join(ALICE, "alice").await;
        fixture.join(BOB, "bob").await;
        fixture
    }

    async fn join(&self, number: u64, called: &str) {
        let join = ToRegistry::Join(join_request(number, called));
        self.registry.send(join).await.unwrap();
    }

    async fn leave(&self, number: u64) {
        self.registry
            .send(ToRegistry::Leave { id: id(number), reason: LeaveReason::SignedOut })
            .await
            .unwrap();
    }

    /// The frames that others got for what `number` did.
    async fn after(&mut self, number: u64, step: PrivateStep) -> Vec<(u64, String)> {
        let step = ToRegistry::Private { route: route(0, number), step };
        self.registry.send(step).await.unwrap();
        // The broker has handled everything before this once it has handled this.
        self.broker.send(ToBroker::Forget { id: id(0).into() }).await.unwrap();
        relayed(&self.relay.take().await, 0)
    }
}

/// The steps of a set-up in which alice asks bob, with the side that takes each.
fn steps() -> [(u64, PrivateStep); 3] {
    [
        (ALICE, PrivateStep::Request { to: claim("bob") }),
        (BOB, PrivateStep::Accept { from: claim("alice") }),
        (ALICE, PrivateStep::OfferPorts { to: claim("bob"), ports: ports(40_000, 40_001) }),
    ]
}

#[actix::test]
async fn without_a_leave_every_step_reaches_the_other_one() {
    let mut fixture = Fixture::start().await;
    for (who, step) in steps() {
        let orders = fixture.after(who, step).await;
        assert_eq!(orders.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [3 - who], "{orders:?}");
    }
}

#[actix::test]
async fn after_either_one_left_no_later_step_reaches_anyone() {
    for leaver in [ALICE, BOB] {
        for taken in 0..3 {
            let mut fixture = Fixture::start().await;
            for (who, step) in steps().into_iter().take(taken) {
                assert_eq!(fixture.after(who, step).await.len(), 1);
            }
            fixture.leave(leaver).await;
            for (who, step) in steps().into_iter().skip(taken) {
                let orders = fixture.after(who, step).await;
                assert_eq!(orders, [], "{leaver} left after {taken} steps");
            }
        }
    }
}

#[actix::test]
async fn a_new_owner_of_a_name_inherits_no_request() {
    for (leaver, called) in [(ALICE, "alice"), (BOB, "bob")] {
        for taken in 1..3 {
            let mut fixture = Fixture::start().await;
            for (who, step) in steps().into_iter().take(taken) {
                fixture.after(who, step).await;
            }
            fixture.leave(leaver).await;
            fixture.join(HEIR, called).await;
            for (who, step) in steps().into_iter().skip(taken) {
                let who = if who == leaver { HEIR } else { who };
                let orders = fixture.after(who, step).await;
                assert_eq!(orders, [], "{called} was replaced after {taken} steps");
            }
        }
    }
}

#[actix::test]
async fn a_returning_member_starts_anew() {
    let mut fixture = Fixture::start().await;
    fixture.after(ALICE, steps()[0].1.clone()).await;
    fixture.leave(ALICE).await;
    fixture.join(ALICE, "alice").await;
    for (who, step) in steps() {
        assert_eq!(fixture.after(who, step).await.len(), 1);
    }
}
