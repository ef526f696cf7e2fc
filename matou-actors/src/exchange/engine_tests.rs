//! Two engines joined in memory, with real files.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs;
use std::io::IoSlice;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::BytesMut;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::engine::Engine;
use super::messages::{Order, Report, Settings};
use super::output::Output;
use super::rate::RateLimit;
use crate::protocol::Decode as _;
use crate::protocol::v2::{
    CancelReason, DataRun, Digest, EntryPath, FileFrame, MAX_DATA, MessageFrame, OfferKind,
    PublicKey, Text, UnixMillis,
};
use crate::transfer::{ChosenFile, Downloads};

/// Ada, who asked for the session, and Bea.
struct Pair {
    engines: [Engine; 2],
    folders: [TempDir; 2],
    reports: [Vec<Report>; 2],
    /// Bytes of files that went each way.
    wire: [VecDeque<FileFrame>; 2],
    data: usize,
}

fn engine(side: usize, folder: &Path, peer: u8) -> Engine {
    let settings = Settings {
        asked: side == 0,
        peer: PublicKey([peer; 32]),
        downloads: Arc::new(Downloads::new(folder.to_owned(), 0)),
        rate: RateLimit::default(),
    };
    Engine::new(settings, Instant::now())
}

/// Everything that goes out, in order.
fn written(output: &mut Output) -> BytesMut {
    let mut bytes = BytesMut::new();
    let mut append = |parts: [IoSlice<'_>; 2]| {
        for part in &parts {
            bytes.extend_from_slice(part);
        }
        Ok::<_, Infallible>(())
    };
    while output.take(&mut append).unwrap() {}
    assert_eq!(bytes.len(), output.len());
    bytes
}

impl Pair {
    fn new() -> Self {
        let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        Self::again(folders, 2)
    }

    /// Two new sides with the folders of earlier ones; Ada has the key of that number.
    fn again(folders: [TempDir; 2], ada: u8) -> Self {
        let engines = [engine(0, folders[0].path(), 1), engine(1, folders[1].path(), ada)];
        Self { engines, folders, reports: Default::default(), wire: Default::default(), data: 0 }
    }

    fn restart(self) -> Self {
        Self::again(self.folders, 2)
    }

    fn offer(&mut self, side: usize, path: &Path) {
        let handles = Arc::new(Semaphore::new(10));
        let chosen = Arc::new(ChosenFile::choose(path.to_owned(), &handles).unwrap());
        self.engines[side].order(Order::Offer { key: 7, chosen });
    }

    /// Lets everything happen until nothing does, or so many bytes of data went; Bea takes what is
    /// offered.
    fn run(&mut self, most: usize) {
        loop {
            let mut idle = true;
            for side in 0..2 {
                for report in self.engines[side].take_reports() {
                    idle = false;
                    match report {
                        Report::Frame(frame) => self.engines[1 - side].order(Order::Frame(frame)),
                        Report::Offered(offer) => {
                            let transfer = offer.transfer;
                            self.reports[side].push(Report::Offered(offer));
                            self.engines[side].order(Order::Take { transfer, folder: None });
                        }
                        other => self.reports[side].push(other),
                    }
                }
                if self.data >= most {
                    return;
                }
                let mut output = Output::default();
                if self.engines[side].work(MAX_DATA, &mut output, Instant::now()) {
                    idle = false;
                }
                let mut out = written(&mut output);
                while let Some((frame, length)) = FileFrame::decode(&out).unwrap() {
                    let _ = out.split_to(length);
                    if let FileFrame::Data { bytes, .. } = &frame {
                        self.data += bytes.as_slice().len();
                    }
                    self.wire[1 - side].push_back(frame);
                }
                assert!(out.is_empty(), "whole frames only");
                while let Some(frame) = self.wire[side].pop_front() {
                    idle = false;
                    self.engines[side].file_came(frame, Instant::now());
                }
            }
            if idle {
                return;
            }
        }
    }

    fn received(&self, side: usize) -> Vec<PathBuf> {
        let received = self.reports[side].iter().filter_map(|report| match report {
            Report::Received { path, .. } => Some(path.clone()),
            _ => None,
        });
        received.collect()
    }

