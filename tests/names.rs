//! Names that belong to keys, with real servers that are restarted, and what operators do about
//! them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use harness::lines::Lines;
use harness::server::Server;
use harness::user::{User, client};
use harness::wire::{Peer, coreq, cores};
use harness::{Process, matou};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// A server with operators, whose database outlives it.
struct Ship {
    server: Server,
    folder: TempDir,
}

/// A user's home, with its own key.
struct Home(TempDir);

impl Ship {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        Self { server: serve(folder.path()), folder }
    }

    fn start_again(self) -> Self {
        let Self { mut server, folder } = self;
        server.process.signal(Signal::SIGTERM);
        assert!(server.process.exit().success());
        Self { server: serve(folder.path()), folder }
    }

    fn admin(&self, arguments: &[&str]) -> Output {
        let mut command = matou(self.folder.path());
        command.args(["admin", "--json", "--socket"]).arg(self.folder.path().join("admin"));
        command.args(arguments).output().unwrap()
    }

    fn asked(&self, arguments: &[&str]) -> Value {
        let output = self.admin(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn serve(folder: &Path) -> Server {
    serve_at("127.0.0.1:0", folder)
}

fn serve_at(listen: &str, folder: &Path) -> Server {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (store, socket) = (path("server.redb"), path("admin"));
    Server::with(listen, &[("NAMES__STORE", &store), ("ADMIN__SOCKET", &socket)])
}

impl Home {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn asks(&self, ship: &Ship, name: &str) -> User {
        let mut command = client(self.0.path(), &ship.server.address.to_string(), name, &[]);
        command.stderr(Stdio::null());
        User::run(command, name)
    }

    fn fingerprint(&self) -> String {
        let mut command = matou(self.0.path());
        let shown = command.args(["identity", "show"]).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        shown.lines().next().unwrap().to_owned()
    }

    fn joins(&self, ship: &Ship, name: &str) -> User {
        let mut user = self.asks(ship, name);
        user.event("connected");
        user
    }

    /// Why the name is refused.
    fn is_refused(&self, ship: &Ship, name: &str) -> String {
        let mut user = self.asks(ship, name);
        let refused = user.event("refused");
        user.process.exit();
        refused["reason"].as_str().unwrap().to_owned()
    }
}

fn is_refused_in_plain(ship: &Ship, name: &str) {
    let mut plain = Peer::connect(ship.server.address);
    plain.send(&coreq(name));
    plain.expect(&cores(false));
}

#[test]
fn a_name_belongs_to_its_key_after_the_server_was_started_again() {
    let (ann, eve) = (Home::new(), Home::new());
    let mut ship = Ship::start();
    drop(ann.joins(&ship, "Ann"));
    ship.server.logged("left");
    ship = ship.start_again();
    for name in ["Ann", "ann"] {
        let why = eve.is_refused(&ship, name);
        assert!(why.contains("belongs to another key; choose another name"), "{why}");
        is_refused_in_plain(&ship, name);
    }
    is_refused_in_plain(&ship, "Аnn");
    ann.joins(&ship, "Ann");
}

#[test]
fn a_one_shot_command_under_the_name_of_another_key_gives_one_reason() {
    let (ann, eve) = (Home::new(), Home::new());
    let ship = Ship::start();
    let _ann = ann.joins(&ship, "Ann");
    let server = ship.server.address.to_string();
    let mut send = matou(eve.0.path());
    send.args(["send", "--server", &server, "--username", "Ann", "Bea", "/etc/hostname"]);
    let output = send.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let reasons: Vec<_> = said.lines().filter(|line| line.contains("refused")).collect();
    assert!(reasons.len() == 1 && reasons[0].contains("belongs to another key"), "{said}");
}

#[test]
fn an_operator_sees_names_and_frees_one() {
    let (ann, eve) = (Home::new(), Home::new());
    let mut ship = Ship::start();
    drop(ann.joins(&ship, "Ann"));
    ship.server.logged("left");
    let names = ship.asked(&["names"]);
    assert_eq!(names["names"][0]["name"], "Ann");
    let fingerprint = names["names"][0]["fingerprint"].as_str().unwrap();
    assert!(fingerprint.starts_with("SHA256:"), "{names}");
    let forgotten = ship.asked(&["forget", "ANN"]);
    assert_eq!(forgotten["forgotten"]["fingerprint"], fingerprint);
    let again = ship.admin(&["forget", "Ann"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("belongs to no key"), "{again:?}");
    ship = ship.start_again();
    assert_eq!(ship.asked(&["names"])["names"].as_array().unwrap().len(), 0);
    let _eve = eve.joins(&ship, "Ann");
    assert!(ann.is_refused(&ship, "Ann").contains("belongs to another key"));
}

/// The connection is lost, and the name goes to another key before the client is back.
#[test]
fn a_client_whose_name_belongs_to_another_key_reports_it_and_does_not_ask_again() {
    let (ann, eve) = (Home::new(), Home::new());
    let mut ship = Ship::start();
    let mut user = ann.joins(&ship, "Ann");
    user.signal(Signal::SIGSTOP);
    let address = ship.server.address.to_string();
    ship.server.process.signal(Signal::SIGTERM);
    ship.server.process.exit();
    ship.server = serve_at(&address, ship.folder.path());
    ship.asked(&["forget", "Ann"]);
    let _eve = eve.joins(&ship, "Ann");
    user.signal(Signal::SIGCONT);
    user.event("disconnected");
    let refused = user.event("refused");
    let why = refused["reason"].as_str().unwrap();
    assert!(why.contains("belongs to another key; choose another name"), "{refused}");
    assert_eq!(refused["username"], "Ann");
    assert_eq!(user.process.exit().code(), Some(3));
}

#[test]
fn send_without_its_name_says_to_whom_it_belongs_or_takes_another_one() {
    let (ann, eve) = (Home::new(), Home::new());
    let mut ship = Ship::start();
    drop(ann.joins(&ship, "Ann"));
    ship.server.logged("left");
    ship.asked(&["forget", "Ann"]);
    let _eve = eve.joins(&ship, "Ann");
    let bea = Home::new();
    let mut command = client(bea.0.path(), &ship.server.address.to_string(), "Bea", &[]);
    command.args(["--accept-private", "always", "--accept-files", "always"]);
    let mut bea = User::run(command, "Bea");
    bea.event("connected");
    let file = ann.0.path().join("photo.jpg");
    fs::write(&file, "a photo").unwrap();
    let send = |arguments: &[&str]| {
        let mut command = matou(ann.0.path());
        command.env("MATOU_CLIENT__CLIENT__USERNAME", "Ann");
        command.arg("send").args(arguments).args(["--server", &ship.server.address.to_string()]);
        let output = command.arg("Bea").arg(&file).stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = send(&["--username", "Ann"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("belongs to another key"), "{said}");
    let (code, said) = send(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(bea.event("file_received")["from"], "Ann2", "{said}");
}

#[test]
fn a_key_is_kicked_and_banned_under_every_name() {
    let (ann, bob) = (Home::new(), Home::new());
    let ship = Ship::start();
    let (mut here, _bob) = (ann.joins(&ship, "Ann"), bob.joins(&ship, "bob"));
    let clients = ship.asked(&["clients"]);
    let clients = clients["clients"].as_array().unwrap();
    let of_ann = clients.iter().find(|client| client["name"] == "Ann").unwrap();
    let key = of_ann["fingerprint"].as_str().unwrap();
    assert_eq!(ship.asked(&["kick", key, "too", "loud"])["kicked"]["name"], "Ann");
    here.event("notice");
    assert!(ann.is_refused(&ship, "Anna").contains("banned your key"));
    assert_eq!(ship.admin(&["kick", key]).status.code(), Some(1));
    ship.asked(&["unban", key]);
    let mut here = ann.joins(&ship, "Anna");
    let banned = ship.asked(&["ban", key, "--for", "1h", "spam"]);
    assert_eq!(banned["banned"]["disconnected"], 1);
    assert_eq!(ship.asked(&["bans"])["bans"][0]["key"], key);
    let notice = here.event("notice");
    assert!(notice["message"].as_str().unwrap().contains("spam"), "{notice}");
    assert!(ann.is_refused(&ship, "Ann").contains("banned your key"));
}

#[test]
fn only_admitted_keys_are_let_in_and_a_broken_list_replaces_none() {
    let (ann, eve) = (Home::new(), Home::new());
    let folder = TempDir::new().unwrap();
    let (list, socket) = (folder.path().join("crew"), folder.path().join("admin"));
    let write = |lines: &str| fs::write(&list, lines).unwrap();
    write(&format!("# The crew\n{} Ann\n", ann.fingerprint()));
    let [list_path, socket_path] = [&list, &socket].map(|path| path.to_str().unwrap());
    let settings = [("SECURITY__ADMITTED_KEYS", list_path), ("ADMIN__SOCKET", socket_path)];
    let ship = Ship { server: Server::with("127.0.0.1:0", &settings), folder };
    let _ann = ann.joins(&ship, "Ann");
    let why = eve.is_refused(&ship, "Eve");
    assert!(why.contains("not on the list of admitted keys; ask the operator"), "{why}");
    let mut plain = Peer::connect(ship.server.address);
    plain.send(&coreq("Eve"));
    plain.expect_closed();

    write(&format!("{}\nEve\n", eve.fingerprint()));
    let broken = ship.admin(&["reload"]);
    assert_eq!(broken.status.code(), Some(1));
    let said = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert!(said.contains("crew: line 2 is neither"), "{said}");
    assert!(eve.is_refused(&ship, "Eve").contains("not on the list"));
    let mut check = matou(ship.folder.path());
    check.args(["server", "--check-config"]).env("MATOU_SERVER__SECURITY__ADMITTED_KEYS", &list);
    let checked = check.output().unwrap();
    assert_eq!(checked.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&checked.stderr).contains("line 2"), "{checked:?}");

    write(&format!("{}\n{}\n", ann.fingerprint(), eve.fingerprint()));
    ship.asked(&["reload"]);
    eve.joins(&ship, "Eve");
    assert!(check.output().unwrap().status.success());
}

#[test]
fn a_missing_and_a_wrong_password_are_reported() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "pass wörd\n").unwrap();
    let server =
        Server::with("127.0.0.1:0", &[("SECURITY__PASSWORD_FILE", file.to_str().unwrap())]);
    let home = Home::new();
    let run = |name: &str, setting: Option<(&str, &str)>| {
        let mut command = matou(home.0.path());
        command.args(["client", "--json", "--username", name, "--server"]);
        command.arg(server.address.to_string()).envs(setting).stdin(Stdio::null());
        command.output().unwrap()
    };
    let needs = |output: &Output, wrong: bool, what_to_do: &str| {
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let needed = format!(
            "{{\"event\":\"password_needed\",\"server\":\"{}\",\"wrong\":{wrong},",
            server.address
        );
        assert!(said.contains(&needed), "{said}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(what_to_do), "{error}");
    };
    needs(&run("ann", None), false, "asks for a password; set client.password_file or");
    let wrong = run("ann", Some(("MATOU_CLIENT_PASSWORD", "password")));
    needs(&wrong, true, "refused the password; correct client.password_file or");
    for setting in [
        ("MATOU_CLIENT_PASSWORD", "pass wörd"),
        ("MATOU_CLIENT__CLIENT__PASSWORD_FILE", file.to_str().unwrap()),
    ] {
        let joined = run("ann", Some(setting));
        assert!(joined.status.success(), "{joined:?}");
        assert!(String::from_utf8_lossy(&joined.stdout).contains("\"connected\""), "{joined:?}");
    }
    let mut send = matou(home.0.path());
    send.args(["send", "--server"]).arg(server.address.to_string()).arg("bob").arg(&file);
    let output = send.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("asks for a password; set client.password_file"), "{error}");
    let mut plain = Peer::connect(server.address);
    plain.send(&coreq("ann"));
    plain.expect_closed();
}

#[test]
fn a_reload_takes_the_password_that_is_in_its_file_now() {
    let folder = TempDir::new().unwrap();
    let [file, socket] = ["password", "admin"].map(|name| folder.path().join(name));
    fs::write(&file, "first\n").unwrap();
    let [file_path, socket_path] = [&file, &socket].map(|path| path.to_str().unwrap());
    let settings = [("SECURITY__PASSWORD_FILE", file_path), ("ADMIN__SOCKET", socket_path)];
    let ship = Ship { server: Server::with("127.0.0.1:0", &settings), folder };
    let home = Home::new();
    let joins = |password: &str| {
        let mut command = matou(home.0.path());
        command.args(["client", "--json", "--username", "ann", "--server"]);
        command.arg(ship.server.address.to_string()).env("MATOU_CLIENT_PASSWORD", password);
        command.stdin(Stdio::null()).output().unwrap().status.success()
    };
    assert!(joins("first") && !joins("second"));
    fs::write(&file, "second\n").unwrap();
    ship.asked(&["reload"]);
    assert!(joins("second") && !joins("first"));
    fs::write(&file, "").unwrap();
    let broken = ship.admin(&["reload"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&broken.stderr).contains("password"), "{broken:?}");
    assert!(joins("second"), "the old one holds");
}

#[test]
fn a_damaged_database_keeps_the_server_from_starting_and_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let store: PathBuf = folder.path().join("server.redb");
    fs::write(&store, "no database at all\n".repeat(1000)).unwrap();
    for (more, code) in [(&["--check-config"][..], 2), (&[], 1)] {
        let mut command = matou(folder.path());
        command.args(["server", "--listen", "127.0.0.1:0"]).args(more);
        let output = command.env("MATOU_SERVER__NAMES__STORE", &store).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("server.redb is damaged: "), "{said}");
    }
    assert_eq!(fs::read_to_string(&store).unwrap(), "no database at all\n".repeat(1000));
}

#[test]
fn two_servers_of_one_home_run_and_the_second_says_that_it_keeps_no_names() {
    let home = TempDir::new().unwrap();
    let start = || {
        let mut command = matou(home.path());
        command.args(["server", "--listen", "127.0.0.1:0"]);
        Server::launch(command, &[("NAMES__STORE", "")])
    };
    let first = start();
    assert!(home.path().join(".local/share/matou/server.redb").exists());
    let mut command = matou(home.path());
    command.args(["server", "--listen", "127.0.0.1:0"]);
    command.env("MATOU_SERVER__LOG__FORMAT", "json").stderr(Stdio::piped());
    let mut second = Process(command.spawn().unwrap());
    let mut log = Lines::new("second server", second.0.stderr.take().unwrap());
    let warned = log.wait("a warning", |line| {
        line.contains("a restart will forget who owns which name").then(|| line.to_owned())
    });
    assert!(warned.contains("in use by another server"), "{warned}");
    log.wait("listening", |line| line.contains("\"listening\"").then_some(()));
    drop(first);
}
