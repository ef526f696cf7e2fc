//! Private sessions of revision 2 between real clients: keys, confirmations, named files, and both
//! revisions in one room.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::fs;
use std::path::{Path, PathBuf};

use harness::client::{Client, open, private_pair};
use harness::matou;
use harness::server::Server;
use harness::user::User;
use nix::sys::signal::Signal;
use serde_json::Value;

fn key(home: &Path) -> String {
    let shown = matou(home).args(["identity", "show"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let key = shown.split_whitespace().find(|word| word.starts_with("SHA256:"));
    key.unwrap().to_owned()
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * 37 % 251).unwrap()).collect()
}

#[test]
fn a_session_is_encrypted_and_confirmed_and_the_first_key_is_known_from_then_on() {
    let server = Server::start();
    let (at_ada, at_bea) = (home(), home());
    let mut ada = User::start(at_ada.path(), server.address, "Ada", &[]);
    let mut bea = User::start(at_bea.path(), server.address, "Bea", &[]);
    ada.wait("joined", |event| event["username"] == "Bea");
    ada.say("/msg Bea hello");
    let opened = ada.event("private_opened");
    assert_eq!((&opened["link"], &opened["key"]), (&"encrypted".into(), &"new".into()));
    assert_eq!(opened["fingerprint"], key(at_bea.path()));
    assert_eq!(bea.event("private_opened")["fingerprint"], key(at_ada.path()));
    let sent = ada.event("private_message");
    assert_eq!(bea.event("private_message")["text"], "hello");
    assert_eq!(ada.event("delivered")["ids"], Value::from(vec![sent["id"].clone()]));
    ada.say("/verify Bea");
    bea.say("/verify Ada");
    let words = ada.event("verification")["words"].clone();
    assert_eq!(bea.event("verification")["words"], words);
    assert_eq!(words.as_str().unwrap().split(' ').count(), 12);
    ada.say("/verify Bea yes");
    ada.event("key_standing");
    ada.say("/close Bea");
    ada.event("private_closed");
    bea.event("private_closed");
    bea.say("/msg Ada again");
    assert_eq!(ada.event("private_opened")["key"], "compared");
    assert_eq!(bea.event("private_opened")["key"], "known");
    ada.say("/quit");
    ada.event("closed");
    let mut ada = User::start(at_ada.path(), server.address, "Ada", &[]);
    assert_eq!(ada.event("key_standing")["key"], "compared", "after a restart");
    drop(server);
    ada.event("disconnected");
    ada.say("/whois Bea");
    let known = ada.event("whois");
    // People are known by the key of the server, also when it is lost.
    assert!(known["known"].is_string() && known["compared"].is_string(), "{known}");
}

#[test]
fn another_key_under_a_known_name_is_refused_until_the_user_accepts_it() {
    let server = Server::with("127.0.0.1:0", &[("NAMES__KEEP_DAYS", "0")]);
    let (at_ada, at_bea) = (home(), home());
    let mut ada = User::start(at_ada.path(), server.address, "Ada", &[]);
    let mut bea = User::start(at_bea.path(), server.address, "Bea", &[]);
    ada.wait("joined", |event| event["username"] == "Bea");
    ada.say("/msg Bea hello");
    ada.event("delivered");
    bea.say("/quit");
    bea.event("closed");
    bea.process.exit();
    ada.wait("left", |event| event["username"] == "Bea");
    fs::remove_dir_all(at_bea.path().join(".local")).unwrap();
    let mut bea = User::start(at_bea.path(), server.address, "Bea", &[]);
    ada.wait("joined", |event| event["username"] == "Bea");
    ada.say("/msg Bea a secret");
    let refused = ada.wait("error", |event| event["code"] == "key");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("different key") && message.contains("/trust Bea"), "{message}");
    ada.event("undelivered");
    bea.say("/msg Ada let me in");
    ada.wait("error", |event| event["code"] == "key");
    bea.event("undelivered");
    ada.say("/trust Bea");
    ada.event("notice");
    ada.say("/resend Bea");
    assert_eq!(bea.event("private_message")["text"], "a secret");
}

