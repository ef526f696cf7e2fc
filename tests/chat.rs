//! The room, as real clients of a real server see it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use harness::client::Client;
use harness::server::Server;
use harness::wire::Peer;

#[test]
fn three_clients_chat() {
    let server = Server::start();
    let mut ada = Client::join(server.address, "Ada");
    let mut bea = Client::join(server.address, "Bea");
    let mut cyd = Client::join(server.address, "Cyd");
    ada.wait("joined", |event| event["username"] == "Bea" && event["present"].is_null());
    ada.wait("joined", |event| event["username"] == "Cyd");
    cyd.wait("joined", |event| event["username"] == "Ada" && event["present"] == true);
    ada.say("hello from Ada");
    bea.say("//help is no command here");
    cyd.say("Ünïcödé 🐈");
    for client in [&mut ada, &mut bea, &mut cyd] {
        client.wait_for_message("Ada", "hello from Ada");
        client.wait_for_message("Bea", "/help is no command here");
        client.wait_for_message("Cyd", "Ünïcödé 🐈");
    }
    ada.say("/who");
    assert_eq!(ada.any("present")["usernames"], serde_json::json!(["Ada", "Bea", "Cyd"]));
    cyd.say("/quit");
    assert_eq!(cyd.ended().1, 0);
    ada.wait("left", |event| event["username"] == "Cyd");
    bea.wait("left", |event| event["username"] == "Cyd");
}

#[test]
fn piped_input_faster_than_the_server_reads_is_sent_completely() {
    // Three seconds' worth: more than anybody waits for a silent server.
    let rate = [("LIMITS__MESSAGE_BURST", "10"), ("LIMITS__MESSAGES_PER_SECOND", "40")];
    let server = Server::with("127.0.0.1:0", &rate);
    let mut ada = Client::join(server.address, "Ada");
    let mut bob = Client::join(server.address, "Bob");
    for number in 0..200 {
        bob.say(&format!("line {number}"));
    }
    bob.end_of_input();
    for number in 0..200 {
        ada.wait_for_message("Bob", &format!("line {number}"));
    }
    assert_eq!(bob.ended().1, 0);
}

#[test]
fn unsent_messages_are_an_error_at_end_of_input() {
    let mut server = Server::start();
    let mut bob = Client::join(server.address, "Bob");
    server.process.0.kill().unwrap();
    bob.any("disconnected");
    bob.say("into the void");
    bob.any("error");
    bob.end_of_input();
    assert_eq!(bob.ended().1, 1);
}

#[test]
fn joined_is_reported_for_others_only() {
    let server = Server::start();
    let mut ada = Client::join(server.address, "Ada");
    ada.say("hello");
    ada.wait_for_message("Ada", "hello");
    ada.say("/quit");
    let (events, code) = ada.ended();
    assert_eq!(code, 0);
    assert!(events.iter().all(|event| event["event"] != "joined"), "{events:?}");
}

#[test]
fn long_text_is_split_and_control_characters_never_leave() {
    let server = Server::start();
    let mut watcher = Peer::join(server.address, "Watcher", &[]);
    let mut ada = Client::join(server.address, "Ada");
    watcher.expect(&harness::wire::conotif("Ada"));
    ada.say(&format!("{}\tand\u{1b}[31m more", "word ".repeat(150)));
    let first = "word ".repeat(102);
    let second = format!("{}and[31m more", "word ".repeat(48) + "    ");
    watcher.expect(&harness::wire::msgbc("Ada", &first));
    watcher.expect(&harness::wire::msgbc("Ada", &second));
    ada.say("\u{1}\u{2}");
    ada.any("error");
}

#[test]
fn an_unknown_command_is_an_error_with_a_suggestion_and_is_never_sent() {
    let server = Server::start();
    let mut watcher = Peer::join(server.address, "Watcher", &[]);
    let mut ada = Client::join(server.address, "Ada");
    watcher.expect(&harness::wire::conotif("Ada"));
    ada.say("/mgs Watcher my secret");
    let error = ada.any("error");
    assert!(error["message"].as_str().unwrap().contains("/msg"), "{error}");
    ada.say("after");
    watcher.expect(&harness::wire::msgbc("Ada", "after"));
}

