//! The encrypted connection between a client and its server, as real processes: what is visible on
//! the wire, what each side reports, and what neither does without encryption.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod harness;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use harness::client::Client;
use harness::server::Server;
use harness::user::{User, client};
use harness::{DEADLINE, matou};
use tempfile::TempDir;

/// The first byte of a `ClientHello`.
const HANDSHAKE: u8 = 0x16;
/// COREQ of "ann", and CORES 1 with her CONOTIF.
const COREQ: &[u8] = b"\0\0\0\0\0\0\0\x03ann";
const ACCEPTED: &[u8] = b"\0\0\0\x01\x01\0\0\0\x02\0\0\0\x03ann";

/// A client as ann in a home that outlives it, which may not reach the server.
fn ann(home: &Path, server: &str, settings: &[(&str, &str)]) -> User {
    User::run(client(home, server, "ann", settings), "ann")
}

fn identity(home: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command: Command = matou(home);
    let output = command.arg("identity").args(arguments).output().unwrap();
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// Accepts one connection and returns its first bytes.
fn accept(listener: &TcpListener) -> (TcpStream, Vec<u8>) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut first = vec![0; 16 * 1024];
    let count = stream.read(&mut first).unwrap();
    first.truncate(count);
    (stream, first)
}

/// Answers as the original server does: a type that it does not know ends the connection, without a
/// word; COREQ is accepted.
fn original_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut open = Vec::new();
        loop {
            let (mut stream, first) = accept(&listener);
            if first == COREQ {
                stream.write_all(ACCEPTED).unwrap();
                open.push(stream);
            }
        }
    });
    address
}

#[test]
fn a_server_is_known_from_the_first_connection_on() {
    let (server, home) = (Server::start(), TempDir::new().unwrap());
    let address = server.address.to_string();
    let mut user = ann(home.path(), &address, &[]);
    let first = user.event("security");
    assert_eq!((&first["link"], &first["key"]), (&"encrypted".into(), &"new".into()));
    let fingerprint = first["fingerprint"].as_str().unwrap().to_owned();
    assert!(fingerprint.starts_with("SHA256:"), "{fingerprint}");
    user.event("connected");
    drop(user);
    let mut user = ann(home.path(), &address, &[]);
    let again = user.event("security");
    assert_eq!((&again["key"], &again["fingerprint"]), (&"known".into(), &first["fingerprint"]));
    user.event("connected");
    let (_, shown) = identity(home.path(), &["show"]);
    assert!(shown.contains(&format!("{address} {fingerprint} since 20")), "{shown}");
}

#[test]
fn a_server_with_another_key_is_refused_until_the_user_forgets_the_old_one() {
    let (server, home) = (Server::start(), TempDir::new().unwrap());
    let address = server.address.to_string();
    ann(home.path(), &address, &[]).event("connected");
    drop(server);
    let other = TempDir::new().unwrap();
    let mut command = matou(other.path());
    command.args(["server", "--listen", &address]);
    let mut server = Server::launch(command, &[]);

    let mut user = ann(home.path(), &address, &[]);
    assert_eq!(user.event("server_key_refused")["server"], *address);
    let refused = user.event("disconnected");
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("a different key than before"), "{reason}");
    assert!(reason.contains(&format!("matou-bin identity forget {address}")), "{reason}");
    let ended = server.logged("connection ended");
    assert!(ended.get("username").is_none(), "{ended}");
    drop(user);

    assert!(identity(home.path(), &["forget", &address]).0);
    let mut user = ann(home.path(), &address, &[]);
    assert_eq!(user.event("security")["key"], "new");
    user.event("connected");
}

#[test]
fn an_original_server_is_spoken_to_in_plain_with_a_warning() {
    let (address, home) = (original_server().to_string(), TempDir::new().unwrap());
    let mut user = ann(home.path(), &address, &[]);
    assert_eq!(user.event("security")["link"], "plain");
    user.event("connected");
    let required = [("CLIENT__ENCRYPTION", "require")];
    let mut user = ann(home.path(), &address, &required);
    let refused = user.event("disconnected");
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("does not support encryption"), "{reason}");
}

#[test]
fn a_known_server_never_gets_a_plain_byte() {
    let (server, home) = (Server::start(), TempDir::new().unwrap());
    let address = server.address;
    ann(home.path(), &address.to_string(), &[]).event("connected");
    drop(server);
    // Someone in between strips the encryption.
    let listener = TcpListener::bind(address).unwrap();
    let mut user = ann(home.path(), &address.to_string(), &[]);
    for _ in 0..2 {
        let (stream, first) = accept(&listener);
        assert_eq!(first[0], HANDSHAKE);
        drop(stream);
        let again = user.event("reconnecting");
        let reason = again["reason"].as_str().unwrap();
        assert!(reason.contains("instead of encrypting") && reason.contains("known"), "{reason}");
    }
}

