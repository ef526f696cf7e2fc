use super::*;
use crate::protocol::Decode;

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
        let skip = usize::try_from(from.saturating_sub(current.start())).unwrap();
        bytes.extend_from_slice(current.bytes().get(skip..).unwrap_or_default());
        segment = current.next();
    }
    frames(&bytes)
}

fn say(fanout: &mut Fanout, shard: usize, id: ConnectionId, text: &str) {
    let mut out = BytesMut::new();
    encode_message(&name("x"), &MessageText::parse(text).unwrap(), &mut out);
    let (route, frames) = (Route { shard, id }, out.freeze());
    fanout.publish(&Publish { route, frames, count: 1, at: Instant::now() });
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
    assert!(batches[0].1.published.is_empty(), "a publisher is told by its own shard");
}

#[test]
fn each_batch_of_a_backlog_tells_of_its_own_oldest_message() {
    let start = Instant::now();
    let mut fanout = Fanout::new(1, true);
    let route = Route { shard: 0, id: ALICE };
    for second in 0..12 {
        let at = start + Duration::from_secs(second);
        let frames = Bytes::from(vec![0; MAX_BATCH / 4]);
        fanout.publish(&Publish { route, frames, count: 1, at });
    }
    for second in [0, 4, 8] {
        let said_at = fanout.flush(start)[0].1.said_at;
        assert_eq!(said_at, Some(start + Duration::from_secs(second)));
        fanout.written(0, start);
    }
    fanout.enter(BOB, &name("bob"));
    assert_eq!(fanout.flush(start + GATHER_ANNOUNCEMENTS)[0].1.said_at, None);
}

#[test]
fn a_newcomer_gets_the_answer_the_roster_and_then_the_log_from_its_own_arrival() {
    let now = Instant::now();
    let mut fanout = Fanout::new(1, true);
    fanout.enter(ALICE, &name("alice"));
    say(&mut fanout, 0, ALICE, "before");
    let welcome = fanout.enter(BOB, &name("bob"));
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
    let welcome = fanout.enter(ALICE, &name("alice"));
    let parts: Vec<u8> = welcome.parts.iter().flat_map(|part| part.to_vec()).collect();
    assert_eq!(frames(&parts)[1..], ["Joined(\"alice\")", "Server: hello", "Server: be kind"]);
}

#[test]
fn without_replay_a_newcomer_gets_the_answer_only() {
    let mut fanout = Fanout::new(1, false);
    fanout.enter(ALICE, &name("alice"));
    assert_eq!(fanout.enter(BOB, &name("bob")).parts.len(), 2);
}

#[test]
fn who_was_not_here_leaves_in_silence() {
    let now = Instant::now();
    let mut fanout = Fanout::new(1, true);
    fanout.leave(ALICE);
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
    fanout.enter(ALICE, &name("alice"));
    assert_eq!(fanout.flush(start).len(), 1, "alone a join is told at once");
    fanout.written(0, start);
    fanout.enter(BOB, &name("bob"));
    assert!(fanout.flush(start).is_empty());
    assert_eq!(fanout.gathering_until(), Some(start + GATHER_ANNOUNCEMENTS));
    say(&mut fanout, 0, ALICE, "hello bob");
    assert_eq!(text(&fanout.flush(start)[0].1, 0), ["Joined(\"bob\")", "x: hello bob"]);
    fanout.written(0, start);
    fanout.leave(BOB);
    assert!(fanout.flush(start).is_empty());
    assert_eq!(fanout.flush(start + GATHER_ANNOUNCEMENTS).len(), 1);
}

#[test]
fn a_frame_for_one_client_comes_behind_all_that_was_announced_before() {
    let start = Instant::now();
    let mut fanout = Fanout::new(2, true);
    fanout.enter(ALICE, &name("alice"));
    assert_eq!(fanout.flush(start).len(), 2);
    (0..2).for_each(|shard| fanout.written(shard, start));
    fanout.enter(BOB, &name("bob"));
    fanout.relay(BOB, Route { shard: 0, id: ALICE }, Bytes::from_static(b"bob asks"));
    let batches = fanout.flush(start);
    let [(0, batch)] = &batches[..] else { panic!("only her shard hurries: {batches:?}") };
    assert_eq!(text(batch, 0), ["Joined(\"bob\")"]);
    assert_eq!(batch.relayed, [(ALICE, Bytes::from_static(b"bob asks"))]);
    fanout.relay(BOB, Route { shard: 0, id: ALICE }, Bytes::from_static(b"again"));
    assert!(fanout.flush(start).is_empty());
    fanout.written(0, start);
    let [(0, batch)] = &fanout.flush(start)[..] else { panic!("a frame is due") };
    assert!(batch.span.is_none() && batch.relayed.len() == 1);
}
#[test]
fn who_leaves_takes_back_what_was_not_handed_out() {
    let start = Instant::now();
    let mut fanout = Fanout::new(1, true);
    fanout.enter(ALICE, &name("alice"));
    fanout.enter(BOB, &name("bob"));
    assert_eq!(fanout.flush(start).len(), 1);
    fanout.relay(BOB, Route { shard: 0, id: ALICE }, Bytes::from_static(b"bob asks"));
    fanout.leave(BOB);
    fanout.written(0, start);
    let batches = fanout.flush(start + GATHER_ANNOUNCEMENTS);
    assert_eq!(batches.len(), 1);
    assert!(batches[0].1.relayed.is_empty(), "she would read it behind the leave");
}

#[test]
fn nobody_is_asked_by_somebody_who_has_left() {
    let start = Instant::now();
    let mut fanout = Fanout::new(1, true);
    fanout.enter(ALICE, &name("alice"));
    fanout.enter(BOB, &name("bob"));
    fanout.leave(BOB);
    let again = ConnectionId(3);
    fanout.enter(again, &name("bob"));
    let alice = Route { shard: 0, id: ALICE };
    fanout.relay(BOB, alice, Bytes::from_static(b"bob asks"));
    fanout.relay(again, alice, Bytes::from_static(b"the new bob asks"));
    let relayed = &fanout.flush(start)[0].1.relayed;
    assert_eq!(relayed, &[(ALICE, Bytes::from_static(b"the new bob asks"))]);
}
