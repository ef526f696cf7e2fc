//! The registry between probes: which claims succeed, and what reaches room and broker.

use std::sync::Arc;
use std::task::{Context as Task, Waker};

use actix::prelude::{Actor, Addr, Context, Handler as _};

use super::{Probe, claim, join_request, member, meters, name, orders, ports, registry, route};
use crate::protocol::v2::LeaveReason;
use crate::server::after_mailbox::AfterMailbox as _;
use crate::server::ids::Route;
use crate::server::messages::{
    JoinRequest, PrivateStep, Step, ToBroker, ToConnection, ToRegistry, ToRoom,
};
use crate::server::metrics::meters::Meters;
use crate::server::registry::actor::Registry;
use crate::server::registry::refused::Refused;

const GONE: LeaveReason = LeaveReason::SignedOut;

struct Fixture {
    registry: Addr<Registry>,
    room: Probe<ToRoom>,
    broker: Probe<ToBroker>,
    shards: [Probe<ToConnection>; 2],
    meters: Arc<Meters>,
}

impl Fixture {
    fn start() -> Self {
        let (room, broker) = (Probe::start(), Probe::start());
        let shards = [Probe::start(), Probe::start()];
        let registry = registry(&room, broker.recipient(), &shards);
        let meters = registry.meters.clone();
        Self { registry: registry.start(), room, broker, shards, meters }
    }

    /// Sends a COREQ without waiting for the outcome.
    fn claims(&self, route: Route, claimed: &str) {
        self.registry.do_send(join(route, claimed));
    }

    async fn joins(&self, route: Route, claimed: &str) {
        self.registry.send(join(route, claimed)).await.unwrap();
    }

    async fn leaves(&self, route: Route) {
        self.registry.send(ToRegistry::Leave { id: route.id, reason: GONE }).await.unwrap();
    }

    async fn steps(&self, route: Route, step: PrivateStep) {
        self.registry.send(ToRegistry::Private { route, step }).await.unwrap();
    }

    async fn entered(&mut self) -> Vec<(u64, String)> {
        let enters = self.room.take().await.into_iter().filter_map(|message| match message {
            ToRoom::Enter { route, name, .. } => Some((route.id.0, name.to_string())),
            ToRoom::Leave { .. } => None,
        });
        enters.collect()
    }

    /// What both shards' connections were orders.
    async fn orders(&mut self) -> [Vec<(u64, String)>; 2] {
        let [first, second] = &mut self.shards;
        [orders(first.take().await), orders(second.take().await)]
    }
}

fn join(route: Route, claimed: &str) -> ToRegistry {
    ToRegistry::Join(JoinRequest { route, ..join_request(route.id.0, claimed) })
}

fn refused(number: u64, why: Refused) -> (u64, String) {
    (number, format!("Refuse({why:?})"))
}

#[actix::test]
async fn of_two_connections_that_claim_a_name_at_once_exactly_one_enters() {
    // The same name, the same but for case, and lookalikes (Cyrillic а, full-width).
    for rival in ["alice", "ALICE", "аlice", "ａｌｉｃｅ"] {
        let mut fixture = Fixture::start();
        fixture.claims(route(0, 1), "alice");
        fixture.claims(route(1, 2), rival);
        fixture.joins(route(0, 3), "bob").await;
        assert_eq!(fixture.entered().await, [(1, "alice".into()), (3, "bob".into())], "{rival}");
        assert_eq!(fixture.orders().await, [vec![], vec![refused(2, Refused::Taken)]], "{rival}");
    }
}

#[actix::test]
async fn a_hundred_connections_that_claim_one_name_make_one_user() {
    let mut fixture = Fixture::start();
    for number in 1..=100 {
        fixture.claims(route(1, number), "alice");
    }
    fixture.joins(route(0, 101), "alice").await;
    assert_eq!(fixture.entered().await, [(1, "alice".into())]);
    let [first, second] = fixture.orders().await;
    assert_eq!(first, [refused(101, Refused::Taken)]);
    assert_eq!(second, (2..=100).map(|number| refused(number, Refused::Taken)).collect::<Vec<_>>());
}

#[actix::test]
async fn a_name_is_free_at_once_when_its_holder_leaves() {
    let mut fixture = Fixture::start();
    fixture.claims(route(0, 1), "alice");
    fixture.claims(route(1, 2), "Alice");
    fixture.registry.do_send(ToRegistry::Leave { id: route(0, 1).id, reason: GONE });
    fixture.joins(route(1, 2), "Alice").await;
    let happened = fixture.room.take().await;
    let happened: Vec<_> = happened.iter().map(|message| format!("{message:?}")).collect();
    let expected = [
        ToRoom::Enter {
            route: route(0, 1),
            name: name("alice"),
            key: None,
            replaces: None,
            last_sequence: 0,
        },
        ToRoom::Leave { id: route(0, 1).id.into(), reason: GONE },
        ToRoom::Enter {
            route: route(1, 2),
            name: name("Alice"),
            key: None,
            replaces: None,
            last_sequence: 0,
        },
    ];
    assert_eq!(happened, expected.map(|message| format!("{message:?}")));
    let forgotten = fixture.broker.take().await;
    assert!(matches!(&forgotten[..], [ToBroker::Forget { id }] if *id == route(0, 1).id.into()));
}

