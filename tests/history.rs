//! Earlier messages, between real processes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use harness::DEADLINE;
use harness::client::Client;
use harness::server::Server;
use support::proxy::{Fault, Faults, Proxy};

const UNLIMITED: [(&str, &str); 3] = [
    ("LIMITS__MESSAGES_PER_SECOND", "0"),
    ("LIMITS__BYTES_PER_SECOND", "0"),
    ("LIMITS__ROOM_BYTES_PER_SECOND", "0"),
];

#[test]
fn a_newcomer_reads_earlier_messages_marked_as_such() {
    let server = Server::start();
    let mut bea = Client::join(server.address, "Bea");
    bea.say("before");
    bea.wait_for_message("Bea", "before");
    let mut ada = Client::join(server.address, "Ada");
    let past = ada.any("history_message");
    assert_eq!((&past["from"], &past["text"]), (&"Bea".into(), &"before".into()));
    assert_eq!(past["missed"], false);
    assert!(past["sent"].as_str().unwrap() < past["time"].as_str().unwrap(), "{past}");
    assert_eq!(ada.any("history_end")["messages"], 1);
    bea.say("after");
    assert_eq!(ada.any("message")["text"], "after", "what was said before is no message");
}

#[test]
fn a_client_that_lost_its_connection_reads_everything_once_and_in_order() {
    const COUNT: usize = 400;
    let server = Server::with("127.0.0.1:0", &UNLIMITED);
    let proxy = Proxy::once(server.address, Faults::down(Fault::Reset(20_000)));
    let mut ada = Client::join(proxy.address, "Ada");
    let mut bea = Client::join(server.address, "Bea");
    for number in 0..COUNT {
        bea.say(&format!("{number} {}", "x".repeat(100)));
    }
    let mut kinds = Vec::new();
    for number in 0..COUNT {
        let event = ada.wait_for(&["message", "history_message"], |_| true);
        let text = event["text"].as_str().unwrap();
        assert!(text.starts_with(&format!("{number} ")), "{number} is expected: {text}");
        assert_ne!(event["missed"], false, "it was there before");
        kinds.push(event["event"].clone());
    }
    assert!(kinds.iter().any(|kind| kind == "history_message"), "nothing was missed");
    assert_eq!(proxy.accepted(), 2);
}

#[test]
fn a_restarted_server_hides_no_messages() {
    let server = Server::start();
    let address = server.address;
    let mut ada = Client::join(address, "Ada");
    for number in 0..20 {
        ada.say(&format!("{number}"));
    }
    ada.wait_for_message("Ada", "19");
    drop(server);
    ada.any("disconnected");
    let _server = Server::with(&address.to_string(), &[]);
    let mut bea = Client::join(address, "Bea");
    bea.say("on the new one");
    let received = |event: &serde_json::Value| event["text"] == "on the new one";
    ada.wait_for(&["message", "history_message"], received);
}

/// A server that keeps its history in the file at `path`.
fn keeping(path: &Path, listen: &str) -> Server {
    Server::with(listen, &[("HISTORY__FILE", path.to_str().unwrap()), ("LOG__LEVEL", "info")])
}

#[test]
fn messages_outlive_a_server_that_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let server = keeping(&path, "127.0.0.1:0");
    let address = server.address;
    let mut ada = Client::join(address, "Ada");
    for number in 0..3 {
        ada.say(&format!("{number}"));
        ada.wait_for_message("Ada", &format!("{number}"));
    }
    let start = Instant::now();
    let kept =
        |text: &str| fs::read(&path).unwrap().windows(text.len()).any(|it| it == text.as_bytes());
    while !kept("\u{0}\u{0}\u{0}\u{1}2\u{0}") {
        assert!(start.elapsed() < DEADLINE, "the last message is not in the file");
        std::thread::yield_now();
    }
    // Killed, not stopped.
    drop(server);
    ada.any("disconnected");
    // In the middle of a write.
    let mut torn = fs::OpenOptions::new().append(true).open(&path).unwrap();
    torn.write_all(b"\0\0\0\x16\0\0\0\x99").unwrap();
    let server = keeping(&path, &address.to_string());
    // Neither a gap nor a repeat for a returning user, and everything for a new one.
    ada.wait("connected", |_| true);
    assert_eq!(ada.any("history_end")["messages"], 0);
    let mut bea = Client::join(server.address, "Bea");
    for number in 0..3 {
        assert_eq!(bea.any("history_message")["text"], number.to_string());
    }
    ada.say("and on");
    bea.wait_for_message("Ada", "and on");
}

#[test]
fn a_full_disk_costs_the_history_and_nothing_else() {
    let disk = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "matou-history"])
        .arg(disk.path())
        .output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        return harness::skipped("no disk of its own can be mounted here");
    }
    let _unmount = Unmount(disk.path());
    let path = disk.path().join("history");
    let settings = [&UNLIMITED[..], &[("HISTORY__FILE", path.to_str().unwrap())]].concat();
    let mut server = Server::with("127.0.0.1:0", &settings);
    let mut ada = Client::join(server.address, "Ada");
    for number in 0..400 {
        ada.say(&format!("{number} {}", "x".repeat(400)));
    }
    for number in 0..400 {
        let text = ada.any("message")["text"].as_str().unwrap().to_owned();
        assert!(text.starts_with(&format!("{number} ")), "{text}");
    }
    let warned = server.logged("cannot write the history; trying again");
    assert!(warned["reason"].as_str().unwrap().contains("space"), "{warned}");
    let mut bea = Client::join(server.address, "Bea");
    assert_eq!(bea.any("history_end")["messages"], 50);
}

/// Unmounts a disk at the end of a test, although a server still uses it.
struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}
