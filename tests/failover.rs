//! Several servers of one room: how a client behaves when the one that it uses is lost.
//!
//! Here they share nothing but their clients, so that a message on one of them is not known to the
//! other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use harness::matou;
use harness::server::Server;
use harness::user::User;
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// A server with its own key.
fn server() -> (Server, TempDir) {
    let home = tempfile::tempdir().unwrap();
    let mut command = matou(home.path());
    command.args(["server", "--listen", "127.0.0.1:0"]);
    (Server::launch(command, &[]), home)
}

/// An address at which nothing listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_killed_server_costs_a_reconnect_to_another_and_nothing_else() {
    let ((first, _at_first), (second, _at_second)) = (server(), server());
    let (at_ada, at_bea) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let servers = [first.address, second.address];
    let mut ada = User::start_at(at_ada.path(), &servers, "Ada", &[]);
    let mut bea = User::start_at(at_bea.path(), &servers, "Bea", &[]);
    ada.wait("joined", |event| event["username"] == "Bea");
    ada.say("/msg Bea before");
    ada.event("delivered");

    first.process.signal(Signal::SIGKILL);
    for (user, name) in [(&mut ada, "Ada"), (&mut bea, "Bea")] {
        user.event("disconnected");
        let failover = user.event("failover");
        assert_eq!(failover["from"], first.address.to_string(), "{failover}");
        assert_eq!(failover["server"], second.address.to_string(), "{failover}");
        let seen = user.event("security");
        assert_eq!((&seen["link"], &seen["key"]), (&"encrypted".into(), &"new".into()), "{seen}");
        let back = user.event("connected");
        assert_eq!((&back["server"], &back["username"]), (&failover["server"], &name.into()));
        let has_waited = |line: &String| line.contains("\"reconnecting\"");
        assert!(!user.lines.seen.iter().any(has_waited), "{name} waited before the next attempt");
    }

    // In the session that was opened at the first server.
    let file = at_ada.path().join("file.bin");
    fs::write(&file, vec![7; 300_000]).unwrap();
    ada.say("/msg Bea after");
    let text = bea.wait("private_message", |event| event["text"] == "after");
    assert_eq!(text["from"], "Ada");
    ada.event("delivered");
    ada.say(&format!("/send Bea {}", file.display()));
    let received = bea.event("file_received");
    assert_eq!(fs::read(received["path"].as_str().unwrap()).unwrap(), vec![7; 300_000]);
    assert_eq!(ada.event("file_sent")["received"], true);
    // And in the room.
    bea.say("all is well");
    ada.wait("message", |event| event["from"] == "Bea" && event["text"] == "all is well");
}

// A stopped one still accepts connections and acknowledges data.
#[test]
fn a_server_that_is_stopped_is_left_for_another_before_and_after_the_sign_in() {
    let ((first, _at_first), (second, _at_second)) = (server(), server());
    let home = tempfile::tempdir().unwrap();
    let servers = [first.address, second.address];
    first.process.signal(Signal::SIGSTOP);
    let began = Instant::now();
    let mut ada = User::start_at(home.path(), &servers, "Ada", &[]);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    first.process.signal(Signal::SIGCONT);
    second.process.signal(Signal::SIGSTOP);
    let failover = ada.event("failover");
    assert_eq!(failover["from"], second.address.to_string(), "{failover}");
    assert_eq!(ada.event("connected")["server"], first.address.to_string());
    second.process.signal(Signal::SIGCONT);
}

#[test]
fn the_first_server_that_answers_is_used_by_all_commands() {
    let (live, _at_live) = server();
    let home = tempfile::tempdir().unwrap();
    let mut ada = User::start_at(home.path(), &[nobody(), live.address], "Ada", &[]);
    // Its first attempt ends before it has joined.
    let file = home.path().join("file.bin");
    fs::write(&file, vec![7; 3000]).unwrap();
    let at_bea = tempfile::tempdir().unwrap();
    let mut send = matou(at_bea.path());
    let both = format!("{},{}", nobody(), live.address);
    send.env("MATOU_CLIENT__CLIENT__SERVER", both);
    let output = send.args(["send", "--username", "Bea", "Ada"]).arg(&file).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    assert!(words.contains(&format!("trying {} instead of", live.address)), "{words}");
    let received = ada.event("file_received");
    assert_eq!(received["from"], "Bea");
}

#[test]
fn without_any_server_a_command_lists_what_to_check() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file.bin");
    fs::write(&file, "x").unwrap();
    let mut send = matou(home.path());
    send.args(["send", "--server", &format!("{},{}", nobody(), nobody())]);
    let output = send.args(["--username", "Bea", "Ada"]).arg(&file).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(7), "{words}");
    assert!(words.contains("check --server"), "{words}");
}
