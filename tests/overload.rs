//! More people than there is room for, and people who do not read: the others feel nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use harness::client::Client;
use harness::server::Server;
use harness::wire::{Peer, coreq, disconotif, frame, frame_length, msg};
use harness::{DEADLINE, matou, until};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use serde_json::Value;
use socket2::{Domain, SockAddr, Socket, Type};

/// Rates off, short patience.
const IMPATIENT: [(&str, &str); 6] = [
    ("LIMITS__MESSAGES_PER_SECOND", "0"),
    ("LIMITS__BYTES_PER_SECOND", "0"),
    ("LIMITS__ROOM_BYTES_PER_SECOND", "0"),
    ("LIMITS__STALL_SECONDS", "3"),
    ("LIMITS__LAG_SECONDS", "5"),
    ("LOG__LEVEL", "info"),
];

/// These tests take what the machine has: one after the other, so that their deadlines hold.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Whether the server has ended this connection, which has nothing to say.
fn is_ended(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    match stream.read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// `field` of /proc/PID/status in KiB.
fn memory(server: &Server, field: &str) -> u64 {
    let status = format!("/proc/{}/status", server.process.0.id());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Connects and joins with a small receive buffer, and never reads.
fn stuck(server: SocketAddr, name: &str) -> Socket {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&SockAddr::from(server)).unwrap();
    socket.send(&coreq(name)).unwrap();
    socket
}

#[test]
fn with_80_descriptors_200_connections_are_accepted_or_refused() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -n 80 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_matou-bin")]);
    command.args(["server", "--listen", "127.0.0.1:0"]).env_clear().env("PATH", "/usr/bin:/bin");
    let settings = [
        ("ADMIN__SOCKET", socket.to_str().unwrap()),
        ("METRICS__LISTEN", "127.0.0.1:0"),
        ("NETWORK__ARBITERS", "2"),
    ];
    let mut server = Server::launch(command, &settings);
    let warned = |line: &String| line.contains("too few file descriptors");
    assert!(server.log.seen.iter().any(warned), "{:?}", server.log.seen);

    let seen: Vec<Value> =
        server.log.seen.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let metrics = seen.iter().find(|line| line["message"] == "metrics").unwrap();
    let metrics = metrics["address"].as_str().unwrap();
    let _silent: Vec<TcpStream> = (0..16).map(|_| TcpStream::connect(metrics).unwrap()).collect();

    let mut alice = Peer::join(server.address, "alice", &[]);
    let mut others: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    server.logged("connections refused");
    until("turning away", || {
        others.retain_mut(|stream| !is_ended(stream));
        let mut admin = matou(Path::new(env!("CARGO_TARGET_TMPDIR")));
        admin.args(["admin", "--json", "status", "--socket"]).arg(&socket);
        let status: Value = serde_json::from_slice(&admin.output().unwrap().stdout).unwrap();
        // All come from one address, which may not have the last places of a small server.
        let refused = status["status"]["refusals"].as_object().unwrap().values();
        let refused: u64 = refused.map(|count| count.as_u64().unwrap()).sum();
        let inside = u64::try_from(others.len()).unwrap();
        status["status"]["connections"] == inside + 1 && refused + inside == 200
    });
    assert!((5..46).contains(&others.len()), "{} were let in", others.len());
    alice.expect_nothing();
    drop(others);
    until("a free place", || {
        let mut stream = TcpStream::connect(server.address).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        !is_ended(&mut stream)
    });
    alice.expect_nothing();
    server.process.signal(Signal::SIGTERM);
    server.logged("stopped");
    let not_accepted = |line: &&String| line.contains("not accepted");
    assert_eq!(server.log.seen.iter().find(not_accepted), None);
}

#[test]
fn a_stopped_client_is_disconnected_and_reconnects_when_it_continues() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut server = Server::with("127.0.0.1:0", &IMPATIENT);
    let mut alice = Peer::join(server.address, "alice", &[]);
    let mut bob = Client::join(server.address, "bob");
    alice.expect(&harness::wire::conotif("bob"));
    bob.process.signal(Signal::SIGSTOP);
    // The kernel's buffers take megabytes before the server notices.
    let line = "x".repeat(500);
    let spoken = msg(&line).repeat(64);
    let echoed = 64 * (frame(4, &[b"alice", line.as_bytes()]).len());
    let left = disconotif("bob");
    'talk: loop {
        alice.send(&spoken);
        let mut got = 0;
        while got < echoed {
            let mut kind = [0; 4];
            alice.stream.read_exact(&mut kind).unwrap();
            if kind == left[..4] {
                alice.expect(&left[4..]);
                break 'talk;
            }
            assert_eq!(kind, [0, 0, 0, 4]);
            alice.take(echoed / 64 - kind.len());
            got += echoed / 64;
        }
    }
    let gone = server.logged("left");
    assert_eq!(gone["username"], "bob");
    assert!(gone["reason"].as_str().unwrap().starts_with("reads "), "{gone}");
    bob.process.signal(Signal::SIGCONT);
    bob.any("disconnected");
    bob.wait("connected", |event| event["username"] == "bob");
}

