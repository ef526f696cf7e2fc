//! Pipes between two engines in memory.

use std::fs::{self, File};
use std::io::Write as _;
use std::sync::Arc;

use super::engine_pair::{ALL, Pair, content};
use super::messages::{ExchangeOrder, Report};
use crate::transfer::{ChosenFile, Pipe};

/// A pipe that Ada sends, and its other end.
fn piped(pair: &mut Pair, name: &str) -> File {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let pipe = Arc::new(Pipe::from(File::from(read)));
    let chosen = Arc::new(ChosenFile::piped(name.into(), pipe));
    pair.engines[0].order(ExchangeOrder::Offer { key: 7, chosen });
    File::from(write)
}

fn more(pair: &mut Pair) {
    pair.engines[0].look_at_pipes();
    pair.run(ALL);
}

#[test]
fn a_pipe_is_sent_while_it_is_read_and_arrives_whole_under_its_name() {
    for length in [0, 1, 4095, 4096, 4097, 61_440, 65_536, 400_000] {
        let mut pair = Pair::new();
        let mut write = piped(&mut pair, "backup.tar");
        pair.run(ALL);
        for run in content(length).chunks(60_000) {
            write.write_all(run).unwrap();
            more(&mut pair);
        }
        assert!(pair.data + 4096 > length, "only what fills no page waits");
        assert!(pair.received(1).is_empty(), "it has not ended");
        drop(write);
        more(&mut pair);
        let there = pair.received(1).pop().unwrap();
        assert_eq!(there.file_name().unwrap(), "backup.tar");
        assert_eq!(fs::read(there).unwrap(), content(length));
        let sizes = pair.reports.iter().flatten().filter_map(|report| match report {
            Report::Sent { size, .. } | Report::Received { size, .. } => Some(*size),
            _ => None,
        });
        let length = u64::try_from(length).unwrap();
        assert_eq!(sizes.collect::<Vec<_>>(), [length, length]);
        assert_eq!(pair.there(), ["backup.tar"], "nothing is left beside it");
    }
}

#[test]
fn a_pipe_that_is_silent_is_not_asked_again_and_delays_no_other_file() {
    let mut pair = Pair::new();
    let mut write = piped(&mut pair, "log");
    pair.run(ALL);
    assert_eq!(pair.engines[0].dry_pipes().count(), 1);
    assert!(!pair.engines[0].has_work());
    let path = pair.file("photo.jpg", &content(100_000));
    pair.offer(0, &path);
    pair.run(ALL);
    assert_eq!(pair.received(1).len(), 1);
    write.write_all(b"a line\n").unwrap();
    drop(write);
    more(&mut pair);
    assert_eq!(pair.received(1).len(), 2);
}

#[test]
fn a_pipe_that_was_cut_begins_anew_and_both_sides_say_so() {
    let mut pair = Pair::new();
    let mut write = piped(&mut pair, "log");
    pair.run(ALL);
    write.write_all(&content(50_000)).unwrap();
    more(&mut pair);
    for engine in &mut pair.engines {
        engine.lost("cut");
    }
    pair.run(ALL);
    assert!(pair.failures(0)[0].contains("from its beginning"), "{:?}", pair.failures(0));
    assert!(pair.failures(1)[0].contains("log.part keeps what was received"));
    let mut pair = pair.restart();
    let mut write = piped(&mut pair, "log");
    write.write_all(&content(60_000)).unwrap();
    drop(write);
    pair.run(ALL);
    more(&mut pair);
    assert_eq!(pair.data, 60_000, "from the first byte");
    assert_eq!(fs::read(pair.received(1).pop().unwrap()).unwrap(), content(60_000));
}

#[test]
fn a_pipe_is_read_once() {
    let mut pair = Pair::new();
    let pipe = Arc::new(Pipe::from(File::open("/dev/null").unwrap()));
    for _ in 0..2 {
        let chosen = Arc::new(ChosenFile::piped("log".into(), Arc::clone(&pipe)));
        pair.engines[0].order(ExchangeOrder::Offer { key: 7, chosen });
    }
    pair.run(ALL);
    assert_eq!(pair.received(1).len(), 1);
    assert!(pair.failures(0)[0].contains("can be read only once"));
}
