//! Files under faults of processes and disks: nothing that looks whole is ever anything else,
//! and nothing outside the downloads folder changes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use harness::DEADLINE;
use harness::client::Client;
use harness::server::Server;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use support::proxy::{Fault, Faults};
use support::two::{Two, file, reason, send, whole_files};

/// How often each side is killed.
const KILLS: u32 = 50;
/// The file that is then under way.
const SIZE: usize = 30_000_000;
/// Slow enough for something to happen while a file is under way.
const SLOW: Faults = Faults { up: Fault::None, down: Fault::Delay(Duration::from_millis(5)) };
const LARGE: usize = 20_000_000;

/// Runs `round` for each of the kills, at moments from zero to somewhat more than a whole transfer
/// takes: the first round is undisturbed, and shows how long that is.
fn at_random_moments(mut round: impl FnMut(u32, Option<Duration>) -> Duration) {
    let usual = round(0, None);
    let mut state = u64::from(std::process::id());
    println!("seed {state}, a transfer takes {usual:?}");
    for number in 1..=KILLS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let part = f64::from(u32::try_from(state >> 40).unwrap()) / f64::from(1 << 24);
        round(number, Some(usual.mul_f64(part * 1.2)));
    }
}

fn kill(client: &mut Client) {
    client.process.signal(Signal::SIGKILL);
    client.process.exit();
}

/// Everything that looks whole in the downloads of `client` is as it was sent; returns how many
/// files there are.
fn whole_ones_are(client: &Client, content: &[u8]) -> usize {
    let files = whole_files(client);
    for path in &files {
        assert!(std::fs::read(path).unwrap() == content, "{} is not whole", path.display());
    }
    files.len()
}

