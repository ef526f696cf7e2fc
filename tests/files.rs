//! Files between real clients, compared by hash.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use harness::client::{Client, accepting_pair, open, private_pair};
use harness::server::Server;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A file of `size` bytes that look like nothing, different for each `seed`.
fn file(folder: &Path, name: &str, size: usize, seed: u64) -> PathBuf {
    let path = folder.join(name);
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut block = vec![0; 64 * 1024];
    for byte in &mut block {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = state.to_be_bytes()[0];
    }
    let mut out = File::create(&path).unwrap();
    let mut left = size;
    for number in 0_u64.. {
        if left == 0 {
            break;
        }
        // No two blocks are the same, so that one in another's place would be noticed.
        block[..8].copy_from_slice(&number.to_be_bytes());
        let part = left.min(block.len());
        out.write_all(&block[..part]).unwrap();
        left -= part;
    }
    path
}

fn hash(path: &Path) -> Vec<u8> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut File::open(path).unwrap(), &mut HashWriter(&mut hasher)).unwrap();
    hasher.finalize().to_vec()
}

struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn path(event: &Value) -> PathBuf {
    event["path"].as_str().unwrap().into()
}

fn send(client: &mut Client, to: &str, path: &Path) {
    client.say(&format!("/send {to} {}", path.display()));
}

#[test]
fn a_file_is_sent_however_its_path_is_written() {
    let server = Server::start();
    let (mut ada, mut bea) = private_pair(server.address);
    let folder = ada.home.path().display().to_string();
    // The name on disk, and what a person or terminal writes for it.
    let table = [
        ("a b", "'FOLDER/a b'"),
        ("c (1)", r"FOLDER/c\ \(1\)"),
        ("it's", r"'FOLDER/it'\''s'"),
        ("new\nline", r"$'FOLDER/new\nline'"),
        ("per cent%", "file://FOLDER/per%20cent%25"),
        ("'quoted'", "FOLDER/'quoted'"),
        ("blank ", "FOLDER/blank "),
        ("tilde~", "\"~/tilde~\""),
    ];
    for (number, (name, typed)) in table.into_iter().enumerate() {
        file(ada.home.path(), name, number + 1, 7);
        ada.say(&format!("/send Bea {}", typed.replace("FOLDER", &folder)));
        let offer = bea.any("file_offered");
        assert_eq!(offer["size"], number + 1, "{typed}");
        bea.say(&format!("/take {}", offer["id"]));
        bea.any("file_received");
        assert_eq!(path(&ada.any("file_sent")), ada.home.path().join(name));
    }
}

