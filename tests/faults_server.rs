//! Network faults between real clients and a real server. Whatever happens to one connection, its
//! client reports it and reconnects by itself, and the others do not notice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use harness::client::Client;
use harness::until;
use harness::wire::{Peer, msg};
use support::proxy::{Fault, Faults, Proxy};
use support::scene::Scene;

/// COREQ of a name of three letters.
const COREQ: usize = 11;
/// MSG "hello".
const MSG: usize = 13;
/// CORES.
const CORES: usize = 5;
/// What such a client receives when the watcher is present: CORES, two CONOTIF, and its own
/// "hello".
const RECEIVED: usize = CORES + 15 + 11 + 20;
/// Of these, the low byte of the size of "hello".
const RECEIVED_SIZE: usize = CORES + 15 + 11 + 14;
/// Real clients that run at once.
const TOGETHER: usize = 10;

/// A client called `name` whose first connection has `faults`: it reports the loss of the server,
/// reconnects under its own name, and can talk.
fn comes_back(server: SocketAddr, name: &str, faults: Faults, joins_first: bool) {
    let proxy = Proxy::once(server, faults);
    let mut client = Client::start(proxy.address, name, &[]);
    if joins_first {
        client.any("connected");
        client.say("hello");
        let why = client.any("disconnected");
        assert!(why["reason"].as_str().is_some_and(|why| !why.is_empty()), "{why}");
    } else {
        let why = client.any("error");
        assert!(why["message"].as_str().is_some_and(|why| !why.is_empty()), "{why}");
    }
    client.any("reconnecting");
    client.wait("connected", |event| event["username"] == name);
    assert!(proxy.accepted() >= 2, "{faults:?} did not end the first connection");
    client.say("back again");
    client.wait_for_message(name, "back again");
    client.say("/quit");
    assert_eq!(client.ended().1, 0, "{faults:?}");
}

/// If the cut is just after COREQ, the answer may or may not arrive.
fn is_certain(after: usize) -> bool {
    after != COREQ
}

/// Runs the cases, each with a different name, a few at a time, against one server.
fn each_comes_back(settings: &[(&str, &str)], cases: &[(Faults, bool)]) {
    let mut scene = Scene::with(settings);
    let server = scene.server.address;
    let numbered: Vec<_> = cases.iter().enumerate().collect();
    for together in numbered.chunks(TOGETHER) {
        std::thread::scope(|scope| {
            for (number, (faults, joins_first)) in together {
                scope.spawn(move || {
                    comes_back(server, &format!("B{number:02}"), *faults, *joins_first);
                });
            }
        });
        scene.still_works();
    }
    scene.end();
}

#[test]
fn a_slow_or_torn_connection_only_takes_longer() {
    let scene = Scene::with(&[]);
    for (name, fault) in
        [("Ada", Fault::Delay(Duration::from_millis(50))), ("Bea", Fault::Bytewise)]
    {
        let proxy = Proxy::always(scene.server.address, Faults::both(fault));
        let mut client = Client::join(proxy.address, name);
        for text in ["hello", "héllo 🐈", &"x".repeat(512)] {
            client.say(text);
            client.wait_for_message(name, text);
        }
        client.say("/quit");
        assert_eq!((client.ended().1, proxy.accepted()), (0, 1));
    }
    scene.end();
}

#[test]
fn a_client_cut_off_at_any_sent_byte_reconnects() {
    let cases: Vec<_> = (0..=COREQ + MSG)
        .filter(|after| is_certain(*after))
        .map(|after| (Faults::up(Fault::Cut(after)), after >= COREQ))
        .collect();
    each_comes_back(&[], &cases);
}

#[test]
fn a_client_cut_off_at_any_received_byte_reconnects() {
    let cases: Vec<_> =
        (0..=RECEIVED).map(|after| (Faults::down(Fault::Cut(after)), after >= CORES)).collect();
    each_comes_back(&[], &cases);
}