#[test]
fn a_client_that_reads_and_falls_ever_further_behind_is_disconnected() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut server = Server::with("127.0.0.1:0", &IMPATIENT);
    let mut alice = Peer::join(server.address, "alice", &[]);
    let slow = stuck(server.address, "slow");
    alice.expect(&harness::wire::conotif("slow"));
    let mut hearing = alice.stream.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut hearing, &mut std::io::sink()));
    let reading = std::thread::spawn(move || {
        let (mut slow, mut taken) = (TcpStream::from(slow), 0);
        // 20 KB/s: never without progress, and never fast enough.
        while let Ok(count @ 1..) = slow.read(&mut [0; 1024]) {
            taken += count;
            std::thread::sleep(Duration::from_millis(50));
        }
        taken
    });
    let spoken = msg(&"x".repeat(500)).repeat(32);
    let start = Instant::now();
    while !reading.is_finished() {
        assert!(start.elapsed() < DEADLINE, "it was not disconnected");
        alice.send(&spoken);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(reading.join().unwrap() > 16 * 1024, "it read all the time");
    let gone = server.logged("left");
    assert_eq!(gone["username"], "slow");
    let reason = gone["reason"].as_str().unwrap();
    assert!(reason.starts_with("reads too slowly: ") && reason.contains("the oldest"), "{gone}");
}

#[test]
fn a_thousand_stuck_readers_are_disconnected_and_memory_stays_flat() {
    const STUCK: usize = 1000;
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most.min(1 << 16), most).unwrap();
    let mut server = Server::with("127.0.0.1:0", &IMPATIENT);
    let readers: Vec<Socket> =
        (0..STUCK).map(|number| stuck(server.address, &format!("stuck{number:04}"))).collect();
    let mut alice = Peer::connect(server.address);
    alice.send(&coreq("alice"));
    let mut hearing = alice.stream.try_clone().unwrap();
    let received = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        let left = disconotif("stuck0000");
        let mut gone = 0;
        while gone < STUCK {
            let count = hearing.read(&mut chunk).unwrap();
            assert!(count > 0, "alice was disconnected");
            bytes.extend_from_slice(&chunk[..count]);
            let mut at = 0;
            while let Some(length) = frame_length(&bytes[at..]) {
                gone += usize::from(bytes[at..at + 4] == left[..4]);
                at += length;
            }
            bytes.drain(..at);
        }
    });
    let before = memory(&server, "VmRSS");
    let spoken = msg(&"x".repeat(500)).repeat(32);
    let start = Instant::now();
    while !received.is_finished() {
        assert!(start.elapsed() < DEADLINE, "not all were disconnected");
        if let Err(error) = alice.stream.write_all(&spoken) {
            let why = server.log.wait("why alice left", |line| {
                (line.contains("\"alice\"") && line.contains("reason")).then(|| line.to_owned())
            });
            panic!("{error}: {why}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    received.join().unwrap();
    let (after, peak) = (memory(&server, "VmRSS"), memory(&server, "VmHWM"));
    println!("resident KiB: {before} before, {peak} at most, {after} after");
    // A queue of each would be 1,000 MiB more; they share one log.
    assert!(peak < before + 32 * 1024, "KiB: {before} before, {peak} at most");
    assert!(after < before + 16 * 1024, "KiB: {before} before, {after} after");
    drop(readers);
}

#[test]
fn an_address_that_connects_too_often_is_delayed_then_refused() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let settings = [("LIMITS__CONNECTS_PER_MINUTE", "60"), ("LIMITS__CONNECT_BURST", "2")];
    let mut server = Server::with("127.0.0.1:0", &settings);
    let mut alice = Peer::join(server.address, "alice", &[]);
    let mut crowd: Vec<Peer> = (0..20).map(|_| Peer::connect(server.address)).collect();
    let held = server.logged("connections delayed");
    assert!(held["seconds"].as_f64().unwrap() > 0.0, "{held}");
    let refused = server.logged("connections refused");
    assert_eq!(refused["reason"], "this address connects too often");
    let mut last = crowd.pop().unwrap();
    last.expect_closed();
    alice.expect_nothing();
    // The second of the crowd had to wait, and is served all the same.
    let mut waited = crowd.swap_remove(1);
    waited.send(&coreq("bob"));
    waited.expect(&harness::wire::cores(true));
    alice.expect(&harness::wire::conotif("bob"));
}
