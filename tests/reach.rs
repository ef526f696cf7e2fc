//! Private sessions across an internet of network namespaces: who reaches whom through which
//! routers.
//!
//! With `--nocapture` the tables of docs/REACH.md are printed as they were measured.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::client::{Client, meet};
use harness::server::Server;
use support::internet::{Family, Firewall, Home, Internet, MOVED_PORTS, Router};
use support::network::{Lan, Line};

/// Every kind of home.
const KINDS: [Router; 9] = [
    Router::None,
    Router::Routes(Firewall::Drops),
    Router::Routes(Firewall::Resets),
    Router::KeepsPorts(Firewall::Drops),
    Router::KeepsPorts(Firewall::Resets),
    Router::MovesPorts(Firewall::Drops),
    Router::MovesPorts(Firewall::Resets),
    Router::RandomPorts(Firewall::Drops),
    Router::RandomPorts(Firewall::Resets),
];
/// From the two sides of a pair to the middle.
const DELAYS: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(25)];
/// For what can connect.
const TIME_LIMIT: Duration = Duration::from_secs(10);
const LIMITED: &[(&str, &str)] = &[("PRIVATE__CONNECT_SECONDS", "10")];
const REVISION_1: &[(&str, &str)] = &[("CLIENT__ENCRYPTION", "off")];
const ALWAYS: [&str; 4] = ["--accept-private", "always", "--accept-files", "always"];

/// A client, and the home that it runs in.
struct Person {
    client: Client,
    home: Home,
}

/// An internet with its server.
struct Scene {
    internet: Internet,
    server: Server,
}

impl Scene {
    fn new(family: Family) -> Option<Self> {
        let internet = Internet::new(family)?;
        let settings = [("PRIVATE__REQUESTS_PER_MINUTE", "0")];
        let server = internet.network.within(move || Server::with("[::]:0", &settings));
        Some(Self { internet, server })
    }

    fn person(
        &mut self,
        name: impl Into<String>,
        router: Router,
        delay: Duration,
        settings: &'static [(&'static str, &'static str)],
    ) -> Person {
        let (home, name) = (self.internet.home(router, delay), name.into());
        let server = SocketAddr::from((self.internet.server(), self.server.address.port()));
        let client = home.computer.within(move || {
            let ports = format!("{}-{}", MOVED_PORTS.start(), MOVED_PORTS.end());
            let moved = matches!(router, Router::MovesPorts(_));
            let moved = moved.then_some(("PRIVATE__PORTS", ports.as_str()));
            let settings: Vec<_> = settings.iter().chain(LIMITED).copied().chain(moved).collect();
            Client::join_configured(server, &name, &ALWAYS, &settings)
        });
        Person { client, home }
    }
}

