use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::*;
use crate::protocol::{Decode, ServerFrame};
use crate::server::ids::ConnectionId;
use crate::server::room::batch::MAX_BATCH;
use crate::server::room::batch::Welcome;
use crate::server::room::event::Dialect;
use crate::server::room::sequencer::Committed;
use crate::server::room::shard_state::{GATHER, GATHER_ANNOUNCEMENTS, LONG_WRITE};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ALICE: ConnectionId = ConnectionId(1);
const BOB: ConnectionId = ConnectionId(2);

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut frames = Vec::new();
    while let Some((frame, taken)) = ServerFrame::decode(bytes).unwrap() {
        frames.push(match frame {
            ServerFrame::Message { from, text } => format!("{from}: {text}"),
            other => format!("{other:?}"),
        });
        bytes = &bytes[taken..];
    }
    frames
}

fn text(batch: &Batch, from: u64) -> Vec<String> {
    let Some(span) = &batch.span else { return Vec::new() };
    let (mut bytes, mut segment) = (Vec::new(), Some(&span.first));
    while let Some(current) = segment.filter(|segment| segment.start() < span.end) {
        let skip = current.offset(Dialect::V1, from);
        bytes.extend_from_slice(current.bytes(Dialect::V1).get(skip..).unwrap_or_default());
        segment = current.next();
    }
    frames(&bytes)
}

fn say(fanout: &mut Fanout, shard: usize, id: ConnectionId, text: &str) {
    let texts = vec![MessageText::parse(text).unwrap()];
    let (route, from) = (Route { shard, id }, name("x"));
    let (address, at) = (LOOPBACK.into(), Instant::now());
    fanout.publish(Publish { route, from, address, texts, action: false, at, resumes: true });
    assert!(fanout.commit().is_empty());
}

fn enter(fanout: &mut Fanout, id: ConnectionId, called: &str) -> Welcome {
    let newcomer = Newcomer { route: Route { shard: 0, id }, last_sequence: 0 };
    fanout.enter(newcomer, name(called), None, None, Instant::now());
    let mut admitted = fanout.commit();
    let (route, admitted_name, welcome) = admitted.pop().unwrap();
    assert_eq!((route.id, admitted_name, admitted.len()), (id, name(called), 0));
    welcome
}

fn leave(fanout: &mut Fanout, id: ConnectionId) {
    fanout.leave(id.into(), LeaveReason::SignedOut, Instant::now());
    fanout.commit();
}

#[test]
fn alone_a_message_leaves_at_once_and_under_load_the_rest_is_one_batch() {
    let now = Instant::now();
    let mut fanout = Fanout::new(1, true);
    say(&mut fanout, 0, ALICE, "one");
    let first = fanout.flush(now);
    assert_eq!(text(&first[0].1, 0), ["x: one"]);
    say(&mut fanout, 0, ALICE, "two");
    say(&mut fanout, 0, BOB, "three");
    assert!(fanout.flush(now).is_empty(), "one batch in flight for each shard");
    fanout.written(0, now);
    let second = fanout.flush(now);
    assert_eq!(text(&second[0].1, 0), ["x: two", "x: three"]);
    assert_eq!(second[0].1.published, [ALICE, BOB]);
    fanout.written(0, now);
    assert!(fanout.flush(now).is_empty());
}

#[test]
fn shards_get_the_same_frames_in_the_same_order_each_at_its_pace() {
    let now = Instant::now();
    let mut fanout = Fanout::new(2, true);
    say(&mut fanout, 0, ALICE, "one");
    assert_eq!(fanout.flush(now).len(), 2);
    say(&mut fanout, 1, BOB, "two");
    fanout.written(1, now);
    let batches = fanout.flush(now);
    assert_eq!((batches[0].0, text(&batches[0].1, 0)), (1, vec!["x: two".into()]));
    assert_eq!(batches[0].1.published, [BOB]);
    say(&mut fanout, 1, BOB, "three");
    fanout.written(0, now);
    let batches = fanout.flush(now);
    assert_eq!(text(&batches[0].1, 0), ["x: two", "x: three"]);
    assert!(batches[0].1.published.is_empty(), "its own shard answers a publisher");
}

