//! A man in the middle.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::client::{Client, meet};
use crate::harness::server::Server;
use crate::harness::user::{User, client};
use crate::hostile::Hostile;
use crate::scene::ALWAYS;
use crate::support::internet::{Family, Home, Internet, Router};

/// Between a server and Ada, whom it knows; Bea is connected to the server itself.
struct Between {
    middle: Hostile,
    address: SocketAddr,
    server: Server,
    at_ada: TempDir,
    bea: Client,
}

fn listening(middle: &mut Hostile) -> SocketAddr {
    middle.report("listening").as_str().unwrap().parse().unwrap()
}

fn attack_next(middle: &mut Hostile, attack: &Value) {
    middle.command("attack next", attack);
    middle.report("done");
}

impl Between {
    fn start() -> Self {
        let server = Server::start();
        let target = server.address.to_string();
        let arguments = json!({ "listen": "127.0.0.1:0", "target": target });
        let mut middle = Hostile::start("middle", &arguments);
        let (address, at_ada) = (listening(&mut middle), tempfile::tempdir().unwrap());
        let bea = Client::join(server.address, "Bea");
        let mut between = Self { middle, address, server, at_ada, bea };
        let mut ada = between.ada();
        ada.event("connected");
        ada.say("a canary for Bea");
        between.bea.wait_for_message("Ada", "a canary for Bea");
        ada.say("/quit");
        ada.process.exit();
        between.bea.any("left");
        between
    }

    fn ada(&self) -> User {
        User::run(client(self.at_ada.path(), &self.address.to_string(), "Ada", &[]), "Ada")
    }

    fn attacks_next(&mut self, attack: &Value) {
        attack_next(&mut self.middle, attack);
    }
}

fn is_plain(user: &User) -> bool {
    user.lines.seen.iter().any(|line| line.contains("\"link\":\"plain\""))
}

/// Says it in each connection that there is, until Ada reads it herself.
fn say_until_heard(ada: &mut User, text: &str) {
    loop {
        let event = ada.lines.wait("a connection or a message", |line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let kinds = ["connected", "disconnected", "reconnecting", "message"];
            kinds.contains(&event["event"].as_str().unwrap()).then_some(event)
        });
        match event["event"].as_str().unwrap() {
            "connected" => ada.say(text),
            // A server that looks like another program is not retried automatically.
            "disconnected" if event["reason"].to_string().contains("/reconnect") => {
                ada.say("/reconnect");
            }
            "message" => {
                assert_eq!(event["text"], text);
                return;
            }
            _ => {}
        }
    }
}

#[test]
fn no_changed_bit_on_the_way_to_the_server_is_accepted() {
    // In both hellos, in the proofs of the keys, and in messages.
    for (turn, at) in [0, 3, 50, 1300, 1600, 1900, 2000].into_iter().enumerate() {
        let mut between = Between::start();
        for direction in ["flip_up", "flip_down"] {
            between.attacks_next(&json!({ direction: at }));
            let mut ada = between.ada();
            let text = format!("{turn} {direction}");
            say_until_heard(&mut ada, &text);
            between.bea.wait_for_message("Ada", &text);
            assert!(!is_plain(&ada), "{at}");
        }
        let seen = between.bea.seen();
        let wrong: Vec<_> = seen
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|event| event["event"] == "message" && event["text"] != "a canary for Bea")
            .filter(|event| !event["text"].as_str().unwrap().starts_with(&turn.to_string()))
            .collect();
        assert!(wrong.is_empty(), "{at}: {wrong:?}");
    }
}

#[test]
fn a_recording_reveals_nothing_and_cannot_be_replayed_to_the_server() {
    let mut between = Between::start();
    // The names with their lengths: three letters alone occur in this many encrypted bytes by
    // chance.
    for word in ["\0\0\0\x03Ada", "\0\0\0\x03Bea", "canary"] {
        between.middle.command("search", &json!(word));
        assert_eq!(between.middle.report("found"), false, "{word}");
    }
    between.middle.command("replay", &json!(0));
    between.middle.report("answered");
    between.bea.say("done");
    between.bea.wait_for_message("Bea", "done");
    let seen = between.bea.seen();
    assert_eq!(seen.matches("a canary for Bea").count(), 1, "{seen}");
    assert_eq!(seen.matches("\"joined\"").count(), 1, "{seen}");
}

