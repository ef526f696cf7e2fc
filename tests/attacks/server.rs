//! A hostile server.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::user::{User, client};
use crate::hostile::Hostile;

const ALWAYS: [&str; 4] = ["--accept-private", "always", "--accept-files", "always"];

/// A hostile server, and where it listens.
struct Server {
    program: Hostile,
    address: SocketAddr,
}

impl Server {
    fn start(mode: &str) -> Self {
        Self::at("127.0.0.1:0", mode)
    }

    fn at(listen: &str, mode: &str) -> Self {
        let mut program = Hostile::start("server", &json!({ "listen": listen, "mode": mode }));
        let address = program.report("listening").as_str().unwrap().parse().unwrap();
        Self { program, address }
    }

    fn becomes(&mut self, mode: &str) {
        self.program.command("mode", &json!(mode));
        self.program.report("done");
    }

    fn cuts(&mut self) {
        self.program.command("cut", &Value::Null);
        self.program.report("done");
    }
}

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A client that may not get in.
fn try_to_join(home: &Path, server: &Server, name: &str) -> User {
    let mut command = client(home, &server.address.to_string(), name, &[]);
    command.args(ALWAYS);
    User::run(command, name)
}

fn join(home: &Path, server: &Server, name: &str) -> User {
    User::start(home, server.address, name, &[])
}

fn reason(event: &Value) -> &str {
    event["reason"].as_str().unwrap()
}

#[test]
fn stripping_at_first_sight_is_shown_and_leads_to_a_plain_connection() {
    let (mut server, at_ada) = (Server::start("strip"), home());
    let mut ada = try_to_join(at_ada.path(), &server, "Ada");
    let stripped = server.program.report("stripped");
    assert_eq!(stripped, json!({ "hello": 1, "beyond": 0 }));
    let security = ada.event("security");
    assert_eq!(security["link"], "plain", "{security}");
    ada.event("connected");
    ada.say("hello");
    assert_eq!(server.program.report("read in plain"), "hello");
    assert_eq!(ada.event("message")["text"], "hello");
}

#[test]
fn stripping_later_gets_a_hello_and_not_a_byte_beyond() {
    let (mut server, at_ada) = (Server::start("honest"), home());
    let mut ada = join(at_ada.path(), &server, "Ada");
    server.becomes("strip");
    server.cuts();
    ada.event("disconnected");
    for _ in 0..2 {
        let stripped = server.program.report("stripped");
        assert_eq!(stripped, json!({ "hello": 1, "beyond": 0 }));
        let again = ada.wait("reconnecting", |event| reason(event).contains("instead of"));
        assert!(reason(&again).contains("instead of encrypting"), "{again}");
    }
    ada.say("is anybody there?");
    ada.event("error");
    drop(ada);
    // Nor after a restart of the client.
    let mut ada = try_to_join(at_ada.path(), &server, "Ada");
    let again = ada.event("reconnecting");
    assert!(reason(&again).contains("instead of encrypting"), "{again}");
    assert_eq!(server.program.report("stripped")["beyond"], 0);
    assert!(server.program.reports("plain").is_empty());
    assert!(!ada.lines.seen.iter().any(|line| line.contains("\"plain\"")), "{:?}", ada.lines.seen);
}

#[test]
fn a_server_that_names_no_protocol_is_left_before_anything_is_sent() {
    let (mut server, at_ada) = (Server::start("nameless"), home());
    let mut ada = try_to_join(at_ada.path(), &server, "Ada");
    server.program.report("left");
    let refused = ada.lines.wait("the end", |line| {
        let event: Value = serde_json::from_str(line).unwrap();
        ["disconnected", "reconnecting"].iter().any(|it| event["event"] == *it).then_some(event)
    });
    assert!(!reason(&refused).is_empty(), "{refused}");
    let seen = &ada.lines.seen;
    assert!(!seen.iter().any(|line| line.contains("\"plain\"")), "{seen:?}");
    assert!(!seen.iter().any(|line| line.contains("\"connected\"")), "{seen:?}");
}

