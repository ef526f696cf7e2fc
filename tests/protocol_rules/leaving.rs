//! Leaving: the name is free and those who remain are notified, however it happens.

use crate::harness::server::Server;
use crate::harness::wire::{DISCO, Peer, conotif, disconotif, msg, msgbc};

/// Bob leaves by `way` while Watcher looks on; then another client takes the name.
fn leaves(way: impl FnOnce(Peer)) {
    let server = Server::start();
    let mut watcher = Peer::join(server.address, "Watcher", &[]);
    let bob = Peer::join(server.address, "Bob", &["Watcher"]);
    watcher.expect(&conotif("Bob"));
    way(bob);
    watcher.expect(&disconotif("Bob"));
    let _other = Peer::join(server.address, "bob", &["Watcher"]);
    watcher.expect(&conotif("bob"));
    watcher.expect_nothing();
}

#[test]
fn disco_leaves_and_closes() {
    leaves(|mut bob| {
        bob.send(&DISCO);
        bob.expect_closed();
    });
}

#[test]
fn end_of_stream_leaves() {
    leaves(|mut bob| {
        bob.end();
        bob.expect_closed();
    });
}

#[test]
fn reset_leaves() {
    leaves(Peer::reset);
}

#[test]
fn end_of_stream_inside_a_frame_leaves() {
    leaves(|mut bob| {
        bob.send(&[0, 0, 0, 3, 0, 0]);
        bob.end();
        bob.expect_closed();
    });
}

#[test]
fn a_frame_that_is_not_finished_in_time_leaves() {
    let server = Server::with("127.0.0.1:0", &[("LIMITS__FRAME_SECONDS", "1")]);
    let mut watcher = Peer::join(server.address, "Watcher", &[]);
    let mut bob = Peer::join(server.address, "Bob", &["Watcher"]);
    bob.send(&[0, 0, 0, 3, 0, 0]);
    watcher.expect(&[conotif("Bob"), disconotif("Bob")].concat());
    bob.expect_closed();
}

#[test]
fn messages_before_leaving_are_still_delivered() {
    let server = Server::start();
    let mut watcher = Peer::join(server.address, "Watcher", &[]);
    let mut bob = Peer::join(server.address, "Bob", &["Watcher"]);
    bob.send(&[msg("bye").as_slice(), &DISCO].concat());
    watcher.expect(&[conotif("Bob"), msgbc("Bob", "bye"), disconotif("Bob")].concat());
}

#[test]
fn a_connection_that_never_joined_leaves_silently() {
    let server = Server::start();
    let mut watcher = Peer::join(server.address, "Watcher", &[]);
    Peer::connect(server.address).reset();
    let mut silent = Peer::connect(server.address);
    silent.end();
    silent.expect_closed();
    watcher.expect_nothing();
}
