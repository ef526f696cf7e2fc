//! Servers and clients that find each other, in separate networks.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::server::Server;
use harness::terminal::Terminal;
use harness::{DEADLINE, Process, matou, skipped};
use nix::sys::signal::Signal;
use serde_json::Value;
use support::network::{Line, Network};

const V4: [&str; 2] = ["192.0.2.1/24", "192.0.2.2/24"];

/// A server with that name, on any port of all addresses in `network`.
fn serve(network: &Network, name: &'static str) -> Server {
    network.within(move || {
        let mut server = Server::with("[::]:0", &[("DISCOVERY__NAME", name)]);
        server.logged("announced in the local network");
        server
    })
}

/// What the program does in `network` with these arguments, without a terminal.
fn run(network: &Network, home: &Path, arguments: &[&str]) -> Output {
    let mut command = matou(home);
    command.args(arguments).stdin(Stdio::null());
    network.within(move || command.output().unwrap())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The servers that a client in `network` finds, once it finds those with these names. (A new
/// network and a new server need a moment.)
fn found(network: &Network, home: &Path, expected: &[&str]) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let found = servers(network, home);
        if names(&found) == expected {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "{expected:?} is expected: {found:?}");
    }
}

/// The servers that a client in `network` finds now.
fn servers(network: &Network, home: &Path) -> Vec<Value> {
    let output = run(network, home, &["servers", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    found["servers"].as_array().unwrap().clone()
}

fn names(servers: &[Value]) -> Vec<&str> {
    servers.iter().map(|server| server["name"].as_str().unwrap()).collect()
}

fn addresses(server: &Value) -> Vec<&str> {
    server["addresses"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

/// A client in `network` that joins what it finds and leaves: what it reported.
fn join(network: &Network, home: &Path) -> Output {
    join_in("--json", network, home)
}

/// The same, in a mode. On a busy machine the search may end before a server has answered.
fn join_in(mode: &str, network: &Network, home: &Path) -> Output {
    let start = Instant::now();
    loop {
        let output = run(network, home, &["client", mode, "--username", "Ada"]);
        let found_none = output.status.code() == Some(1);
        if !found_none || start.elapsed() >= DEADLINE {
            return output;
        }
    }
}

fn has_joined(output: &Output, server: &str) -> bool {
    joined(output).is_some_and(|address| address == server)
}

/// Whether the client joined the server with that port, at whichever of its addresses: an interface
/// gets a link-local one, too, and which answers first is open.
fn has_joined_port(output: &Output, port: u16) -> bool {
    joined(output).is_some_and(|address| address.ends_with(&format!(":{port}")))
}

/// The address of the server that the client joined, if it left again without an error.
fn joined(output: &Output) -> Option<String> {
    let mut events =
        text(&output.stdout).lines().map(|line| -> Value { serde_json::from_str(line).unwrap() });
    let connected = events.find(|event| event["event"] == "connected")?;
    output.status.success().then(|| connected["server"].as_str().unwrap().to_owned())
}

/// The other program that answers multicast DNS on most Linux computers.
struct Avahi {
    folder: tempfile::TempDir,
    _process: Process,
}

impl Avahi {
    /// Starts it in `network`, for the computer `name`.local. It gets a `/run` of its own, and speaks
    /// without D-Bus.
    fn start(network: &Network, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("settings");
        fs::write(&settings, format!("[server]\nhost-name={name}\nenable-dbus=no\n")).unwrap();
        let script = "mount -t tmpfs none /run && mkdir /run/avahi-daemon && \
            mount --bind $0 /run/avahi-daemon && \
            exec avahi-daemon --no-drop-root --no-chroot --no-rlimits --file $1";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]).arg(folder.path()).arg(settings);
        command.stderr(Stdio::null());
        let process = Process(network.within(move || command.spawn().unwrap()));
        Self { folder, _process: process }
    }

    /// The IPv4 address of the computer `name`.local, once it is found.
    fn resolve(&self, name: &str) -> String {
        let start = Instant::now();
        loop {
            match self.ask(name) {
                Ok(answer) if answer.starts_with('+') => {
                    return answer.split_whitespace().last().unwrap().to_owned();
                }
                other => assert!(start.elapsed() < DEADLINE, "{name}: {other:?}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn ask(&self, name: &str) -> std::io::Result<String> {
        let mut socket = UnixStream::connect(self.folder.path().join("socket"))?;
        socket.write_all(format!("RESOLVE-HOSTNAME-IPV4 {name}.local\n").as_bytes())?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

#[test]
fn servers_are_found_beside_another_program_that_answers_multicast_dns() {
    if Command::new("avahi-daemon").arg("--version").output().is_err() {
        return skipped("there is no avahi-daemon");
    }
    let Some(line) = Line::between(V4) else { return };
    let (at_server, at_client) =
        (Avahi::start(&line.near, "ship"), Avahi::start(&line.far, "cabin"));
    let home = tempfile::tempdir().unwrap();
    let server = serve(&line.near, "Ship");
    let found = found(&line.far, home.path(), &["Ship"]);
    let joined = join(&line.far, home.path());
    assert!(has_joined_port(&joined, server.address.port()), "{joined:?}");
    // Each answers the other one, and neither takes the questions from the other.
    let computer_of_server = format!("matou-{}", found[0]["id"].as_str().unwrap());
    assert_eq!(at_client.resolve(&computer_of_server), "192.0.2.1");
    assert_eq!(at_client.resolve("ship"), "192.0.2.1");
    assert_eq!(at_server.resolve("cabin"), "192.0.2.2");
}

#[test]
fn servers_of_the_network_are_listed_until_they_stop() {
    let Some(line) = Line::between(V4) else { return };
    let home = tempfile::tempdir().unwrap();
    let (mut alpha, beta) = (serve(&line.near, "Alpha"), serve(&line.near, "Beta"));
    let found = found(&line.far, home.path(), &["Alpha", "Beta"]);
    for (found, server) in found.iter().zip([&alpha, &beta]) {
        assert_eq!(found["address"], format!("192.0.2.1:{}", server.address.port()));
        assert_eq!(found["known"], false);
    }
    alpha.process.signal(Signal::SIGTERM);
    assert!(alpha.process.exit().success());
    let start = Instant::now();
    let mut left = Vec::new();
    // On a busy machine a search may end before the other one has answered.
    while left.is_empty() && start.elapsed() < DEADLINE {
        left = servers(&line.far, home.path());
    }
    assert_eq!(names(&left), ["Beta"]);
}

#[test]
fn addresses_of_containers_are_not_announced() {
    let Some(line) = Line::between(V4) else { return };
    let container = Network::with(&[]).unwrap();
    let create = format!("ip link add docker0 type veth peer name eth0 netns {}", container.path());
    line.near.runs(&create).unwrap();
    line.near.connect("docker0", "172.17.0.1/16").unwrap();
    container.connect("eth0", "172.17.0.2/16").unwrap();
    let home = tempfile::tempdir().unwrap();
    let server = serve(&line.near, "Ship");
    let found = found(&line.far, home.path(), &["Ship"]);
    assert!(addresses(&found[0]).contains(&&*format!("192.0.2.1:{}", server.address.port())));
    assert!(addresses(&found[0]).iter().all(|it| !it.starts_with("172.17.")), "{found:?}");
    // Nor is anything said there.
    assert!(servers(&container, home.path()).is_empty());
}

#[test]
fn a_server_is_found_and_joined_by_ipv6_alone() {
    let Some(line) = Line::between(["fd00::1/64", "fd00::2/64"]) else { return };
    let home = tempfile::tempdir().unwrap();
    let server = serve(&line.near, "Ship");
    let port = server.address.port();
    let found = found(&line.far, home.path(), &["Ship"]);
    let places = addresses(&found[0]);
    assert!(places.contains(&&*format!("[fd00::1]:{port}")), "{places:?}");
    let joined = join(&line.far, home.path());
    assert!(has_joined_port(&joined, port), "{joined:?}");
}

#[test]
fn a_link_local_address_is_joined_by_its_interface() {
    let Some(line) = Line::between(["fe80::1:1/64", "fe80::1:2/64"]) else { return };
    let home = tempfile::tempdir().unwrap();
    let server = serve(&line.near, "Ship");
    let found = found(&line.far, home.path(), &["Ship"]);
    let place = format!("[fe80::1:1%far]:{}", server.address.port());
    assert!(addresses(&found[0]).contains(&&*place), "{found:?}");
    let client = ["client", "--json", "--username", "Ada", "--server", &place];
    assert!(has_joined(&run(&line.far, home.path(), &client), &place));
}

#[test]
fn the_only_server_is_joined_and_an_unknown_one_is_not_once_one_is_known() {
    let Some(line) = Line::between(V4) else { return };
    let home = tempfile::tempdir().unwrap();
    let mut alpha = serve(&line.near, "Alpha");
    found(&line.far, home.path(), &["Alpha"]);
    // Nothing is known, then it is known.
    let first = join_in("--plain", &line.far, home.path());
    let said = text(&first.stderr);
    assert!(first.status.success() && said.contains("joining Alpha at"), "{first:?}");
    assert_eq!(found(&line.far, home.path(), &["Alpha"])[0]["known"], true);
    let again = join(&line.far, home.path());
    assert!(has_joined_port(&again, alpha.address.port()), "{again:?}");

    alpha.process.signal(Signal::SIGTERM);
    assert!(alpha.process.exit().success());
    let beta = serve(&line.near, "Beta");
    let place = format!("192.0.2.1:{}", beta.address.port());
    found(&line.far, home.path(), &["Beta"]);
    let refused = join(&line.far, home.path());
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let listed: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(listed["servers"][0]["address"], place);
    assert!(text(&refused.stderr).contains("--server"), "{refused:?}");
}

#[test]
fn one_of_several_servers_is_chosen() {
    let Some(line) = Line::between(V4) else { return };
    let home = tempfile::tempdir().unwrap();
    let (_alpha, beta) = (serve(&line.near, "Alpha"), serve(&line.near, "Beta"));
    found(&line.far, home.path(), &["Alpha", "Beta"]);
    let start = Instant::now();
    loop {
        // One that has found only one of the two joins it, and then knows its key.
        let other = tempfile::tempdir().unwrap();
        let output = join_in("--plain", &line.far, other.path());
        if output.status.code() == Some(2) {
            assert!(text(&output.stdout).contains(" 2  Beta "), "{output:?}");
            break;
        }
        assert!(start.elapsed() < DEADLINE, "{output:?}");
    }

    // In plain lines, by its number.
    let beta = format!("192.0.2.1:{}", beta.address.port());
    let mut terminal = asked_in_a_terminal(&line.far, home.path(), &["--plain"]);
    terminal.shows("Join which server?");
    terminal.types("3\n");
    terminal.shows("no server 3");
    terminal.types("2\n");
    terminal.shows(&format!("connected to {beta} as Ada"));
    terminal.types("/quit\n");
    terminal.shows("signed out");

    // On the screen. It is known from here on, and so listed first.
    let mut terminal = asked_in_a_terminal(&line.far, home.path(), &[]);
    terminal.types("\r");
    terminal.shows(&format!("Connected to Beta ({beta}) as Ada"));
}

/// A client in a terminal that asks which of Alpha and Beta to join.
fn asked_in_a_terminal(network: &Network, home: &Path, more: &[&'static str]) -> Terminal {
    // Who knows another server is asked also when the search has ended before one of the two has answered.
    let data = home.join(".local/share/matou");
    fs::create_dir_all(&data).unwrap();
    let other = "192.0.2.9:7 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU 2026-01-01\n";
    let mut known =
        fs::File::options().create(true).append(true).open(data.join("known_servers")).unwrap();
    known.write_all(other.as_bytes()).unwrap();
    let start = Instant::now();
    loop {
        let terminal = client_in_a_terminal(network, home, more);
        let shown = terminal.shows("not known yet");
        if shown.contains("Alpha") && shown.contains("Beta") {
            return terminal;
        }
        assert!(start.elapsed() < DEADLINE, "{shown}");
    }
}

fn client_in_a_terminal(network: &Network, home: &Path, more: &[&'static str]) -> Terminal {
    let home: PathBuf = home.into();
    let arguments = [&["client", "--username", "Ada"], more].concat();
    network.within(move || {
        let variables = [("HOME", home.to_str().unwrap()), ("TERM", "xterm-256color")];
        Terminal::run((80, 24), env!("CARGO_BIN_EXE_matou-bin"), &arguments, &variables)
    })
}

#[test]
fn the_server_of_a_machine_without_a_network_is_found_there() {
    let Some(machine) = Network::with(&[]) else { return };
    let home = tempfile::tempdir().unwrap();
    let none = run(&machine, home.path(), &["client", "--json", "--username", "Ada"]);
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    assert!(text(&none.stderr).contains("firewall"), "{none:?}");
    let server = machine.within(|| Server::with("127.0.0.1:6286", &[]));
    assert!(has_joined(&join(&machine, home.path()), &server.address.to_string()));
}
