//! Either side of a private session is killed, again and again, in the middle of a folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::server::Server;
use harness::user::User;

const FILES: usize = 1_000;
const KILLS: usize = 50;
/// Bytes of each file.
const SIZE: usize = 3_000;

/// Slow enough for a kill to hit the middle.
const SLOW: [(&str, &str); 1] = [("FILES__RATE", "700K")];

fn content(number: usize) -> Vec<u8> {
    let seed = u64::try_from(number).unwrap();
    let mut random = fastrand::Rng::with_seed(seed);
    (0..SIZE).map(|_| random.u8(..)).collect()
}

/// The whole files of a folder that is being received, by path and inode, which another copy of the
/// file would not have.
fn whole(part: &Path) -> Vec<(PathBuf, u64)> {
    let entries = walkdir(part);
    entries
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name != ".part"))
        .filter_map(|path| fs::metadata(&path).ok().map(|status| (path, status.ino())))
        .collect()
}

fn walkdir(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { walkdir(&path) } else { vec![path] }).collect()
}

fn survives(killed: &str) {
    // As many requests in a minute are more than a user may make by default.
    let server = Server::with("127.0.0.1:0", &[("PRIVATE__REQUESTS_PER_MINUTE", "0")]);
    let (at_ada, at_bea) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = at_ada.path().join("many");
    for number in 0..FILES {
        let below = folder.join(format!("{}", number % 20));
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join(format!("{number}.bin")), content(number)).unwrap();
    }
    let mut ada = User::start(at_ada.path(), server.address, "Ada", &SLOW);
    let mut bea = User::start(at_bea.path(), server.address, "Bea", &SLOW);
    let downloads: PathBuf = {
        ada.wait("joined", |event| event["username"] == "Bea");
        ada.say(&format!("/send Bea {}", folder.display()));
        let started = bea.event("file_started");
        PathBuf::from(started["path"].as_str().unwrap()).parent().unwrap().to_owned()
    };
    let part = downloads.join("many.part");
    let mut random = fastrand::Rng::new();
    let seed = random.u64(..);
    println!("{killed}: seed {seed}");
    random.seed(seed);
    let mut kept = Vec::new();
    let mut in_the_middle = 0;
    for kill in 0..KILLS {
        // The random moment, which is what is tested.
        std::thread::sleep(Duration::from_millis(random.u64(0..60)));
        if killed == "sender" {
            drop(ada);
            ada = User::start(at_ada.path(), server.address, "Ada", &SLOW);
            ada.wait("joined", |event| event["username"] == "Bea");
            bea.wait("private_closed", |_| true);
        } else {
            drop(bea);
            ada.event("private_closed");
            bea = User::start(at_bea.path(), server.address, "Bea", &SLOW);
            ada.wait("joined", |event| event["username"] == "Bea");
        }
        if downloads.join("many").exists() {
            println!("{killed}: whole after {kill} kills");
            break;
        }
        let there = whole(&part);
        in_the_middle += usize::from(!there.is_empty());
        for file in &kept {
            assert!(there.contains(file), "{file:?} was sent again, or is lost");
        }
        kept = there;
        ada.say(&format!("/send Bea {}", folder.display()));
        bea.event("file_started");
    }
    if !downloads.join("many").exists() {
        bea.event("file_received");
        assert_eq!(ada.event("file_sent")["received"], true);
    }
    println!("{killed}: {in_the_middle} kills in the middle");
    assert!(in_the_middle > 5, "the kills hit nothing");
    for number in 0..FILES {
        let file = downloads.join(format!("many/{}/{number}.bin", number % 20));
        assert!(fs::read(&file).unwrap() == content(number), "{}", file.display());
    }
    for (file, inode) in kept {
        let now = downloads.join("many").join(file.strip_prefix(&part).unwrap());
        assert_eq!(fs::metadata(&now).unwrap().ino(), inode, "{} was sent again", now.display());
    }
    let left: Vec<_> = fs::read_dir(&downloads).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_folder_survives_that_its_sender_is_killed_at_random_moments() {
    survives("sender");
}

#[test]
fn a_folder_survives_that_its_receiver_is_killed_at_random_moments() {
    survives("receiver");
}