/// Opens a session from `a` to `b`, with a text and a file, within the time limit: how long it took
/// until the text was there, and until both were.
fn talk(a: &mut Client, b: &mut Client) -> (Duration, Duration) {
    let start = Instant::now();
    let (from, to) = (a.name().to_owned(), b.name().to_owned());
    a.say(&format!("/msg {to} hello"));
    b.wait("private_message", |event| event["from"] == *from && event["text"] == "hello");
    let opened = start.elapsed();
    let file = a.home.path().join("photo.jpg");
    let content: Vec<u8> = (0..100_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    fs::write(&file, &content).unwrap();
    a.say(&format!("/send {to} {}", file.display()));
    let received = b.wait("file_received", |event| event["from"] == *from);
    let received: PathBuf = received["path"].as_str().unwrap().into();
    assert!(fs::read(received).unwrap() == content);
    assert!(opened < TIME_LIMIT, "{from} and {to}: {opened:?}");
    (opened, start.elapsed())
}

/// Why the session that `a` asked `b` for was not opened.
fn failure(a: &mut Client, b: &Client) -> String {
    let event = a.wait("undelivered", |event| event["to"] == b.name());
    event["reason"].as_str().unwrap().to_owned()
}

/// Whether two people at such homes can connect at all.
fn can_connect(family: Family, one: Router, other: Router) -> bool {
    let is_open = |router| router == Router::None;
    let is_random = |router| matches!(router, Router::RandomPorts(_));
    let has_open_side = is_open(one) || is_open(other);
    // With both protocols, the one that is not translated is left.
    has_open_side || family == Family::Both || !(is_random(one) || is_random(other))
}

/// Users behind all kinds of routers ask each other for sessions.
fn every_pair(family: Family) {
    let Some(mut scene) = Scene::new(family) else { return };
    let mut people = |side: &str, delay| -> Vec<Person> {
        let kinds = KINDS.iter().enumerate();
        kinds.map(|(at, kind)| scene.person(format!("{side}{at}"), *kind, delay, &[])).collect()
    };
    let (mut askers, mut asked) = (people("a", DELAYS[0]), people("b", DELAYS[1]));
    let last = asked.last().unwrap().client.name().to_owned();
    for asker in &mut askers {
        asker.client.wait("joined", |event| event["username"] == *last);
    }
    let mut table = vec![vec![String::new(); KINDS.len()]; KINDS.len()];
    for shift in 0..KINDS.len() {
        // Each person is in one pair.
        let pairs = askers.iter_mut().zip(&mut asked[shift..]).enumerate();
        let pairs = pairs.filter(|(one, _)| can_connect(family, KINDS[*one], KINDS[one + shift]));
        std::thread::scope(|scope| {
            let talks: Vec<_> = pairs
                .map(|(one, (a, b))| (one, scope.spawn(move || talk(&mut a.client, &mut b.client))))
                .collect();
            for (one, talk) in talks {
                let (opened, file) = talk.join().unwrap();
                let [opened, file] = [opened, file].map(|time| time.as_secs_f32());
                table[one + shift][one] = format!("{opened:.1} / {file:.1}");
            }
        });
    }
    // All at once: each takes as long as one may try.
    let pairs = (0..KINDS.len()).flat_map(|one| (one..KINDS.len()).map(move |other| (one, other)));
    let cannot: Vec<_> =
        pairs.filter(|(one, other)| !can_connect(family, KINDS[*one], KINDS[*other])).collect();
    for (one, other) in &cannot {
        askers[*one].client.say(&format!("/msg b{other} hello"));
        askers[*one].client.say(&format!("/doctor b{other}"));
    }
    for (one, other) in cannot {
        let why = failure(&mut askers[one].client, &asked[other].client);
        assert!(why.contains("no connection within 10 s"), "{why}");
        let with = format!("b{other}");
        let found = askers[one].client.wait("diagnosis", |event| event["with"] == *with);
        assert_eq!(found["connected"], false, "{found}");
        // What the other side dialled is known, too.
        for direction in ["outgoing", "incoming"] {
            let attempts = found["attempts"].as_array().unwrap();
            let is_there = attempts.iter().any(|attempt| {
                attempt["direction"] == direction
                    && ["refused", "silent"].iter().any(|result| attempt["result"] == *result)
            });
            assert!(is_there, "{direction}: {found}");
        }
        for (router, whose) in
            [(KINDS[one], "Your".to_owned()), (KINDS[other], format!("{with}'s"))]
        {
            if matches!(router, Router::RandomPorts(_)) {
                let verdict = format!("{whose} router uses a different port for each connection");
                assert!(why.contains(&verdict), "{why}");
                assert!(found["verdict"].to_string().contains(&verdict), "{found}");
            }
        }
        table[other][one] = "none".into();
    }
    print_table(family, &table);
    for person in askers.iter().chain(&asked) {
        assert_eq!(person.home.forbidden_dials(), 0, "{}", person.client.name());
    }
}

fn print_table(family: Family, cells: &[Vec<String>]) {
    let mut table = format!("\n| {family:?} |");
    for kind in KINDS {
        let _ = write!(table, " {kind} |");
    }
    let _ = write!(table, "\n|{}", "---|".repeat(KINDS.len() + 1));
    for (kind, row) in KINDS.iter().zip(cells) {
        let _ = write!(table, "\n| {kind} | {} |", row.join(" | "));
    }
    println!("{table}");
}

#[test]
fn every_pair_of_routers_connects_unless_ports_are_random_with_ipv4() {
    every_pair(Family::V4);
}

#[test]
fn every_pair_of_routers_connects_unless_ports_are_random_with_ipv6() {
    every_pair(Family::V6);
}

#[test]
fn every_pair_of_routers_connects_with_ipv4_and_ipv6_not_translated() {
    every_pair(Family::Both);
}

/// A dial that reaches the other router before the dial from there is refused. Far away the two have the
/// more time to cross.
#[test]
fn both_sides_dial_at_the_same_time_once_for_messages_and_once_for_files() {
    let Some(mut scene) = Scene::new(Family::V4) else { return };
    let (router, far) = (Router::Routes(Firewall::Resets), Duration::from_millis(60));
    let mut ada = scene.person("Ada", router, far, &[]);
    let mut bea = scene.person("Bea", router, far, &[]);
    meet(&mut ada.client, &mut bea.client);
    for sessions in 1..=3 {
        talk(&mut ada.client, &mut bea.client);
        for person in [&ada, &bea] {
            assert_eq!(person.home.dials(), 2 * sessions, "{}", person.client.name());
        }
        ada.client.say(&format!("/close {}", bea.client.name()));
        for person in [&mut ada, &mut bea] {
            person.client.any("private_closed");
            person.client.forget();
        }
        std::mem::swap(&mut ada, &mut bea);
    }
}

/// Revision 1 keeps its one way: the asked client dials the asker.
fn revision_1(family: Family) {
    let Some(mut scene) = Scene::new(family) else { return };
    let mut open = scene.person("open", Router::None, DELAYS[0], &[]);
    let mut old_open = scene.person("oldopen", Router::None, DELAYS[0], REVISION_1);
    let mut closed = Vec::new();
    for (at, router) in [Router::Routes(Firewall::Resets), Router::KeepsPorts(Firewall::Drops)]
        .into_iter()
        .enumerate()
    {
        let mut new = scene.person(format!("new{at}"), router, DELAYS[1], &[]);
        meet(&mut old_open.client, &mut new.client);
        talk(&mut old_open.client, &mut new.client);
        let mut old = scene.person(format!("old{at}"), router, DELAYS[1], REVISION_1);
        meet(&mut open.client, &mut old.client);
        talk(&mut open.client, &mut old.client);
        open.client.say(&format!("/close old{at}"));
        old.client.any("private_closed");
        old.client.forget();
        old.client.say("/msg open hello");
        closed.extend([new, old]);
    }
    for old in closed.iter_mut().filter(|person| person.client.name().starts_with("old")) {
        assert!(!failure(&mut old.client, &open.client).is_empty(), "{family:?}");
    }
    for person in closed.iter().chain([&open, &old_open]) {
        assert_eq!(person.home.forbidden_dials(), 0, "{}", person.client.name());
    }
}

#[test]
fn revision_1_connects_if_the_asker_can_be_reached_from_outside() {
    std::thread::scope(|scope| {
        for family in [Family::V4, Family::V6] {
            scope.spawn(move || revision_1(family));
        }
    });
}

/// The asked client names addresses inside the asker's computer and in private networks around it.
#[test]
fn addresses_that_a_hostile_peer_names_are_not_dialled_inside_the_own_network() {
    const HOSTILE: &[(&str, &str)] = &[
        ("PRIVATE__PORTS", "5000-5001"),
        (
            "PRIVATE__ADDRESS",
            "127.0.0.1,127.0.0.2,::1,10.0.0.1,172.16.0.1,192.168.200.1,169.254.169.254,100.64.0.1,\
             fd00:dead::1,fe80::1",
        ),
    ];
    let Some(mut scene) = Scene::new(Family::Both) else { return };
    // Through these routers there is no way with IPv4 alone, so that everything is tried.
    let router = Router::RandomPorts(Firewall::Drops);
    let mut ada = scene.person("Ada", router, DELAYS[0], &[]);
    let mut eve = scene.person("Eve", router, DELAYS[1], HOSTILE);
    eve.home.computer.runs("ip -6 address flush dev lan").unwrap();
    meet(&mut ada.client, &mut eve.client);
    let services = ada.home.computer.within(|| {
        ["127.0.0.1:5000", "127.0.0.1:5001", "[::1]:5000"].map(|it| TcpListener::bind(it).unwrap())
    });
    ada.client.say("/msg Eve hello");
    failure(&mut ada.client, &eve.client);
    assert_eq!(ada.home.forbidden_dials(), 0);
    for service in services {
        service.set_nonblocking(true).unwrap();
        assert!(service.accept().is_err(), "{service:?} was dialled");
    }
    // The canary sings when there is something.
    ada.home.computer.within(|| TcpStream::connect("127.0.0.1:1")).unwrap_err();
    assert_eq!(ada.home.forbidden_dials(), 1);
}

#[test]
fn a_firewall_on_one_computer_of_a_lan_costs_no_time_since_the_other_one_is_dialled_too() {
    let Some(line) = Line::between(["192.168.1.1/24", "192.168.1.2/24"]) else { return };
    let server = line.near.within(|| Server::with("0.0.0.0:0", &[]));
    let address = SocketAddr::from(([192, 168, 1, 1], server.address.port()));
    let join = move |name| move || Client::join_with(address, name, &ALWAYS);
    let firewall = "table inet firewall {
        chain input {
            type filter hook input priority 0
            iifname far meta l4proto tcp ct state != established drop
        }
    }\n";
    line.far.batch("nft -f -", firewall).unwrap();
    let (mut ada, mut bea) = (line.near.within(join("Ada")), line.far.within(join("Bea")));
    meet(&mut ada, &mut bea);
    let (opened, _) = talk(&mut ada, &mut bea);
    // Sooner than the dial that is not answered is given up.
    assert!(opened < Duration::from_secs(5), "{opened:?}");
    ada.say("/close Bea");
    bea.any("private_closed");
    bea.forget();
    let (opened, _) = talk(&mut bea, &mut ada);
    assert!(opened < Duration::from_secs(5), "{opened:?}");
}

/// As a guest Wi-Fi does that shields its guests from each other.
#[test]
fn a_lan_that_keeps_computers_apart_is_named() {
    let Some(lan) = Lan::new() else { return };
    let server = lan.middle.within(|| Server::with("0.0.0.0:0", &[]));
    let address = SocketAddr::from((Lan::MIDDLE, server.address.port()));
    let join = move |name| move || Client::join_configured(address, name, &ALWAYS, LIMITED);
    let [ada, bea] = &lan.computers;
    let (mut ada, mut bea) = (ada.within(join("Ada")), bea.within(join("Bea")));
    meet(&mut ada, &mut bea);
    ada.say("/msg Bea hello");
    let why = failure(&mut ada, &bea);
    assert!(why.contains("no connection within 10 s") && why.contains("guest Wi-Fi"), "{why}");
}