#[test]
fn unconfirmed_messages_are_reported_and_sent_again() {
    let server = Server::start();
    let (at_ada, at_bea) = (home(), home());
    let mut ada = User::start(at_ada.path(), server.address, "Ada", &[]);
    let bea = User::start(at_bea.path(), server.address, "Bea", &[]);
    ada.wait("joined", |event| event["username"] == "Bea");
    ada.say("/msg Bea one");
    ada.event("delivered");
    bea.signal(Signal::SIGSTOP);
    ada.say("/msg Bea two");
    ada.say("/msg Bea three");
    ada.wait("private_message", |event| event["text"] == "three");
    bea.signal(Signal::SIGKILL);
    let lost = ada.event("undelivered");
    assert_eq!(lost["texts"], Value::from(vec!["two", "three"]));
    assert!(lost["reason"].as_str().unwrap().contains("/resend Bea"), "{lost}");
    drop(bea);
    let mut bea = User::start(at_bea.path(), server.address, "Bea", &[]);
    ada.wait("joined", |event| event["username"] == "Bea");
    ada.say("/resend Bea");
    bea.wait("private_message", |event| event["text"] == "two");
    bea.wait("private_message", |event| event["text"] == "three");
    ada.event("delivered");
}

/// Kills a client in the middle of a file, awaits that the other one notices, and starts it again.
fn killed_and_restarted(
    (name, user): (&str, User),
    other: &mut User,
    home: &Path,
    server: &Server,
) -> User {
    user.signal(Signal::SIGKILL);
    other.event("file_failed");
    drop(user);
    User::start(home, server.address, name, &[])
}

#[test]
fn a_file_interrupted_by_a_kill_resumes() {
    const SIZE: usize = 150_000_000;
    for killed in ["sender", "receiver"] {
        let server = Server::start();
        let (at_ada, at_bea) = (home(), home());
        let limit = [("FILES__RATE", "50M")];
        let mut ada = User::start(at_ada.path(), server.address, "Ada", &limit);
        let mut bea = User::start(at_bea.path(), server.address, "Bea", &[]);
        ada.wait("joined", |event| event["username"] == "Bea");
        let source = at_ada.path().join("film.mkv");
        fs::write(&source, content(SIZE)).unwrap();
        ada.say(&format!("/send Bea {}", source.display()));
        let moving = |event: &Value| event["bytes"].as_u64().unwrap() > 20_000_000;
        bea.wait("file_progress", moving);
        if killed == "sender" {
            ada = killed_and_restarted(("Ada", ada), &mut bea, at_ada.path(), &server);
        } else {
            bea = killed_and_restarted(("Bea", bea), &mut ada, at_bea.path(), &server);
            ada.wait("joined", |event| event["username"] == "Bea");
        }
        ada.say(&format!("/send Bea {}", source.display()));
        let first = bea.event("file_progress")["bytes"].as_u64().unwrap();
        assert!(first > 20_000_000, "{killed} killed: it began at {first}");
        let received: PathBuf = bea.event("file_received")["path"].as_str().unwrap().into();
        assert_eq!(ada.event("file_sent")["received"], true);
        assert!(fs::read(&received).unwrap() == content(SIZE), "{killed} killed");
        assert_eq!(received.file_name().unwrap(), "film.mkv");
    }
}

/// A transfer that is half done, cut, and repeated.
struct Cut {
    is_folder: bool,
    killed: &'static str,
    /// Its time of modification does not show that it was changed.
    keeps_time: bool,
}

