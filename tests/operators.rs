//! Running the server as a service: settings that change, operators, metrics, the service
//! manager, and what is left when a part of it fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Output;

use harness::client::Client;
use harness::server::Server;
use harness::wire::{Peer, conotif, coreq, cores, disconotif, msg, msgbc, pvcoreq};
use harness::{DEADLINE, matou};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

struct Stage {
    server: Server,
    folder: TempDir,
}

impl Stage {
    fn start() -> Self {
        Self::with("", &[])
    }

    /// A server with an operators' socket and `more` in its file.
    fn with(more: &str, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_settings(folder.path(), more);
        let mut command = matou(Path::new("/nonexistent"));
        command.args(["server", "--listen", "127.0.0.1:0", "--config"]);
        command.arg(folder.path().join("server.toml")).envs(environment.iter().copied());
        command.current_dir(folder.path());
        Self { server: Server::launch(command, &[("LOG__LEVEL", "info")]), folder }
    }

    fn join(&self, name: &str, present: &[&str]) -> Peer {
        Peer::join(self.server.address, name, present)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("admin")
    }

    fn admin(&self, arguments: &[&str]) -> Output {
        let mut command = matou(Path::new("/nonexistent"));
        command.arg("admin").arg("--socket").arg(self.socket()).args(arguments);
        command.output().unwrap()
    }

