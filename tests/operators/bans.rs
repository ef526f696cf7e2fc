//! Operators see who is here, kick and ban.

use std::os::unix::fs::PermissionsExt;

use crate::harness::client::Client;
use crate::harness::wire::{Peer, coreq, cores, msgbc};
use crate::stage::Stage;

#[test]
fn operators_list_clients_and_send_notices() {
    let stage = Stage::start();
    let mode = std::fs::metadata(stage.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut alice = stage.join("alice", &[]);
    assert!(stage.asked(&["status"]).contains("users                     1"));
    let status = stage.asked_json(&["status"]);
    assert_eq!(status["status"]["users"], 1);
    let key = status["status"]["fingerprint"].as_str().unwrap();
    assert!(key.starts_with("SHA256:") && stage.asked(&["status"]).contains(key), "{status}");
    assert!(stage.asked(&["clients"]).contains("alice"));
    let clients = stage.asked_json(&["clients"]);
    assert_eq!(clients["clients"][0]["name"], "alice");
    assert_eq!(clients["clients"][0]["queued_bytes"], 0);
    stage.asked(&["notice", "closing", "at", "6"]);
    alice.expect(&msgbc("Server", "closing at 6"));
    assert_eq!(stage.asked_json(&["notice", "bye"]), "said");
    alice.expect(&msgbc("Server", "bye"));
}

#[test]
fn operators_kick_ban_and_unban() {
    let stage = Stage::start();
    let mut alice = stage.join("alice", &[]);
    assert_eq!(stage.asked_json(&["kick", "ALICE", "too", "loud"])["kicked"]["name"], "alice");
    alice.expect(&msgbc("Server", "You were disconnected by an operator: too loud"));
    alice.expect_closed();
    assert_eq!(stage.admin(&["kick", "alice"]).status.code(), Some(1));

    let mut bob = stage.join("bob", &[]);
    let banned = stage.asked_json(&["ban", "127.0.0.1", "--for", "1h", "spam"]);
    assert_eq!(banned["banned"]["disconnected"], 1);
    let last_words = String::from_utf8_lossy(&bob.rest()).into_owned();
    let notice = "You were disconnected by an operator and banned until ";
    assert!(last_words.contains(notice) && last_words.ends_with(": spam"), "{last_words}");
    Peer::connect(stage.server.address).expect_closed();
    assert_eq!(stage.asked_json(&["bans"])["bans"][0]["reason"], "spam");
    assert!(stage.asked(&["unban", "127.0.0.1"]).contains("no longer banned"));
    stage.asked(&["unban", "alice"]);
    assert_eq!(stage.asked(&["bans"]), "No bans.\n");
    stage.join("bob", &[]);
}

#[test]
fn a_kick_keeps_that_name_from_that_address_out_until_it_ends() {
    let stage = Stage::start();
    let mut alice = stage.join("alice", &[]);
    stage.asked(&["kick", "--for", "1h", "alice"]);
    alice.expect(&msgbc("Server", "You were disconnected by an operator: no reason given"));
    alice.expect_closed();
    let mut again = Peer::connect(stage.server.address);
    for name in ["alice", "ALICE", "аlice"] {
        again.send(&coreq(name));
        again.expect(&cores(false));
    }
    assert!(stage.asked(&["bans"]).starts_with("alice from 127.0.0.1/32 until "));
    stage.join("bob", &[]);
    stage.asked(&["unban", "alice"]);
    again.send(&coreq("alice"));
    again.expect(&cores(true));
}

#[test]
fn a_kicked_user_reads_the_reason_and_returns_only_on_request() {
    let stage = Stage::start();
    let mut ada = Client::join(stage.server.address, "Ada");
    stage.asked(&["kick", "ada", "too", "loud"]);
    let read = |ada: &mut Client, text: &str| ada.wait("notice", |event| event["message"] == text);
    read(&mut ada, "You were disconnected by an operator: too loud");
    let next = ada.any("disconnected");
    assert!(next["reason"].as_str().is_some_and(|text| text.contains("/reconnect")), "{next}");
    stage.asked(&["unban", "ada"]);
    ada.say("/reconnect");
    ada.any("connected");
    stage.asked(&["ban", "ada", "spam"]);
    read(&mut ada, "You were disconnected by an operator and banned: spam");
    let next = ada.any("disconnected");
    assert!(next["reason"].as_str().is_some_and(|text| text.contains("/reconnect")), "{next}");
    ada.say("/quit");
    let (events, _) = ada.ended();
    assert!(events.iter().all(|event| event["event"] != "reconnecting"), "{events:?}");
}

#[test]
fn a_name_is_banned_with_its_likes_from_everywhere() {
    let stage = Stage::start();
    let mut bob = stage.join("bob", &[]);
    assert_eq!(stage.asked_json(&["ban", "Bob"])["banned"]["disconnected"], 1);
    bob.expect(&msgbc(
        "Server",
        "You were disconnected by an operator and banned: no reason given",
    ));
    bob.expect_closed();
    let mut again = Peer::connect(stage.server.address);
    again.send(&coreq("bоb"));
    again.expect(&cores(false));
    stage.join("alice", &[]);
    assert_eq!(stage.admin(&["ban", "b b"]).status.code(), Some(1));
    assert_eq!(stage.asked(&["unban", "BOB"]), "BOB is no longer banned.\n");
    stage.join("bob", &[]);
}

#[test]
fn a_link_planted_beside_the_bans_is_not_written_through() {
    let stage = Stage::start();
    let victim = stage.folder.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    for name in ["bans.json", "bans.json.new"] {
        std::os::unix::fs::symlink(&victim, stage.folder.path().join(name)).unwrap();
    }
    stage.asked(&["ban", "192.0.2.1", "spam"]);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    let bans = std::fs::read_to_string(stage.folder.path().join("bans.json")).unwrap();
    assert!(bans.contains("192.0.2.1"), "{bans}");
}
