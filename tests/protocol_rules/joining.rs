//! Joining, and what a newcomer gets.

use crate::harness::server::Server;
use crate::harness::wire::{Peer, conotif, coreq, cores, msg, msgbc};

#[test]
fn an_invalid_name_gets_cores_0_and_may_be_retried() {
    let server = Server::start();
    let mut peer = Peer::connect(server.address);
    for name in
        ["a b", "a_b", "🐈", "\u{3164}", "\u{115f}", "\u{ffa0}", "e\u{301}", "a\u{200d}b", "\u{1b}"]
    {
        peer.send(&coreq(name));
        peer.expect(&cores(false));
    }
    peer.send(&coreq("Élodie9"));
    peer.expect(&[cores(true), conotif("Élodie9")].concat());
}

#[test]
fn a_name_taken_in_another_case_gets_cores_0() {
    let server = Server::start();
    let _bob = Peer::join(server.address, "Bob", &[]);
    let _ivan = Peer::join(server.address, "ИВАН", &["Bob"]);
    let mut peer = Peer::connect(server.address);
    for name in ["Bob", "bob", "BOB", "иван"] {
        peer.send(&coreq(name));
        peer.expect(&cores(false));
    }
}

#[test]
fn a_name_confusable_with_a_taken_one_gets_cores_0() {
    let server = Server::start();
    let _harry = Peer::join(server.address, "Harry", &[]);
    let _greek = Peer::join(server.address, "ΑΒΕ", &["Harry"]);
    let mut peer = Peer::connect(server.address);
    // Cyrillic Н, Cyrillic а, full-width forms; then Latin for the Greek one.
    for name in ["Нarry", "Hаrry", "Ｈａｒｒｙ", "ABE", "abe"] {
        peer.send(&coreq(name));
        peer.expect(&cores(false));
    }
}

#[test]
fn a_name_that_mixes_scripts_gets_cores_0() {
    let server = Server::start();
    let mut peer = Peer::connect(server.address);
    // Greek tau and omicron; Greek Beta and Omicron in front of Latin letters; Cyrillic a.
    for name in ["maτou", "matοu", "ΒΟRIS", "pаypal"] {
        peer.send(&coreq(name));
        peer.expect(&cores(false));
    }
    peer.send(&coreq("Ματού"));
    peer.expect(&cores(true));
}

#[test]
fn two_ascii_names_may_look_alike() {
    let server = Server::start();
    let _bill = Peer::join(server.address, "Bill", &[]);
    Peer::join(server.address, "BiII", &["Bill"]);
}

#[test]
fn released_names_are_free_at_once() {
    let server = Server::start();
    let mut watcher = Peer::join(server.address, "Watcher", &[]);
    for _ in 0..5 {
        let bob = Peer::join(server.address, "Bob", &["Watcher"]);
        watcher.expect(&conotif("Bob"));
        drop(bob);
        watcher.expect(&crate::harness::wire::disconotif("Bob"));
    }
}

#[test]
fn a_newcomer_gets_cores_1_then_those_present_then_its_own_conotif_then_the_room() {
    let server = Server::start();
    let mut first = Peer::join(server.address, "First", &[]);
    let mut second = Peer::join(server.address, "Second", &["First"]);
    let mut third = Peer::join(server.address, "Third", &["First", "Second"]);
    third.send(&msg("hello"));
    third.expect(&msgbc("Third", "hello"));
    second.expect(&[conotif("Third"), msgbc("Third", "hello")].concat());
    first.expect(&[conotif("Second"), conotif("Third"), msgbc("Third", "hello")].concat());
}

#[test]
fn without_replay_roster_a_newcomer_sees_only_itself() {
    let server = Server::with("127.0.0.1:0", &[("ROOM__REPLAY_ROSTER", "false")]);
    let mut first = Peer::join(server.address, "First", &[]);
    let mut second = Peer::join(server.address, "Second", &[]);
    second.expect_nothing();
    first.expect(&conotif("Second"));
}

#[test]
fn frames_may_arrive_byte_by_byte_or_coalesced() {
    let server = Server::start();
    let mut peer = Peer::connect(server.address);
    for byte in coreq("Bob") {
        peer.send(&[byte]);
    }
    peer.expect(&[cores(true), conotif("Bob")].concat());
    peer.send(&[msg("one"), msg("two"), msg("three")].concat());
    peer.expect(&[msgbc("Bob", "one"), msgbc("Bob", "two"), msgbc("Bob", "three")].concat());

    let mut eager = Peer::connect(server.address);
    eager.send(&[coreq("Eve"), msg("at once")].concat());
    eager.expect(&[cores(true), conotif("Bob"), conotif("Eve"), msgbc("Eve", "at once")].concat());
}

#[test]
fn the_longest_name_and_the_longest_message_pass() {
    let server = Server::start();
    let name = "n".repeat(32);
    let mut peer = Peer::join(server.address, &name, &[]);
    let text = "é".repeat(256);
    peer.send(&msg(&text));
    peer.expect(&msgbc(&name, &text));
}

#[test]
fn a_connection_that_does_not_join_in_time_is_closed() {
    let server = Server::with("127.0.0.1:0", &[("LIMITS__JOIN_SECONDS", "1")]);
    Peer::connect(server.address).expect_closed();
}
