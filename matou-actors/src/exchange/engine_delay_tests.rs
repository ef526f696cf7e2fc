//! Two engines on connections of any delay, which are lost again and again.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use fastrand::Rng;

use super::engine_pair::{Pair, content, listing, written};
use super::messages::{ExchangeOrder, Report};
use super::output::OutgoingFrames;
use crate::protocol::Decode as _;
use crate::protocol::v2::{FileFrame, MAX_DATA, MessageFrame};

const RUNS: u64 = 60;
/// Connections that are lost in one run.
const MOST_LOSSES: usize = 6;
/// Frames on their way, after which a sender waits.
const MOST_ON_THE_WAY: usize = 20;
/// More steps than any run needs.
const MOST_STEPS: usize = 100_000;

/// In flight to each side; the two connections are independent.
#[derive(Default)]
struct Ways {
    messages: [VecDeque<MessageFrame>; 2],
    files: [VecDeque<FileFrame>; 2],
}

/// One thing that may happen at one side; whether it did.
fn happens(pair: &mut Pair, ways: &mut Ways, side: usize, what: usize) -> bool {
    match what {
        0 => {
            let reports = pair.engines[side].take_reports();
            let any = !reports.is_empty();
            for report in reports {
                match report {
                    Report::Frame(frame) => ways.messages[1 - side].push_back(frame),
                    Report::Offered(offer) => {
                        let transfer = offer.transfer;
                        pair.engines[side].order(ExchangeOrder::Take { transfer, folder: None });
                    }
                    other => pair.reports[side].push(other),
                }
            }
            any
        }
        1 => {
            let Some(frame) = ways.messages[side].pop_front() else { return false };
            pair.engines[side].order(ExchangeOrder::Frame(frame));
            true
        }
        2 if ways.files[1 - side].len() < MOST_ON_THE_WAY => {
            let mut output = OutgoingFrames::default();
            let any = pair.engines[side].work(MAX_DATA, &mut output, Instant::now());
            let mut out = written(&mut output);
            while let Some((frame, length)) = FileFrame::decode(&out).unwrap() {
                let _ = out.split_to(length);
                ways.files[1 - side].push_back(frame);
            }
            any
        }
        3 => {
            let Some(frame) = ways.files[side].pop_front() else { return false };
            pair.engines[side].file_frame(frame, Instant::now());
            true
        }
        _ => false,
    }
}

/// Performs one possible step, chosen at random; false if there is none.
fn step(pair: &mut Pair, ways: &mut Ways, random: &mut Rng) -> bool {
    let first = random.usize(..8);
    (first..first + 8).any(|choice| happens(pair, ways, choice % 2, choice / 2 % 4))
}

fn offers(pair: &mut Pair, sources: &[PathBuf]) {
    for source in sources {
        let name = source.file_name().unwrap();
        if !pair.folders[1].path().join(name).exists() {
            pair.offer(0, source);
        }
    }
}

/// Everything in flight is lost, and both begin again with their disks as they are.
fn lose(mut pair: Pair, ways: &mut Ways, sources: &[PathBuf]) -> Pair {
    for side in 0..2 {
        pair.engines[side].lost("the connection was cut");
        // What one says now reaches no one.
        happens(&mut pair, ways, side, 0);
    }
    *ways = Ways::default();
    let mut pair = pair.restart();
    offers(&mut pair, sources);
    pair
}

/// How often both sides were lost with something unfinished.
fn run(seed: u64) -> usize {
    let mut random = Rng::with_seed(seed);
    let mut pair = Pair::new();
    let file = pair.file("film.mkv", &content(random.usize(..400_000)));
    let folder = pair.folders[0].path().join("trip");
    for number in 0..random.usize(1..20) {
        let below = folder.join(format!("day {}", number % 3));
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join(number.to_string()), content(random.usize(..20_000))).unwrap();
    }
    let sources = [file, folder];
    let mut ways = Ways::default();
    offers(&mut pair, &sources);
    let (mut losses, mut unfinished, chance) = (0, 0, random.usize(20..400));
    for _ in 0..MOST_STEPS {
        let is_sent = |report: &&Report| matches!(report, Report::Sent { .. });
        let sent = pair.reports[0].iter().filter(is_sent).count();
        assert!(sent <= pair.received(1).len(), "{seed}: sent before it was received");
        if losses < MOST_LOSSES && random.usize(..chance) == 0 {
            losses += 1;
            unfinished += usize::from(pair.there().iter().any(|name| name.contains(".part")));
            pair = lose(pair, &mut ways, &sources);
        } else if !step(&mut pair, &mut ways, &mut random) {
            break;
        }
    }
    assert!(
        pair.failures(0).is_empty() && pair.failures(1).is_empty(),
        "{seed}: {:?}",
        pair.reports
    );
    let received = |name: &str| pair.folders[1].path().join(name);
    assert_eq!(pair.there(), ["film.mkv", "trip"], "{seed}: whole, once, with nothing beside it");
    assert!(fs::read(received("film.mkv")).unwrap() == fs::read(&sources[0]).unwrap(), "{seed}");
    assert!(listing(&received("trip")) == listing(&sources[1]), "{seed}");
    unfinished
}

#[test]
fn everything_arrives_whole_and_once_despite_delays_and_losses() {
    let unfinished: usize = (0..RUNS).map(run).sum();
    assert!(unfinished > 50, "lost in the middle {unfinished} times");
}
