//! The registry of a server in a cluster, between probes: what it asks the node, and what it makes of
//! the answers.

use std::slice;
use std::sync::Arc;

use actix::prelude::{Actor, Addr};
use bytes::Bytes;

use super::{Probe, claim, join_request, member, name, orders, ports, registry, route};
use crate::protocol::v2::{Declined, LeaveReason, PublicKey, SessionId};
use crate::server::ids::{MemberId, Route};
use crate::server::messages::{
    JoinRequest, NodeEvent, PrivateStep, Relay, RemoteStep, Step, ToBroker, ToConnection, ToNode,
    ToRegistry, ToRoom,
};
use crate::server::registry::actor::Registry;
use crate::server::registry::directory::{Location, Member};
use crate::server::registry::shared::SharedRoom;
use crate::server::room::event::MemberKey;

const ELSEWHERE: MemberId = MemberId(7 << 40);
const SESSION: SessionId = SessionId([5; 16]);

struct Fixture {
    registry: Addr<Registry>,
    room: Probe<ToRoom>,
    broker: Probe<ToBroker>,
    node: Probe<ToNode>,
    relay: Probe<Relay>,
    shard: Probe<ToConnection>,
}

impl Fixture {
    /// A registry whose node serves.
    async fn start() -> Self {
        let fixture = Self::cut_off();
        fixture.node_says(NodeEvent::Serving(true)).await;
        fixture
    }

    fn cut_off() -> Self {
        let (room, broker, shard) = (Probe::start(), Probe::start(), Probe::start());
        let (node, relay) = (Probe::start(), Probe::start());
        let mut registry = registry(&room, broker.recipient(), slice::from_ref(&shard));
        registry.shared = Some(SharedRoom::new(node.recipient(), relay.recipient()));
        Self { registry: registry.start(), room, broker, node, relay, shard }
    }

    async fn asks(&self, number: u64, called: &str, key: MemberKey) {
        let join = ToRegistry::Join(JoinRequest { key, ..join_request(number, called) });
        self.registry.send(join).await.unwrap();
    }

    async fn node_says(&self, event: NodeEvent) {
        self.registry.send(ToRegistry::Node(event)).await.unwrap();
    }

    async fn joined(&self, member: MemberId, called: &str, key: MemberKey) {
        let name = name(called);
        self.node_says(NodeEvent::Joined { member, name, key, replaces: None }).await;
    }

    async fn steps(&self, number: u64, step: PrivateStep) {
        let step = ToRegistry::Private { route: route(0, number), step };
        self.registry.send(step).await.unwrap();
    }

    async fn entered(&mut self) -> Vec<u64> {
        let enters = self.room.take().await.into_iter().filter_map(|message| match message {
            ToRoom::Enter { route: Route { id, .. }, .. } => Some(id.0),
            ToRoom::Leave { .. } => None,
        });
        enters.collect()
    }

    async fn orders(&mut self) -> Vec<(u64, String)> {
        orders(self.shard.take().await)
    }

    async fn broker_steps(&mut self) -> Vec<String> {
        let messages = self.broker.take().await.into_iter();
        messages.filter(|it| !matches!(it, ToBroker::Forget { .. })).map(words).collect()
    }

    async fn node_steps(&mut self) -> Vec<(MemberId, RemoteStep)> {
        let messages = self.node.take().await.into_iter().filter_map(|message| match message {
            ToNode::Step { to, step, .. } => Some((to, step)),
            _ => None,
        });
        messages.collect()
    }
}

fn words(message: ToBroker) -> String {
    match message {
        ToBroker::Step { from, to, step } => format!("{step:?} of {} for {}", from.name, to.name),
        ToBroker::NotHere { name, reason, .. } => format!("{name}: {reason:?}"),
        ToBroker::Session { from, .. } => format!("session step of {}", from.name),
        ToBroker::Forget { id } => format!("forget {id:?}"),
        ToBroker::Show(_) => "show".into(),
    }
}