    fn asked(&self, arguments: &[&str]) -> String {
        let output = self.admin(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn asked_json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(arguments);
        serde_json::from_str(&self.asked(&all)).unwrap()
    }
}

fn write_settings(folder: &Path, more: &str) {
    let text = format!("[admin]\nsocket = \"admin\"\nbans = \"bans.json\"\n{more}\n");
    std::fs::write(folder.join("server.toml"), text).unwrap();
}

/// What `GET path` answers: the status line and the body.
fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: matou\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

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
fn operators_list_clients_and_send_notices() {
    let stage = Stage::start();
    let mode = std::fs::metadata(stage.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut alice = stage.join("alice", &[]);
    assert!(stage.asked(&["status"]).contains("users                     1"));
    assert_eq!(stage.asked_json(&["status"])["status"]["users"], 1);
    assert!(stage.asked(&["clients"]).contains("alice"));
    let clients = stage.asked_json(&["clients"]);
    assert_eq!(clients["clients"][0]["name"], "alice");
    assert_eq!(clients["clients"][0]["queued_bytes"], 0);
    stage.asked(&["notice", "closing", "at", "6"]);
    alice.expect(&msgbc("Server", "closing at 6"));
    assert_eq!(stage.asked_json(&["notice", "bye"]), "said");
    alice.expect(&msgbc("Server", "bye"));
}

#[test]
fn operators_kick_ban_and_unban() {
    let stage = Stage::start();
    let mut alice = stage.join("alice", &[]);
    assert_eq!(stage.asked_json(&["kick", "ALICE", "too", "loud"])["kicked"]["name"], "alice");
    alice.expect(&msgbc("Server", "You were disconnected by an operator: too loud"));
    alice.expect_closed();
    assert_eq!(stage.admin(&["kick", "alice"]).status.code(), Some(1));

    let mut bob = stage.join("bob", &[]);
    let banned = stage.asked_json(&["ban", "127.0.0.1", "--for", "1h", "spam"]);
    assert_eq!(banned["banned"]["disconnected"], 1);
    let last_words = String::from_utf8_lossy(&bob.rest()).into_owned();
    let notice = "You were disconnected by an operator and banned until ";
    assert!(last_words.contains(notice) && last_words.ends_with(": spam"), "{last_words}");
    Peer::connect(stage.server.address).expect_closed();
    assert_eq!(stage.asked_json(&["bans"])["bans"][0]["reason"], "spam");
    assert!(stage.asked(&["unban", "127.0.0.1"]).contains("no longer banned"));
    stage.asked(&["unban", "alice"]);
    assert_eq!(stage.asked(&["bans"]), "No bans.\n");
    stage.join("bob", &[]);
}

#[test]
fn a_kick_keeps_that_name_from_that_address_out_until_it_ends() {
    let stage = Stage::start();
    let mut alice = stage.join("alice", &[]);
    stage.asked(&["kick", "--for", "1h", "alice"]);
    alice.expect(&msgbc("Server", "You were disconnected by an operator: no reason given"));
    alice.expect_closed();
    let mut again = Peer::connect(stage.server.address);
    for name in ["alice", "ALICE", "аlice"] {
        again.send(&coreq(name));
        again.expect(&cores(false));
    }
    assert!(stage.asked(&["bans"]).starts_with("alice from 127.0.0.1/32 until "));
    stage.join("bob", &[]);
    stage.asked(&["unban", "alice"]);
    again.send(&coreq("alice"));
    again.expect(&cores(true));
}

#[test]
fn a_kicked_user_reads_why_and_comes_back_only_when_asked_to() {
    let stage = Stage::start();
    let mut ada = Client::join(stage.server.address, "Ada");
    stage.asked(&["kick", "ada", "too", "loud"]);
    ada.heard("Server", "You were disconnected by an operator: too loud");
    let next = ada.wait_for(&["reconnecting", "notice"], |_| true);
    assert!(next["message"].as_str().is_some_and(|text| text.contains("/reconnect")), "{next}");
    stage.asked(&["unban", "ada"]);
    ada.say("/reconnect");
    ada.any("connected");
    stage.asked(&["ban", "ada", "spam"]);
    ada.heard("Server", "You were disconnected by an operator and banned: spam");
    assert!(ada.wait_for(&["reconnecting", "notice"], |_| true)["event"] == "notice");
}

#[test]
fn a_name_is_banned_with_its_likes_from_everywhere() {
    let stage = Stage::start();
    let mut bob = stage.join("bob", &[]);
    assert_eq!(stage.asked_json(&["ban", "Bob"])["banned"]["disconnected"], 1);
    bob.expect(&msgbc(
        "Server",
        "You were disconnected by an operator and banned: no reason given",
    ));
    bob.expect_closed();
    let mut again = Peer::connect(stage.server.address);
    again.send(&coreq("bоb"));
    again.expect(&cores(false));
    stage.join("alice", &[]);
    assert_eq!(stage.admin(&["ban", "b b"]).status.code(), Some(1));
    assert_eq!(stage.asked(&["unban", "BOB"]), "BOB is no longer banned.\n");
    stage.join("bob", &[]);
}

#[test]
fn a_link_planted_beside_the_bans_is_not_written_through() {
    let stage = Stage::start();
    let victim = stage.folder.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    for name in ["bans.json", "bans.json.new"] {
        std::os::unix::fs::symlink(&victim, stage.folder.path().join(name)).unwrap();
    }
    stage.asked(&["ban", "192.0.2.1", "spam"]);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    let bans = std::fs::read_to_string(stage.folder.path().join("bans.json")).unwrap();
    assert!(bans.contains("192.0.2.1"), "{bans}");
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

/// A server on which the address of Alice has said all that it may, and Bob, who has the same
/// address, waits with "held".
fn throttled() -> (Stage, Peer, Peer) {
    let limits = "[limits]\nbytes_per_second = 1\nbyte_burst = 1024\nrates_per_address = 1";
    let mut stage = Stage::with(limits, &[]);
    let mut alice = stage.join("alice", &[]);
    let mut bob = stage.join("bob", &["alice"]);
    alice.expect(&conotif("bob"));
    // Frames to an unknown name are hers alone: with them she is above her own rate for minutes.
    alice.send(&pvcoreq(&"x".repeat(32)).repeat(12));
    let long = "x".repeat(512);
    for _ in 0..2 {
        alice.send(&msg(&long));
        alice.expect(&msgbc("alice", &long));
    }
    bob.send(&msg("held"));
    let line = stage.server.logged("messages delayed");
    assert_eq!((&line["address"], &line["level"]), (&"127.0.0.1".into(), &"warning".into()));
    (stage, alice, bob)
}

fn lift_the_limits(stage: &mut Stage) {
    let unlimited = "[limits]\nbytes_per_second = 0\nmessages_per_second = 0";
    write_settings(stage.folder.path(), unlimited);
    stage.asked(&["reload"]);
}

#[test]
fn a_reload_lets_in_what_waits_for_a_rate() {
    let (mut stage, mut alice, mut bob) = throttled();
    // Alice is above her own rate too.
    alice.send(&msg("more"));
    lift_the_limits(&mut stage);
    let mut heard = alice.take(msgbc("bob", "held").len() + msgbc("alice", "more").len());
    let by_bob = msgbc("bob", "held");
    let place = heard.windows(by_bob.len()).position(|part| part == by_bob).unwrap();
    heard.drain(place..place + by_bob.len());
    assert_eq!(heard, msgbc("alice", "more"));
    let status = stage.asked_json(&["status"]);
    assert_eq!(status["status"]["throttled"]["address"], 1);
    bob.send(&msg("on"));
    alice.expect(&msgbc("bob", "on"));
}

#[test]
fn nothing_that_a_kicked_client_said_follows_its_departure() {
    let (mut stage, mut alice, _bob) = throttled();
    stage.asked(&["kick", "bob"]);
    alice.expect(&disconotif("bob"));
    lift_the_limits(&mut stage);
    alice.expect_nothing();
}

#[test]
fn a_stop_lets_in_what_waits_for_a_rate() {
    let (stage, mut alice, _bob) = throttled();
    stage.server.process.signal(Signal::SIGTERM);
    alice.expect(&msgbc("bob", "held"));
}

#[test]
fn ipv4_addresses_have_rates_of_their_own_on_a_socket_for_both() {
    let (folder, mut command) = (tempfile::tempdir().unwrap(), matou(Path::new("/nonexistent")));
    command.args(["server", "--listen", "[::]:0"]).current_dir(folder.path());
    let limits = [("LIMITS__BYTES_PER_SECOND", "1"), ("LIMITS__BYTE_BURST", "1024")];
    let limits: Vec<_> = limits.into_iter().chain([("LIMITS__RATES_PER_ADDRESS", "1")]).collect();
    let server = Server::launch(command, &limits);
    let port = server.address.port();
    let mut alice = Peer::join(([127, 0, 0, 1], port).into(), "alice", &[]);
    let other = [127, 0, 0, 2].into();
    let mut bob = Peer::connect_from(other, ([127, 0, 0, 1], port).into());
    bob.send(&coreq("bob"));
    alice.expect(&conotif("bob"));
    let long = "x".repeat(512);
    for _ in 0..2 {
        alice.send(&msg(&long));
        alice.expect(&msgbc("alice", &long));
    }
    bob.send(&msg("not held"));
    alice.expect(&msgbc("bob", "not held"));
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
fn metrics_and_health_are_served_on_their_port() {
    let mut stage = Stage::with("[metrics]\nlisten = \"127.0.0.1:0\"", &[]);
    // The line came before `listening`.
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
fn completions_and_manual_come_from_the_binary() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = matou(folder.path()).args(["completions", shell]).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("check-config"), "{shell}");
    }
    let pages = folder.path().join("man1");
    let output = matou(folder.path()).arg("manual").arg(&pages).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = std::fs::read_to_string(pages.join("matou-bin-server.1")).unwrap();
    assert!(page.contains("\\-\\-listen"), "{page}");
    for section in ["SETTINGS", "ENVIRONMENT", "FILES", "EXAMPLES", "EXIT STATUS"] {
        assert!(page.contains(section), "{section} is not in {page}");
    }
    let output = matou(folder.path()).arg("manual").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with(".ie"), "{output:?}");
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

/// The shipped settings as `section.key` and value.
fn shipped() -> Vec<(String, String)> {
    let text = include_str!("../config/server.toml");
    let mut section = "";
    let mut keys = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, value)) = line.split_once(" = ") {
            keys.push((format!("{section}.{key}"), value.to_owned()));
        }
    }
    keys
}

