//! Private sessions between real clients.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use harness::client::{Client, accepting_pair, meet, open, pair, private_pair};
use harness::server::Server;
use harness::wire::{Peer, msgbc};

#[test]
fn private_messages_go_both_ways_and_bypass_the_server() {
    let server = Server::start();
    let mut watcher = Peer::join(server.address, "Watcher", &[]);
    let mut ada = Client::join(server.address, "Ada");
    let mut bea = Client::join(server.address, "Bea");
    watcher.expect(&harness::wire::conotif("Ada"));
    watcher.expect(&harness::wire::conotif("Bea"));
    open(&mut ada, &mut bea);
    ada.say("/msg Bea for your eyes");
    bea.wait_for_private("Ada", "Bea", "for your eyes");
    ada.wait_for_private("Ada", "Bea", "for your eyes");
    bea.say("/msg Ada and for yours");
    ada.wait_for_private("Bea", "Ada", "and for yours");
    ada.say("in public");
    watcher.expect(&msgbc("Ada", "in public"));
    ada.say("/close Bea");
    ada.wait("private_closed", |event| event["with"] == "Bea");
    bea.wait("private_closed", |event| event["with"] == "Ada");
}

#[test]
fn a_message_without_a_session_requests_one_and_is_delivered_in_order() {
    let server = Server::start();
    let (mut ada, mut bea) = pair(server.address);
    for number in 0..20 {
        ada.say(&format!("/msg Bea number {number}"));
    }
    bea.wait("private_request", |event| event["from"] == "Ada");
    bea.say("/accept Ada");
    for number in 0..20 {
        let event = bea.any("private_message");
        assert_eq!(event["text"], format!("number {number}"));
    }
}

#[test]
fn accept_private_always_needs_no_answer() {
    let server = Server::start();
    let mut ada = Client::join(server.address, "Ada");
    let mut bea = Client::join_with(server.address, "Bea", &["--accept-private", "always"]);
    meet(&mut ada, &mut bea);
    ada.say("/msg Bea straight in");
    bea.wait_for_private("Ada", "Bea", "straight in");
}

#[test]
fn an_allowed_user_is_accepted_without_asking_until_they_leave() {
    let server = Server::start();
    let mut bea = Client::join(server.address, "Bea");
    let mut ada = Client::join(server.address, "Ada");
    meet(&mut ada, &mut bea);
    bea.say("/allow Ada");
    bea.any("notice");
    let path = ada.downloads().join("a");
    std::fs::create_dir_all(ada.downloads()).unwrap();
    std::fs::write(&path, "content").unwrap();
    ada.say(&format!("/send Bea {}", path.display()));
    bea.wait("file_received", |event| event["from"] == "Ada");
    ada.say("/quit");
    bea.wait("left", |event| event["username"] == "Ada");
    let mut ada = Client::join(server.address, "Ada");
    meet(&mut ada, &mut bea);
    ada.say("/msg Bea it is me");
    bea.wait("private_request", |event| event["from"] == "Ada");
}

#[test]
fn a_request_that_was_withdrawn_is_made_again_and_answered() {
    let server = Server::start();
    let (mut ada, mut bea) = pair(server.address);
    ada.say("/open Bea");
    bea.wait("private_request", |event| event["from"] == "Ada");
    bea.say("/decline Ada");
    ada.say("/close Bea");
    ada.any("private_closed");
    ada.say("/msg Bea once more");
    ada.wait("notice", |event| event["message"].as_str().unwrap().contains("asking again in"));
    bea.wait("private_request", |event| event["from"] == "Ada");
    bea.say("/accept Ada");
    bea.wait_for_private("Ada", "Bea", "once more");
}

#[test]
fn a_script_that_writes_everything_at_once_is_delivered_completely() {
    let server = Server::start();
    let always = ["--accept-private", "always", "--accept-files", "always"];
    let mut bea = Client::join_with(server.address, "Bea", &always);
    let mut ada = Client::start(server.address, "Ada", &[]);
    let file = ada.home.path().join("file");
    std::fs::write(&file, "content").unwrap();
    ada.say("/msg Bea first");
    ada.say(&format!("/send Bea {}", file.display()));
    ada.say("to everybody");
    ada.say("/msg Bea last");
    ada.end_of_input();
    bea.wait_for_private("Ada", "Bea", "first");
    bea.wait_for_private("Ada", "Bea", "last");
    bea.wait_for_message("Ada", "to everybody");
    let received = bea.any("file_received");
    assert_eq!(std::fs::read(received["path"].as_str().unwrap()).unwrap(), b"content");
    assert_eq!(ada.ended().1, 0);
}

#[test]
fn simultaneous_requests_open_a_session() {
    let server = Server::start();
    let (mut ada, mut bea) = pair(server.address);
    ada.say("/msg Bea from Ada");
    bea.say("/msg Ada from Bea");
    for (client, other) in [(&mut ada, "Bea"), (&mut bea, "Ada")] {
        client.say(&format!("/accept {other}"));
    }
    ada.wait_for_private("Bea", "Ada", "from Bea");
    bea.wait_for_private("Ada", "Bea", "from Ada");
}

#[test]
fn a_private_session_outlives_the_server() {
    let server = Server::start();
    let (mut ada, mut bea) = private_pair(server.address);
    drop(server); // Killed, with no chance to say anything.
    ada.any("disconnected");
    bea.any("disconnected");
    ada.say("/msg Bea still here");
    bea.wait_for_private("Ada", "Bea", "still here");
    bea.say("/msg Ada me too");
    ada.wait_for_private("Bea", "Ada", "me too");
    let file = ada.home.path().join("file");
    std::fs::write(&file, "what the server never sees").unwrap();
    ada.say(&format!("/send Bea {}", file.display()));
    let offer = bea.any("file_offered");
    bea.say(&format!("/take {}", offer["id"]));
    let received = bea.any("file_received");
    let content = std::fs::read(received["path"].as_str().unwrap()).unwrap();
    assert_eq!(content, b"what the server never sees");
}

#[test]
fn a_peer_that_is_killed_ends_the_session() {
    let server = Server::start();
    let (mut ada, bea) = private_pair(server.address);
    drop(bea);
    ada.wait("private_closed", |event| event["with"] == "Bea");
    ada.say("and on it goes");
    ada.wait_for_message("Ada", "and on it goes");
}

#[test]
fn a_plain_file_is_named_after_its_sender_and_content_and_a_folder_is_to_be_packed() {
    let server = Server::start();
    let (mut ada, mut bea) = accepting_pair(server.address);
    let source = ada.home.path().join("evil name.exe");
    std::fs::write(&source, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    ada.say(&format!("/send Bea {}", source.display()));
    let target: std::path::PathBuf = bea.any("file_received")["path"].as_str().unwrap().into();
    let name = target.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("Ada"), "{name}");
    assert_eq!(target.extension().unwrap(), "png");
    assert_eq!(ada.any("file_sent")["received"], false);
    ada.say("/send Bea /tmp");
    let error = ada.any("error");
    assert!(error["message"].as_str().unwrap().contains("pack it into one file"), "{error}");
}
