//! A crowd that comes and goes, talks, and sets up private sessions, beside real clients that
//! exchange messages and files: afterwards everything that they took has been given back.
//!
//! Short by default. For the long one:
//! `MATOU_SOAK_SECONDS=600 MATOU_SOAK_CLIENTS=500 cargo test --release --test soak -- --nocapture`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::client::Client;
use harness::server::Server;
use support::crowd::{Crowd, Deeds};
use support::scene::{descriptors, until};
use support::two::{file, send};

const SECONDS: u64 = 12;
const CLIENTS: usize = 120;
/// Pairs of real clients.
const PAIRS: usize = 2;
/// The size of the files that they exchange.
const FILE: usize = 1_000_000;
/// What a process may keep of its memory beyond the 5 %: the allocator's own noise.
const NOISE_KIB: u64 = 1024;

/// What a process has.
#[derive(Clone, Copy, Debug)]
struct Usage {
    memory_kib: u64,
    descriptors: usize,
    threads: usize,
}

impl Usage {
    fn of(process: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        Self {
            memory_kib: field("VmRSS:"),
            descriptors: descriptors(process),
            threads: usize::try_from(field("Threads:")).unwrap(),
        }
    }

    /// Nothing is kept beyond 5 % of what was there `before`.
    fn is_back_to(self, before: Self) -> bool {
        self.memory_kib <= before.memory_kib + before.memory_kib / 20 + NOISE_KIB
            && self.descriptors <= before.descriptors + before.descriptors / 20
            && self.threads <= before.threads + before.threads / 20
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_kib, descriptors, threads } = self;
        write!(f, "{memory_kib} KiB resident, {descriptors} descriptors, {threads} threads")
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Both talk and send each other a file, over and over, each time in a new session.
fn exchange(ada: &mut Client, bea: &mut Client, source: &Path, time: Duration) -> u64 {
    let (start, mut files) = (Instant::now(), 0);
    let names = [ada.name().to_owned(), bea.name().to_owned()];
    while start.elapsed() < time {
        ada.say(&format!("/open {}", names[1]));
        bea.wait("private_request", |event| event["from"] == names[0].as_str());
        bea.say(&format!("/accept {}", names[0]));
        ada.any("private_opened");
        bea.any("private_opened");
        for _ in 0..20 {
            ada.say(&format!("/msg {} hello", names[1]));
            bea.heard_in_private(&names[0], &names[1], "hello");
        }
        send(ada, &names[1], source);
        send(bea, &names[0], source);
        for client in [&mut *ada, &mut *bea] {
            let received = client.any("file_received");
            assert_eq!(received["size"], FILE);
            std::fs::remove_file(received["path"].as_str().unwrap()).unwrap();
            client.any("file_sent");
            files += 1;
        }
        ada.say(&format!("/close {}", names[1]));
        for client in [&mut *ada, &mut *bea] {
            client.any("private_closed");
            client.forget();
        }
    }
    files
}

/// Everybody does what they do for `time`; then the crowd is gone.
fn live(
    server: &Server,
    pairs: &mut [(Client, Client)],
    source: &Path,
    clients: usize,
    time: Duration,
) -> (Deeds, u64) {
    std::thread::scope(|scope| {
        let exchanges: Vec<_> = pairs
            .iter_mut()
            .map(|(ada, bea)| scope.spawn(move || exchange(ada, bea, source, time)))
            .collect();
        let deeds = Crowd::live(server.address, clients, time);
        (deeds, exchanges.into_iter().map(|exchange| exchange.join().unwrap()).sum())
    })
}

#[test]
fn after_a_long_life_everything_has_been_given_back() {
    let seconds = setting("MATOU_SOAK_SECONDS").unwrap_or(SECONDS);
    let clients =
        setting("MATOU_SOAK_CLIENTS").map_or(CLIENTS, |count| usize::try_from(count).unwrap());
    let mut server = Server::with(
        "127.0.0.1:0",
        &[
            ("LOG__LEVEL", "info"),
            ("PRIVATE__REQUESTS_PER_MINUTE", "0"),
            // All come from one address.
            ("LIMITS__CONNECTS_PER_MINUTE", "0"),
        ],
    );
    let accept = ["--accept-files", "always"];
    let mut pairs: Vec<_> = (0..PAIRS)
        .map(|number| {
            let ada = Client::join_with(server.address, &format!("Ada{number}"), &accept);
            let mut bea = Client::join_with(server.address, &format!("Bea{number}"), &accept);
            bea.wait("joined", |event| event["username"] == format!("Ada{number}").as_str());
            (ada, bea)
        })
        .collect();
    for (ada, _) in &mut pairs {
        let other = ada.name().replace("Ada", "Bea");
        ada.wait("joined", |event| event["username"] == other.as_str());
    }
    let source = file(&pairs[0].0, FILE);
    let mut processes = vec![("server", server.process.0.id())];
    for (ada, bea) in &pairs {
        processes.push(("client", ada.process.0.id()));
        processes.push(("client", bea.process.0.id()));
    }
    let mut before: Vec<_> = processes.iter().map(|(_, id)| Usage::of(*id)).collect();
    // The allocator grows to what the load needs once, and is judged from there.
    let warm_up = Duration::from_secs((seconds / 4).clamp(4, 60));
    live(&server, &mut pairs, &source, clients, warm_up);
    for ((_, id), before) in processes.iter().zip(&mut before) {
        before.memory_kib = Usage::of(*id).memory_kib;
    }
    let life = Duration::from_secs(seconds);
    let (deeds, files) = live(&server, &mut pairs, &source, clients, life);
    println!("{clients} clients for {seconds} s: {deeds}, {files} files of {FILE} bytes");
    assert!(deeds.joins > 0 && deeds.messages > 0 && deeds.set_ups > 0 && files > 0);
    let mut failed = Vec::new();
    for ((what, id), before) in processes.iter().zip(before) {
        let start = Instant::now();
        while !Usage::of(*id).is_back_to(before) && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(100));
        }
        let after = Usage::of(*id);
        println!("{what} {id}: before {before}; after {after}");
        if !after.is_back_to(before) {
            failed.push(format!("{what} {id}: {before} became {after}"));
        }
    }
    assert!(failed.is_empty(), "not back within 5 %: {failed:?}");
    for (mut ada, mut bea) in pairs {
        for client in [&mut ada, &mut bea] {
            client.say("/quit");
            assert_eq!(client.ended().1, 0);
        }
    }
    until("the last ones have left", || descriptors(processes[0].1) < 64);
    server.process.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(server.process.exit().success());
    assert!(!server.log.rest().iter().any(|line| line.contains("panicked")));
}
