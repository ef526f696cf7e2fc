//! `/doctor` and `matou-bin doctor` over loopback, where nothing prevents a private session.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::net::SocketAddr;
use std::process::Output;

use harness::client::{Client, meet};
use harness::matou;
use harness::server::Server;
use serde_json::Value;

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
    // The session is open: the result is remembered, on the other side too.
    bea.say("/doctor Ada");
    assert_eq!(bea.wait("diagnosis", |event| event["with"] == "Ada")["connected"], true);
}

#[test]
fn no_route_is_reported_for_a_program_of_revision_1() {
    let server = Server::start();
    let mut ada = Client::join_with(server.address, "Ada", &ALWAYS);
    let settings = [("CLIENT__ENCRYPTION", "off")];
    let mut old = Client::join_configured(server.address, "Old", &ALWAYS, &settings);
    meet(&mut ada, &mut old);
    ada.say("/doctor Old");
    let error = ada.wait("error", |event| event["code"] == "session");
    assert!(error["message"].as_str().unwrap().contains("revision 1"), "{error}");
}

fn doctor(server: SocketAddr, arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = matou(home.path());
    command.args(["doctor", "--server", &server.to_string()]).args(arguments).output().unwrap()
}

#[test]
fn without_a_name_it_says_where_the_server_sees_this_computer() {
    let server = Server::start();
    let shown = doctor(server.address, &[]);
    assert!(shown.status.success(), "{shown:?}");
    let text = String::from_utf8(shown.stdout).unwrap();
    let seen = |line: &&str| {
        let port = line.strip_prefix("port ").and_then(|rest| rest.split(' ').next());
        port.is_some_and(|port| line.ends_with(&format!("seen as 127.0.0.1:{port}")))
    };
    assert_eq!(text.lines().filter(seen).count(), 2, "{text}");
    assert!(text.contains("The server runs on this computer"), "{text}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = free.local_addr().unwrap();
    drop(free);
    let shown = doctor(nowhere, &["--json"]);
    assert_eq!(shown.status.code(), Some(7), "{shown:?}");
    let report: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(
        (&report["address"], report["server"].as_str()),
        (&Value::Null, Some(&*nowhere.to_string()))
    );
}

#[test]
fn with_a_name_it_tries_a_session_and_prints_both_reports() {
    let server = Server::start();
    let bea = Client::join_with(server.address, "Bea", &ALWAYS);
    let shown = doctor(server.address, &["--json", "--username", "Ada", "Bea"]);
    assert!(shown.status.success(), "{shown:?}");
    let report: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(report["ports"].as_array().unwrap().len(), 2, "{report}");
    assert_eq!(report["diagnosis"]["with"], bea.name());
    assert_eq!(report["diagnosis"]["connected"], true);
    let absent = doctor(server.address, &["--wait", "1", "Carol"]);
    assert_eq!(absent.status.code(), Some(5), "{absent:?}");
    let network = String::from_utf8(absent.stdout).unwrap();
    assert!(network.contains("The server runs on this computer"), "{network}");
}