#[test]
fn end_of_input_signs_out_after_everything_was_sent() {
    let server = Server::start();
    let mut watcher = Peer::join(server.address, "Watcher", &[]);
    let mut ada = Client::start(server.address, "Ada", &[]);
    for number in 0..100 {
        ada.say(&format!("number {number}"));
    }
    ada.end_of_input();
    watcher.expect(&harness::wire::conotif("Ada"));
    for number in 0..100 {
        watcher.expect(&harness::wire::msgbc("Ada", &format!("number {number}")));
    }
    watcher.expect(&harness::wire::disconotif("Ada"));
    assert_eq!(ada.ended().1, 0);
}

#[test]
fn input_before_sign_in_may_exceed_the_buffers() {
    const LINES: usize = 15_000;
    let unlimited = [
        ("LIMITS__MESSAGES_PER_SECOND", "0"),
        ("LIMITS__BYTES_PER_SECOND", "0"),
        ("LIMITS__ROOM_BYTES_PER_SECOND", "0"),
    ];
    let server = Server::with("127.0.0.1:0", &unlimited);
    let mut watcher = Peer::join(server.address, "Watcher", &[]);
    let mut ada = Client::start(server.address, "Ada", &[]);
    let typing = std::thread::spawn(move || {
        for number in 0..LINES {
            ada.say(&format!("number {number}"));
        }
        ada.end_of_input();
        ada
    });
    watcher.expect(&harness::wire::conotif("Ada"));
    for number in 0..LINES {
        watcher.expect(&harness::wire::msgbc("Ada", &format!("number {number}")));
    }
    assert_eq!(typing.join().unwrap().ended().1, 0);
}

#[test]
fn a_refused_name_is_an_event_and_exit_code_3() {
    let server = Server::start();
    let _peer = Peer::join(server.address, "Ada", &[]);
    let mut ada = Client::start(server.address, "ada", &[]);
    let (events, code) = ada.ended();
    assert_eq!(code, 3);
    assert!(
        events.iter().any(|event| event["event"] == "refused" && event["username"] == "ada"),
        "{events:?}"
    );
}

#[test]
fn messages_of_ignored_people_are_hidden_until_unignored() {
    let server = Server::start();
    let mut ada = Client::join(server.address, "Ada");
    let mut bea = Client::join(server.address, "Bea");
    ada.say("/ignore Bea");
    ada.say("ready");
    bea.wait_for_message("Ada", "ready");
    bea.say("not heard");
    bea.wait_for_message("Bea", "not heard");
    ada.say("after it");
    ada.wait_for_message("Ada", "after it");
    ada.say("/unignore Bea");
    ada.say("ready again");
    bea.wait_for_message("Ada", "ready again");
    bea.say("heard");
    ada.wait_for_message("Bea", "heard");
    ada.say("/quit");
    let (events, _) = ada.ended();
    assert!(events.iter().all(|event| event["text"] != "not heard"), "{events:?}");
}

#[test]
fn a_host_name_finds_the_server() {
    let server = Server::start();
    let home = tempfile::tempdir().unwrap();
    let mut command = harness::matou(home.path());
    command.args(["client", "--json", "--username", "Ada"]);
    command.arg("--server").arg(format!("localhost:{}", server.address.port()));
    command.stdin(std::process::Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(r#""event":"connected""#), "{text}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_flood_of_lines_arrives_in_order() {
    let server = Server::with(
        "127.0.0.1:0",
        &[
            ("LIMITS__MESSAGES_PER_SECOND", "0"),
            ("LIMITS__BYTES_PER_SECOND", "0"),
            ("LIMITS__ROOM_BYTES_PER_SECOND", "0"),
        ],
    );
    let mut ada = Client::join(server.address, "Ada");
    let mut peer = Peer::join(server.address, "Flood", &["Ada"]);
    let flood: Vec<u8> =
        (0..20_000).flat_map(|number| harness::wire::msg(&format!("line {number}"))).collect();
    let reader = peer.stream.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut &reader, &mut std::io::sink()));
    let writer = std::thread::spawn(move || peer.send(&flood));
    for number in 0..20_000 {
        let event = ada.any("message");
        assert_eq!(event["text"], format!("line {number}"));
    }
    writer.join().unwrap();
}
