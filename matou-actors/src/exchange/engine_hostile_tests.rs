//! An engine against a sender that breaks the rules.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Instant;

use tempfile::TempDir;

use super::engine_pair::{ALL, Pair, listing};
use super::messages::{ExchangeOrder, Report};
use super::output::OutgoingFrames;
use crate::protocol::v2::{
    CancelReason, DataRun, Digest, EntryPath, FileFrame, MAX_DATA, MessageFrame, OfferKind, Text,
    UnixMillis,
};

/// A hostile offer, and the frames after it.
fn hostile(kind: OfferKind, size: i64, files: u32, frames: Vec<FileFrame>) -> Pair {
    hostile_to(Pair::new(), (kind, size, files), frames)
}

fn hostile_to(
    mut pair: Pair,
    (kind, size, files): (OfferKind, i64, u32),
    frames: Vec<FileFrame>,
) -> Pair {
    let offer = MessageFrame::Offer {
        transfer: 1,
        kind,
        name: Text::new("gift").unwrap(),
        size,
        files,
        modified: UnixMillis(0),
    };
    pair.engines[1].order(ExchangeOrder::Frame(offer));
    pair.run(ALL);
    for frame in frames {
        pair.engines[1].file_frame(frame, Instant::now());
    }
    pair.run(ALL);
    pair
}

fn entry(path: &str, size: u64, flags: i32, offset: u64) -> FileFrame {
    let path = EntryPath::parse(path).unwrap();
    FileFrame::Entry { transfer: 1, path, size, modified: UnixMillis(0), flags, offset }
}

fn data(bytes: &[u8]) -> FileFrame {
    let bytes = DataRun::new(bytes::Bytes::copy_from_slice(bytes)).unwrap();
    FileFrame::Data { transfer: 1, bytes }
}

fn end(of: &[u8]) -> FileFrame {
    FileFrame::End { transfer: 1, hash: Digest(*blake3::hash(of).as_bytes()) }
}

#[test]
fn a_sender_that_lies_about_size_or_hash_leaves_no_file() {
    let cases = [
        vec![entry("gift", 4, 0, 0), data(b"four"), end(b"fore")],
        vec![entry("gift", 4, 0, 0), data(b"fo"), end(b"fo")],
        vec![entry("gift", 5, 0, 0)],
        vec![entry("gift", 4, 0, 0), data(b"fives")],
        vec![entry("gift", 4, 0, 2), data(b"ur"), end(b"four")],
        vec![data(b"four")],
        vec![end(b"four")],
        vec![entry("gift", 4, 0, 0), entry("gift", 4, 0, 0)],
    ];
    for frames in cases {
        let shown = format!("{frames:?}");
        let pair = hostile(OfferKind::File, 4, 1, frames);
        assert_eq!(pair.received(1).len(), 0, "{shown}");
        assert_eq!(pair.failures(1).len(), 1, "{shown}");
        assert!(!pair.there().contains(&"gift".to_owned()));
    }
}

#[test]
fn a_folder_is_not_larger_than_was_offered() {
    let frames = vec![entry("a", 1, 0, 0), data(b"x"), end(b"x"), entry("b", 1 << 40, 0, 0)];
    let pair = hostile(OfferKind::Folder, 1, 2, frames);
    assert!(pair.failures(1)[0].contains("larger than the offer"), "{:?}", pair.failures(1));
}

#[test]
fn a_sender_cannot_skip_what_is_not_there() {
    let cases = [
        vec![entry("a", 4, 0, 4), end(b"four")],
        vec![entry("a", 4, 0, 1), end(b"four")],
        vec![entry("a", 0, 0, 4), end(b"")],
    ];
    for frames in cases {
        let shown = format!("{frames:?}");
        let pair = hostile(OfferKind::Folder, 4, 1, frames);
        assert_eq!((pair.received(1).len(), pair.failures(1).len()), (0, 1), "{shown}");
    }
}