#[test]
fn files_of_every_size_around_a_chunk_arrive_whole() {
    let server = Server::start();
    let (mut ada, mut bea) = private_pair(server.address);
    for size in [0, 1, 4095, 4096, 4097] {
        let source = file(ada.home.path(), "source file", size, 7);
        send(&mut ada, "Bea", &source);
        let offer = bea.any("file_offered");
        assert_eq!((&offer["from"], &offer["size"]), (&"Ada".into(), &size.into()));
        bea.say(&format!("/take {}", offer["id"]));
        let received = bea.any("file_received");
        let sent = ada.any("file_sent");
        assert_eq!((&received["id"], &received["size"]), (&offer["id"], &size.into()));
        assert_eq!((path(&sent), &sent["size"]), (source.clone(), &size.into()));
        let target = path(&received);
        assert_eq!(target.parent(), Some(bea.downloads().as_path()));
        assert_eq!(hash(&target), hash(&source));
        assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let names: Vec<_> = bea.downloads().read_dir().unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
}

#[test]
fn large_files_cross_while_messages_continue() {
    const SIZE: usize = 200_000_000;
    let server = Server::start();
    let mut ada = Client::join_with(server.address, "Ada", &["--accept-files", "always"]);
    let mut bea = Client::join_with(server.address, "Bea", &["--accept-files", "always"]);
    open(&mut ada, &mut bea);
    let from_ada = file(ada.home.path(), "a", SIZE, 1);
    let from_bea = file(bea.home.path(), "b", SIZE, 2);
    send(&mut ada, "Bea", &from_ada);
    send(&mut bea, "Ada", &from_bea);
    ada.any("file_progress");
    bea.any("file_progress");
    for number in 0..20 {
        let text = format!("meanwhile {number}");
        ada.say(&format!("/msg Bea {text}"));
        bea.wait_for_private("Ada", "Bea", &text);
        bea.say(&text);
        ada.wait_for_message("Bea", &text);
    }
    let at_bea = path(&bea.any("file_received"));
    let at_ada = path(&ada.any("file_received"));
    ada.any("file_sent");
    bea.any("file_sent");
    assert_eq!(hash(&at_bea), hash(&from_ada));
    assert_eq!(hash(&at_ada), hash(&from_bea));
}

#[test]
fn a_refused_file_closes_the_file_connection_only() {
    let server = Server::start();
    let (mut ada, mut bea) = private_pair(server.address);
    let source = file(ada.home.path(), "source", 1_000_000, 3);
    send(&mut ada, "Bea", &source);
    let offer = bea.any("file_offered");
    bea.say(&format!("/refuse {}", offer["id"]));
    ada.any("file_failed");
    ada.say("/msg Bea no offence taken");
    bea.wait_for_private("Ada", "Bea", "no offence taken");
    let left = bea.downloads().read_dir().map_or(0, Iterator::count);
    assert_eq!(left, 0, "something was written before /take");
}

#[test]
fn a_sender_that_is_killed_leaves_a_part_and_a_failure() {
    let server = Server::start();
    let (mut ada, mut bea) = accepting_pair(server.address);
    let source = file(ada.home.path(), "source", 400_000_000, 5);
    send(&mut ada, "Bea", &source);
    bea.any("file_progress");
    drop(ada);
    bea.any("file_failed");
    let entries = bea.downloads().read_dir().unwrap();
    let names: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let mut names: Vec<_> = names.iter().map(|path| path.file_name().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["source.part", "source.part.meta"]);
}

#[test]
fn sending_a_file_requests_a_session_and_end_of_input_waits_for_it() {
    let server = Server::start();
    let mut bea = Client::join_with(
        server.address,
        "Bea",
        &["--accept-files", "always", "--accept-private", "always"],
    );
    let mut ada = Client::join(server.address, "Ada");
    let source = file(ada.home.path(), "source", 50_000_000, 4);
    send(&mut ada, "Bea", &source);
    ada.say("/msg Bea and some words");
    ada.end_of_input();
    let (events, code) = ada.ended();
    assert_eq!(code, 0);
    assert!(events.iter().any(|event| event["event"] == "file_sent"), "{events:?}");
    let received = bea.any("file_received");
    assert_eq!(hash(&path(&received)), hash(&source));
    bea.wait_for_private("Ada", "Bea", "and some words");
}

#[test]
fn a_file_keeps_its_name_and_not_the_folders_before_it() {
    let server = Server::start();
    let (mut ada, mut bea) = accepting_pair(server.address);
    let source = ada.home.path().join("evil name.exe");
    std::fs::write(&source, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    send(&mut ada, "Bea", &source);
    let target = path(&bea.any("file_received"));
    assert_eq!(target, bea.downloads().canonicalize().unwrap().join("evil name.exe"));
}

#[test]
fn a_downloads_folder_that_was_removed_is_made_again_and_can_be_changed() {
    let server = Server::start();
    let (mut ada, mut bea) = accepting_pair(server.address);
    let source = file(ada.home.path(), "source", 5000, 6);
    send(&mut ada, "Bea", &source);
    bea.any("file_received");
    std::fs::remove_dir_all(bea.downloads()).unwrap();
    send(&mut ada, "Bea", &source);
    assert!(path(&bea.any("file_received")).starts_with(bea.downloads()));
    let other = bea.home.path().join("another folder");
    bea.say(&format!("/downloads {}", other.display()));
    for show in ["", "/downloads", "/rate 500k", "/rate"] {
        bea.say(show);
        let words = if show.contains("rate") { "500 kB a second" } else { "another folder" };
        let notice = bea.any("notice");
        assert!(notice["message"].as_str().unwrap().contains(words), "{show}: {notice}");
    }
    bea.say("/rate off");
    bea.wait("notice", |event| event["message"].as_str().unwrap().contains("as fast as"));
    send(&mut ada, "Bea", &source);
    assert_eq!(path(&bea.any("file_received")).parent(), Some(other.as_path()));
    for quoted in [r"with\ blank", "'in quotes'"] {
        // Such a folder exists literally, so the literal path is meant.
        let literal = bea.home.path().join("x").join(quoted);
        std::fs::create_dir_all(&literal).unwrap();
        bea.say(&format!("/downloads {}", literal.display()));
        let notice = bea.any("notice");
        let literal = literal.canonicalize().unwrap();
        assert!(notice["message"].as_str().unwrap().ends_with(literal.to_str().unwrap()));
    }
    bea.say(&format!("/downloads {}", source.display()));
    let error = bea.any("error");
    assert!(error["message"].as_str().unwrap().contains("source"), "{error}");
}

#[test]
fn one_answer_accepts_the_session_and_the_file_that_it_is_for() {
    let server = Server::start();
    let mut bea = Client::join(server.address, "Bea");
    let mut ada = Client::join(server.address, "Ada");
    let source = file(ada.home.path(), "source", 5000, 9);
    send(&mut ada, "Bea", &source);
    bea.any("private_request");
    bea.say("/allow Ada");
    assert_eq!(hash(&path(&bea.any("file_received"))), hash(&source));
}

#[test]
fn a_file_that_takes_the_path_of_one_that_waits_is_not_sent() {
    let server = Server::start();
    let mut ada = Client::join(server.address, "Ada");
    let mut bea = Client::join_with(server.address, "Bea", &["--accept-files", "always"]);
    ada.wait("joined", |event| event["username"] == "Bea");
    let source = ada.home.path().join("source");
    std::fs::write(&source, "the chosen one\n").unwrap();
    send(&mut ada, "Bea", &source);
    bea.any("private_request");
    let other = ada.home.path().join("other");
    std::fs::write(&other, "a secret that is longer\n").unwrap();
    std::fs::rename(&source, ada.home.path().join("moved")).unwrap();
    std::fs::rename(&other, &source).unwrap();
    bea.say("/accept Ada");
    let received = path(&bea.any("file_received"));
    assert_eq!(std::fs::read_to_string(received).unwrap(), "the chosen one\n");
}

#[test]
fn a_file_whose_size_says_nothing_is_refused_in_words() {
    let server = Server::start();
    let (mut ada, _bea) = private_pair(server.address);
    let mut refused = |what: &str| {
        ada.say(&format!("/send Bea {what}"));
        ada.any("error")["message"].as_str().unwrap().to_owned()
    };
    assert!(refused("/proc/self/status").contains("copy it and send the copy"));
    assert!(!refused("/dev/null").contains("pack"));
}

#[test]
fn a_missing_file_to_send_is_an_error_that_names_it() {
    let server = Server::start();
    let (mut ada, _bea) = private_pair(server.address);
    ada.say("/send Bea /no/such file");
    let error = ada.any("error");
    assert!(error["message"].as_str().unwrap().contains("/no/such file"), "{error}");
}
