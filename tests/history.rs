//! What was said before, between real processes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

use harness::client::Client;
use harness::server::Server;
use support::proxy::{Fault, Faults, Proxy};

const UNLIMITED: [(&str, &str); 3] = [
    ("LIMITS__MESSAGES_PER_SECOND", "0"),
    ("LIMITS__BYTES_PER_SECOND", "0"),
    ("LIMITS__ROOM_BYTES_PER_SECOND", "0"),
];

#[test]
fn a_newcomer_reads_what_was_said_before_and_can_tell_it_from_what_is_new() {
    let server = Server::start();
    let mut bea = Client::join(server.address, "Bea");
    bea.say("before");
    bea.heard("Bea", "before");
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
fn a_server_that_was_started_again_hides_nothing_that_is_said_on_it() {
    let server = Server::start();
    let address = server.address;
    let mut ada = Client::join(address, "Ada");
    for number in 0..20 {
        ada.say(&format!("{number}"));
    }
    ada.heard("Ada", "19");
    drop(server);
    ada.any("disconnected");
    let _server = Server::with(&address.to_string(), &[]);
    let mut bea = Client::join(address, "Bea");
    bea.say("on the new one");
    let heard = |event: &serde_json::Value| event["text"] == "on the new one";
    ada.wait_for(&["message", "history_message"], heard);
}