/// All files at `path`, with their content.
fn contents(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    if path.is_file() {
        return vec![(PathBuf::new(), fs::read(path).unwrap())];
    }
    let mut files: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|file| (file.file_name().unwrap().into(), fs::read(&file).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_file_changed_after_a_cut_arrives_in_its_present_state_and_never_as_a_mixture() {
    const FILE: usize = 10_000_000;
    let cuts = [
        Cut { is_folder: false, killed: "sender", keeps_time: true },
        Cut { is_folder: false, killed: "receiver", keeps_time: false },
        Cut { is_folder: true, killed: "receiver", keeps_time: true },
        Cut { is_folder: true, killed: "sender", keeps_time: false },
    ];
    for Cut { is_folder, killed, keeps_time } in cuts {
        let server = Server::start();
        let (at_ada, at_bea) = (home(), home());
        let limit = [("FILES__RATE", "10M")];
        let mut ada = User::start(at_ada.path(), server.address, "Ada", &limit);
        let mut bea = User::start(at_bea.path(), server.address, "Bea", &[]);
        ada.wait("joined", |event| event["username"] == "Bea");
        let source = at_ada.path().join("source");
        // Of the folder one file is whole when it is cut, and the second begun.
        let first = if is_folder { source.join("1") } else { source.clone() };
        if is_folder {
            fs::create_dir(&source).unwrap();
            for number in 1..=3 {
                fs::write(source.join(number.to_string()), content(FILE)).unwrap();
            }
        } else {
            fs::write(&source, content(3 * FILE)).unwrap();
        }
        ada.say(&format!("/send Bea {}", source.display()));
        let sent = u64::try_from(FILE + FILE / 10).unwrap();
        bea.wait("file_progress", |event| event["bytes"].as_u64().unwrap() > sent);
        if killed == "sender" {
            ada = killed_and_restarted(("Ada", ada), &mut bea, at_ada.path(), &server);
        } else {
            bea = killed_and_restarted(("Bea", bea), &mut ada, at_bea.path(), &server);
            ada.wait("joined", |event| event["username"] == "Bea");
            ada.say("/rate off");
        }
        let time = fs::metadata(&first).unwrap().modified().unwrap();
        let mut changed = fs::read(&first).unwrap();
        // Somewhere in the sent files.
        changed[FILE / 3..][..5].copy_from_slice(b"other");
        fs::write(&first, changed).unwrap();
        if keeps_time {
            fs::File::options().write(true).open(&first).unwrap().set_modified(time).unwrap();
        }
        ada.say(&format!("/send Bea {}", source.display()));
        let received: PathBuf = bea.event("file_received")["path"].as_str().unwrap().into();
        assert_eq!(ada.event("file_sent")["received"], true);
        let is_same = contents(&received) == contents(&source);
        assert!(is_same, "folder: {is_folder}, killed: {killed}, keeps time: {keeps_time}");
    }
}

#[test]
fn a_folder_arrives_unchanged_in_the_named_folder() {
    let server = Server::start();
    let (mut ada, mut bea) = private_pair(server.address);
    let root = ada.home.path().join("trip to the sea");
    fs::create_dir_all(root.join("day 1/empty")).unwrap();
    for number in 0..20 {
        fs::write(root.join(format!("day 1/{number}.txt")), content(number * 5000)).unwrap();
    }
    ada.say(&format!("/send Bea {}", root.display()));
    let offer = bea.any("file_offered");
    assert_eq!((&offer["name"], &offer["entries"]), (&"trip to the sea".into(), &22.into()));
    let place = bea.home.path().join("elsewhere");
    bea.say(&format!("/take {} {}", offer["id"], place.display()));
    let received: PathBuf = bea.any("file_received")["path"].as_str().unwrap().into();
    assert_eq!(received, place.canonicalize().unwrap().join("trip to the sea"));
    for number in 0..20 {
        let file = received.join(format!("day 1/{number}.txt"));
        assert_eq!(fs::read(file).unwrap(), content(number * 5000));
    }
    assert!(received.join("day 1/empty").is_dir());
    ada.any("file_sent");
}

#[test]
fn several_files_and_folders_are_sent_by_one_command() {
    let server = Server::start();
    let mut ada = Client::join(server.address, "Ada");
    let mut bea = Client::join_with(server.address, "Bea", &["--accept-files", "always"]);
    open(&mut ada, &mut bea);
    let at = |name: &str| ada.home.path().join(name);
    fs::write(at("a b"), content(70_000)).unwrap();
    fs::write(at("it's"), content(5)).unwrap();
    fs::create_dir(at("trip")).unwrap();
    fs::write(at("trip/c d"), content(300)).unwrap();
    let home = at("").display().to_string();
    let line = format!("/send Bea '{home}a b' file://{home}it's ~/trip");
    ada.say(&line);
    for _ in 0..3 {
        assert_eq!(ada.any("file_sent")["received"], true);
    }
    let received = |name: &str| fs::read(bea.downloads().join(name)).unwrap();
    assert_eq!(received("a b"), content(70_000));
    assert_eq!(received("it's"), content(5));
    assert_eq!(received("trip/c d"), content(300));
    let missing = format!("/send Bea {home}it\\'s {home}none");
    ada.say(&missing);
    let error = ada.wait("error", |event| event["code"] == "file");
    assert!(error["message"].as_str().unwrap().ends_with("none"), "{error}");
}

#[test]
fn both_revisions_talk_in_plain_and_say_so_unless_encryption_is_required() {
    let server = Server::start();
    let (at_ada, at_old, at_strict) = (home(), home(), home());
    let off = [("CLIENT__ENCRYPTION", "off")];
    let require = [("PRIVATE__ENCRYPTION", "require")];
    let mut ada = User::start(at_ada.path(), server.address, "Ada", &[]);
    let mut old = User::start(at_old.path(), server.address, "Old", &off);
    let mut strict = User::start(at_strict.path(), server.address, "Strict", &require);
    ada.wait("joined", |event| event["username"] == "Old");
    ada.say("/msg Old hello");
    assert_eq!(ada.event("private_opened")["link"], "plain");
    assert_eq!(old.event("private_opened")["link"], "plain");
    assert_eq!(old.event("private_message")["text"], "hello");
    old.say("/msg Ada hello back");
    assert_eq!(ada.wait("private_message", |event| event["from"] == "Old")["text"], "hello back");
    strict.say("/msg Old no");
    let refused = strict.wait("error", |event| event["code"] == "key");
    assert!(refused["message"].as_str().unwrap().contains("cannot encrypt"), "{refused}");
    strict.event("undelivered");
}

#[test]
fn a_name_with_a_known_key_is_never_talked_with_in_plain() {
    let server = Server::with("127.0.0.1:0", &[("NAMES__KEEP_DAYS", "0")]);
    let (at_ada, at_bea, at_eve) = (home(), home(), home());
    let mut ada = User::start(at_ada.path(), server.address, "Ada", &[]);
    let mut bea = User::start(at_bea.path(), server.address, "Bea", &[]);
    ada.wait("joined", |event| event["username"] == "Bea");
    ada.say("/msg Bea hello");
    ada.event("delivered");
    bea.say("/quit");
    ada.wait("left", |event| event["username"] == "Bea");
    let off = [("CLIENT__ENCRYPTION", "off")];
    let mut eve = User::start(at_eve.path(), server.address, "Bea", &off);
    ada.wait("joined", |event| event["username"] == "Bea");
    ada.say("/msg Bea a secret");
    let refused = ada.wait("error", |event| event["code"] == "key");
    assert!(refused["message"].as_str().unwrap().contains("cannot encrypt"), "{refused}");
    eve.say("/msg Ada are you there?");
    ada.wait("notice", |event| event["message"].as_str().unwrap().contains("was not answered"));
}

#[test]
fn files_are_accepted_automatically_from_known_keys() {
    let server = Server::start();
    let at_ada = home();
    let mut ada = User::start(at_ada.path(), server.address, "Ada", &[]);
    let mut bea = Client::join_with(server.address, "Bea", &["--accept-files", "known"]);
    ada.wait("joined", |event| event["username"] == "Bea");
    let source = at_ada.path().join("a.txt");
    fs::write(&source, "hello").unwrap();
    ada.say(&format!("/send Bea {}", source.display()));
    bea.any("private_request");
    bea.say("/accept Ada");
    let offer = bea.any("file_offered");
    bea.say(&format!("/refuse {}", offer["id"]));
    ada.event("file_failed");
    ada.say("/close Bea");
    bea.any("private_closed");
    ada.say(&format!("/send Bea {}", source.display()));
    bea.any("private_request");
    bea.say("/accept Ada");
    bea.any("file_received");
}
