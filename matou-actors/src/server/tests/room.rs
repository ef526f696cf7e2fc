//! The room between probes: one order for all shards, batches, and who may read on.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use actix::prelude::{Actor, Addr};
use slog::Logger;
use tokio::sync::oneshot;

use super::{Probe, id, meters, name, peer, route, text};
use crate::protocol::v2::LeaveReason;
use crate::protocol::{Decode, ServerFrame};
use crate::server::ids::Route;
use crate::server::log_limiter::LogLimiters;
use crate::server::messages::{BatchWritten, Drain, FromRoom, Publish, ToRoom};
use crate::server::registry::actor::LOG_EVERY;
use crate::server::room::actor::Room;
use crate::server::room::batch::Batch;
use crate::server::room::event::Dialect;
use crate::server::room::fanout::Fanout;
use crate::server::room::rates::RoomRates;
use crate::server::room::shaper::Shaper;
use crate::server::settings::Limits;

struct Fixture {
    room: Addr<Room>,
    shards: [Probe<FromRoom>; 2],
}

/// A clock on which an hour passes between any two looks: nothing is ever gathered for long.
fn by_the_hour() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    static LOOKS: AtomicU32 = AtomicU32::new(0);
    let looks = LOOKS.fetch_add(1, Relaxed);
    *START.get_or_init(Instant::now) + Duration::from_secs(3600) * looks
}

impl Fixture {
    fn start() -> Self {
        Self::with(RoomRates::default(), by_the_hour)
    }

    fn with(rates: RoomRates, clock: fn() -> Instant) -> Self {
        let shards = [Probe::start(), Probe::start()];
        let room = Room {
            motd_name: name("Server"),
            meters: meters(),
            clock,
            timer: None,
            saving: None,
            store: None,
            node: None,
            fanout: Fanout::new(2, true),
            shaper: Shaper::new(rates),
            delays: LogLimiters::new(LOG_EVERY),
            logger: Logger::root(slog::Discard, slog::o!()),
            shards: shards.iter().map(Probe::recipient).collect(),
            draining: Vec::new(),
            _critical: None,
        };
        Self { room: room.start(), shards }
    }

    fn enters(&self, route: Route, called: &str) {
        self.room.do_send(ToRoom::Enter {
            route,
            name: name(called),
            key: None,
            replaces: None,
            last_sequence: 0,
        });
    }

    fn says(&self, route: Route, called: &str, said: &str) {
        let (from, texts) = (name(called), vec![text(said)]);
        let address = peer(1).ip().into();
        let at = Instant::now();
        self.room.do_send(Publish {
            route,
            from,
            address,
            texts,
            action: false,
            at,
            resumes: true,
        });
    }

    fn has_written(&self, shard: usize) {
        self.room.do_send(BatchWritten { shard });
    }

    /// What `shard` got from the room since it was last looked at.
    async fn received(&mut self, shard: usize) -> Vec<Received> {
        // Everything sent to the room before this has been handled once this is.
        self.room
            .send(ToRoom::Leave { id: id(0).into(), reason: LeaveReason::SignedOut })
            .await
            .unwrap();
        self.shards[shard].take().await.into_iter().map(Received::from).collect()
    }
}

#[derive(Debug, PartialEq)]
enum Received {
    Admit { id: u64, first: Vec<String>, start: u64 },
    Batch { frames: Vec<String>, start: u64, published: Vec<u64> },
}

impl From<FromRoom> for Received {
    fn from(message: FromRoom) -> Self {
        match message {
            FromRoom::Admit { id, welcome, .. } => {
                let first: Vec<u8> = welcome.parts.iter().flat_map(|part| part.to_vec()).collect();
                Self::Admit { id: id.0, first: frames(&first), start: welcome.start }
            }
            FromRoom::Batch(batch) => Self::Batch {
                frames: frames(&bytes(&batch)),
                start: batch.span.as_ref().map_or(0, |span| span.first.start()),
                published: batch.published.iter().map(|id| id.0).collect(),
            },
        }
    }
}