#[allow(clippy::unnecessary_wraps, reason = "the type that a member has")]
fn key(byte: u8) -> MemberKey {
    Some(Arc::new(PublicKey([byte; 32])))
}

#[actix::test]
async fn a_name_is_had_once_all_nodes_have_decided_and_not_before() {
    let mut fixture = Fixture::start().await;
    fixture.asks(1, "ann", None).await;
    assert_eq!(fixture.entered().await, [1], "the room proposes it");
    fixture.steps(1, PrivateStep::Request { to: claim("ann") }).await;
    assert!(fixture.broker_steps().await.is_empty(), "who has not joined takes no step");
    fixture.joined(MemberId(1), "ann", None).await;
    fixture.asks(2, "ANN", None).await;
    assert_eq!(fixture.orders().await[1..], [(2, "Refuse(Taken)".into())]);
}

#[actix::test]
async fn of_two_claims_of_one_name_the_nodes_choose() {
    let mut fixture = Fixture::start().await;
    fixture.asks(1, "ann", None).await;
    fixture.asks(2, "ann", None).await;
    assert_eq!(fixture.entered().await, [1, 2], "which is first is for the stream to say");
    fixture.joined(MemberId(2), "ann", None).await;
    fixture.node_says(NodeEvent::Refused(MemberId(1))).await;
    assert_eq!(fixture.orders().await, [(1, "Refuse(Taken)".into())]);
}

#[actix::test]
async fn a_server_that_is_cut_off_sends_clients_to_another_one() {
    let mut fixture = Fixture::cut_off();
    fixture.asks(1, "ann", None).await;
    assert_eq!(fixture.orders().await, [(1, "Close(CutOff)".into())]);
    fixture.node_says(NodeEvent::Serving(true)).await;
    fixture.asks(2, "ann", None).await;
    fixture.node_says(NodeEvent::Serving(false)).await;
    fixture.node_says(NodeEvent::Expelled).await;
    assert_eq!(fixture.orders().await, [(2, "Close(CutOff)".into())], "its join is void");
    assert_eq!(fixture.entered().await, [2]);
}

#[actix::test]
async fn a_server_that_is_cut_off_takes_no_private_step_between_its_own_clients() {
    let mut fixture = Fixture::start().await;
    for (number, called) in [(1, "ann"), (2, "bob")] {
        fixture.asks(number, called, key(1)).await;
        fixture.joined(MemberId(number), called, key(1)).await;
    }
    fixture.node_says(NodeEvent::Serving(false)).await;
    fixture.steps(1, PrivateStep::Request { to: claim("bob") }).await;
    fixture.steps(1, PrivateStep::Ask { session: SESSION, to: claim("bob") }).await;
    assert_eq!(fixture.broker_steps().await, [format!("bob: {:?}", Declined::Busy)]);
    fixture.node_says(NodeEvent::Serving(true)).await;
    fixture.steps(1, PrivateStep::Request { to: claim("bob") }).await;
    assert_eq!(fixture.broker_steps().await, ["Request of ann for bob"]);
}

#[actix::test]
async fn the_same_user_on_another_node_takes_over() {
    let mut fixture = Fixture::start().await;
    fixture.asks(1, "ann", key(1)).await;
    fixture.joined(MemberId(1), "ann", key(1)).await;
    let (member, replaces) = (ELSEWHERE, Some(MemberId(1)));
    let joined = NodeEvent::Joined { member, name: name("ann"), key: key(1), replaces };
    fixture.node_says(joined).await;
    assert_eq!(fixture.orders().await, [(1, "TakenOver".into())]);
    fixture.asks(2, "ann", key(1)).await;
    assert_eq!(fixture.entered().await, [1, 2], "and back");
}

