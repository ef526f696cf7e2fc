//! The fuzz targets under a million mutated frames, without a fuzzer and on a stable compiler.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use fastrand::Rng;

use super::mutation::{mutated, valid_frames};
use super::valid_v2::valid_frames_v2;
use super::{
    client_frames, cluster_records, directory, exchange, file_headers, frames_v2, greeting,
    inbound, key_files, key_lists, part_names, peer_frames, requests, server_frames, tls_hello,
    tls_records,
};

const FRAMES: u32 = 1_000_000;
const WALKS: u32 = 20_000;

/// Runs `target` on what `input` makes of each number; the seed and the bytes that broke it are
/// printed. `MATOU_SEED` sets the seed, `MATOU_ROUNDS` makes a run longer.
fn run(count: u32, target: impl Fn(&[u8]), mut input: impl FnMut(&mut Rng, &mut Vec<u8>)) {
    let seed = std::env::var("MATOU_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(0x6d_6174_6f75);
    println!("MATOU_SEED={seed}");
    let (mut rng, mut bytes) = (Rng::with_seed(seed), Vec::new());
    let rounds = std::env::var("MATOU_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    for _ in 0..count * rounds.unwrap_or(1) {
        input(&mut rng, &mut bytes);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&bytes))) {
            println!("broken by b\"{}\"", bytes.escape_ascii());
            resume_unwind(panic);
        }
    }
}

#[test]
fn a_million_mutated_frames_break_no_decoder() {
    let frames = valid_frames();
    let all = |bytes: &[u8]| {
        client_frames(bytes);
        server_frames(bytes);
        peer_frames(bytes);
        file_headers(bytes);
    };
    run(FRAMES, all, |rng, bytes| mutated(&frames, rng, bytes));
}

#[test]
fn mutated_frames_of_revision_2_break_no_decoder() {
    let frames = valid_frames_v2();
    for frame in &frames {
        frames_v2(frame);
    }
    run(FRAMES / 2, frames_v2, |rng, bytes| mutated(&frames, rng, bytes));
}

#[test]
fn mutated_first_frames_of_a_peer_are_read_to_their_end_and_not_beyond() {
    let frames = valid_frames_v2();
    run(FRAMES / 10, greeting, |rng, bytes| mutated(&frames, rng, bytes));
}

#[test]
fn mutated_frames_of_both_connections_write_nothing_outside_the_folder() {
    let frames = valid_frames_v2();
    run(WALKS / 20, exchange, |rng, bytes| {
        let mut frame = Vec::new();
        bytes.clear();
        for _ in 0..rng.usize(1..20) {
            mutated(&frames, rng, &mut frame);
            bytes.push(rng.u8(..));
            bytes.extend_from_slice(&frame);
        }
    });
}

/// Words that mean something in a name or a list, in any order.
const WORDS: [&str; 22] = [
    "..",
    "/",
    "\\",
    "con",
    "COM1",
    ".part",
    ".part.meta",
    "ann",
    " ",
    "\n",
    "\r",
    "#",
    "~",
    "compared",
    "2026-01-02",
    "\u{202e}",
    "\u{0}",
    "[::1]",
    ":6286",
    "ship",
    "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
    "\u{1f600}",
];

fn words(rng: &mut Rng, bytes: &mut Vec<u8>) {
    bytes.clear();
    for _ in 0..rng.usize(1..40) {
        bytes.extend_from_slice(WORDS[rng.usize(..WORDS.len())].as_bytes());
        if rng.u8(..4) == 0 {
            bytes.push(rng.u8(1..128));
        }
    }
}

#[test]
fn every_received_file_name_becomes_safe() {
    run(FRAMES / 5, part_names, words);
}

#[test]
fn lists_of_keys_mean_the_same_after_they_were_written_again() {
    run(FRAMES / 50, key_lists, words);
}

#[test]
fn mutated_frames_mean_to_a_connection_what_they_mean_to_its_model() {
    let frames = valid_frames();
    let from_client: Vec<_> =
        frames.into_iter().filter(|frame| [0, 3, 5, 7, 9, 10].contains(&frame[3])).collect();
    run(FRAMES / 5, inbound, |rng, bytes| {
        let mut stream = Vec::new();
        mutated(&from_client, rng, &mut stream);
        bytes.clear();
        bytes.extend((0..8).map(|_| rng.u8(..)));
        if rng.bool() {
            // Mostly past the door, where more can go wrong.
            bytes.extend_from_slice(&from_client[0]);
        }
        bytes.append(&mut stream);
    });
}

#[test]
fn random_walks_through_the_private_requests_end_where_their_model_does() {
    run(WALKS, requests, random_walk);
}

#[test]
fn random_walks_through_the_directory_end_where_their_model_does() {
    run(WALKS / 4, directory, random_walk);
}

fn random_walk(rng: &mut Rng, bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.extend((0..rng.usize(1..400)).map(|_| rng.u8(..)));
}

/// Mostly small numbers, which choose what happens, and runs of one byte.
fn decisions(rng: &mut Rng, bytes: &mut Vec<u8>) {
    bytes.clear();
    for _ in 0..rng.usize(1..60) {
        let byte = if rng.bool() { rng.u8(..10) } else { rng.u8(..) };
        bytes.extend(std::iter::repeat_n(byte, rng.usize(1..4)));
    }
}

#[test]
fn records_of_a_client_mean_what_was_said_up_to_the_first_that_is_wrong() {
    run(WALKS / 10, tls_records, decisions);
}

#[test]
fn first_bytes_of_a_client_alone_are_not_a_handshake() {
    run(WALKS / 10, tls_hello, decisions);
}

#[test]
fn records_of_a_cluster_mean_the_same_after_they_were_written_again() {
    run(FRAMES / 5, cluster_records, decisions);
}

#[test]
fn a_key_that_is_read_from_a_file_can_be_written_and_read_again() {
    let pem = crate::trust::Identity::generate().expect("a key").to_pem();
    run(WALKS, key_files, |rng, bytes| mutated(&[pem.as_bytes().to_vec()], rng, bytes));
}

/// Crashes that fuzzers found and that are fixed.
#[test]
fn former_crashes_of_the_fuzz_targets_stay_fixed() {
    part_names(include_bytes!("../../../fuzz/corpus/part_names/blank_name"));
    part_names(include_bytes!("../../../fuzz/corpus/part_names/as_long_as_may_be_and_unfinished"));
    key_lists(include_bytes!("../../../fuzz/corpus/key_lists/bracket_as_host"));
    tls_hello(include_bytes!("../../../fuzz/corpus/tls_hello/impossible_length"));
}
