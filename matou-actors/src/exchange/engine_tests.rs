//! Files and folders from one engine to another.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::engine_pair::{ALL, Pair, content, listing, written};
use super::messages::{ExchangeOrder, Report};
use super::output::OutgoingFrames;
use crate::protocol::Decode as _;
use crate::protocol::v2::{FileFrame, MAX_DATA, MessageFrame};

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
fn an_interrupted_transfer_resumes_after_a_restart() {
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
fn a_part_longer_than_its_file_is_truncated() {
    let mut pair = Pair::new();
    let path = pair.file("large.bin", &content(3_000_000));
    pair.offer(0, &path);
    pair.run(2_000_000);
    let mut pair = pair.restart();
    let part = pair.folders[1].path().join("large.bin.part");
    fs::write(part, [content(3_000_000), content(5_000)].concat()).unwrap();
    pair.offer(0, &path);
    pair.run(ALL);
    assert!(pair.data < 4096, "{} bytes were sent again", pair.data);
    assert_eq!(fs::read(&pair.received(1)[0]).unwrap(), content(3_000_000));
}

#[test]
fn another_key_does_not_resume_a_transfer() {
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
        pair.engines[side].order(ExchangeOrder::Cancel { transfer: 1 });
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
fn an_interrupted_folder_resumes_without_its_whole_files() {
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
fn a_file_of_equal_size_and_time_but_other_content_is_sent_again() {
    let mut pair = Pair::new();
    let root = pair.folders[0].path().join("many");
    fs::create_dir(&root).unwrap();
    for number in 0..20 {
        fs::write(root.join(number.to_string()), content(10_000)).unwrap();
    }
    pair.offer(0, &root);
    pair.run(150_000);
    let mut pair = pair.restart();
    let part = pair.folders[1].path().join("many.part");
    let there = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        path.file_name().unwrap().to_str().unwrap().parse::<u32>().is_ok().then_some(path)
    };
    let changed = fs::read_dir(&part).unwrap().find_map(there).unwrap();
    let time = fs::metadata(&changed).unwrap().modified().unwrap();
    let mut bytes = content(10_000);
    bytes[5000] ^= 1;
    fs::write(&changed, bytes).unwrap();
    fs::File::options().write(true).open(&changed).unwrap().set_modified(time).unwrap();
    pair.offer(0, &root);
    pair.run(ALL);
    let received = pair.received(1).pop().unwrap_or_else(|| panic!("{:?}", pair.reports));
    assert!(pair.data < 100_000, "the others are skipped");
    for number in 0..20 {
        // The changed one is kept under another name or replaced, never taken for the right one.
        assert!(
            fs::read(received.join(number.to_string())).unwrap() == content(10_000),
            "{number}"
        );
    }
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

#[test]
fn data_that_is_read_at_once_goes_in_frames_that_fit() {
    let bytes: Vec<u8> = (0..5 * MAX_DATA + 7).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let mut pair = Pair::new();
    let path = pair.file("a", &bytes);
    pair.offer(0, &path);
    let take = MessageFrame::Take { transfer: 1, have: 0 };
    pair.engines[0].order(ExchangeOrder::Frame(take));
    let (mut output, mut runs) = (OutgoingFrames::default(), Vec::new());
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