#[test]
fn a_file_that_is_skipped_has_the_hash_that_it_has_here() {
    let gift = (OfferKind::Folder, 5, 2);
    for (hash, whole) in [(end(b"fore"), 0), (end(b"four"), 1)] {
        let cut = vec![entry("a", 4, 0, 0), data(b"four"), end(b"four")];
        let pair = hostile_to(Pair::new(), gift, cut);
        assert_eq!(pair.there(), ["gift.part", "gift.part.meta"]);
        let skipping = vec![entry("a", 4, 0, 4), hash, entry("b", 1, 0, 0), data(b"x"), end(b"x")];
        let pair = hostile_to(pair.restart(), gift, skipping);
        assert_eq!(pair.received(1).len(), whole, "{:?}", pair.reports[1]);
    }
}

#[test]
fn a_transfer_has_one_turn_however_many_frames_arrive_for_it() {
    let mut pair = Pair::new();
    let path = pair.file("a", b"abc");
    pair.offer(0, &path);
    let have = FileFrame::Have {
        transfer: 1,
        path: EntryPath::parse("a").unwrap(),
        size: 3,
        modified: UnixMillis(0),
        hash: Digest([0; 32]),
    };
    for _ in 0..1000 {
        pair.engines[0].file_frame(have.clone(), Instant::now());
    }
    assert_eq!(pair.engines[0].turns(), 1);
}

#[test]
fn entries_of_one_name_are_bounded() {
    let frames: Vec<_> = (0..1100).flat_map(|_| [entry("a", 0, 0, 0), end(b"")]).collect();
    let pair = hostile(OfferKind::Folder, 0, 1100, frames);
    assert!(pair.failures(1)[0].contains("too many files of that name"), "{:?}", pair.failures(1));
}

#[test]
fn nothing_leaves_the_folder_that_is_received() {
    let hostile_names =
        ["C:\\x", ".ssh/authorized_keys", "con", "a\u{202e}b", "-rf", "~root", "...", "a/..."];
    for name in hostile_names {
        let frames = vec![entry(name, 1, 0, 0), data(b"x"), end(b"x")];
        let pair = hostile(OfferKind::Folder, 1, 1, frames);
        assert_eq!(pair.there(), ["gift"], "{name}");
        let files: Vec<_> = listing(&pair.folders[1].path().join("gift"))
            .into_iter()
            .map(|(path, ..)| path)
            .collect();
        assert!(files.iter().all(|path| !path.starts_with(['.', '~'])), "{files:?}");
        assert_eq!(pair.received(1).len(), 1);
    }
    let deep = vec!["a"; 80].join("/");
    let pair = hostile(OfferKind::Folder, 1, 1, vec![entry(&deep, 1, 0, 0), data(b"x"), end(b"x")]);
    assert_eq!(pair.received(1).len(), 0, "too deep");
}

