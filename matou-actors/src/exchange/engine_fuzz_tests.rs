//! The engine under half a million mutated frames, with a real folder: nothing panics, and nothing is
//! written outside that folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use fastrand::Rng;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::engine::Engine;
use super::messages::{Order, Report, Settings};
use super::output::Output;
use super::rate::RateLimit;
use crate::fuzzing::mutated;
use crate::protocol::v2::{
    CancelReason, DataRun, Digest, EntryPath, FileFrame, MAX_DATA, MessageFrame, OfferKind,
    PublicKey, RefuseReason, Text, UnixMillis,
};
use crate::protocol::{Decode, Encode};
use crate::transfer::{ChosenFile, Downloads};

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

/// Takes whatever is offered, and does all work that follows.
fn settle(engine: &mut Engine) {
    for _ in 0..50 {
        let mut offered = Vec::new();
        for report in engine.take_reports() {
            if let Report::Offered(offer) = report {
                offered.push(offer.transfer);
            }
        }
        let idle = offered.is_empty();
        for transfer in offered {
            engine.order(Order::Take { transfer, folder: None });
        }
        let worked = engine.work(MAX_DATA, &mut Output::default(), Instant::now());
        if idle && !worked {
            return;
        }
    }
}

/// Empty but for a link that leads out of it, at a place that the peer may name.
fn prepare(folder: &Path, outside: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
    }
    let part = folder.join("gift.part");
    fs::create_dir(&part).unwrap();
    symlink(outside, part.join("planted")).unwrap();
    symlink(outside.join("canary"), folder.join("gift")).unwrap();
}

#[test]
fn half_a_million_mutated_frames_write_nothing_outside_the_folder() {
    let seed = std::env::var("MATOU_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(0x0066_696c_6573);
    println!("MATOU_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    // In memory, where there is such a place: a disk would be asked to sync some thousand times.
    let root = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
    let (folder, outside) = (root.path().join("downloads"), root.path().join("outside"));
    fs::create_dir(&folder).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("canary"), "sings").unwrap();
    fs::write(root.path().join("own"), "four").unwrap();
    let chosen = ChosenFile::choose(root.path().join("own"), &Arc::new(Semaphore::new(2)));
    let chosen = Arc::new(chosen.unwrap());
    let downloads = Arc::new(Downloads::new(folder.clone(), 0));
    let (messages, files) = (message_frames(), file_frames());
    let (mut frames, mut received, mut bytes) = (0, 0, Vec::new());
    while frames < FRAMES {
        prepare(&folder, &outside);
        let settings = Settings {
            asked: true,
            peer: PublicKey([1; 32]),
            downloads: Arc::clone(&downloads),
            rate: RateLimit::default(),
        };
        let mut engine = Engine::new(settings, Instant::now());
        engine.order(Order::Offer { key: 1, chosen: Arc::clone(&chosen) });
        for _ in 0..200 {
            let is_message = rng.u8(..5) == 0;
            mutated(if is_message { &messages } else { &files }, &mut rng, &mut bytes);
            let step = AssertUnwindSafe(|| {
                if is_message {
                    decoded(&bytes, |frame: MessageFrame| {
                        frames += 1;
                        engine.order(Order::Frame(frame));
                    });
                } else {
                    decoded(&bytes, |frame: FileFrame| {
                        frames += 1;
                        engine.file_came(frame, Instant::now());
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
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let is_link = entry.file_type().unwrap().is_symlink();
            let is_part = entry.file_name().to_string_lossy().contains(".part");
            received += usize::from(!is_link && !is_part);
        }
        let there: u64 = walkdir::WalkDir::new(&folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.metadata().ok())
            .filter(fs::Metadata::is_file)
            .map(|status| status.len())
            .sum();
        assert!(there < MOST_THERE, "{there} bytes");
        assert_eq!(fs::read(outside.join("canary")).unwrap(), b"sings");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 3);
    }
    println!("{received} received");
    assert!(received > FRAMES / 10_000, "the frames get nowhere: {received} files");
}
