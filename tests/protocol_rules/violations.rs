//! Violations: each closes the connection at once, is logged with its reason, and affects no
//! other.

use crate::harness::server::Server;
use crate::harness::wire::{Peer, conotif, coreq, cores, disconotif, frame, pvcoport};

/// A frame that is a violation after joining, and a part of the reason in the log.
fn violations() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let sized = |kind: i32, size: i32| [kind.to_be_bytes(), size.to_be_bytes()].concat();
    let mut table = vec![
        ("a second COREQ", coreq("Other"), "COREQ after acceptance"),
        ("invalid UTF-8 in a message", frame(3, &[b"a\xff"]), "message is not UTF-8"),
        ("invalid UTF-8 in a name", frame(7, &[b"a\xff"]), "username is not UTF-8"),
        ("U+0007 in a message", frame(3, &[b"a\x07b"]), "control character"),
        ("U+007F in a message", frame(3, &[b"a\x7fb"]), "control character"),
        ("U+0085 in a message", frame(3, &["a\u{85}b".as_bytes()]), "control character"),
        ("a line end in a message", frame(3, &[b"a\nb"]), "control character"),
        ("port 0", pvcoport("Watcher", 0, 5000), "port 0"),
        ("port -1", pvcoport("Watcher", 5000, -1), "port -1"),
        ("port 65536", pvcoport("Watcher", 5000, 65_536), "port 65536"),
    ];
    for kind in [1, 2, 4, 6, 8, 11, 12, 13, 14, 15] {
        table.push(("a type that a client may not send", frame(kind, &[]), "may not come"));
    }
    for kind in [16, 99, 255, 256, -1, i32::MIN] {
        table.push(("an unknown type", frame(kind, &[]), "unknown frame type"));
    }
    for kind in [3, 7, 9, 10] {
        let limit = if kind == 3 { 512 } else { 32 };
        for size in [0, -1, i32::MIN, limit + 1, i32::MAX] {
            table.push(("a size out of its limits", sized(kind, size), "is not allowed"));
        }
    }
    table
}

#[test]
fn each_violation_closes_the_connection_and_the_log_says_why() {
    let mut server = Server::start();
    let mut watcher = Peer::join(server.address, "Watcher", &[]);
    for (what, bytes, reason) in violations() {
        let mut bob = Peer::join(server.address, "Bob", &["Watcher"]);
        watcher.expect(&conotif("Bob"));
        bob.send(&bytes);
        bob.expect_closed();
        watcher.expect(&disconotif("Bob"));
        let why = server.log.wait(what, |line| line.contains("violation").then(|| line.to_owned()));
        assert!(why.contains(reason), "{what} was logged as {why}");
    }
    watcher.expect_nothing();
}

#[test]
fn a_first_frame_other_than_coreq_closes_the_connection() {
    let server = Server::start();
    let mut watcher = Peer::join(server.address, "Watcher", &[]);
    let firsts = [
        frame(3, &[b"hello"]),
        frame(7, &[b"Watcher"]),
        frame(9, &[b"Watcher"]),
        pvcoport("Watcher", 5000, 5001),
        cores(true),
        frame(16, &[]),
        frame(-1, &[]),
    ];
    for first in firsts {
        let mut peer = Peer::connect(server.address);
        peer.send(&first);
        peer.expect_closed();
    }
    watcher.expect_nothing();
}

#[test]
fn coreq_with_a_size_out_of_its_limits_is_refused_or_closed() {
    let server = Server::start();
    for size in [0, -1, i32::MIN, 33, i32::MAX] {
        let mut peer = Peer::connect(server.address);
        peer.send(&[&[0; 4][..], &size.to_be_bytes(), &[b'a'; 33]].concat());
        peer.expect_closed();
    }
    let mut peer = Peer::connect(server.address);
    peer.send(&frame(0, &[b"a\xff"]));
    peer.expect_closed();
}

#[test]
fn frames_before_a_violation_are_still_served() {
    let server = Server::start();
    let mut peer = Peer::connect(server.address);
    peer.send(&[coreq("Bob"), frame(255, &[])].concat());
    peer.expect(&[cores(true), conotif("Bob")].concat());
    peer.expect_closed();
}
