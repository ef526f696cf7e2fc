//! What is in the way of a private session: `/doctor` over loopback, where nothing is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use harness::client::{Client, meet};
use harness::server::Server;

const ALWAYS: [&str; 2] = ["--accept-private", "always"];

#[test]
fn the_doctor_asks_for_a_session_and_says_which_side_reached_the_other() {
    let server = Server::start();
    let mut ada = Client::join_with(server.address, "Ada", &ALWAYS);
    let mut bea = Client::join_with(server.address, "Bea", &ALWAYS);
    meet(&mut ada, &mut bea);
    ada.say("/doctor Bea");
    bea.wait("private_opened", |event| event["with"] == "Ada");
    let first = ada.wait("diagnosis", |event| event["with"] == "Bea");
    assert_eq!(first["connected"], true);
    let attempts = first["attempts"].as_array().unwrap();
    for direction in ["outgoing", "incoming"] {
        assert!(attempts.iter().any(|one| one["direction"] == direction), "{attempts:?}");
    }
    assert!(attempts.iter().any(|one| one["result"] == "reached"), "{attempts:?}");
    let verdict = first["verdict"][0].as_str().unwrap();
    assert!(verdict.contains("reached") && verdict.contains("127.0.0.1"), "{verdict}");
    // The session is open: what was seen is remembered, on the other side too.
    bea.say("/doctor Ada");
    assert_eq!(bea.wait("diagnosis", |event| event["with"] == "Ada")["connected"], true);
}

#[test]
fn nothing_is_said_of_the_way_to_a_program_of_revision_1() {
    let server = Server::start();
    let mut ada = Client::join_with(server.address, "Ada", &ALWAYS);
    let settings = [("CLIENT__ENCRYPTION", "off")];
    let mut old = Client::join_configured(server.address, "Old", &ALWAYS, &settings);
    meet(&mut ada, &mut old);
    ada.say("/doctor Old");
    let error = ada.wait("error", |event| event["code"] == "session");
    assert!(error["message"].as_str().unwrap().contains("revision 1"), "{error}");
}