#[test]
fn the_guide_has_every_setting_with_its_default() {
    let guide = include_str!("../docs/OPERATING.md");
    let shipped = shipped();
    assert!(shipped.len() > 20);
    for (key, value) in shipped {
        let row = format!("| `{key}` | `{value}` |");
        assert!(guide.contains(&row), "{row} is not in docs/OPERATING.md");
    }
}

#[test]
fn the_dashboard_and_the_guide_name_metrics_that_exist() {
    let stage = Stage::with("[metrics]\nlisten = \"127.0.0.1:0\"", &[]);
    stage.join("alice", &[]).expect_nothing();
    let line = stage.server.log.seen.iter().find(|line| line.contains("\"metrics\"")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let (_, metrics) = get(line["address"].as_str().unwrap().parse().unwrap(), "/metrics");
    let part = |c: char| c.is_ascii_lowercase() || c == '_';
    let named =
        |text: &'static str| text.split(move |c| !part(c)).filter(|w| w.starts_with("matou_"));
    let dashboard: Vec<_> = named(include_str!("../ops/grafana.json")).collect();
    assert!(dashboard.len() > 15);
    for metric in dashboard.into_iter().chain(named(include_str!("../docs/OPERATING.md"))) {
        assert!(metrics.contains(metric), "{metric} is not in\n{metrics}");
    }
}