fn nothing_is_under_way(client: &mut Client) {
    let start = Instant::now();
    loop {
        client.say("/transfers");
        let left = client.any("transfers")["transfers"].take();
        if left.as_array().unwrap().is_empty() {
            return;
        }
        assert!(start.elapsed() < DEADLINE, "{left} under way; what came:\n{}", client.seen());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_killed_sender_never_leaves_a_truncated_file_that_looks_complete() {
    let server = Server::with("127.0.0.1:0", &[("PRIVATE__REQUESTS_PER_MINUTE", "0")]);
    let always = ["--accept-private", "always", "--accept-files", "always"];
    let mut bea = Client::join_with(server.address, "Bea", &always);
    let path = file(&bea, SIZE);
    let content = std::fs::read(&path).unwrap();
    let mut whole = 0;
    at_random_moments(|number, moment| {
        let name = format!("Ada{number}");
        let mut ada = Client::join(server.address, &name);
        ada.wait("joined", |event| event["username"] == "Bea");
        let began = Instant::now();
        send(&mut ada, "Bea", &path);
        match moment {
            Some(moment) => std::thread::sleep(moment),
            None => drop(bea.any("file_received")),
        }
        let took = began.elapsed();
        kill(&mut ada);
        bea.wait("left", |event| event["username"] == name.as_str());
        nothing_is_under_way(&mut bea);
        let now = whole_ones_are(&bea, &content);
        assert!(number > 0 || now == 1, "left alone, the file arrives");
        whole = now;
        took
    });
    println!("{whole} files arrived before the kill");
}

#[test]
fn a_killed_receiver_never_leaves_a_truncated_file_that_looks_complete() {
    let server = Server::with("127.0.0.1:0", &[("PRIVATE__REQUESTS_PER_MINUTE", "0")]);
    let mut ada = Client::join(server.address, "Ada");
    let path = file(&ada, SIZE);
    let content = std::fs::read(&path).unwrap();
    let mut whole = 0;
    at_random_moments(|number, moment| {
        let name = format!("Bea{number}");
        let always = ["--accept-private", "always", "--accept-files", "always"];
        let mut bea = Client::join_with(server.address, &name, &always);
        ada.wait("joined", |event| event["username"] == name.as_str());
        let began = Instant::now();
        send(&mut ada, &name, &path);
        match moment {
            Some(moment) => std::thread::sleep(moment),
            None => drop(bea.any("file_received")),
        }
        let took = began.elapsed();
        kill(&mut bea);
        let now = whole_ones_are(&bea, &content);
        assert!(number > 0 || now == 1, "left alone, the file arrives");
        nothing_is_under_way(&mut ada);
        whole += now;
        took
    });
    println!("{whole} files arrived before the kill");
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_fails_on_both_sides() {
    let mut two = Two::meet();
    for left in [0, 1_000_000, LARGE - 1] {
        two.faults(Faults::NONE, SLOW);
        let path = file(&two.ada, LARGE);
        send(&mut two.ada, "Bea", &path);
        two.bea.any("file_started");
        let shrinking = OpenOptions::new().write(true).open(&path).unwrap();
        shrinking.set_len(u64::try_from(left).unwrap()).unwrap();
        assert!(reason(&two.ada.any("file_failed")).contains("shorter"));
        assert!(reason(&two.bea.any("file_failed")).contains(".part"));
        assert!(whole_files(&two.bea).is_empty());
        two.talk("and talk goes on");
        two.close();
    }
    two.end();
}

#[test]
fn cancelling_shows_the_receiver_where_the_part_is_or_that_it_was_removed() {
    let mut two = Two::meet();
    for (by_sender, removed) in [(false, false), (false, true), (true, false), (true, true)] {
        two.faults(Faults::NONE, SLOW);
        let path = file(&two.ada, LARGE);
        send(&mut two.ada, "Bea", &path);
        let (sent, started) = (two.ada.any("file_started"), two.bea.any("file_started"));
        two.bea.wait("file_progress", |event| event["bytes"].as_u64().is_some_and(|n| n > 0));
        let part = Path::new(started["path"].as_str().unwrap());
        if removed {
            std::fs::remove_file(part).unwrap();
        }
        let (canceller, id) =
            if by_sender { (&mut two.ada, &sent["id"]) } else { (&mut two.bea, &started["id"]) };
        canceller.say(&format!("/cancel {id}"));
        let (at_ada, at_bea) = (two.ada.any("file_failed"), two.bea.any("file_failed"));
        let (own, other) = if by_sender { (&at_ada, &at_bea) } else { (&at_bea, &at_ada) };
        assert!(reason(own).starts_with("you cancelled it"), "{own}");
        assert!(!reason(other).contains("you cancelled"), "{other}");
        let what = reason(&at_bea);
        assert!(what.contains(part.to_str().unwrap()), "{what}");
        assert_eq!(what.contains("are kept in"), !removed, "{what}");
        assert_eq!(what.contains("was removed"), removed, "{what}");
        assert_eq!(part.exists(), !removed);
        assert!(!by_sender || what.contains("the sender stopped it"), "{what}");
        two.talk("and talk goes on");
        two.close();
    }
    two.end();
}

#[test]
fn a_file_that_grows_vanishes_or_is_replaced_arrives_as_it_was() {
    let mut two = Two::meet();
    let changes: [fn(&Path); 3] = [
        |path| OpenOptions::new().append(true).open(path).unwrap().write_all(b"more").unwrap(),
        |path| std::fs::remove_file(path).unwrap(),
        |path| {
            let other = path.with_extension("new");
            std::fs::write(&other, "something else").unwrap();
            std::fs::rename(other, path).unwrap();
        },
    ];
    for change in changes {
        two.faults(Faults::NONE, SLOW);
        let path = file(&two.ada, LARGE);
        let content = std::fs::read(&path).unwrap();
        send(&mut two.ada, "Bea", &path);
        two.bea.any("file_started");
        change(&path);
        two.bea.any("file_received");
        whole_ones_are(&two.bea, &content);
        two.close();
    }
    assert_eq!(whole_files(&two.bea).len(), 3);
    two.end();
}

#[test]
fn a_file_that_vanishes_before_its_turn_fails_alone() {
    let mut two = Two::meet();
    two.faults(Faults::NONE, SLOW);
    let first = file(&two.ada, LARGE);
    let second = two.ada.home.path().join("second");
    std::fs::write(&second, "soon gone").unwrap();
    send(&mut two.ada, "Bea", &first);
    two.bea.any("file_started");
    send(&mut two.ada, "Bea", &second);
    two.ada.wait("file_started", |event| event["size"] == 9);
    std::fs::remove_file(&second).unwrap();
    two.bea.wait("file_received", |event| event["size"] == LARGE);
    assert!(reason(&two.ada.any("file_failed")).contains("second"));
    two.talk("and talk goes on");
    two.close();
    two.end();
}

/// The replacement of the file that is being received, and where it would lead.
type Swap = fn(part: &Path, outside: &Path) -> bool;

#[test]
fn a_replacement_of_a_file_being_received_is_not_written_to() {
    let swaps: [(&str, Swap); 4] = [
        ("a link", |part, outside| {
            std::os::unix::fs::symlink(outside.join("victim"), part).unwrap();
            true
        }),
        ("a hard link", |part, outside| {
            std::fs::hard_link(outside.join("victim"), part).unwrap();
            true
        }),
        ("a FIFO", |part, _| {
            nix::unistd::mkfifo(part, Mode::S_IRWXU).unwrap();
            true
        }),
        ("a device", |part, _| mknod(part, SFlag::S_IFCHR, Mode::S_IRWXU, makedev(1, 3)).is_ok()),
    ];
    let mut two = Two::meet();
    for (what, swap) in swaps {
        two.faults(Faults::NONE, SLOW);
        let outside = two.ada.home.path().join("outside");
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(outside.join("victim"), "untouched").unwrap();
        let path = file(&two.ada, LARGE);
        send(&mut two.ada, "Bea", &path);
        let started = two.bea.any("file_started");
        let part = Path::new(started["path"].as_str().unwrap());
        std::fs::remove_file(part).unwrap();
        if !swap(part, &outside) {
            harness::skipped(&format!("{what} cannot be made here"));
        }
        let failed = two.bea.any("file_failed");
        assert!(!reason(&failed).is_empty());
        assert_eq!(std::fs::read(outside.join("victim")).unwrap(), b"untouched", "{what}");
        assert!(whole_files(&two.bea).is_empty(), "{what}");
        let _ = std::fs::remove_file(part);
        two.talk("and talk goes on");
        two.close();
    }
    two.end();
}

#[test]
fn a_downloads_folder_that_is_swapped_for_a_link_is_not_followed() {
    let mut two = Two::meet();
    two.faults(Faults::NONE, SLOW);
    let outside = two.ada.home.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let path = file(&two.ada, LARGE);
    send(&mut two.ada, "Bea", &path);
    two.bea.any("file_started");
    let downloads = two.bea.downloads();
    std::fs::rename(&downloads, downloads.with_extension("moved")).unwrap();
    std::os::unix::fs::symlink(&outside, &downloads).unwrap();
    // The one that is under way stays in the folder where it began; the next one has none.
    two.bea.wait_for(&["file_received", "file_failed"], |_| true);
    two.talk("one more");
    send(&mut two.ada, "Bea", &path);
    let refused = two.bea.wait("file_failed", |event| reason(event).contains("downloads folder"));
    assert!(reason(&refused).contains("cannot be taken"), "{refused}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    std::fs::remove_file(&downloads).unwrap();
    two.close();
    two.end();
}

/// A file system of 8 MB, unmounted on drop.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(&at).output();
        if mount.is_ok_and(|mount| mount.status.success()) {
            return Some(Self(at));
        }
        harness::skipped("a file system can be mounted by root only");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn files_that_are_received_at_once_do_not_fill_the_disk_together() {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&config, "[files]\nreserve = 1000000\n").unwrap();
    let mut two = Two::meet_with(&["-c", config.path().to_str().unwrap()]);
    let Some(disk) = SmallDisk::mount(two.bea.downloads()) else { return };
    let mut eve = two.third("Eve");
    // The first one is not finished before the second one arrives.
    two.faults(Faults::NONE, Faults::down(Fault::Stall(1_000_000)));
    // Each would fit alone.
    let paths = [file(&two.ada, 5_000_000), file(&eve, 5_000_000)];
    send(&mut two.ada, "Bea", &paths[0]);
    two.bea.wait("file_started", |event| event["with"] == "Ada");
    eve.say(&format!("/send Bea {}", paths[1].display()));
    let offer = two.bea.wait("file_offered", |event| event["from"] == "Eve");
    let refused = two.bea.wait("file_failed", |event| event["id"] == offer["id"]);
    assert!(reason(&refused).contains("transfers under way"), "{refused}");
    // Other faults cut the session's connections: a message at that moment would be lost.
    two.close();
    drop(disk);
    drop(eve);
    two.end();
}

#[test]
fn a_full_disk_fails_that_file_only_and_keeps_the_part() {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&config, "[files]\nreserve = 0\n").unwrap();
    let mut two = Two::meet_with(&["-c", config.path().to_str().unwrap()]);
    let Some(disk) = SmallDisk::mount(two.bea.downloads()) else { return };
    // Too large from the start: refused by its size, and nothing is begun.
    let path = file(&two.ada, 10_000_000);
    send(&mut two.ada, "Bea", &path);
    let error = two.bea.any("file_failed");
    assert!(reason(&error).contains("bytes free"), "{error}");
    two.talk("and talk goes on");
    two.close();
    // It would fit, and then something else fills the disk.
    two.faults(Faults::NONE, SLOW);
    let path = file(&two.ada, 7_000_000);
    send(&mut two.ada, "Bea", &path);
    let started = two.bea.any("file_started");
    // An empty part would be removed, not kept.
    two.bea.wait("file_progress", |event| event["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
    let mut filler = std::fs::File::create(disk.0.join("filler")).unwrap();
    while filler.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
    let failed = two.bea.any("file_failed");
    assert!(reason(&failed).contains("No space left"), "{failed}");
    let part = Path::new(started["path"].as_str().unwrap());
    assert!(part.exists() && reason(&failed).contains(".part"), "what came is kept: {failed}");
    assert_eq!(whole_files(&two.bea), [disk.0.join("filler")]);
    two.talk("and talk goes on");
    // Files still go the other way, over a new session.
    two.close();
    two.faults(Faults::NONE, Faults::NONE);
    let back = file(&two.bea, 5000);
    two.talk("once more");
    send(&mut two.bea, "Ada", &back);
    two.ada.wait("file_received", |event| event["size"] == 5000);
    drop(disk);
    two.close();
    two.end();
}
