//! Rates: what waits for one, and what lets it in.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::matou;
use crate::harness::server::Server;
use crate::harness::wire::{Peer, conotif, coreq, disconotif, msg, msgbc, pvcoreq};
use crate::stage::{Stage, write_settings};

/// A server on which the address of Alice has used up its rate, and Bob, who has the same address,
/// waits with "held".
fn rate_limited() -> (Stage, Peer, Peer) {
    let limits = "[limits]\nbytes_per_second = 1\nbyte_burst = 1024\nrates_per_address = 1";
    let mut stage = Stage::with(limits, &[]);
    let mut alice = stage.join("alice", &[]);
    let mut bob = stage.join("bob", &["alice"]);
    alice.expect(&conotif("bob"));
    // Frames to an unknown name are hers alone: with them she is above her own rate for minutes.
    alice.send(&pvcoreq(&"x".repeat(32)).repeat(12));
    let long = "x".repeat(512);
    for _ in 0..2 {
        alice.send(&msg(&long));
        alice.expect(&msgbc("alice", &long));
    }
    bob.send(&msg("held"));
    let line = stage.server.logged("messages delayed");
    assert_eq!((&line["address"], &line["level"]), (&"127.0.0.1".into(), &"warning".into()));
    (stage, alice, bob)
}

fn lift_the_limits(stage: &mut Stage) {
    let unlimited = "[limits]\nbytes_per_second = 0\nmessages_per_second = 0";
    write_settings(stage.folder.path(), unlimited);
    stage.asked(&["reload"]);
}

#[test]
fn a_reload_admits_messages_that_wait_for_a_rate() {
    let (mut stage, mut alice, mut bob) = rate_limited();
    // Alice is above her own rate too.
    alice.send(&msg("more"));
    lift_the_limits(&mut stage);
    let mut received = alice.take(msgbc("bob", "held").len() + msgbc("alice", "more").len());
    let by_bob = msgbc("bob", "held");
    let place = received.windows(by_bob.len()).position(|part| part == by_bob).unwrap();
    received.drain(place..place + by_bob.len());
    assert_eq!(received, msgbc("alice", "more"));
    let status = stage.asked_json(&["status"]);
    assert_eq!(status["status"]["throttled"]["address"], 1);
    bob.send(&msg("on"));
    alice.expect(&msgbc("bob", "on"));
}

#[test]
fn no_message_of_a_kicked_client_follows_its_departure() {
    let (mut stage, mut alice, _bob) = rate_limited();
    stage.asked(&["kick", "bob"]);
    alice.expect(&disconotif("bob"));
    lift_the_limits(&mut stage);
    alice.expect_nothing();
}

#[test]
fn a_stop_admits_messages_that_wait_for_a_rate() {
    let (stage, mut alice, _bob) = rate_limited();
    stage.server.process.signal(Signal::SIGTERM);
    alice.expect(&msgbc("bob", "held"));
}

#[test]
fn ipv4_addresses_have_rates_of_their_own_on_a_socket_for_both() {
    let (folder, mut command) =
        (tempfile::tempdir().unwrap(), matou(Path::new(env!("CARGO_TARGET_TMPDIR"))));
    command.args(["server", "--listen", "[::]:0"]).current_dir(folder.path());
    let limits = [("LIMITS__BYTES_PER_SECOND", "1"), ("LIMITS__BYTE_BURST", "1024")];
    let limits: Vec<_> = limits.into_iter().chain([("LIMITS__RATES_PER_ADDRESS", "1")]).collect();
    let server = Server::launch(command, &limits);
    let port = server.address.port();
    let mut alice = Peer::join(([127, 0, 0, 1], port).into(), "alice", &[]);
    let other = [127, 0, 0, 2].into();
    let mut bob = Peer::connect_from(other, ([127, 0, 0, 1], port).into());
    bob.send(&coreq("bob"));
    alice.expect(&conotif("bob"));
    let long = "x".repeat(512);
    for _ in 0..2 {
        alice.send(&msg(&long));
        alice.expect(&msgbc("alice", &long));
    }
    bob.send(&msg("not held"));
    alice.expect(&msgbc("bob", "not held"));
}
