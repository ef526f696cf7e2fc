use std::time::Instant;

use super::*;
use crate::protocol::{MessageText, ServerFrame, Username};

const NOW: UnixMillis = UnixMillis(1_000_000_000_000);

fn limits(messages: usize) -> HistoryLimits {
    HistoryLimits { messages, millis: 24 * MILLIS_PER_HOUR, replay: 3, replay_plain: 2 }
}

fn history(messages: usize) -> History {
    let mut history = History::default();
    history.set_limits(limits(messages));
    history
}

/// Says `number` as the event with that sequence.
fn say_at(history: &mut History, number: u64, at: UnixMillis) {
    let (from, text) =
        (Username::parse("x").unwrap(), MessageText::parse(&number.to_string()).unwrap());
    let kind = EventKind::Said { from: &from, text: &text, action: number == 4 };
    history.append(&RoomEvent { sequence: number, time: Instant::now(), at, kind });
}

fn said(messages: usize, numbers: std::ops::Range<u64>) -> History {
    let mut history = history(messages);
    numbers.for_each(|number| say_at(&mut history, number, NOW));
    history
}

/// The texts, which are sequences, each checked against the sequence and flag of its frame.
fn numbers(past: &Past) -> Vec<u64> {
    let mut numbers = Vec::new();
    for mut rest in past.frames.iter().map(|frames| &frames[..]) {
        while let Some((frame, length)) = v2::ServerFrame::decode(rest).unwrap() {
            let v2::ServerFrame::Said { sequence, text, flags, .. } = frame else {
                panic!("{frame:?}")
            };
            let number: u64 = text.as_str().parse().unwrap();
            assert_eq!((sequence, flags), (number + 1, if number == 4 { 3 } else { 1 }));
            numbers.push(number);
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
    }
    assert_eq!(past.messages, u64::try_from(numbers.len()).unwrap());
    numbers
}

fn replay(history: &mut History, last_sequence: u64, own: u64) -> Vec<u64> {
    numbers(&history.replay(Dialect::V2, last_sequence, own, NOW))
}

#[test]
fn a_newcomer_gets_the_last_messages() {
    let mut history = said(10, 0..6);
    assert_eq!(replay(&mut history, 0, 6), [3, 4, 5]);
    assert_eq!(replay(&mut said(10, 0..2), 0, 2), [0, 1]);
    assert_eq!(history.replay(Dialect::V2, 0, 6, NOW).oldest, Some(1));
}

#[test]
fn a_returning_client_gets_every_missed_message() {
    let mut history = said(10, 0..6);
    // On the wire sequences begin at 1: the event 1 was seen.
    assert_eq!(replay(&mut history, 2, 6), [2, 3, 4, 5]);
    assert_eq!(replay(&mut history, 6, 6), [] as [u64; 0]);
}

#[test]
fn a_sequence_of_an_earlier_run_of_the_server_is_that_of_a_newcomer() {
    assert_eq!(replay(&mut said(10, 0..6), 7, 6), [3, 4, 5]);
    assert_eq!(replay(&mut said(10, 0..6), u64::MAX, 6), [3, 4, 5]);
}

#[test]
fn too_many_messages_push_out_the_oldest() {
    let mut history = said(4, 0..1000);
    let past = history.replay(Dialect::V2, 1, 1000, NOW);
    assert_eq!((numbers(&past), past.oldest), (vec![996, 997, 998, 999], Some(997)));
    history.set_limits(limits(2));
    assert_eq!(replay(&mut history, 1, 1000), [998, 999]);
    history.set_limits(limits(0));
    assert_eq!(history.replay(Dialect::V2, 1, 1000, NOW), Past::default());
    say_at(&mut history, 1000, NOW);
    assert_eq!(history.replay(Dialect::V2, 1, 1001, NOW), Past::default());
}

#[test]
fn messages_expire() {
    let mut history = history(10);
    let hours = |hours| UnixMillis(NOW.0 + hours * MILLIS_PER_HOUR);
    for number in 0..6 {
        say_at(&mut history, number, hours(i64::try_from(number).unwrap()));
    }
    let past = history.replay(Dialect::V2, 1, 6, hours(27));
    assert_eq!((numbers(&past), past.oldest), (vec![3, 4, 5], Some(4)));
    assert_eq!(history.before(100, 100, hours(1000)), Past::default());
}

#[test]
fn older_messages_are_asked_for_by_the_oldest_that_is_known() {
    let mut history = said(500, 0..400);
    // The oldest known one is 350, 351 on the wire.
    assert_eq!(numbers(&history.before(351, 3, NOW)), [347, 348, 349]);
    assert_eq!(numbers(&history.before(3, 100, NOW)), [0, 1]);
    assert_eq!(numbers(&history.before(1, 100, NOW)), [] as [u64; 0]);
    assert_eq!(numbers(&history.before(0, 0, NOW)), [] as [u64; 0]);
    assert_eq!(numbers(&history.before(u64::MAX, u32::MAX, NOW)).len(), 400);
}

#[test]
fn a_newcomer_of_revision_1_gets_few_messages_if_any() {
    let mut history = said(10, 2..5);
    let past = history.replay(Dialect::V1, 0, 5, NOW);
    let (mut rest, mut texts) = (&past.frames[0][..], Vec::new());
    while let Some((frame, length)) = ServerFrame::decode(rest).unwrap() {
        let ServerFrame::Message { from, text } = frame else { panic!("{frame:?}") };
        texts.push(format!("{from}: {text}"));
        rest = &rest[length..];
    }
    assert_eq!(texts, ["x: 3", "x: * 4"]);
    let again = history.replay(Dialect::V1, 0, 6, NOW);
    assert_eq!(again.frames[0].as_ptr(), past.frames[0].as_ptr(), "the bytes are shared");
    history.set_limits(HistoryLimits { replay_plain: 0, ..limits(10) });
    assert_eq!(history.replay(Dialect::V1, 0, 5, NOW), Past::default());
}

#[test]
fn many_newcomers_share_a_few_pieces() {
    let mut history = history(500);
    let mut frames = 0;
    for number in 0..2000 {
        say_at(&mut history, number, NOW);
        let past = history.replay(Dialect::V2, 1, number + 1, NOW);
        frames = frames.max(past.frames.len());
    }
    assert!(frames < 32, "{frames} pieces");
    let (one, other) = (history.before(9999, 500, NOW), history.before(9999, 500, NOW));
    assert!(one.frames.iter().zip(&other.frames).all(|(a, b)| a.as_ptr() == b.as_ptr()));
    assert_eq!(numbers(&one), (1500..2000).collect::<Vec<_>>());
}

#[test]
fn messages_read_from_a_file_are_kept_within_the_limits() {
    let frames = frames_of(&mut said(10, 0..6));
    let mut restored = history(4);
    restored.restore(&frames, NOW);
    assert_eq!(numbers(&restored.before(99, 99, NOW)), [2, 3, 4, 5]);
    say_at(&mut restored, 6, NOW);
    let frames = vec![restored.take_unsaved()];
    assert_eq!(numbers(&Past { frames, messages: 1, oldest: None }), [6]);
    assert!(restored.take_unsaved().is_empty());
    let mut late = history(4);
    late.restore(&frames_of(&mut restored), UnixMillis(NOW.0 + 25 * MILLIS_PER_HOUR));
    assert_eq!(late.before(99, 99, NOW), Past::default());
}

fn frames_of(history: &mut History) -> Bytes {
    history.all().concat().into()
}

#[test]
fn the_messages_of_one_user_or_all_can_be_purged() {
    let mut history = said(10, 0..6);
    let from = Username::parse("Eve").unwrap();
    for sequence in 6..9 {
        let text = MessageText::parse("spam").unwrap();
        let kind = EventKind::Said { from: &from, text: &text, action: false };
        history.append(&RoomEvent { sequence, time: Instant::now(), at: NOW, kind });
    }
    say_at(&mut history, 9, NOW);
    let eve = Username::parse("eve").unwrap().folded();
    assert_eq!((history.purge(Some(&eve)), history.purge(Some(&eve))), (3, 0));
    assert_eq!(numbers(&history.before(99, 99, NOW)), [0, 1, 2, 3, 4, 5, 9]);
    say_at(&mut history, 10, NOW);
    assert_eq!(history.purge(None), 8);
    assert_eq!(history.before(99, 99, NOW), Past::default());
}

#[test]
fn history_is_bounded_in_bytes() {
    let mut history = history(usize::MAX);
    let (from, text) =
        (Username::parse("x").unwrap(), MessageText::parse(&"x".repeat(512)).unwrap());
    let kind = EventKind::Said { from: &from, text: &text, action: false };
    for sequence in 0..20_000 {
        history.append(&RoomEvent { sequence, time: Instant::now(), at: NOW, kind });
    }
    let held: usize = history.pieces.iter().map(|piece| piece.frames.len()).sum();
    assert!(history.bytes <= MAX_BYTES && held <= MAX_BYTES, "{} {held}", history.bytes);
    assert!(history.messages > 10_000);
}