#[test]
fn a_recorded_answer_is_not_taken_for_a_server() {
    let mut between = Between::start();
    between.attacks_next(&json!({ "answer_as": 0 }));
    let mut ada = between.ada();
    let again = ada.event("reconnecting");
    assert!(!again["reason"].as_str().unwrap().is_empty(), "{again}");
    ada.event("connected");
    let shown = ada.lines.seen.iter().filter(|line| line.contains("\"connected\"")).count();
    assert!(shown == 1 && !is_plain(&ada), "{:?}", ada.lines.seen);
}

#[test]
fn encryption_that_is_stripped_on_the_way_to_a_known_server_gets_a_hello_alone() {
    let mut between = Between::start();
    between.attacks_next(&json!("strip"));
    let mut ada = between.ada();
    let again = ada.event("reconnecting");
    assert!(again["reason"].as_str().unwrap().contains("instead of encrypting"), "{again}");
    assert_eq!(between.middle.report("stripped")["first"], 0x16);
    ada.event("connected");
    assert!(!is_plain(&ada));
}

#[test]
fn a_record_that_is_repeated_ends_the_connection_and_is_read_once() {
    let mut between = Between::start();
    // After the handshake and HELLO.
    between.attacks_next(&json!({ "repeat": 2000 }));
    let mut ada = between.ada();
    ada.event("connected");
    for number in 0..8 {
        ada.say(&format!("{number} {}", "x".repeat(200)));
    }
    let ended = between.server.log.wait("the end", |line| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["message"] == "left" && line["reason"] != "signed out").then_some(line)
    });
    assert!(ended["reason"].as_str().unwrap().contains("encryption failed"), "{ended}");
    ada.event("disconnected");
    ada.event("connected");
    between.bea.say("done");
    between.bea.wait_for_message("Bea", "done");
    let seen = between.bea.seen();
    for number in 0..8 {
        assert!(seen.matches(&format!("\"{number} xxx")).count() <= 1, "{seen}");
    }
}

/// Two clients on an internet, all of whose private connections lead through the middle.
struct Route {
    middle: Hostile,
    ada: Client,
    bea: Client,
    _server: Server,
    _homes: [Home; 2],
    _internet: Internet,
}

impl Route {
    fn open(settings: &'static [(&'static str, &'static str)]) -> Option<Self> {
        let mut internet = Internet::new(Family::V4)?;
        let server = internet
            .network
            .within(|| Server::with("0.0.0.0:0", &[("PRIVATE__REQUESTS_PER_MINUTE", "0")]));
        let arguments = json!({ "listen": "0.0.0.0:0" });
        let mut middle = internet.network.within(move || Hostile::start("middle", &arguments));
        let (at, port) = (internet.server(), listening(&mut middle).port());
        let diverted = format!(
            "table ip middle {{
                chain prerouting {{
                    type nat hook prerouting priority dstnat
                    iifname \"home*\" tcp dport != {} dnat to {at}:{port}
                }}
                chain postrouting {{
                    type nat hook postrouting priority srcnat
                    oifname \"home1\" ip saddr {at} snat to 198.18.2.2
                    oifname \"home2\" ip saddr {at} snat to 198.18.1.2
                }}
            }}\n",
            server.address.port()
        );
        internet.network.batch("nft -f -", &diverted).unwrap();
        let homes = [(); 2].map(|()| internet.home(Router::None, Duration::from_millis(2)));
        let address = SocketAddr::from((at, server.address.port()));
        let join = |home: &Home, name: &'static str| {
            home.computer.within(move || Client::join_configured(address, name, &ALWAYS, settings))
        };
        let (mut ada, mut bea) = (join(&homes[0], "Ada"), join(&homes[1], "Bea"));
        meet(&mut ada, &mut bea);
        Some(Self { middle, ada, bea, _server: server, _homes: homes, _internet: internet })
    }

    fn attack_all(&mut self, attack: &Value) {
        // As many as both sides may dial.
        for _ in 0..8 {
            attack_next(&mut self.middle, attack);
        }
    }

    fn says(&mut self, text: &str) {
        self.ada.say(&format!("/msg Bea {text}"));
    }

    fn sends_a_file(&mut self) -> PathBuf {
        let file = self.ada.home.path().join("Wombat.jpg");
        fs::write(&file, "Numbat".repeat(50_000)).unwrap();
        self.ada.say(&format!("/send Bea {}", file.display()));
        self.bea.any("file_received")["path"].as_str().unwrap().into()
    }

    fn found(&mut self, word: &str) -> bool {
        self.middle.command("search", &json!(word));
        self.middle.report("found") == true
    }
}

