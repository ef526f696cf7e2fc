//! The broker between probes: which frame reaches which client, byte for byte, and what is ignored.

use std::cell::Cell;
use std::time::{Duration, Instant};

use actix::prelude::{Actor, Addr};
use slog::{Discard, Logger, o};

use super::{LOOPBACK, Probe, encoded, id, member, meters, name, ports, relayed, request_limits};
use crate::protocol::ServerFrame;
use crate::server::broker::actor::Broker;
use crate::server::broker::meetings::Meetings;
use crate::server::broker::requests::Requests;
use crate::server::messages::{Relay, Step, ToBroker, ToConnection};
use crate::server::registry::directory::Member;

const LIFETIME: Duration = Duration::from_secs(120);

thread_local! {
    /// How far the broker's clock has been put forward.
    static LATER: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

struct Fixture {
    broker: Addr<Broker>,
    room: Probe<Relay>,
    _shard: Probe<ToConnection>,
}

impl Fixture {
    fn start() -> Self {
        let (room, shard) = (Probe::start(), Probe::start());
        let limits = request_limits(LIFETIME, 2);
        let broker = Broker {
            meters: meters(),
            requests: Requests::new(limits),
            meetings: Meetings::default(),
            node: None,
            room: room.recipient(),
            shards: vec![shard.recipient()],
            clock: || Instant::now() + LATER.get(),
            logger: Logger::root(Discard, o!()),
            _critical: None,
        };
        Self { broker: broker.start(), room, _shard: shard }
    }

    async fn step(&self, from: &Member, to: &Member, step: Step) {
        let (from, to) = (from.clone(), to.clone());
        self.broker.send(ToBroker::Step { from, to, step }).await.unwrap();
    }

    async fn orders(&mut self) -> [Vec<(u64, String)>; 2] {
        let relays = self.room.take().await;
        [relayed(&relays, 0), relayed(&relays, 1)]
    }
}

const PORTS: fn() -> Step = || Step::OfferPorts(ports(40_000, 40_001));

#[actix::test]
async fn each_frame_of_the_set_up_reaches_the_right_connection_with_the_right_bytes() {
    let mut fixture = Fixture::start();
    let (alice, bob) = (member(0, 1, "alice"), member(1, 2, "bob"));
    let steps = [
        (&alice, &bob, Step::Request, 1, &b"\0\0\0\x08\0\0\0\x05alice"[..]),
        (&bob, &alice, Step::Accept, 0, b"\0\0\0\x0b\0\0\0\x03bob\0\0\0\x04\xc0\0\x02\x02"),
        (
            &alice,
            &bob,
            PORTS(),
            1,
            b"\0\0\0\x0c\0\0\0\x05alice\0\0\0\x04\xc0\0\x02\x01\0\0\x9c\x40\0\0\x9c\x41",
        ),
    ];
    for (from, to, step, shard, bytes) in steps {
        fixture.step(from, to, step).await;
        match &fixture.room.take().await[..] {
            [Relay { from: source, to: whom, frame }] => {
                assert_eq!((*source, *whom), (from.id(), to.route().unwrap()), "{step:?}");
                assert_eq!(&frame[..], bytes, "{step:?}");
                assert_eq!(whom.shard, shard);
            }
            other => panic!("{step:?}: {other:?}"),
        }
    }
}

#[actix::test]
async fn mutual_requests_are_independent() {
    let mut fixture = Fixture::start();
    let (alice, bob) = (member(0, 1, "alice"), member(1, 2, "bob"));
    fixture.step(&alice, &bob, Step::Request).await;
    fixture.step(&bob, &alice, Step::Request).await;
    fixture.step(&bob, &alice, Step::Accept).await;
    fixture.step(&alice, &bob, PORTS()).await;
    assert!(fixture.orders().await.iter().all(|orders| orders.len() == 2));
    fixture.step(&alice, &bob, Step::Accept).await;
    fixture.step(&bob, &alice, PORTS()).await;
    let [to_alice, to_bob] = fixture.orders().await;
    assert!(to_bob[0].1.starts_with("PeerAccepted"), "{to_bob:?}");
    assert!(to_alice[0].1.starts_with("PeerListening"), "{to_alice:?}");
}

#[actix::test]
async fn steps_out_of_order_or_repeated_are_relayed_to_no_one() {
    let mut fixture = Fixture::start();
    let (alice, bob) = (member(0, 1, "alice"), member(1, 2, "bob"));
    let mut silent = async |from: &Member, to: &Member, step| {
        fixture.step(from, to, step).await;
        fixture.orders().await.iter().all(Vec::is_empty)
    };
    assert!(silent(&alice, &alice, Step::Request).await, "oneself");
    assert!(silent(&bob, &alice, Step::Accept).await, "accepted before asked");
    assert!(silent(&alice, &bob, PORTS()).await, "ports before asked");
    assert!(!silent(&alice, &bob, Step::Request).await);
    assert!(silent(&alice, &bob, Step::Request).await, "asked again");
    assert!(silent(&alice, &bob, PORTS()).await, "ports before accepted");
    assert!(silent(&alice, &bob, Step::Accept).await, "accepted by who asked");
    assert!(!silent(&bob, &alice, Step::Accept).await);
    assert!(silent(&bob, &alice, Step::Accept).await, "accepted again");
    assert!(silent(&bob, &alice, PORTS()).await, "ports from who was asked");
    assert!(!silent(&alice, &bob, PORTS()).await);
    assert!(silent(&alice, &bob, PORTS()).await, "ports again");
}

#[actix::test]
async fn an_unanswered_request_expires() {
    let mut fixture = Fixture::start();
    let (alice, bob) = (member(0, 1, "alice"), member(1, 2, "bob"));
    fixture.step(&alice, &bob, Step::Request).await;
    fixture.orders().await;
    LATER.set(LIFETIME);
    fixture.step(&bob, &alice, Step::Accept).await;
    assert_eq!(fixture.orders().await, [vec![], vec![]]);
    fixture.step(&alice, &bob, Step::Request).await;
    assert_eq!(fixture.orders().await[1].len(), 1, "and may be made again");
}

#[actix::test]
async fn requests_waiting_for_one_user_are_bounded() {
    let mut fixture = Fixture::start();
    let bob = member(1, 9, "bob");
    for (number, called) in [(1, "a"), (2, "b"), (3, "c")] {
        fixture.step(&member(0, number, called), &bob, Step::Request).await;
    }
    let requested = |from| format!("{:?}", ServerFrame::PrivateRequested { from: name(from) });
    assert_eq!(fixture.orders().await[1], [(9, requested("a")), (9, requested("b"))]);
    fixture.broker.send(ToBroker::Forget { id: id(1).into() }).await.unwrap();
    fixture.step(&member(0, 3, "c"), &bob, Step::Request).await;
    assert_eq!(fixture.orders().await[1], [(9, requested("c"))], "a place is free again");
}

#[actix::test]
async fn a_user_on_the_servers_machine_has_the_servers_address_for_others_only() {
    let mut fixture = Fixture::start();
    let local = |shard, number, called| {
        let mut member = member(shard, number, called);
        member.addresses.peer = LOOPBACK.into();
        member.addresses.local = LOOPBACK.into();
        member
    };
    let (alice, bob, carol) = (local(0, 1, "alice"), member(1, 2, "bob"), local(1, 3, "carol"));
    for other in [&bob, &carol] {
        fixture.step(&alice, other, Step::Request).await;
        fixture.step(other, &alice, Step::Accept).await;
        fixture.orders().await;
        fixture.step(&alice, other, PORTS()).await;
        let seen = if other.name == bob.name { super::SERVER } else { LOOPBACK };
        let expected = encoded(&ServerFrame::PeerListening {
            who: name("alice"),
            address: seen.into(),
            ports: ports(40_000, 40_001),
        });
        match &fixture.room.take().await[..] {
            [Relay { to, frame, .. }] if to.shard == 1 => assert_eq!(frame, &expected),
            other => panic!("{other:?}"),
        }
    }
}