#[test]
fn a_known_server_that_answers_something_else_for_a_while_is_tried_again() {
    let (server, home) = (Server::start(), TempDir::new().unwrap());
    let address = server.address;
    let mut user = ann(home.path(), &address.to_string(), &[]);
    user.event("connected");
    drop(server);
    // A proxy whose server is being started again.
    let listener = TcpListener::bind(address).unwrap();
    user.event("disconnected");
    for _ in 0..2 {
        let (mut stream, first) = accept(&listener);
        assert_eq!(first[0], HANDSHAKE);
        stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").unwrap();
        user.wait("reconnecting", |event| {
            event["reason"].as_str().unwrap().contains("did not answer as a Matou server")
        });
    }
    drop(listener);
    let _server = Server::with(&address.to_string(), &[]);
    user.event("connected");
}

#[test]
fn an_answer_other_than_a_handshake_is_an_error_and_never_an_old_server() {
    for answer in
        [&b"\x15\x03\x03\0\x02\x02\x28"[..], b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03"]
    {
        let (listener, home) = (TcpListener::bind("127.0.0.1:0").unwrap(), TempDir::new().unwrap());
        let address = listener.local_addr().unwrap().to_string();
        let mut user = ann(home.path(), &address, &[("CLIENT__RECONNECT", "false")]);
        let (mut stream, first) = accept(&listener);
        assert_eq!(first[0], HANDSHAKE);
        stream.write_all(answer).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let refused = user.event("disconnected");
        drop(stream);
        assert!(!refused["reason"].as_str().unwrap().is_empty());
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "{answer:?}: tried again");
        assert!(user.lines.seen.iter().all(|line| !line.contains("plain")), "{answer:?}");
    }
}

#[test]
fn a_silent_server_gets_two_hellos_of_different_size_and_nothing_plain() {
    let (listener, home) = (TcpListener::bind("127.0.0.1:0").unwrap(), TempDir::new().unwrap());
    let address = listener.local_addr().unwrap().to_string();
    let mut user = ann(home.path(), &address, &[("CLIENT__RECONNECT", "false")]);
    let (_large, large) = accept(&listener);
    let (_small, small) = accept(&listener);
    assert_eq!((large[0], small[0]), (HANDSHAKE, HANDSHAKE));
    assert!(large.len() > 1200 && small.len() < 600, "{} and {}", large.len(), small.len());
    let refused = user.event("disconnected");
    assert!(refused["reason"].as_str().unwrap().contains("does not answer"), "{refused}");
}

#[test]
fn an_address_with_a_fingerprint_needs_no_trust_on_first_use() {
    // All homes are those of one ann, each with its own key.
    let server = Server::with("127.0.0.1:0", &[("NAMES__KEEP_DAYS", "0")]);
    let home = TempDir::new().unwrap();
    let address = server.address.to_string();
    let mut user = ann(home.path(), &address, &[]);
    let fingerprint = user.event("security")["fingerprint"].as_str().unwrap().to_owned();
    drop(user);
    let other = TempDir::new().unwrap();
    let mut user = ann(other.path(), &format!("{address}#{fingerprint}"), &[]);
    assert_eq!(user.event("security")["key"], "named");
    user.event("connected");
    drop(user);
    // It replaces a key that was known before, also for an address without it.
    let line = format!("{address} SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU 2026-01-01\n");
    fs::write(other.path().join(".local/share/matou/known_servers"), line).unwrap();
    ann(other.path(), &format!("{address}#{fingerprint}"), &[]).event("connected");
    let mut user = ann(other.path(), &address, &[]);
    assert_eq!(user.event("security")["key"], "known");
    drop(user);
    let third = TempDir::new().unwrap();
    let wrong = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    let mut user = ann(third.path(), &format!("{address}#{wrong}"), &[]);
    let refused = user.event("disconnected");
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("a different key than the one in its address"), "{reason}");
    let mut user = ann(third.path(), &format!("{}#{wrong}", original_server()), &[]);
    let refused = user.event("reconnecting");
    assert!(refused["reason"].as_str().unwrap().contains("instead of encrypting"), "{refused}");
}