#[test]
fn a_link_that_is_put_into_the_tree_while_it_is_written_is_not_followed() {
    let outside = TempDir::new().unwrap();
    let mut pair = hostile(
        OfferKind::Folder,
        2,
        3,
        vec![entry("a", 0, 2, 0), end(b""), entry("a/one", 1, 0, 0), data(b"x"), end(b"x")],
    );
    let growing = pair.folders[1].path().join("gift.part");
    fs::remove_dir_all(growing.join("a")).unwrap();
    symlink(outside.path(), growing.join("a")).unwrap();
    symlink("/etc/passwd", growing.join(".part")).unwrap();
    for frame in [entry("a/two", 1, 0, 0), data(b"y"), end(b"y")] {
        pair.engines[1].file_frame(frame, Instant::now());
    }
    pair.run(ALL);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn frames_of_transfers_that_are_not_there_change_nothing() {
    let mut pair = Pair::new();
    let strange = [
        MessageFrame::Take { transfer: 9, have: u64::MAX },
        MessageFrame::Receipt { transfer: 9, hash: Digest([0; 32]) },
        MessageFrame::Cancel { transfer: 9, reason: CancelReason::User },
        MessageFrame::Proof { transfer: 9, have: 1, hash: Digest([0; 32]) },
    ];
    for frame in strange {
        pair.engines[1].order(ExchangeOrder::Frame(frame));
    }
    for frame in [entry("x", 1, 0, 0), data(b"x"), end(b"x")] {
        pair.engines[1].file_frame(frame, Instant::now());
    }
    pair.run(ALL);
    assert!(pair.reports[1].is_empty() && pair.there().is_empty());
}

#[test]
fn a_receipt_for_something_else_is_none() {
    let mut pair = Pair::new();
    let path = pair.file("a", b"abc");
    pair.offer(0, &path);
    let take = MessageFrame::Take { transfer: 1, have: 0 };
    pair.engines[0].order(ExchangeOrder::Frame(take));
    let mut out = OutgoingFrames::default();
    while pair.engines[0].work(MAX_DATA, &mut out, Instant::now()) {
        out.clear();
    }
    let receipt = MessageFrame::Receipt { transfer: 1, hash: Digest([0; 32]) };
    pair.engines[0].order(ExchangeOrder::Frame(receipt));
    let failed = pair.engines[0].take_reports().into_iter().any(
        |report| matches!(report, Report::Failed { reason, .. } if reason.contains("a different file")),
    );
    assert!(failed);
}

#[test]
fn offers_are_bounded() {
    let mut pair = Pair::new();
    for number in 0..100 {
        let offer = MessageFrame::Offer {
            transfer: 1 + 2 * number,
            kind: OfferKind::File,
            name: Text::default(),
            size: 1,
            files: 1,
            modified: UnixMillis(0),
        };
        pair.engines[1].order(ExchangeOrder::Frame(offer));
    }
    let offered = pair.engines[1]
        .take_reports()
        .into_iter()
        .filter(|report| matches!(report, Report::Offered(_)))
        .count();
    assert_eq!(offered, 64);
}

#[test]
fn files_beyond_those_that_the_receiver_allows_at_once_wait_for_their_turn() {
    let mut pair = Pair::new();
    for number in 0..200 {
        let path = pair.file(&format!("{number}.txt"), b"abc");
        pair.offer(0, &path);
    }
    pair.run(ALL);
    assert_eq!((pair.received(1).len(), pair.failures(0).len()), (200, 0));
}

#[test]
fn an_offer_of_unknown_size_is_checked_by_its_hash_and_is_never_a_folder() {
    let pair = hostile(OfferKind::File, -1, 1, vec![entry("a", 5, 0, 0)]);
    assert!(pair.failures(1)[0].contains("differs from the offer"), "{:?}", pair.failures(1));
    let wrong = vec![entry("a", 0, 0, 0), data(b"abc"), end(b"abd")];
    let pair = hostile(OfferKind::File, -1, 1, wrong);
    assert!(pair.failures(1)[0].contains("not what was sent"), "{:?}", pair.failures(1));
    let right = vec![entry("a", 0, 0, 0), data(b"abc"), end(b"abc")];
    assert_eq!(hostile(OfferKind::File, -1, 1, right).received(1).len(), 1);
    for (kind, size) in [(OfferKind::Folder, -1), (OfferKind::File, -2)] {
        let mut pair = Pair::new();
        let (transfer, files, modified) = (1, 1, UnixMillis(0));
        let name = Text::default();
        let offer = MessageFrame::Offer { transfer, kind, name, size, files, modified };
        pair.engines[1].order(ExchangeOrder::Frame(offer));
        let reports = pair.engines[1].take_reports();
        assert!(matches!(reports[..], [Report::Frame(MessageFrame::Refuse { .. })]), "{reports:?}");
        pair.engines[1].file_frame(entry("a", 0, 0, 0), Instant::now());
    }
}

#[test]
fn the_size_of_a_folder_is_that_received_not_that_offered() {
    let came = vec![entry("a", 3, 0, 0), data(b"abc"), end(b"abc")];
    let pair = hostile(OfferKind::Folder, 1000, 1, came);
    let size = pair.reports[1].iter().find_map(|report| match report {
        Report::Received { size, .. } => Some(*size),
        _ => None,
    });
    assert_eq!(size, Some(3), "{:?}", pair.reports);
}
