//! The topic of the room: set by an operator, read by all who are here or join later.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod harness;

use std::path::Path;
use std::process::Output;

use harness::matou;
use harness::server::Server;
use harness::user::User;
use harness::wire::{Peer, conotif, msgbc};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

fn serve(folder: &Path) -> Server {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (store, socket) = (path("server.redb"), path("admin"));
    Server::with("127.0.0.1:0", &[("NAMES__STORE", &store), ("ADMIN__SOCKET", &socket)])
}

fn admin(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = matou(folder);
    command.args(["admin", "--socket"]).arg(folder.join("admin")).args(arguments);
    command.output().unwrap()
}

fn topic(folder: &Path, arguments: &[&str]) -> String {
    let output = admin(folder, &[&["topic"], arguments].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn joins(folder: &Path, server: &Server, name: &str) -> User {
    let home = folder.join(name);
    std::fs::create_dir(&home).unwrap();
    User::start(&home, server.address, name, &[])
}

/// The topic and whether it was set just now.
fn read(event: &Value) -> (&str, bool) {
    (event["topic"].as_str().unwrap(), event["changed"] == true)
}

#[test]
fn all_clients_read_the_topic_until_it_is_removed_and_a_restart_keeps_it() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let mut server = serve(folder);
    assert_eq!(topic(folder, &[]), "No topic.\n");
    let mut ann = joins(folder, &server, "ann");
    assert_eq!(topic(folder, &["Be", "kind."]), "Topic: Be kind.\n");
    assert_eq!(read(&ann.event("topic")), ("Be kind.", true));
    let mut bob = joins(folder, &server, "bob");
    assert_eq!(read(&bob.event("topic")), ("Be kind.", false));
    drop(bob);
    server.process.signal(Signal::SIGTERM);
    assert!(server.process.exit().success());

    let server = serve(folder);
    assert_eq!(topic(folder, &[]), "Topic: Be kind.\n");
    let mut cat = joins(folder, &server, "cat");
    assert_eq!(read(&cat.event("topic")), ("Be kind.", false));
    cat.say("/topic");
    assert_eq!(read(&cat.event("topic")), ("Be kind.", false));
    assert_eq!(topic(folder, &["--clear"]), "No topic.\n");
    assert_eq!(read(&cat.event("topic")), ("", true));
}

#[test]
fn clients_of_revision_1_are_unaffected() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let server = serve(folder);
    let mut old = Peer::join(server.address, "old", &[]);
    topic(folder, &["Hello"]);
    let mut ann = joins(folder, &server, "ann");
    old.expect(&conotif("ann"));
    topic(folder, &["again"]);
    ann.wait("topic", |event| read(event) == ("again", true));
    ann.say("hi");
    old.expect(&msgbc("ann", "hi"));
}

#[test]
fn an_invalid_message_is_no_topic() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let _server = serve(folder);
    let long = "x".repeat(513);
    let refused = admin(folder, &["topic", &long]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("512"), "{refused:?}");
    assert_eq!(topic(folder, &[]), "No topic.\n");
}