#[test]
fn a_server_that_changes_its_key_is_refused_before_it_sees_whose_client_it_is() {
    let (server, at_ada) = (Server::start("honest"), home());
    let address = server.address.to_string();
    drop(join(at_ada.path(), &server, "Ada"));
    drop(server);
    let mut server = Server::at(&address, "honest");
    let mut ada = try_to_join(at_ada.path(), &server, "Ada");
    let refused = ada.event("disconnected");
    assert!(reason(&refused).contains("a different key than before"), "{refused}");
    let forget = format!("matou-bin identity forget {address}");
    assert!(reason(&refused).contains(&forget), "{refused}");
    server.program.report("refused");
}

#[test]
fn a_cut_without_an_end_of_the_encryption_is_a_loss_and_the_client_reconnects() {
    let (mut server, at_ada) = (Server::start("honest"), home());
    let mut ada = join(at_ada.path(), &server, "Ada");
    server.cuts();
    let lost = ada.event("disconnected");
    assert!(reason(&lost).contains("cut"), "{lost}");
    ada.event("connected");
    ada.say("back");
    assert_eq!(ada.event("message")["text"], "back");
}

#[test]
fn a_server_in_the_place_of_a_known_person_is_caught_before_it_is_dialled() {
    let (mut server, at_ada, at_bea) = (Server::start("honest"), home(), home());
    let mut ada = join(at_ada.path(), &server, "Ada");
    let mut bea = join(at_bea.path(), &server, "Bea");
    ada.wait("joined", |event| event["username"] == "Bea");
    ada.say("/msg Bea hello");
    assert_eq!(bea.event("private_message")["text"], "hello");
    ada.event("delivered");
    ada.say("/close Bea");
    ada.event("private_closed");
    server.becomes("impersonate");
    ada.say("/msg Bea a secret");
    let refused = ada.wait("error", |event| event["code"] == "key");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("different key") && message.contains("/trust Bea"), "{message}");
    assert_eq!(ada.event("undelivered")["texts"], json!(["a secret"]));
    // A word through the room, so that all before it has happened.
    ada.say("done");
    ada.event("message");
    server.becomes("honest");
    assert!(server.program.reports("dialled").is_empty());
    assert!(server.program.reports("read in private").is_empty());
}

#[test]
fn a_server_in_the_place_of_a_new_person_shows_in_the_words_that_are_compared() {
    let (mut server, at_ada, at_bea) = (Server::start("honest"), home(), home());
    let mut ada = join(at_ada.path(), &server, "Ada");
    let mut bea = join(at_bea.path(), &server, "Bea");
    ada.wait("joined", |event| event["username"] == "Bea");
    server.becomes("impersonate");
    ada.say("/msg Bea hello");
    let opened = ada.event("private_opened");
    assert_eq!((&opened["link"], &opened["key"]), (&"encrypted".into(), &"new".into()));
    assert_eq!(server.program.report("read in private"), "hello");
    ada.say("/verify Bea");
    bea.say("/verify Ada");
    let words = |event: Value| event["words"].as_str().unwrap().to_owned();
    let (at_ada, at_bea) = (words(ada.event("verification")), words(bea.event("verification")));
    assert_eq!(at_ada.split(' ').count(), 12);
    assert_ne!(at_ada, at_bea);
}

#[test]
fn sessions_that_a_server_swaps_do_not_open_and_no_text_reaches_the_wrong_person() {
    let (mut server, homes) = (Server::start("honest"), [home(), home(), home()]);
    let mut ada = join(homes[0].path(), &server, "Ada");
    let mut bea = join(homes[1].path(), &server, "Bea");
    let mut cleo = join(homes[2].path(), &server, "Cleo");
    ada.wait("joined", |event| event["username"] == "Cleo");
    server.becomes("swap");
    ada.say("/msg Bea for Bea");
    ada.say("/msg Cleo for Cleo");
    let mut closed = Vec::new();
    for _ in 0..2 {
        closed.push(ada.event("undelivered"));
    }
    closed.sort_by_key(|event| event["to"].to_string());
    assert_eq!(closed[0]["texts"], json!(["for Bea"]));
    assert_eq!(closed[1]["texts"], json!(["for Cleo"]));
    assert!(closed.iter().all(|event| !reason(event).is_empty()), "{closed:?}");
    for user in [&mut bea, &mut cleo] {
        user.say("still here");
        user.wait("message", |event| event["text"] == "still here");
        let seen = &user.lines.seen;
        assert!(!seen.iter().any(|line| line.contains("private_message")), "{seen:?}");
    }
}