fn bytes(batch: &Batch) -> Vec<u8> {
    let Some(span) = &batch.span else { return Vec::new() };
    let (mut bytes, mut segment) = (Vec::new(), Some(&span.first));
    while let Some(current) = segment.filter(|segment| segment.start() < span.end) {
        bytes.extend_from_slice(current.bytes(Dialect::V1));
        segment = current.next();
    }
    bytes
}

fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut frames = Vec::new();
    while let Some((frame, length)) = ServerFrame::decode(bytes).unwrap() {
        frames.push(match frame {
            ServerFrame::Message { from, text } => format!("{from}: {text}"),
            ServerFrame::Joined(who) => format!("+{who}"),
            ServerFrame::Left(who) => format!("-{who}"),
            other => format!("{other:?}"),
        });
        bytes = &bytes[length..];
    }
    assert!(bytes.is_empty(), "whole frames only");
    frames
}

const ALICE: Route = Route { shard: 0, id: crate::server::ids::ConnectionId(1) };
const BOB: Route = Route { shard: 1, id: crate::server::ids::ConnectionId(2) };

#[actix::test]
async fn a_newcomer_is_admitted_by_its_own_shard_before_the_batch_with_its_arrival() {
    let mut fixture = Fixture::start();
    fixture.enters(ALICE, "alice");
    fixture.enters(BOB, "bob");
    let yes = || String::from("JoinAnswer { accepted: true }");
    let batch = |published| Received::Batch {
        frames: vec!["+alice".into(), "+bob".into()],
        start: 0,
        published,
    };
    let first = fixture.received(0).await;
    let admitted = Received::Admit { id: 1, first: vec![yes(), "+alice".into()], start: 1 };
    assert_eq!(first, [admitted, batch(vec![])]);
    let second = fixture.received(1).await;
    let roster = vec![yes(), "+alice".into(), "+bob".into()];
    assert_eq!(second, [Received::Admit { id: 2, first: roster, start: 2 }, batch(vec![])]);
}

#[actix::test]
async fn all_shards_get_all_frames_in_one_order_whatever_their_pace() {
    let mut fixture = Fixture::start();
    fixture.enters(ALICE, "alice");
    fixture.enters(BOB, "bob");
    let mut received = [Vec::new(), Vec::new()];
    for round in 0..30 {
        fixture.says(ALICE, "alice", &format!("a{round}"));
        fixture.says(BOB, "bob", &format!("b{round}"));
        // The first shard writes at once, the second one every seventh time only.
        fixture.has_written(0);
        if round % 7 == 0 {
            fixture.has_written(1);
        }
        for (shard, received) in received.iter_mut().enumerate() {
            received.extend(fixture.received(shard).await);
        }
    }
    for (shard, received) in received.iter_mut().enumerate() {
        fixture.has_written(shard);
        received.extend(fixture.received(shard).await);
        fixture.has_written(shard);
        received.extend(fixture.received(shard).await);
    }
    let [first, second] = received.map(|received| {
        let batches = received.into_iter().filter_map(|received| match received {
            Received::Batch { frames, .. } => Some(frames),
            Received::Admit { .. } => None,
        });
        batches.collect::<Vec<_>>()
    });
    assert!(second.len() < first.len(), "the slow shard gets fewer and larger batches");
    let (first, second) = (first.concat(), second.concat());
    assert_eq!(first, second);
    let said_by = |who: &'static str| first.iter().filter(move |line| line.starts_with(who));
    let own = (0..30).map(|round| format!("alice: a{round}"));
    assert!(said_by("alice").cloned().eq(own), "what one client sends keeps its order");
    assert_eq!(said_by("bob").count(), 30);
}

#[actix::test]
async fn a_shard_gets_one_batch_at_a_time_and_the_one_with_a_message_resumes_its_publisher() {
    let mut fixture = Fixture::start();
    fixture.says(ALICE, "alice", "one");
    let one = fixture.received(0).await;
    assert!(
        matches!(&one[..], [Received::Batch { published, .. }] if published == &[1]),
        "{one:?}"
    );
    fixture.says(ALICE, "alice", "two");
    assert_eq!(fixture.received(0).await, [], "the first batch is still being written");
    fixture.has_written(0);
    let two = fixture.received(0).await;
    match &two[..] {
        [Received::Batch { frames, published, .. }] => {
            assert_eq!((&frames[..], &published[..]), (&["alice: two".to_string()][..], &[1][..]));
        }
        other => panic!("{other:?}"),
    }
    let other = fixture.received(1).await;
    assert!(matches!(&other[..], [Received::Batch { published, .. }] if published.is_empty()));
}