#[test]
fn each_batch_of_a_backlog_reports_its_own_oldest_message() {
    let start = Instant::now();
    let mut fanout = Fanout::new(1, true);
    let route = Route { shard: 0, id: ALICE };
    for second in 0..12 {
        let at = start + Duration::from_secs(second);
        // The next one would not fit: a quarter of a batch, as one segment.
        let text = MessageText::parse(&"x".repeat(499)).unwrap();
        let texts = vec![text; MAX_BATCH / 4 / 512];
        let (from, address) = (name("x"), LOOPBACK.into());
        fanout.publish(Publish { route, from, address, texts, action: false, at, resumes: true });
        fanout.commit();
    }
    for second in [0, 4, 8] {
        let said_at = fanout.flush(start)[0].1.said_at;
        assert_eq!(said_at, Some(start + Duration::from_secs(second)));
        fanout.written(0, start);
    }
    enter(&mut fanout, BOB, "bob");
    assert_eq!(fanout.flush(start + GATHER_ANNOUNCEMENTS)[0].1.said_at, None);
}

#[test]
fn a_newcomer_gets_the_answer_the_roster_and_then_the_log_from_its_own_arrival() {
    let now = Instant::now();
    let mut fanout = Fanout::new(1, true);
    enter(&mut fanout, ALICE, "alice");
    say(&mut fanout, 0, ALICE, "before");
    let welcome = enter(&mut fanout, BOB, "bob");
    say(&mut fanout, 0, ALICE, "after");
    let parts: Vec<u8> = welcome.parts.iter().flat_map(|part| part.to_vec()).collect();
    let expected = ["JoinAnswer { accepted: true }", "Joined(\"alice\")", "Joined(\"bob\")"];
    assert_eq!(frames(&parts), expected);
    assert_eq!(text(&fanout.flush(now)[0].1, welcome.start), ["x: after"]);
}

#[test]
fn the_message_of_the_day_follows_the_newcomers_own_arrival() {
    let mut fanout = Fanout::new(1, true);
    let lines = [MessageText::parse("hello").unwrap(), MessageText::parse("be kind").unwrap()];
    fanout.set_motd(&name("Server"), &lines);
    let welcome = enter(&mut fanout, ALICE, "alice");
    let parts: Vec<u8> = welcome.parts.iter().flat_map(|part| part.to_vec()).collect();
    assert_eq!(frames(&parts)[1..], ["Joined(\"alice\")", "Server: hello", "Server: be kind"]);
}

#[test]
fn without_replay_a_newcomer_gets_the_answer_only() {
    let mut fanout = Fanout::new(1, false);
    enter(&mut fanout, ALICE, "alice");
    assert_eq!(enter(&mut fanout, BOB, "bob").parts.len(), 2);
}

#[test]
fn the_leave_of_an_unknown_member_is_not_announced() {
    let now = Instant::now();
    let mut fanout = Fanout::new(1, true);
    leave(&mut fanout, ALICE);
    assert!(fanout.flush(now).is_empty());
}

#[test]
fn after_a_long_write_more_is_gathered_and_after_a_short_one_it_is_not() {
    let start = Instant::now();
    let mut fanout = Fanout::new(1, true);
    say(&mut fanout, 0, ALICE, "one");
    assert_eq!(fanout.flush(start).len(), 1);
    let end = start + LONG_WRITE;
    fanout.written(0, end);
    assert_eq!(fanout.gathering_until(), None, "nothing waits");
    say(&mut fanout, 0, ALICE, "two");
    assert!(fanout.flush(end).is_empty());
    assert_eq!(fanout.gathering_until(), Some(end + GATHER));
    say(&mut fanout, 0, ALICE, "three");
    assert_eq!(text(&fanout.flush(end + GATHER)[0].1, 0), ["x: two", "x: three"]);
    fanout.written(0, end + GATHER);
    say(&mut fanout, 0, ALICE, "four");
    assert_eq!(fanout.flush(end + GATHER).len(), 1);
}

#[test]
fn joins_alone_are_gathered_and_leave_with_the_next_message() {
    let start = Instant::now();
    let mut fanout = Fanout::new(1, true);
    enter(&mut fanout, ALICE, "alice");
    assert_eq!(fanout.flush(start).len(), 1, "a single join is announced at once");
    fanout.written(0, start);
    enter(&mut fanout, BOB, "bob");
    assert!(fanout.flush(start).is_empty());
    assert_eq!(fanout.gathering_until(), Some(start + GATHER_ANNOUNCEMENTS));
    say(&mut fanout, 0, ALICE, "hello bob");
    assert_eq!(text(&fanout.flush(start)[0].1, 0), ["Joined(\"bob\")", "x: hello bob"]);
    fanout.written(0, start);
    leave(&mut fanout, BOB);
    assert!(fanout.flush(start).is_empty());
    assert_eq!(fanout.flush(start + GATHER_ANNOUNCEMENTS).len(), 1);
}

