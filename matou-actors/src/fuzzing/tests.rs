//! The fuzz targets under a million mutated frames, without a fuzzer and on a stable compiler.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use fastrand::Rng;

use super::mutation::{mutated, valid_frames};
use super::valid_v2::valid_frames_v2;
use super::{
    client_frames, directory, file_headers, frames_v2, inbound, peer_frames, requests,
    server_frames,
};

const FRAMES: u32 = 1_000_000;
const WALKS: u32 = 20_000;

/// Runs `target` on what `input` makes of each number; the seed and the bytes that broke it are
/// printed. `MATOU_SEED` sets the seed.
fn run(count: u32, target: impl Fn(&[u8]), mut input: impl FnMut(&mut Rng, &mut Vec<u8>)) {
    let seed = std::env::var("MATOU_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(0x6d_6174_6f75);
    println!("MATOU_SEED={seed}");
    let (mut rng, mut bytes) = (Rng::with_seed(seed), Vec::new());
    for _ in 0..count {
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
