//! The original authors' programs, as recorded, against ours: the recorded clients with our
//! server, and the recorded server with our client.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use harness::DEADLINE;
use harness::client::Client;
use harness::server::Server;
use harness::wire::Peer;
use serde_json::Value;

const ALICE: &str = "public connection of Alice";
const BOB: &str = "public connection of Bob";
const MESSAGES: &str = "private message connection";
const FILES: &str = "private file connection";
/// Two ports of 4 bytes each end frames 10 and 12.
const PORTS: usize = 8;

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// The bytes sent on one connection, in order.
fn recorded(connection: &str) -> Vec<(String, Vec<u8>)> {
    let all: Value = serde_json::from_str(include_str!("data/original.json")).unwrap();
    let all = all.as_array().unwrap();
    let found = all.iter().find(|entry| entry["connection"] == connection).unwrap();
    let packets = found["sent"].as_array().unwrap().iter();
    let packets = packets.map(|packet| {
        let from = packet["from"].as_str().unwrap().to_owned();
        (from, unhex(packet["bytes"].as_str().unwrap()))
    });
    packets.collect()
}

/// What one side sent on one connection, packet by packet.
fn sent(connection: &str, from: &str) -> Vec<Vec<u8>> {
    let packets = recorded(connection).into_iter();
    packets.filter(|(who, _)| who == from).map(|(_, bytes)| bytes).collect()
}

/// The text of a recorded frame that ends with one.
fn text(frame: &[u8]) -> String {
    String::from_utf8(frame[8..].to_vec()).unwrap()
}

/// One end of a connection, spoken by hand.
fn by_hand(stream: TcpStream) -> Peer {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    Peer { stream, name: String::new() }
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn the_recorded_clients_get_the_recorded_answers_from_our_server() {
    // The original server does not announce those present to newcomers.
    let server = Server::with("127.0.0.1:0", &[("ROOM__REPLAY_ROSTER", "false")]);
    let (mut alice, mut bob) = (Peer::connect(server.address), Peer::connect(server.address));
    let [from_alice, to_alice] = ["Alice", "server"].map(|who| sent(ALICE, who));
    let [from_bob, to_bob] = ["Bob", "server"].map(|who| sent(BOB, who));
    alice.send(&from_alice[0]); // COREQ
    alice.expect(&to_alice[0]);
    bob.send(&from_bob[0]);
    bob.expect(&to_bob[0]);
    alice.expect(&to_alice[1]);
    alice.send(&from_alice[1]); // MSG
    alice.expect(&to_alice[2]);
    bob.expect(&to_bob[1]);
    bob.send(&from_bob[1]);
    alice.expect(&to_alice[3]);
    bob.expect(&to_bob[2]);
    alice.send(&from_alice[2]); // PVCOREQ
    bob.expect(&to_bob[3]);
    bob.send(&from_bob[2]); // PVCOACC
    alice.expect(&to_alice[4]);
    alice.send(&from_alice[3]); // PVCOPORT
    bob.expect(&to_bob[4]);
    drop(alice);
    bob.expect(&to_bob[5]); // DISCONOTIF
}

#[test]
fn our_client_sends_what_the_recorded_asking_client_sent() {
    let (listener, address) = listen();
    let mut alice = Client::start(address, "Alice", &[]);
    let mut server = by_hand(listener.accept().unwrap().0);
    let [from_alice, to_alice] = ["Alice", "server"].map(|who| sent(ALICE, who));
    server.expect(&from_alice[0]);
    server.send(&to_alice[0]);
    alice.any("connected");
    server.send(&to_alice[1]);
    alice.wait("joined", |event| event["username"] == "Bob");
    alice.say(&text(&from_alice[1]));
    server.expect(&from_alice[1]);
    server.send(&to_alice[2]);
    alice.wait_for_message("Alice", &text(&from_alice[1]));
    server.send(&to_alice[3]);
    alice.wait_for_message("Bob", "salut");
    alice.say("/open Bob");
    server.expect(&from_alice[2]);
    server.send(&to_alice[4]);
    let offered = server.take(from_alice[3].len());
    let (frame, ports) = offered.split_at(offered.len() - PORTS);
    assert_eq!(frame, &from_alice[3][..frame.len()]);
    let dial = |at: usize| {
        let port = i32::from_be_bytes(ports[at..at + 4].try_into().unwrap());
        let port = u16::try_from(port).unwrap();
        by_hand(TcpStream::connect(("127.0.0.1", port)).unwrap())
    };
    let (mut messages, mut files) = (dial(0), dial(4));
    alice.any("private_opened");
    for (from, bytes) in recorded(MESSAGES) {
        if from == "Alice" {
            alice.say(&format!("/msg Bob {}", text(&bytes)));
            messages.expect(&bytes);
        } else {
            messages.send(&bytes);
            alice.wait_for_private("Bob", "Alice", &text(&bytes));
        }
    }
    let file = sent(FILES, "Alice");
    let path = alice.home.path().join("file");
    std::fs::write(&path, file[1..].concat()).unwrap();
    alice.say(&format!("/send Bob {}", path.display()));
    files.expect(&file.concat());
}

#[test]
fn our_client_sends_what_the_recorded_accepting_client_sent() {
    let (listener, address) = listen();
    let mut bob = Client::start(address, "Bob", &[]);
    let mut server = by_hand(listener.accept().unwrap().0);
    let [from_bob, to_bob] = ["Bob", "server"].map(|who| sent(BOB, who));
    server.expect(&from_bob[0]);
    server.send(&to_bob[0]);
    bob.any("connected");
    server.send(&to_bob[1]);
    bob.wait_for_message("Alice", "bonjour à tous");
    bob.say(&text(&from_bob[1]));
    server.expect(&from_bob[1]);
    server.send(&to_bob[2]);
    server.send(&to_bob[3]);
    bob.wait("private_request", |event| event["from"] == "Alice");
    bob.say("/accept Alice");
    server.expect(&from_bob[2]);
    let [(for_messages, at_messages), (for_files, at_files)] = [listen(), listen()];
    let mut altered = to_bob[4].clone();
    altered.truncate(altered.len() - PORTS);
    for port in [at_messages.port(), at_files.port()] {
        altered.extend(i32::from(port).to_be_bytes());
    }
    server.send(&altered);
    let mut messages = by_hand(for_messages.accept().unwrap().0);
    let mut files = by_hand(for_files.accept().unwrap().0);
    bob.any("private_opened");
    for (from, bytes) in recorded(MESSAGES) {
        if from == "Alice" {
            messages.send(&bytes);
            bob.wait_for_private("Alice", "Bob", &text(&bytes));
        } else {
            bob.say(&format!("/msg Alice {}", text(&bytes)));
            messages.expect(&bytes);
        }
    }
    let file = sent(FILES, "Alice");
    for packet in &file {
        files.stream.write_all(packet).unwrap();
    }
    let offer = bob.wait("file_offered", |event| event["from"] == "Alice");
    assert_eq!(offer["size"], 5000);
    bob.say(&format!("/take {}", offer["id"]));
    let received = bob.any("file_received");
    let mut content = Vec::new();
    let path = received["path"].as_str().unwrap();
    std::fs::File::open(path).unwrap().read_to_end(&mut content).unwrap();
    assert_eq!(content, file[1..].concat());
    server.send(&to_bob[5]);
    bob.wait("left", |event| event["username"] == "Alice");
}
