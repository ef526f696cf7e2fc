//! Running the server as a service: changing settings, operators, metrics, the service manager, and
//! what remains when a part of it fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

#[path = "operators/bans.rs"]
mod bans;
#[path = "operators/documents.rs"]
mod documents;
#[path = "operators/rates.rs"]
mod rates;
#[path = "operators/stage.rs"]
mod stage;

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;

use harness::wire::{Peer, conotif, coreq, cores, disconotif, msg, msgbc};
use harness::{DEADLINE, matou};
use nix::sys::signal::Signal;
use serde_json::Value;
use stage::{Stage, get, write_settings};

#[test]
fn sighup_applies_a_valid_file_and_rejects_an_invalid_one_as_a_whole() {
    let mut stage = Stage::start();
    let mut alice = stage.join("alice", &[]);
    write_settings(stage.folder.path(), "[room]\nmotd = \"Welcome.\"\n[network]\nbacklog = 7");
    stage.server.process.signal(Signal::SIGHUP);
    let line = stage.server.logged("reloaded; some keys need a restart");
    assert_eq!(line["keys"], "network.backlog");
    let mut bob = stage.join("bob", &["alice"]);
    bob.expect(&msgbc("Server", "Welcome."));

    write_settings(stage.folder.path(), "[room]\nmotd = \"No.\"\n[limits]\nclients = 0");
    stage.server.process.signal(Signal::SIGHUP);
    let line = stage.server.logged("not reloaded; the old settings stay");
    assert!(line["reason"].as_str().unwrap().contains("limits.clients"), "{line}");
    let mut carol = stage.join("carol", &["alice", "bob"]);
    carol.expect(&msgbc("Server", "Welcome."));
    std::fs::write(stage.folder.path().join("server.toml"), "[room\n").unwrap();
    let refused = stage.admin(&["reload"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("server.toml"), "{refused:?}");
    alice.expect(&conotif("bob"));
}

#[test]
fn check_config_does_not_start_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = matou(folder.path());
        command.args(["server", "--check-config", "--config"]).arg(&file).output().unwrap()
    };
    assert_eq!(check("[limits]\nclients = 3").status.code(), Some(0));
    let wrong = check("[limits]\nclient = 3");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("limits.client"), "{wrong:?}");
    let bans = folder.path().join("bans.json");
    std::fs::write(&bans, "[{]").unwrap();
    let wrong = check(&format!("[admin]\nbans = {bans:?}"));
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("bans.json"), "{wrong:?}");
}

#[test]
fn refused_names_are_logged_within_a_limit() {
    let mut stage = Stage::start();
    let attempts: Vec<_> = (0..50)
        .map(|_| {
            let mut peer = Peer::connect(stage.server.address);
            peer.send(&coreq("server"));
            peer.expect(&cores(false));
            peer
        })
        .collect();
    drop(attempts);
    stage.server.process.signal(Signal::SIGTERM);
    stage.server.process.exit();
    let lines = stage.server.log.rest();
    let refused = lines.iter().filter(|line| line.contains("name refused")).count();
    assert!((1..=2).contains(&refused), "{refused} lines");
}

#[test]
fn operators_reload_and_shut_down() {
    let mut stage = Stage::start();
    assert!(stage.asked(&["reload"]).contains("reloaded"));
    let mut alice = stage.join("alice", &[]);
    assert_eq!(stage.asked_json(&["shutdown"]), "stopping");
    alice.expect_closed();
    assert_eq!(stage.server.process.exit().code(), Some(0));
    assert!(!stage.socket().exists());
    let late = stage.admin(&["status"]);
    assert!(String::from_utf8_lossy(&late.stderr).contains("is the server running"), "{late:?}");
}

#[test]
fn the_messages_of_one_user_are_purged_from_memory_and_file() {
    let stage = Stage::with("[history]\nfile = \"history\"\nreplay_plain = 10", &[]);
    let (mut alice, mut bob) = (stage.join("alice", &[]), stage.join("bob", &["alice"]));
    alice.expect(&conotif("bob"));
    for (from, text) in [("alice", "hello"), ("bob", "spam")] {
        let peer = if from == "bob" { &mut bob } else { &mut alice };
        peer.send(&msg(text));
        alice.expect(&msgbc(from, text));
        bob.expect(&msgbc(from, text));
    }
    let file = || std::fs::read(stage.folder.path().join("history")).unwrap();
    let has = |text: &[u8]| file().windows(text.len()).any(|part| part == text);
    assert_eq!(stage.asked(&["purge", "BOB"]), "1 message deleted from the history.\n");
    assert!(has(b"hello") && !has(b"spam"));
    let mut carol = Peer::connect(stage.server.address);
    carol.send(&coreq("carol"));
    carol.expect(&cores(true));
    for frame in [conotif("alice"), conotif("bob"), msgbc("alice", "hello"), conotif("carol")] {
        carol.expect(&frame);
    }
    assert_eq!(stage.asked_json(&["purge"]), serde_json::json!({"purged": {"messages": 1}}));
    assert!(!has(b"hello"));
}

