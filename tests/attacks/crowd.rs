//! A crowd that connects first to the ports of a private session.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::client::{Client, pair};
use crate::harness::server::Server;
use crate::hostile::Hostile;

/// Both connections work.
fn talk(ada: &mut Client, bea: &mut Client) {
    bea.wait_for_private("Ada", "Bea", "hello");
    let file = ada.home.path().join("photo.jpg");
    fs::write(&file, vec![7; 300_000]).unwrap();
    ada.say(&format!("/send Bea {}", file.display()));
    let offer = bea.any("file_offered");
    bea.say(&format!("/take {}", offer["id"]));
    let received: PathBuf = bea.any("file_received")["path"].as_str().unwrap().into();
    assert!(fs::read(received).unwrap() == vec![7; 300_000]);
    ada.any("file_sent");
}

/// A hundred connect to each port on which a client listens.
fn comes(crowd: &mut Hostile, manner: &str, to: &Client) {
    crowd.command(manner, &json!({ "process": to.process.0.id(), "count": 100 }));
    assert_eq!(crowd.report("came"), 2, "ports");
}

/// A hundred connect to each port of Bea, who was asked, before Ada has her address; and then to
/// those of Ada, who has asked, before Bea can dial.
fn comes_first(manner: &str) {
    let server = Server::start();
    let (mut ada, mut bea) = pair(server.address);
    let mut crowd = Hostile::start("crowd", &Value::Null);
    ada.say("/msg Bea hello");
    bea.any("private_request");
    ada.process.signal(Signal::SIGSTOP);
    bea.say("/accept Ada");
    bea.wait("private_state", |event| event["state"] == "connecting");
    comes(&mut crowd, manner, &bea);
    bea.process.signal(Signal::SIGSTOP);
    ada.process.signal(Signal::SIGCONT);
    ada.wait("private_state", |event| event["state"] == "connecting");
    comes(&mut crowd, manner, &ada);
    bea.process.signal(Signal::SIGCONT);
    talk(&mut ada, &mut bea);
    for client in [&ada, &bea] {
        let seen = client.seen();
        assert_eq!(seen.matches("\"private_opened\"").count(), 1, "{seen}");
        assert!(!seen.contains("\"link\":\"plain\""), "{seen}");
    }
}

#[test]
fn a_hundred_silent_strangers_do_not_keep_the_peer_out() {
    comes_first("silent");
}

#[test]
fn a_hundred_strangers_with_garbage_do_not_keep_the_peer_out() {
    comes_first("garbage");
}

#[test]
fn a_hundred_strangers_of_revision_1_do_not_keep_the_peer_out() {
    comes_first("plain");
}

#[test]
fn a_hundred_strangers_with_half_a_handshake_do_not_keep_the_peer_out() {
    comes_first("half");
    comes_first("hello");
}