#[actix::test]
async fn leaving_twice_or_before_joining_is_not_announced() {
    let mut fixture = Fixture::start();
    fixture.joins(route(0, 1), "alice").await;
    fixture.leaves(route(0, 1)).await;
    fixture.leaves(route(0, 1)).await;
    fixture.leaves(route(1, 9)).await;
    assert_eq!(fixture.room.take().await.len(), 2);
    assert_eq!(fixture.broker.take().await.len(), 1);
}

#[actix::test]
async fn an_invalid_or_reserved_name_is_refused_and_the_next_may_do() {
    let mut fixture = Fixture::start();
    for bad in ["a b", "\u{3164}", "🐈", "server", "Ѕerver"] {
        fixture.joins(route(1, 1), bad).await;
        let orders = fixture.orders().await;
        let [(1, order)] = &orders[1][..] else { panic!("{bad}: {orders:?}") };
        assert!(order.starts_with("Refuse("), "{bad}: {order}");
    }
    fixture.joins(route(1, 1), "alice").await;
    assert_eq!(fixture.entered().await, [(1, "alice".into())]);
    assert_eq!(fixture.orders().await, [vec![], vec![]], "the room answers who was let in");
}

#[actix::test]
async fn a_private_step_goes_to_the_broker_with_both_members_and_its_sender_resumes() {
    let mut fixture = Fixture::start();
    fixture.joins(route(0, 1), "alice").await;
    fixture.joins(route(1, 2), "bob").await;
    let (alice, bob) = (member(0, 1, "alice"), member(1, 2, "bob"));
    fixture.steps(alice.route().unwrap(), PrivateStep::Request { to: claim("BOB") }).await;
    fixture.steps(bob.route().unwrap(), PrivateStep::Accept { from: claim("alice") }).await;
    let offer = PrivateStep::OfferPorts { to: claim("bob"), ports: ports(40_000, 40_001) };
    fixture.steps(alice.route().unwrap(), offer).await;
    let expected = [
        ToBroker::Step { from: alice.clone(), to: bob.clone(), step: Step::Request },
        ToBroker::Step { from: bob.clone(), to: alice.clone(), step: Step::Accept },
        ToBroker::Step { from: alice, to: bob, step: Step::OfferPorts(ports(40_000, 40_001)) },
    ];
    let steps = fixture.broker.take().await;
    let steps: Vec<_> = steps.iter().map(|step| format!("{step:?}")).collect();
    assert_eq!(steps, expected.map(|step| format!("{step:?}")));
    let resume = |number| (number, "Resume".into());
    assert_eq!(fixture.orders().await, [vec![resume(1), resume(1)], vec![resume(2)]]);
}

#[actix::test]
async fn a_private_step_to_an_unknown_name_is_ignored_and_its_sender_resumes() {
    let mut fixture = Fixture::start();
    fixture.joins(route(0, 1), "alice").await;
    for absent in ["bob", "server", "a b", "\u{1b}[2J"] {
        fixture.steps(route(0, 1), PrivateStep::Request { to: claim(absent) }).await;
        assert_eq!(fixture.orders().await[0], [(1, "Resume".into())], "{absent:?}");
    }
    assert_eq!(fixture.meters.snapshot().private["ignored"], 4);
    fixture.steps(route(1, 9), PrivateStep::Request { to: claim("alice") }).await;
    assert_eq!(fixture.orders().await[1], [(9, "Resume".into())], "not joined any more");
    assert_eq!(fixture.broker.take().await.len(), 0);
}

#[actix::test]
async fn no_client_is_answered_and_asks_again_before_the_mailbox_is_empty() {
    let (room, broker, _meters) = (Probe::start(), Probe::start(), meters());
    let mut shards = [Probe::start()];
    let mut registry = registry(&room, broker.recipient(), &shards);
    let mut ctx = Context::new();
    let step = PrivateStep::Request { to: claim("absent") };
    registry.handle(join(route(0, 1), "alice"), &mut ctx);
    registry.handle(ToRegistry::Private { route: route(0, 1), step }, &mut ctx);
    registry.handle(join(route(0, 2), "alice"), &mut ctx);
    assert_eq!(orders(shards[0].take().await), []);
    registry.after_mailbox(&mut ctx, &mut Task::from_waker(Waker::noop()));
    assert_eq!(orders(shards[0].take().await), [(1, "Resume".into()), refused(2, Refused::Taken)]);
}