#[test]
fn metrics_and_health_are_served_on_their_port() {
    let mut stage = Stage::with("[metrics]\nlisten = \"127.0.0.1:0\"", &[]);
    // The line was logged before `listening`.
    let seen: Vec<Value> =
        stage.server.log.seen.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = seen.iter().find(|line| line["message"] == "metrics").unwrap();
    let address: SocketAddr = line["address"].as_str().unwrap().parse().unwrap();
    let mut alice = stage.join("alice", &[]);
    alice.send(&msg("hello"));
    alice.expect(&msgbc("alice", "hello"));
    assert_eq!(get(address, "/healthz"), ("HTTP/1.1 200 OK".into(), "ok\n".into()));
    let (status, metrics) = get(address, "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    for line in [
        "matou_users 1",
        "matou_connections 1",
        "matou_joins_total 1",
        "matou_frames_received_total{type=\"MSG\"} 1",
        "matou_frames_sent_total{type=\"MSGBC\"} 1",
        "matou_refusals_total{reason=\"full\"} 0",
        "matou_slow_disconnects_total 0",
        "matou_private_requests_pending{awaiting=\"answer\"} 0",
        "matou_fanout_seconds_count 1",
    ] {
        assert!(metrics.lines().any(|got| got == line), "{line} is not in\n{metrics}");
    }
    assert!(get(address, "/").0.contains("404"));
    stage.server.process.signal(Signal::SIGTERM);
    assert_eq!(stage.server.process.exit().code(), Some(0));
}

#[test]
fn slow_connections_keep_no_one_from_metrics_and_health() {
    let stage = Stage::with("[metrics]\nlisten = \"127.0.0.1:0\"", &[]);
    let line = stage.server.log.seen.iter().find(|line| line.contains("\"metrics\"")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let address: SocketAddr = line["address"].as_str().unwrap().parse().unwrap();
    let _slow: Vec<_> = (0..400)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            // The server may have ended it already.
            let _ = stream.write_all(b"GET /metrics HT");
            stream
        })
        .collect();
    assert_eq!(get(address, "/healthz").1, "ok\n");
    assert!(get(address, "/metrics").1.contains("matou_users 0"));
}

#[test]
fn a_panic_in_a_session_ends_that_session_and_one_in_the_registry_ends_the_process() {
    let mut stage = Stage::start();
    let mut alice = stage.join("alice", &[]);
    let mut bob = stage.join("bob", &["alice"]);
    stage.asked(&["panic", "session", "bob"]);
    bob.expect_closed();
    alice.expect(&conotif("bob"));
    alice.expect(&disconotif("bob"));
    alice.expect_nothing();
    stage.asked(&["panic", "registry"]);
    stage.server.logged("panic");
    let line = stage.server.logged("stopping");
    assert_eq!(
        (&line["reason"], &line["level"]),
        (&"the registry actor failed".into(), &"critical".into())
    );
    assert_eq!(stage.server.process.exit().code(), Some(70));
}

#[test]
fn the_service_manager_is_notified_and_the_watchdog_fed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(DEADLINE)).unwrap();
    let notified = |wanted: &str| {
        let mut datagram = [0; 256];
        loop {
            let count = match manager.recv(&mut datagram) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                count => count.unwrap_or_else(|error| panic!("no {wanted}: {error}")),
            };
            let text = String::from_utf8_lossy(&datagram[..count]).into_owned();
            if text.lines().any(|line| line == wanted) {
                return;
            }
        }
    };
    let environment = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "200000")];
    let mut stage = Stage::with("", &environment);
    for wanted in ["READY=1", "WATCHDOG=1", "WATCHDOG=1"] {
        notified(wanted);
    }
    stage.server.process.signal(Signal::SIGHUP);
    notified("RELOADING=1");
    notified("READY=1");
    // A client that does not close makes the stop last.
    let _alice = stage.join("alice", &[]);
    stage.server.process.signal(Signal::SIGTERM);
    notified("STOPPING=1");
    assert_eq!(stage.server.process.exit().code(), Some(0));
    let hungry = |line: &&String| line.contains("watchdog");
    assert_eq!(stage.server.log.rest().iter().find(hungry), None);
}

#[test]
fn another_name_may_be_tried_after_a_refused_one() {
    let stage = Stage::start();
    let mut peer = Peer::connect(stage.server.address);
    for name in ["server", "SERVER", "Ѕerver"] {
        peer.send(&coreq(name));
        peer.expect(&cores(false));
    }
    peer.send(&coreq("alice"));
    peer.expect(&cores(true));
}
