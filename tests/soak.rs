//! A crowd that joins and leaves, talks, and sets up private sessions, beside real clients that
//! exchange messages and files: afterwards all their resources are released.
//!
//! Short by default. For the long one: `MATOU_SOAK_SECONDS=600 MATOU_SOAK_CLIENTS=500 cargo test
//! --release --test soak -- --nocapture`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::client::Client;
use harness::server::Server;
use harness::{DEADLINE, matou, until};
use serde_json::Value;
use support::crowd::{Crowd, Deeds};
use support::scene::descriptors;
use support::two::{file, send};
use tempfile::TempDir;

const SECONDS: u64 = 8;
const CLIENTS: usize = 120;
/// Pairs of real clients.
const PAIRS: usize = 2;
/// The size of the files that they exchange.
const FILE: usize = 1_000_000;

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

    /// No more memory than was there `before`, and 5 %.
    fn is_back_to(self, before: Self) -> bool {
        self.memory_kib <= before.memory_kib + before.memory_kib / 20
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_kib, descriptors, threads } = self;
        write!(f, "{memory_kib} KiB resident, {descriptors} descriptors, {threads} threads")
    }
}

/// A real server with an operators' socket, and real clients in pairs.
struct Stage {
    server: Server,
    pairs: Vec<(Client, Client)>,
    source: PathBuf,
    folder: TempDir,
    /// What the processes had when they had done nothing yet, the server first.
    fresh: Vec<Usage>,
}

impl Stage {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("admin");
        let settings = [
            ("LOG__LEVEL", "info"),
            ("ADMIN__SOCKET", socket.to_str().unwrap()),
            ("PRIVATE__REQUESTS_PER_MINUTE", "0"),
            // All come from one address.
            ("LIMITS__CONNECTS_PER_MINUTE", "0"),
        ];
        let server = Server::with("127.0.0.1:0", &settings);
        let accept = ["--accept-files", "always"];
        let mut pairs: Vec<_> = (0..PAIRS)
            .map(|number| {
                let ada = Client::join_with(server.address, &format!("Ada{number}"), &accept);
                let mut bea = Client::join_with(server.address, &format!("Bea{number}"), &accept);
                bea.wait("joined", |event| event["username"] == ada.name());
                (ada, bea)
            })
            .collect();
        for (ada, _) in &mut pairs {
            let other = ada.name().replace("Ada", "Bea");
            ada.wait("joined", |event| event["username"] == other.as_str());
        }
        let source = file(&pairs[0].0, FILE);
        let mut stage = Self { server, pairs, source, folder, fresh: Vec::new() };
        stage.fresh = stage.usages();
        stage
    }

    /// The processes, the server first.
    fn processes(&self) -> Vec<(&'static str, u32)> {
        let clients = self.pairs.iter().flat_map(|(ada, bea)| [ada, bea]);
        std::iter::once(("server", self.server.process.0.id()))
            .chain(clients.map(|client| ("client", client.process.0.id())))
            .collect()
    }

    fn usages(&self) -> Vec<Usage> {
        self.processes().iter().map(|(_, id)| Usage::of(*id)).collect()
    }

    /// All are active for `time`; then the crowd is gone, to the last actor, descriptor and thread.
    fn live(&mut self, clients: usize, time: Duration) -> (Deeds, u64) {
        let (address, source) = (self.server.address, &self.source);
        let lived = std::thread::scope(|scope| {
            let exchanges: Vec<_> = self
                .pairs
                .iter_mut()
                .map(|(ada, bea)| scope.spawn(move || exchange(ada, bea, source, time)))
                .collect();
            let deeds = Crowd::live(address, clients, time);
            (deeds, exchanges.into_iter().map(|exchange| exchange.join().unwrap()).sum())
        });
        until("nothing of the crowd is left", || {
            let counts = self.counts();
            let of = |key: &str| counts[key].as_u64().unwrap();
            let present = u64::try_from(2 * PAIRS).unwrap();
            let pending = counts["private_pending"].as_object().unwrap().values();
            ["connections", "connection_actors", "users"].iter().all(|key| of(key) == present)
                && pending.filter_map(Value::as_u64).sum::<u64>() == 0
        });
        until("descriptors and threads are given back", || {
            let now = self.usages();
            now.iter().zip(&self.fresh).all(|(now, fresh)| {
                now.descriptors <= fresh.descriptors && now.threads <= fresh.threads
            })
        });
        lived
    }

    /// What the server counts of itself.
    fn counts(&self) -> Value {
        let mut admin = matou(self.folder.path());
        admin.args(["admin", "--json", "status", "--socket"]).arg(self.folder.path().join("admin"));
        let answer: Value = serde_json::from_slice(&admin.output().unwrap().stdout).unwrap();
        answer["status"].clone()
    }

    /// All leave, and the server ends as it should.
    fn end(mut self) {
        for client in self.pairs.iter_mut().flat_map(|(ada, bea)| [ada, bea]) {
            client.say("/quit");
            assert_eq!(client.ended().1, 0);
        }
        self.server.process.signal(nix::sys::signal::Signal::SIGTERM);
        assert!(self.server.process.exit().success());
        assert!(!self.server.log.rest().iter().any(|line| line.contains("panicked")));
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
            bea.wait_for_private(&names[0], &names[1], "hello");
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

#[test]
fn resources_are_released_after_a_long_run() {
    let seconds = setting("MATOU_SOAK_SECONDS").unwrap_or(SECONDS);
    let clients =
        setting("MATOU_SOAK_CLIENTS").map_or(CLIENTS, |count| usize::try_from(count).unwrap());
    let mut stage = Stage::start();
    // Pages of the program are read, and the allocator's caches filled, once in a process; a leak
    // keeps growing after that.
    stage.live(clients, Duration::from_secs((seconds / 4).clamp(4, 150)));
    let before = stage.usages();
    let half = Duration::from_secs(seconds) / 2;
    let (first, first_files) = stage.live(clients, half);
    let middle = stage.usages();
    let (second, second_files) = stage.live(clients, half);
    println!(
        "{clients} clients for {} s: {first}, {first_files} files of {FILE} bytes",
        half.as_secs()
    );
    println!("{clients} clients for {} s: {second}, {second_files} files", half.as_secs());
    for deeds in [first, second] {
        assert!(deeds.joins > 0 && deeds.messages > 0 && deeds.set_ups > 0);
    }
    assert!(first_files > 0 && second_files > 0);

    let mut kept = Vec::new();
    for (index, (what, id)) in stage.processes().into_iter().enumerate() {
        let start = Instant::now();
        while !Usage::of(id).is_back_to(before[index]) && start.elapsed() < DEADLINE {
            std::thread::sleep(Duration::from_millis(100));
        }
        let (before, after) = (before[index], Usage::of(id));
        println!("{what} {id}: fresh {}; before {before}", stage.fresh[index]);
        println!("{what} {id}: half-way {}; after {after}", middle[index]);
        if !after.is_back_to(before) {
            kept.push(format!("{what} {id}: {before} became {after}"));
        }
    }
    assert!(kept.is_empty(), "not back within 5 %: {kept:?}");
    stage.end();
}