#[actix::test]
async fn a_leave_is_announced_once_and_that_of_an_unknown_member_never() {
    let mut fixture = Fixture::start();
    fixture.enters(ALICE, "alice");
    fixture.received(0).await;
    fixture.has_written(0);
    for _ in 0..2 {
        fixture.room.do_send(ToRoom::Leave { id: ALICE.id.into(), reason: LeaveReason::SignedOut });
    }
    fixture.room.do_send(ToRoom::Leave { id: BOB.id.into(), reason: LeaveReason::SignedOut });
    let received = fixture.received(0).await;
    assert!(matches!(&received[..], [Received::Batch { frames, .. }] if frames == &["-alice"]));
    fixture.enters(BOB, "bob");
    fixture.has_written(1);
    let roster = fixture.received(1).await;
    let admitted = roster.iter().find_map(|received| match received {
        Received::Admit { first, .. } => Some(first.len()),
        Received::Batch { .. } => None,
    });
    assert_eq!(admitted, Some(2), "CORES and its own name: alice is not in the roster");
}

#[actix::test]
async fn a_message_of_a_client_that_left_meanwhile_still_reaches_the_others() {
    let mut fixture = Fixture::start();
    fixture.enters(ALICE, "alice");
    fixture.received(1).await;
    fixture.says(ALICE, "alice", "bye");
    fixture.room.do_send(ToRoom::Leave { id: ALICE.id.into(), reason: LeaveReason::SignedOut });
    fixture.has_written(1);
    let received = fixture.received(1).await;
    assert!(
        matches!(&received[..], [Received::Batch { frames, .. }] if frames == &["alice: bye", "-alice"])
    );
}

#[actix::test]
async fn draining_ends_when_every_shard_has_written_everything() {
    let mut fixture = Fixture::start();
    fixture.says(ALICE, "alice", "last words");
    fixture.received(0).await;
    let (done, mut drained) = oneshot::channel();
    fixture.room.send(Drain(done)).await.unwrap();
    fixture.has_written(0);
    fixture.received(0).await;
    assert!(drained.try_recv().is_err(), "the second shard still writes");
    fixture.has_written(1);
    fixture.received(1).await;
    assert_eq!(drained.try_recv(), Ok(()));
}

#[actix::test]
async fn routes_to_unknown_shards_do_no_harm() {
    let mut fixture = Fixture::start();
    fixture.enters(route(7, 3), "carol");
    fixture.says(route(7, 3), "carol", "hello");
    fixture.has_written(7);
    let received = fixture.received(0).await;
    assert!(matches!(&received[..], [Received::Batch { frames, .. }] if frames.len() == 2));
}

#[actix::test]
async fn rate_limited_messages_are_dropped_with_their_author_and_published_at_shutdown() {
    let one_at_once = Limits { messages_per_second: 1, message_burst: 1, ..Limits::default() };
    let limits = Limits { rates_per_address: 1, ..one_at_once };
    let mut fixture = Fixture::with(RoomRates::new(&limits), Instant::now);
    for (route, called) in [(ALICE, "alice"), (BOB, "bob")] {
        fixture.enters(route, called);
    }
    for _ in 0..2 {
        fixture.says(ALICE, "alice", "at once");
    }
    fixture.says(ALICE, "alice", "never");
    fixture.says(BOB, "bob", "at the stop");
    fixture.room.do_send(ToRoom::Leave { id: ALICE.id.into(), reason: LeaveReason::SignedOut });
    let (done, _drained) = oneshot::channel();
    fixture.room.do_send(Drain(done));
    let mut frames = Vec::new();
    for received in fixture.received(0).await {
        if let Received::Batch { frames: more, .. } = received {
            frames.extend(more);
        }
    }
    let expected =
        ["+alice", "+bob", "alice: at once", "alice: at once", "-alice", "bob: at the stop"];
    assert_eq!(frames, expected);
}
