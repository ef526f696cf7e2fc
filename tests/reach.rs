//! Private sessions across an internet of network namespaces: who reaches whom through which routers.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::client::{Client, meet};
use harness::server::Server;
use support::internet::{Family, Firewall, Home, Internet, Router};

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
        name: &'static str,
        router: Router,
        delay: Duration,
        settings: &'static [(&'static str, &'static str)],
    ) -> Person {
        let home = self.internet.home(router, delay);
        let server = SocketAddr::from((self.internet.server(), self.server.address.port()));
        let client = home.computer.within(move || {
            let always = ["--accept-private", "always", "--accept-files", "always"];
            Client::join_configured(server, name, &always, settings)
        });
        Person { client, home }
    }
}

/// Opens a session from `a` to `b`, with a text and a file: how long both took.
fn talk(a: &mut Client, b: &mut Client) -> (Duration, Duration) {
    let start = Instant::now();
    a.say(&format!("/msg {} hello", b.name()));
    let (from, to) = (a.name().to_owned(), b.name().to_owned());
    b.wait("private_message", |event| event["from"] == *from && event["text"] == "hello");
    let opened = start.elapsed();
    let file = a.home.path().join("photo.jpg");
    let content: Vec<u8> = (0..100_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    fs::write(&file, &content).unwrap();
    a.say(&format!("/send {to} {}", file.display()));
    let received = b.wait("file_received", |event| event["from"] == *from);
    let received: PathBuf = received["path"].as_str().unwrap().into();
    assert!(fs::read(received).unwrap() == content);
    (opened, start.elapsed())
}

#[test]
fn firewalls_that_let_only_answers_pass_are_beaten_by_dialling_from_both_sides() {
    for firewall in [Firewall::Drops, Firewall::Resets] {
        let Some(mut scene) = Scene::new(Family::V6) else { return };
        let near = Duration::from_millis(5);
        let far = Duration::from_millis(40);
        let mut ada = scene.person("Ada", Router::Routes(firewall), near, &[]);
        let mut bea = scene.person("Bea", Router::Routes(firewall), far, &[]);
        meet(&mut ada.client, &mut bea.client);
        let (opened, file) = talk(&mut ada.client, &mut bea.client);
        println!("{}: {opened:?} {file:?}", Router::Routes(firewall));
        for person in [ada, bea] {
            assert_eq!(person.home.forbidden_dials(), 0);
        }
    }
}