#[test]
fn a_frame_for_one_client_follows_all_earlier_announcements() {
    let start = Instant::now();
    let mut fanout = Fanout::new(2, true);
    enter(&mut fanout, ALICE, "alice");
    assert_eq!(fanout.flush(start).len(), 2);
    (0..2).for_each(|shard| fanout.written(shard, start));
    enter(&mut fanout, BOB, "bob");
    fanout.relay(BOB.into(), Route { shard: 0, id: ALICE }, Bytes::from_static(b"bob asks"));
    let batches = fanout.flush(start);
    let [(0, batch)] = &batches[..] else { panic!("only her shard hurries: {batches:?}") };
    assert_eq!(text(batch, 0), ["Joined(\"bob\")"]);
    assert_eq!(batch.relayed, [(ALICE, Bytes::from_static(b"bob asks"))]);
    fanout.relay(BOB.into(), Route { shard: 0, id: ALICE }, Bytes::from_static(b"again"));
    assert!(fanout.flush(start).is_empty());
    fanout.written(0, start);
    let [(0, batch)] = &fanout.flush(start)[..] else { panic!("a frame is due") };
    assert!(batch.span.is_none() && batch.relayed.len() == 1);
}
#[test]
fn pending_requests_of_a_departed_member_are_not_delivered() {
    let start = Instant::now();
    let mut fanout = Fanout::new(1, true);
    enter(&mut fanout, ALICE, "alice");
    enter(&mut fanout, BOB, "bob");
    assert_eq!(fanout.flush(start).len(), 1);
    fanout.relay(BOB.into(), Route { shard: 0, id: ALICE }, Bytes::from_static(b"bob asks"));
    leave(&mut fanout, BOB);
    fanout.written(0, start);
    let batches = fanout.flush(start + GATHER_ANNOUNCEMENTS);
    assert_eq!(batches.len(), 1);
    assert!(batches[0].1.relayed.is_empty(), "she would read it behind the leave");
}

#[test]
fn no_request_arrives_from_a_user_who_has_left() {
    let start = Instant::now();
    let mut fanout = Fanout::new(1, true);
    enter(&mut fanout, ALICE, "alice");
    enter(&mut fanout, BOB, "bob");
    leave(&mut fanout, BOB);
    let again = ConnectionId(3);
    enter(&mut fanout, again, "bob");
    let alice = Route { shard: 0, id: ALICE };
    fanout.relay(BOB.into(), alice, Bytes::from_static(b"bob asks"));
    fanout.relay(again.into(), alice, Bytes::from_static(b"the new bob asks"));
    let relayed = &fanout.flush(start)[0].1.relayed;
    assert_eq!(relayed, &[(ALICE, Bytes::from_static(b"the new bob asks"))]);
}

/// Commits nothing until it is allowed to.
#[derive(Debug, Default)]
struct Slow {
    proposed: VecDeque<Proposal>,
    committed: std::sync::Arc<std::sync::atomic::AtomicU64>,
    next: u64,
}

impl Sequencer for Slow {
    fn propose(&mut self, proposal: Proposal) {
        self.proposed.push_back(proposal);
    }

    fn committed(&mut self) -> Option<Committed> {
        let allowed = self.committed.load(std::sync::atomic::Ordering::Relaxed);
        let proposal = (self.next < allowed).then(|| self.proposed.pop_front())??;
        self.next += 1;
        Some(Committed { first: self.next - 1, at: None, proposal })
    }
}

#[test]
fn nothing_is_read_and_no_member_is_admitted_before_it_is_committed() {
    let now = Instant::now();
    let slow = Slow::default();
    let committed = std::sync::Arc::clone(&slow.committed);
    let commit = |count| committed.store(count, std::sync::atomic::Ordering::Relaxed);
    let mut fanout = Fanout::ordered_by(Box::new(slow), 1, true);
    let newcomer = |id| Newcomer { route: Route { shard: 0, id }, last_sequence: 0 };
    fanout.enter(newcomer(ALICE), name("alice"), None, None, now);
    fanout.enter(newcomer(BOB), name("bob"), None, None, now);
    fanout.leave(BOB.into(), LeaveReason::SignedOut, now);
    assert!(fanout.commit().is_empty() && fanout.flush(now).is_empty());
    commit(1);
    let admitted = fanout.commit();
    assert_eq!(admitted.iter().map(|(route, ..)| route.id).collect::<Vec<_>>(), [ALICE]);
    assert_eq!(text(&fanout.flush(now)[0].1, 0), ["Joined(\"alice\")"]);
    fanout.written(0, now);
    commit(3);
    assert!(fanout.commit().is_empty(), "bob left while he waited");
    let batches = fanout.flush(now + GATHER_ANNOUNCEMENTS);
    assert_eq!(text(&batches[0].1, 0), ["Joined(\"bob\")", "Left(\"bob\")"]);
}
