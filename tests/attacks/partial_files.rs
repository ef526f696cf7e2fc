//! Partial files and folders, and what a hostile peer or a local user does to them.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};

use serde_json::{Value, json};

use crate::harness::until;
use crate::scene::{Scene, all};

/// Larger than one record, and no multiple of 4096.
const SIZE: usize = 1_000_000;

/// Text of that length, of which no two runs are alike.
fn content(length: usize, seed: &str) -> String {
    let numbers = (0..=length / 10).map(|at| format!("{seed}{at:09}"));
    let mut text = numbers.collect::<Vec<_>>().concat();
    text.truncate(length);
    text
}

/// Sends the first half of a file, and cuts.
fn half(scene: &mut Scene, name: &str, whole: &str) {
    assert_eq!(scene.eve.is_taken(1, name, SIZE), 0);
    scene.eve.begins(1, name, SIZE, 0);
    scene.eve.data(1, &whole[..SIZE / 2]);
    let part = scene.downloads().join(format!("{name}.part"));
    until("a part of the file", || fs::metadata(&part).is_ok_and(|it| it.len() > 4096));
    scene.eve.cuts();
    scene.failed();
    scene.ada.any("private_closed");
}

/// Offers it again in a new session; returns how much is present.
fn again(scene: &mut Scene, name: &str) -> i64 {
    scene.eve.opens();
    scene.eve.is_taken(1, name, SIZE)
}

#[test]
fn a_transfer_begun_with_one_key_is_not_resumed_with_another() {
    let (mut scene, whole) = (Scene::open(), content(SIZE, "e"));
    half(&mut scene, "film.mkv", &whole);
    let part = scene.downloads().join("film.mkv.part");
    let before = fs::read(&part).unwrap();
    scene.another("Mallory");
    let other = content(SIZE, "m");
    assert_eq!(scene.eve.is_taken(1, "film.mkv", SIZE), 0);
    scene.eve.begins(1, "film.mkv", SIZE, 0);
    scene.eve.data(1, &other);
    scene.eve.ends(1, &other);
    assert!(fs::read_to_string(scene.received()).unwrap() == other);
    assert!(fs::read(&part).unwrap() == before, "what Eve began is as it was");
}

#[test]
fn a_partial_file_that_was_changed_here_is_sent_again_from_its_beginning() {
    let (mut scene, whole) = (Scene::open(), content(SIZE, "e"));
    half(&mut scene, "film.mkv", &whole);
    let part = scene.downloads().join("film.mkv.part");
    let mut changed = fs::read(&part).unwrap();
    changed[1000] ^= 1;
    fs::write(&part, changed).unwrap();
    let have = again(&mut scene, "film.mkv");
    assert!(have > 0);
    let first = &whole[..usize::try_from(have).unwrap()];
    scene.eve.0.command("prove", &json!({ "have": have, "of": first }));
    scene.eve.0.report("proved");
    scene.eve.begins(1, "film.mkv", SIZE, 0);
    scene.eve.data(1, &whole);
    scene.eve.ends(1, &whole);
    assert!(fs::read_to_string(scene.received()).unwrap() == whole);
}

#[test]
fn a_sender_whose_file_was_changed_cannot_claim_the_part_that_is_there() {
    let (mut scene, whole) = (Scene::open(), content(SIZE, "e"));
    half(&mut scene, "film.mkv", &whole);
    let other = content(SIZE, "f");
    let have = again(&mut scene, "film.mkv");
    scene.eve.0.report("proved");
    scene.eve.0.command("echo proof", &Value::Null);
    scene.eve.begins(1, "film.mkv", SIZE, have);
    scene.eve.data(1, &other[usize::try_from(have).unwrap()..]);
    scene.eve.ends(1, &other);
    let failed = scene.failed();
    assert!(failed["reason"].as_str().unwrap().contains("not what was sent"), "{failed}");
    assert_eq!(scene.eve.0.report("cancel"), json!([1, 5]));
    assert!(!scene.downloads().join("film.mkv").exists());
    assert!(!scene.downloads().join("film.mkv.part").exists(), "what is wrong is not kept");
}

#[test]
fn a_link_or_pipe_in_the_place_of_a_partial_file_is_not_written_to() {
    for is_link in [true, false] {
        let (mut scene, whole) = (Scene::open(), content(SIZE, "e"));
        half(&mut scene, "film.mkv", &whole);
        let part = scene.downloads().join("film.mkv.part");
        let target = scene.ada.home.path().join("target");
        fs::remove_file(&part).unwrap();
        if is_link {
            fs::write(&target, "untouched").unwrap();
            symlink(&target, &part).unwrap();
        } else {
            nix::unistd::mkfifo(&part, nix::sys::stat::Mode::S_IRWXU).unwrap();
        }
        assert_eq!(again(&mut scene, "film.mkv"), 0);
        scene.eve.begins(1, "film.mkv", SIZE, 0);
        scene.eve.data(1, &whole);
        scene.eve.ends(1, &whole);
        assert!(fs::read_to_string(scene.received()).unwrap() == whole);
        if is_link {
            assert_eq!(fs::read(target).unwrap(), b"untouched");
            assert!(part.is_symlink());
        } else {
            assert!(fs::symlink_metadata(part).unwrap().file_type().is_fifo());
        }
    }
}

#[test]
fn links_and_pipes_put_into_a_folder_while_it_is_written_are_not_followed() {
    let mut scene = Scene::open();
    scene.eve.offers_folder(1, "gift", 16, 4);
    scene.eve.0.report("take");
    scene.eve.begins(1, "d/one", 4, 0);
    scene.eve.data(1, "four");
    scene.eve.ends(1, "four");
    let folder = scene.downloads().join("gift.part");
    until("the first entry", || fs::read(folder.join("d/one")).is_ok_and(|it| it == b"four"));
    let outside = scene.ada.home.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("own"), "untouched").unwrap();
    fs::rename(folder.join("d"), folder.join("moved")).unwrap();
    symlink(&outside, folder.join("d")).unwrap();
    symlink(outside.join("own"), folder.join("two")).unwrap();
    nix::unistd::mkfifo(&folder.join("three"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for path in ["d/two", "two", "three"] {
        scene.eve.begins(1, path, 4, 0);
        scene.eve.data(1, "evil");
        scene.eve.ends(1, "evil");
    }
    scene.ada.wait_for(&["file_received", "file_failed"], |_| true);
    let there = all(&outside);
    assert_eq!(there, [outside.join("own")]);
    assert_eq!(fs::read(outside.join("own")).unwrap(), b"untouched");
    scene.eve.tells(1, "still here");
    scene.ada.wait_for_private("Eve", "Ada", "still here");
}