#[test]
fn a_client_whose_connection_is_reset_or_half_closed_reconnects() {
    let mut cases = Vec::new();
    for after in [0, 3, COREQ + 1, COREQ + 3, COREQ + MSG] {
        cases.push((Faults::up(Fault::Reset(after)), after >= COREQ));
        cases.push((Faults::up(Fault::End(after)), after >= COREQ));
    }
    for after in [0, 1, CORES, CORES + 5, RECEIVED - 17, RECEIVED] {
        cases.push((Faults::down(Fault::Reset(after)), after >= CORES));
        cases.push((Faults::down(Fault::End(after)), after >= CORES));
    }
    each_comes_back(&[], &cases);
}

#[test]
fn a_byte_corrupted_on_its_way_ends_that_connection_only() {
    let sent = (0..COREQ + MSG).map(|at| (Faults::up(Fault::Flip(at)), at >= COREQ));
    // With this one the client waits for a longer text, as it must: nothing is wrong yet.
    let received = (CORES..RECEIVED).filter(|at| *at != RECEIVED_SIZE);
    let received = received.map(|at| (Faults::down(Fault::Flip(at)), true));
    let cases: Vec<_> = sent.chain(received).collect();
    each_comes_back(&[("LIMITS__FRAME_SECONDS", "1")], &cases);
}

#[test]
fn a_first_answer_other_than_cores_ends_the_clients_attempts() {
    let scene = Scene::with(&[]);
    for at in 0..CORES {
        let proxy = Proxy::always(scene.server.address, Faults::down(Fault::Flip(at)));
        let mut client = Client::start(proxy.address, "Ada", &[]);
        let why = client.any("disconnected");
        assert!(why["reason"].as_str().unwrap().contains("not a Matou server"), "{why}");
        client.say("/quit");
        client.ended();
    }
    scene.end();
}

#[test]
fn a_client_that_stalls_inside_a_frame_is_closed_at_the_deadline() {
    let settings = [("LIMITS__FRAME_SECONDS", "1"), ("LIMITS__JOIN_SECONDS", "2")];
    let cases: Vec<_> = [0, 1, 4, 7, COREQ + 1, COREQ + 5, COREQ + MSG - 1]
        .map(|after| (Faults::up(Fault::Stall(after)), after >= COREQ))
        .into();
    each_comes_back(&settings, &cases);
}

#[test]
fn an_unreachable_client_is_closed_without_affecting_others() {
    let mut scene = Scene::with(&[
        ("LIMITS__MESSAGES_PER_SECOND", "0"),
        ("LIMITS__BYTES_PER_SECOND", "0"),
        ("LIMITS__ROOM_BYTES_PER_SECOND", "0"),
        ("LIMITS__QUEUE_BYTES", "524288"),
        ("LIMITS__STALL_SECONDS", "1"),
    ]);
    let proxy = Proxy::once(scene.server.address, Faults::down(Fault::Stall(RECEIVED)));
    let mut deaf = Client::join(proxy.address, "Bea");
    deaf.say("hello");
    deaf.wait_for_message("Bea", "hello");
    let mut talker = Peer::join(scene.server.address, "Ada", &["Watcher", "Bea"]);
    let said = msg(&"x".repeat(512)).repeat(200);
    let mut closed = false;
    // The kernel's own buffers between server and client hold some megabytes.
    for _ in 0..200 {
        talker.send(&said);
        let received = talker.take(200 * (4 + 4 + 3 + 4 + 512));
        scene.still_works();
        closed = received.windows(11).any(|part| part == b"\0\0\0\x06\0\0\0\x03Bea");
        if closed {
            break;
        }
    }
    assert!(closed, "Bea is announced as gone");
    let left = scene.server.logged("left");
    let reason = left["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("reads"), "{left}");
    scene.still_works();
    drop(talker);
    // It learns of it as soon as it sends something, and reconnects.
    deaf.say("anybody there?");
    deaf.any("disconnected");
    deaf.any("reconnecting");
    deaf.wait("connected", |event| event["username"] == "Bea");
    deaf.say("/quit");
    assert_eq!(deaf.ended().1, 0);
    until("all are gone but the proxy", || proxy.accepted() == 2);
    scene.end();
}