#[test]
fn a_private_session_through_the_middle_works_and_reveals_nothing() {
    let Some(mut route) = Route::open(&[]) else { return };
    route.says("a Quokka");
    route.bea.wait_for_private("Ada", "Bea", "a Quokka");
    let received = route.sends_a_file();
    assert_eq!(fs::read_to_string(received).unwrap(), "Numbat".repeat(50_000));
    for word in ["Quokka", "Numbat", "Wombat"] {
        assert!(!route.found(word), "{word}");
    }
    // Nothing is found because there is nothing: without encryption it is found.
    let Some(mut plain) = Route::open(&[("CLIENT__ENCRYPTION", "off")]) else { return };
    plain.says("a Quokka");
    plain.bea.wait_for_private("Ada", "Bea", "a Quokka");
    plain.sends_a_file();
    assert!(plain.found("Quokka") && plain.found("Numbat"));
}

#[test]
fn stripping_a_private_session_opens_none_and_gets_nothing_but_hellos() {
    let Some(mut route) = Route::open(&[("PRIVATE__CONNECT_SECONDS", "3")]) else { return };
    route.attack_all(&json!("strip"));
    route.says("a Quokka");
    let lost = route.ada.any("undelivered");
    assert_eq!(lost["texts"], json!(["a Quokka"]));
    let first = route.middle.report("stripped")["first"].clone();
    assert!(first == 0x16 || first == 0, "a hello, or silence: {first}");
    assert!(!route.found("Quokka"));
    assert!(!route.ada.seen().contains("private_opened"));
}

#[test]
fn a_reflection_opens_no_session() {
    let Some(mut route) = Route::open(&[("PRIVATE__CONNECT_SECONDS", "3")]) else { return };
    route.attack_all(&json!("mirror"));
    route.says("a Quokka");
    assert_eq!(route.ada.any("undelivered")["texts"], json!(["a Quokka"]));
    assert!(route.middle.report("mirrored").as_u64().unwrap() > 0, "a hello");
    assert!(!route.found("Quokka"));
    assert!(!route.ada.seen().contains("private_opened"));
}

#[test]
fn changed_bytes_on_the_way_to_a_peer_are_not_read() {
    let Some(mut route) = Route::open(&[]) else { return };
    // After the handshakes, whichever side dials.
    for attack in ["flip", "repeat", "cut"] {
        route.ada.forget();
        route.bea.forget();
        route.attack_all(&json!({ attack: 3000 }));
        let texts: Vec<_> =
            (0..30).map(|at| format!("{attack} {at} {}", "x".repeat(300))).collect();
        for text in &texts {
            route.says(text);
        }
        route.ada.any("private_closed");
        let closed = route.bea.any("private_closed");
        assert!(!closed["reason"].as_str().unwrap().is_empty(), "{closed}");
        let seen = route.bea.seen();
        let read = seen.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let read = read.filter(|event| event["event"] == "private_message");
        let read = read.map(|event| event["text"].as_str().unwrap().to_owned());
        let read: Vec<_> = read.filter(|text| text.starts_with(attack)).collect();
        assert_eq!(read, texts[..read.len()], "each once, in order, as it was written");
    }
}

#[test]
fn a_recording_of_one_session_does_not_disturb_the_next() {
    let Some(mut route) = Route::open(&[]) else { return };
    route.says("a Quokka");
    route.bea.wait_for_private("Ada", "Bea", "a Quokka");
    route.ada.say("/close Bea");
    route.bea.any("private_closed");
    for _ in 0..4 {
        attack_next(&mut route.middle, &json!({ "replay_first": 0 }));
    }
    route.says("a Potoroo");
    route.bea.wait_for_private("Ada", "Bea", "a Potoroo");
    assert_eq!(route.bea.seen().matches("a Quokka").count(), 1);
}