#[actix::test]
async fn a_member_removed_by_the_other_nodes_is_disconnected() {
    let mut fixture = Fixture::start().await;
    fixture.asks(1, "ann", None).await;
    fixture.joined(MemberId(1), "ann", None).await;
    fixture.node_says(NodeEvent::Left(MemberId(1))).await;
    assert_eq!(fixture.orders().await, [(1, "Close(CutOff)".into())]);
    let left = ToRegistry::Leave { id: route(0, 1).id, reason: LeaveReason::ConnectionLost };
    fixture.registry.send(left).await.unwrap();
    let messages = fixture.room.take().await;
    assert!(matches!(messages[..], [ToRoom::Enter { .. }, ToRoom::Leave { .. }]), "{messages:?}");
}

#[actix::test]
async fn a_connection_that_ends_before_the_decision_leaves() {
    let mut fixture = Fixture::start().await;
    fixture.asks(1, "ann", None).await;
    let left = ToRegistry::Leave { id: route(0, 1).id, reason: LeaveReason::ConnectionLost };
    fixture.registry.send(left).await.unwrap();
    let messages = fixture.room.take().await;
    assert!(matches!(messages[..], [ToRoom::Enter { .. }, ToRoom::Leave { .. }]), "{messages:?}");
}

#[actix::test]
async fn requests_go_to_the_node_of_the_target_and_answers_stay() {
    let mut fixture = Fixture::start().await;
    fixture.asks(1, "ann", key(1)).await;
    fixture.joined(MemberId(1), "ann", key(1)).await;
    fixture.joined(ELSEWHERE, "bob", key(2)).await;
    fixture.steps(1, PrivateStep::Request { to: claim("bob") }).await;
    let ports = ports(40_000, 40_001);
    fixture.steps(1, PrivateStep::OfferPorts { to: claim("bob"), ports }).await;
    fixture.steps(1, PrivateStep::Ask { session: SESSION, to: claim("bob") }).await;
    let steps = [Step::Request, Step::OfferPorts(ports), Step::Ask(SESSION)];
    let steps = steps.map(|step| (ELSEWHERE, RemoteStep::Step(step)));
    assert_eq!(fixture.node_steps().await, steps);
    assert!(fixture.broker_steps().await.is_empty());
    fixture.steps(1, PrivateStep::Accept { from: claim("bob") }).await;
    assert_eq!(fixture.broker_steps().await, ["Accept of ann for bob"]);
}

#[actix::test]
async fn a_remote_step_reaches_the_broker_of_the_target() {
    let mut fixture = Fixture::start().await;
    fixture.asks(1, "ann", key(1)).await;
    fixture.joined(MemberId(1), "ann", key(1)).await;
    let bob = Member { place: Location::Elsewhere(ELSEWHERE), key: key(2), ..member(0, 9, "bob") };
    let step = RemoteStep::Step(Step::Ask(SESSION));
    for to in [MemberId(1), MemberId(99)] {
        let (from, step) = (bob.clone(), step.clone());
        fixture.node_says(NodeEvent::Step { from, to, step }).await;
    }
    let words = fixture.broker_steps().await;
    assert_eq!(words[0], format!("{:?} of bob for ann", Step::Ask(SESSION)));
    assert_eq!(words[1..], ["bob: Left"], "who is not here any more");
    let frame = Bytes::from_static(b"frame");
    fixture.node_says(NodeEvent::Deliver { from: ELSEWHERE, to: MemberId(1), frame }).await;
    let relayed = fixture.relay.take().await;
    let [Relay { from: ELSEWHERE, to, .. }] = &relayed[..] else { panic!("{relayed:?}") };
    assert_eq!(*to, route(0, 1));
}

#[actix::test]
async fn the_asker_is_informed_of_a_node_that_does_not_answer() {
    let mut fixture = Fixture::start().await;
    fixture.asks(1, "ann", key(1)).await;
    fixture.joined(MemberId(1), "ann", key(1)).await;
    let (from, name) = (MemberId(1), name("bob"));
    fixture.node_says(NodeEvent::Unreachable { from, session: SESSION, name }).await;
    assert_eq!(fixture.broker_steps().await, [format!("bob: {:?}", Declined::Busy)]);
}
