//! The engine under half a million mutated frames, with a real folder: nothing panics, and nothing is
//! written outside that folder.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use bytes::BytesMut;
use fastrand::Rng;

use super::fuzzing::{Sandbox, settle};
use super::messages::ExchangeOrder;
use crate::fuzzing::mutated;
use crate::protocol::v2::{
    CancelReason, DataRun, Digest, EntryPath, FileFrame, MessageFrame, OfferKind, RefuseReason,
    Text, UnixMillis,
};
use crate::protocol::{Decode, Encode};

const FRAMES: usize = 500_000;
/// The most that one run writes: a mutated size may be anything, data comes in frames.
const MOST_THERE: u64 = 1 << 20;
const NAMES: [&str; 8] =
    ["gift", "a", "a/b", "planted/x", "A", ".ssh/keys", "a/b/c/d", "\u{202e}gpj"];

fn bytes(frame: &impl Encode) -> Vec<u8> {
    let mut out = BytesMut::new();
    frame.encode(&mut out);
    out.to_vec()
}

fn hash(of: &[u8]) -> Digest {
    Digest(*blake3::hash(of).as_bytes())
}

/// Frames that fit together often enough to get far: the peer sends 2 and 4, the engine 1.
fn message_frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for (transfer, kind, size, files) in
        [(2, OfferKind::File, 4, 1), (4, OfferKind::Folder, 100, 3), (2, OfferKind::Folder, 0, 0)]
    {
        let (name, modified) = (Text::new("gift").unwrap(), UnixMillis(0));
        let offer = MessageFrame::Offer { transfer, kind, name, size, files, modified };
        // Without an offer nothing else means anything.
        frames.extend(std::iter::repeat_n(bytes(&offer), 3));
    }
    for transfer in [1, 2, 4] {
        frames.push(bytes(&MessageFrame::Take { transfer, have: 0 }));
        frames.push(bytes(&MessageFrame::Take { transfer, have: 4096 }));
        frames.push(bytes(&MessageFrame::Proof { transfer, have: 4096, hash: hash(b"four") }));
        frames.push(bytes(&MessageFrame::Receipt { transfer, hash: hash(b"four") }));
        let (reason, refused) = (CancelReason::User, RefuseReason::Refused);
        frames.push(bytes(&MessageFrame::Cancel { transfer, reason }));
        frames.push(bytes(&MessageFrame::Refuse { transfer, reason: refused }));
    }
    frames
}

fn file_frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for transfer in [1, 2, 4] {
        for name in NAMES {
            let path = EntryPath::parse(name).unwrap();
            for (size, flags, offset) in [(4, 0, 0), (4, 1, 4), (0, 2, 0)] {
                let (path, modified) = (path.clone(), UnixMillis(0));
                let entry = FileFrame::Entry { transfer, path, size, modified, flags, offset };
                frames.push(bytes(&entry));
            }
        }
        let data = DataRun::new(bytes::Bytes::from_static(b"four")).unwrap();
        for _ in 0..10 {
            frames.push(bytes(&FileFrame::Data { transfer, bytes: data.clone() }));
            frames.push(bytes(&FileFrame::End { transfer, hash: hash(b"four") }));
        }
        frames.push(bytes(&FileFrame::End { transfer, hash: hash(b"") }));
        let path = EntryPath::parse("own").unwrap();
        let (size, modified, hash) = (4, UnixMillis(0), hash(b"four"));
        frames.push(bytes(&FileFrame::Have { transfer, path, size, modified, hash }));
    }
    frames
}

fn decoded<F: Decode>(mut bytes: &[u8], mut each: impl FnMut(F)) {
    while let Ok(Some((frame, length))) = F::decode(bytes) {
        each(frame);
        bytes = bytes.get(length..).unwrap_or_default();
    }
}

#[test]
fn half_a_million_mutated_frames_write_nothing_outside_the_folder() {
    let seed = std::env::var("MATOU_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(0x0066_696c_6573);
    println!("MATOU_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let place = Sandbox::new();
    let (messages, files) = (message_frames(), file_frames());
    let (mut frames, mut received, mut bytes) = (0, 0, Vec::new());
    while frames < FRAMES {
        place.prepare();
        let mut engine = place.engine();
        for _ in 0..200 {
            let is_message = rng.u8(..5) == 0;
            mutated(if is_message { &messages } else { &files }, &mut rng, &mut bytes);
            let step = AssertUnwindSafe(|| {
                if is_message {
                    decoded(&bytes, |frame: MessageFrame| {
                        frames += 1;
                        engine.order(ExchangeOrder::Frame(frame));
                    });
                } else {
                    decoded(&bytes, |frame: FileFrame| {
                        frames += 1;
                        engine.file_frame(frame, Instant::now());
                    });
                }
                settle(&mut engine);
            });
            if let Err(panic) = catch_unwind(step) {
                println!("broken by b\"{}\"", bytes.escape_ascii());
                resume_unwind(panic);
            }
        }
        engine.lost("the end");
        for entry in fs::read_dir(&place.folder).unwrap().flatten() {
            let is_link = entry.file_type().unwrap().is_symlink();
            let is_part = entry.file_name().to_string_lossy().contains(".part");
            received += usize::from(!is_link && !is_part);
        }
        let there: u64 = walkdir::WalkDir::new(&place.folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.metadata().ok())
            .filter(fs::Metadata::is_file)
            .map(|status| status.len())
            .sum();
        assert!(there < MOST_THERE, "{there} bytes");
        place.check();
    }
    println!("{received} received");
    assert!(received > FRAMES / 10_000, "the frames get nowhere: {received} files");
}