    fn failures(&self, side: usize) -> Vec<String> {
        let failed = self.reports[side].iter().filter_map(|report| match report {
            Report::Failed { reason, .. } | Report::NotTaken { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        failed.collect()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folders[0].path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Names in Bea's folder.
    fn there(&self) -> Vec<String> {
        let there = fs::read_dir(self.folders[1].path()).unwrap();
        let mut there: Vec<_> =
            there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        there.sort();
        there
    }
}

const ALL: usize = usize::MAX;

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

#[test]
fn a_file_arrives_under_its_name_with_its_time_and_mode_and_is_confirmed() {
    for length in [0, 1, 4096, 61_440, 61_441, 300_000] {
        let mut pair = Pair::new();
        let path = pair.file("photo of us.jpg", &content(length));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_234_567_890_123);
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        pair.offer(0, &path);
        pair.run(ALL);
        let there = pair.folders[1].path().canonicalize().unwrap().join("photo of us.jpg");
        assert_eq!(pair.received(1), std::slice::from_ref(&there), "{length} {:?}", pair.reports);
        assert_eq!(fs::read(&there).unwrap(), content(length));
        let status = fs::metadata(&there).unwrap();
        assert_eq!(status.modified().unwrap(), time);
        assert_eq!(status.permissions().mode() & 0o777, 0o700);
        assert!(pair.reports[0].iter().any(|report| matches!(report, Report::Sent { .. })));
        assert_eq!(pair.there(), ["photo of us.jpg"], "nothing is left beside it");
    }
}

#[test]
fn nothing_is_overwritten() {
    let mut pair = Pair::new();
    fs::write(pair.folders[1].path().join("a.txt"), "mine").unwrap();
    let path = pair.file("a.txt", b"theirs");
    pair.offer(0, &path);
    pair.offer(0, &path);
    pair.run(ALL);
    assert_eq!(pair.there(), ["a (2).txt", "a (3).txt", "a.txt"]);
    assert_eq!(fs::read(pair.folders[1].path().join("a.txt")).unwrap(), b"mine");
}

#[test]
fn both_directions_and_several_transfers_take_turns() {
    let mut pair = Pair::new();
    let large = pair.file("large", &content(5_000_000));
    let small = pair.file("small", &content(1000));
    pair.offer(0, &large);
    pair.run(200_000);
    pair.offer(0, &small);
    pair.run(1_000_000);
    assert_eq!(pair.received(1).len(), 1, "the small one did not wait for the large one");
    let back = pair.folders[1].path().join("back");
    fs::write(&back, content(100_000)).unwrap();
    pair.offer(1, &back);
    pair.run(ALL);
    assert_eq!((pair.received(0).len(), pair.received(1).len()), (1, 2));
}

#[test]
fn what_was_cut_goes_on_where_it_ended_after_a_restart() {
    let mut pair = Pair::new();
    let path = pair.file("large.bin", &content(3_000_000));
    pair.offer(0, &path);
    pair.run(2_000_000);
    assert_eq!(pair.received(1).len(), 0);
    let mut pair = pair.restart();
    assert_eq!(pair.there(), ["large.bin.part", "large.bin.part.meta"]);
    pair.offer(0, &path);
    pair.run(ALL);
    assert_eq!(pair.received(1).len(), 1, "{:?}", pair.reports);
    assert!(pair.data < 1_100_000, "{} bytes were sent again", pair.data);
    assert_eq!(fs::read(&pair.received(1)[0]).unwrap(), content(3_000_000));
    assert_eq!(pair.there(), ["large.bin"]);
}

#[test]
fn a_part_that_was_changed_is_sent_from_the_first_byte() {
    for side in 0..2 {
        let mut pair = Pair::new();
        let path = pair.file("large.bin", &content(3_000_000));
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        pair.offer(0, &path);
        pair.run(2_000_000);
        let mut pair = pair.restart();
        let (changed, length) = match side {
            0 => (path.clone(), 3_000_000),
            _ => (pair.folders[1].path().join("large.bin.part"), 1_000_000),
        };
        let mut bytes = fs::read(&changed).unwrap();
        bytes.truncate(length);
        bytes[10] ^= 1;
        fs::write(&changed, &bytes).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        pair.offer(0, &path);
        pair.run(ALL);
        assert_eq!(pair.data, 3_000_000);
        assert_eq!(fs::read(&pair.received(1)[0]).unwrap(), fs::read(&path).unwrap());
    }
}

#[test]
fn another_key_does_not_go_on_with_what_one_began() {
    let mut pair = Pair::new();
    let path = pair.file("large.bin", &content(3_000_000));
    pair.offer(0, &path);
    pair.run(2_000_000);
    let mut pair = Pair::again(pair.folders, 9);
    pair.offer(0, &path);
    pair.run(ALL);
    assert_eq!(pair.data, 3_000_000);
    let expected = ["large (2).bin.part", "large.bin", "large.bin.part", "large.bin.part.meta"];
    assert!(
        pair.there().iter().all(|name| expected.contains(&name.as_str())),
        "{:?}",
        pair.there()
    );
}

#[test]
fn either_side_cancels_one_transfer_and_no_other() {
    for side in 0..2 {
        let mut pair = Pair::new();
        let large = pair.file("large", &content(3_000_000));
        let other = pair.file("other", &content(3_000_000));
        pair.offer(0, &large);
        pair.offer(0, &other);
        pair.run(500_000);
        pair.engines[side].order(Order::Cancel { transfer: 1 });
        pair.run(ALL);
        assert_eq!(pair.received(1).len(), 1);
        assert_eq!((pair.failures(0).len(), pair.failures(1).len()), (1, 1));
        assert_eq!(pair.there(), ["large.part", "large.part.meta", "other"]);
    }
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_not_received() {
    let mut pair = Pair::new();
    let path = pair.file("log", &content(3_000_000));
    pair.offer(0, &path);
    pair.run(500_000);
    fs::write(&path, content(2_000_000)).unwrap();
    pair.run(ALL);
    assert_eq!(pair.received(1).len(), 0);
    assert!(pair.failures(0)[0].contains("was changed meanwhile"), "{:?}", pair.failures(0));
    assert!(pair.failures(1)[0].contains("was changed"), "{:?}", pair.failures(1));
}

fn tree(root: &Path) {
    fs::create_dir_all(root.join("a/b/empty")).unwrap();
    fs::write(root.join("a/one"), content(100_000)).unwrap();
    fs::write(root.join("a/b/two"), b"").unwrap();
    fs::write(root.join("run.sh"), b"#!/bin/sh").unwrap();
    fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc/passwd", root.join("a/link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("a/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
}

/// Paths of a tree with their content, mode and time.
fn listing(root: &Path) -> Vec<(String, Vec<u8>, u32, SystemTime)> {
    let all = walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name();
    let all = all.into_iter().map(Result::unwrap);
    let sent = all.filter(|entry| entry.file_type().is_file() || entry.file_type().is_dir());
    sent.map(|entry| {
        let status = entry.metadata().unwrap();
        let path = entry.path().strip_prefix(root).unwrap().display().to_string();
        let bytes = if status.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
        (path, bytes, status.permissions().mode() & 0o100, millis(status.modified().unwrap()))
    })
    .collect()
}

fn millis(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(since).unwrap())
}

#[test]
fn a_folder_keeps_its_tree_and_leaves_out_links_and_pipes() {
    let mut pair = Pair::new();
    let root = pair.folders[0].path().join("trip");
    tree(&root);
    pair.offer(0, &root);
    pair.run(ALL);
    assert_eq!(pair.failures(1), [""; 0]);
    let there = pair.folders[1].path().join("trip");
    assert_eq!(listing(&there), listing(&root));
    assert!(!there.join("a/link").exists() && !there.join("a/pipe").exists());
    let skipped = pair.reports[0].iter().find_map(|report| match report {
        Report::Sent { skipped, .. } => Some(*skipped),
        _ => None,
    });
    assert_eq!(skipped, Some(2));
    assert_eq!(pair.there(), ["trip"]);
}

#[test]
fn a_folder_that_was_cut_goes_on_without_what_is_whole() {
    let mut pair = Pair::new();
    let root = pair.folders[0].path().join("many");
    for number in 0..50 {
        let folder = root.join(format!("f{}", number % 5));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(number.to_string()), content(10_000 + number)).unwrap();
    }
    pair.offer(0, &root);
    pair.run(300_000);
    let sent = pair.data;
    let mut pair = pair.restart();
    pair.offer(0, &root);
    pair.run(ALL);
    assert_eq!(pair.received(1).len(), 1, "{:?}", pair.reports);
    assert_eq!(listing(&pair.folders[1].path().join("many")), listing(&root));
    let all = (0..50).map(|number| 10_000 + number).sum::<usize>();
    assert!(sent + pair.data <= all + 10_100, "{sent} + {} of {all}", pair.data);
}

#[test]
fn an_empty_folder_and_names_that_differ_in_case_arrive() {
    let mut pair = Pair::new();
    let root = pair.folders[0].path().join("odd");
    fs::create_dir_all(&root).unwrap();
    pair.offer(0, &root);
    pair.run(ALL);
    assert_eq!(pair.there(), ["odd"]);
    fs::write(root.join("Readme"), b"1").unwrap();
    fs::write(root.join("README"), b"2").unwrap();
    fs::write(root.join(".hidden"), b"3").unwrap();
    pair.offer(0, &root);
    pair.run(ALL);
    let names: Vec<_> = listing(&pair.folders[1].path().join("odd (2)"))
        .into_iter()
        .map(|(path, ..)| path)
        .collect();
    assert_eq!(names, ["README", "Readme (2)", "hidden"]);
}

/// What a hostile sender offers, and the frames behind it.
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
    pair.engines[1].order(Order::Frame(offer));
    pair.run(ALL);
    for frame in frames {
        pair.engines[1].file_came(frame, Instant::now());
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
    assert!(pair.failures(1)[0].contains("larger than was offered"), "{:?}", pair.failures(1));
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
fn a_transfer_has_one_turn_however_many_frames_come_for_it() {
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
        pair.engines[0].file_came(have.clone(), Instant::now());
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
        pair.engines[1].file_came(frame, Instant::now());
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
        pair.engines[1].order(Order::Frame(frame));
    }
    for frame in [entry("x", 1, 0, 0), data(b"x"), end(b"x")] {
        pair.engines[1].file_came(frame, Instant::now());
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
    pair.engines[0].order(Order::Frame(take));
    let mut out = Output::default();
    while pair.engines[0].work(MAX_DATA, &mut out, Instant::now()) {
        out.clear();
    }
    let receipt = MessageFrame::Receipt { transfer: 1, hash: Digest([0; 32]) };
    pair.engines[0].order(Order::Frame(receipt));
    let failed = pair.engines[0].take_reports().into_iter().any(
        |report| matches!(report, Report::Failed { reason, .. } if reason.contains("another file")),
    );
    assert!(failed);
}

#[test]
fn data_that_is_read_at_once_goes_in_frames_that_fit() {
    let bytes: Vec<u8> = (0..5 * MAX_DATA + 7).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let mut pair = Pair::new();
    let path = pair.file("a", &bytes);
    pair.offer(0, &path);
    let take = MessageFrame::Take { transfer: 1, have: 0 };
    pair.engines[0].order(Order::Frame(take));
    let (mut output, mut runs) = (Output::default(), Vec::new());
    while pair.engines[0].work(4 * MAX_DATA, &mut output, Instant::now()) {
        let mut out = written(&mut output);
        output.clear();
        while let Some((frame, length)) = FileFrame::decode(&out).unwrap() {
            if let FileFrame::Data { bytes, .. } = frame {
                runs.push(bytes.as_slice().to_vec());
            }
            let _ = out.split_to(length);
        }
        assert!(out.is_empty(), "whole frames only");
    }
    assert_eq!(
        runs.iter().map(Vec::len).collect::<Vec<_>>(),
        [[MAX_DATA; 5].as_slice(), &[7]].concat()
    );
    assert_eq!(runs.concat(), bytes);
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
        pair.engines[1].order(Order::Frame(offer));
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