#[test]
fn a_recording_of_the_wire_holds_no_name_and_no_word() {
    let server = Server::start();
    let (proxy, target) = (TcpListener::bind("127.0.0.1:0").unwrap(), server.address);
    let address = proxy.local_addr().unwrap();
    let recorded = Arc::new(Mutex::new(Vec::new()));
    let copy = Arc::clone(&recorded);
    thread::spawn(move || {
        while let Ok((client, _)) = proxy.accept() {
            let server = TcpStream::connect(target).unwrap();
            for (mut from, mut to) in
                [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
            {
                let copy = Arc::clone(&copy);
                thread::spawn(move || {
                    let mut chunk = [0; 4096];
                    while let Ok(count) = from.read(&mut chunk) {
                        copy.lock().unwrap().extend_from_slice(&chunk[..count]);
                        if count == 0 || to.write_all(&chunk[..count]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    let mut ann = Client::join(address, "Annabella");
    let mut bob = Client::join(address, "Bobadilla");
    ann.say("the canary sings");
    bob.wait_for_message("Annabella", "the canary sings");
    ann.end_of_input();
    bob.end_of_input();
    ann.ended();
    bob.ended();
    let recorded = recorded.lock().unwrap();
    assert!(recorded.len() > 1000, "nothing was recorded");
    for secret in ["Annabella", "Bobadilla", "canary"] {
        let found = recorded.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}

#[test]
fn a_key_moves_to_another_home_and_is_never_overwritten() {
    let (old, new) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (_, shown) = identity(old.path(), &["show"]);
    let fingerprint = shown.lines().next().unwrap().to_owned();
    let (_, pem) = identity(old.path(), &["export"]);
    let file = new.path().join("key.pem");
    fs::write(&file, &pem).unwrap();
    let file = file.to_str().unwrap();
    let (taken, said) = identity(new.path(), &["import", file]);
    assert!(taken && said.contains(&fingerprint), "{said}");
    let (_, shown) = identity(new.path(), &["show"]);
    assert_eq!(shown.lines().next(), Some(&*fingerprint));
    let (taken, said) = identity(new.path(), &["import", file]);
    assert!(!taken && said.contains("not overwritten"), "{said}");
}

#[test]
fn an_operator_can_refuse_clients_that_are_not_encrypted() {
    let mut server = Server::with("127.0.0.1:0", &[("SECURITY__PLAIN", "refuse")]);
    let home = TempDir::new().unwrap();
    let plain = [("CLIENT__ENCRYPTION", "off"), ("CLIENT__RECONNECT", "false")];
    let mut user = ann(home.path(), &server.address.to_string(), &plain);
    user.event("disconnected");
    let ended = server.logged("connection ended");
    assert_eq!(ended["reason"], "not encrypted, which security.plain does not allow");
    assert!(ended.get("username").is_none(), "{ended}");
    ann(home.path(), &server.address.to_string(), &[]).event("connected");
}

#[test]
fn the_same_user_takes_the_name_over_from_a_lost_connection_at_once() {
    let (server, home) = (Server::start(), TempDir::new().unwrap());
    let address = server.address.to_string();
    let mut first = ann(home.path(), &address, &[]);
    first.event("connected");
    let mut second = ann(home.path(), &address, &[]);
    second.event("connected");
    let why = first.event("disconnected");
    let why = why["reason"].as_str().unwrap();
    assert!(why.contains("joined from another client") && why.contains("/reconnect"), "{why}");
    // Someone else cannot have the name.
    let other = TempDir::new().unwrap();
    let mut thief = ann(other.path(), &address, &[]);
    thief.event("refused");
}

#[test]
fn an_action_is_marked_for_encrypted_clients_and_has_a_star_for_plain_ones() {
    let server = Server::start();
    let mut plain = harness::wire::Peer::join(server.address, "Old", &[]);
    let (mut ada, mut bea) =
        (Client::join(server.address, "Ada"), Client::join(server.address, "Bea"));
    ada.say("/me waves");
    for client in [&mut bea, &mut ada] {
        client.wait("message", |event| event["text"] == "waves" && event["action"] == true);
    }
    plain.expect(&harness::wire::conotif("Ada"));
    plain.expect(&harness::wire::conotif("Bea"));
    plain.expect(&harness::wire::msgbc("Ada", "* waves"));
    ada.say(&format!("/me {}", "x".repeat(511)));
    let refused = ada.any("error");
    assert!(refused["message"].as_str().unwrap().contains("510 bytes"), "{refused}");
}

#[test]
fn a_kicked_user_reads_the_reason_and_does_not_reconnect() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("admin");
    let socket = socket.to_str().unwrap();
    let server = Server::with("127.0.0.1:0", &[("ADMIN__SOCKET", socket)]);
    let home = TempDir::new().unwrap();
    let mut user = ann(home.path(), &server.address.to_string(), &[]);
    user.event("connected");
    let kicked = matou(home.path())
        .args(["admin", "--socket", socket, "kick", "ann", "too", "loud"])
        .status()
        .unwrap();
    assert!(kicked.success());
    let why =
        user.lines.wait("the reason", |line| line.contains("too loud").then(|| line.to_owned()));
    assert!(why.contains("disconnected by an operator"), "{why}");
    let next = user.event("disconnected");
    assert!(next["reason"].as_str().unwrap().contains("/reconnect"), "{next}");
}
