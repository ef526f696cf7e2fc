//! `matou-bin send` and `matou-bin receive` as processes without a terminal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

#[path = "oneshot/standard_streams.rs"]
mod standard_streams;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use harness::client::Client;
use harness::lines::Lines;
use harness::server::Server;
use harness::terminal::Terminal;
use harness::{Process, matou};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// A one-shot command with its own home.
struct Command {
    process: Process,
    home: TempDir,
    output: Lines,
    errors: Lines,
}

impl Command {
    fn start(server: SocketAddr, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        Self::start_at(tempfile::tempdir().unwrap(), server, arguments, settings)
    }

    fn start_at(
        home: TempDir,
        server: SocketAddr,
        arguments: &[&str],
        settings: &[(&str, &str)],
    ) -> Self {
        Self::reading(Stdio::null(), home, server, arguments, settings)
    }

    fn reading(
        input: Stdio,
        home: TempDir,
        server: SocketAddr,
        arguments: &[&str],
        settings: &[(&str, &str)],
    ) -> Self {
        let mut command = matou(home.path());
        command.args(arguments).args(["--server", &server.to_string()]);
        for (key, value) in settings {
            command.env(format!("MATOU_CLIENT__{key}"), value);
        }
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process(command.spawn().unwrap());
        let output = Lines::new("output", process.0.stdout.take().unwrap());
        let errors = Lines::new("errors", process.0.stderr.take().unwrap());
        Self { process, home, output, errors }
    }

    /// `receive` as Bea, who has joined.
    fn receive(server: SocketAddr, arguments: &[&str]) -> Self {
        let arguments = [&["receive", "--username", "Bea"], arguments].concat();
        let mut command = Self::start(server, &arguments, &[]);
        command.says("waiting for files");
        command
    }

    /// `send` as Ada, to Bea.
    fn send(server: SocketAddr, paths: &[&Path], settings: &[(&str, &str)]) -> Self {
        let mut arguments = vec!["send", "--username", "Ada", "Bea"];
        arguments.extend(paths.iter().map(|path| path.to_str().unwrap()));
        Self::start(server, &arguments, settings)
    }

    fn says(&mut self, text: &str) {
        self.errors.wait(text, |line| line.contains(text).then_some(()));
    }

    /// The exit code, and the output to the end.
    fn ended(&mut self) -> (i32, String) {
        let code = self.process.exit().code().unwrap();
        (code, self.errors.rest().join("\n"))
    }

    /// Ends well.
    fn succeeds(&mut self) -> String {
        let (code, said) = self.ended();
        assert_eq!(code, 0, "{said}");
        assert!(!said.contains('\u{1b}'), "no bars without a terminal: {said:?}");
        said
    }

    /// The next path on standard output.
    fn received(&mut self) -> PathBuf {
        self.output.wait("a path", |line| Some(line.into()))
    }
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * 37 % 251).unwrap()).collect()
}

/// A file with `length` bytes.
fn file(folder: &TempDir, name: &str, length: usize) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content(length)).unwrap();
    path
}

#[test]
fn a_file_and_a_folder_are_delivered_and_their_paths_printed() {
    let server = Server::start();
    let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let photo = file(&source, "photo of the boat.jpg", 300_000);
    let trip = source.path().join("trip");
    fs::create_dir_all(trip.join("empty")).unwrap();
    fs::write(trip.join("notes"), content(5000)).unwrap();
    let to = target.path().to_str().unwrap();
    let mut receive = Command::receive(server.address, &["--to", to]);
    let mut send = Command::send(server.address, &[&photo, &trip], &[]);
    let said = send.succeeds();
    assert!(said.contains("Bea received trip") && said.contains("Bea received photo"), "{said}");
    let mut received = [receive.received(), receive.received()];
    received.sort();
    let target = target.path().canonicalize().unwrap();
    assert_eq!(received, [target.join("photo of the boat.jpg"), target.join("trip")]);
    assert_eq!(fs::read(&received[0]).unwrap(), content(300_000));
    assert_eq!(fs::read(received[1].join("notes")).unwrap(), content(5000));
    assert!(received[1].join("empty").is_dir());
    receive.process.signal(Signal::SIGTERM);
    receive.succeeds();
}

#[test]
fn receive_once_ends_after_the_first_complete_transfer() {
    let server = Server::start();
    let source = tempfile::tempdir().unwrap();
    let photo = file(&source, "photo.jpg", 3_000_000);
    let mut receive = Command::receive(server.address, &["--once"]);
    let mut send = Command::send(server.address, &[&photo], &[]);
    send.succeeds();
    receive.succeeds();
    let received = receive.received();
    let folder = receive.home.path().canonicalize().unwrap().join("Downloads");
    assert_eq!(received, folder.join("photo.jpg"));
    assert_eq!(fs::read(received).unwrap(), content(3_000_000));
}

#[test]
fn receive_from_one_person_declines_all_others() {
    let server = Server::start();
    let source = tempfile::tempdir().unwrap();
    let photo = file(&source, "photo.jpg", 1000);
    let path = photo.to_str().unwrap();
    let mut receive = Command::receive(server.address, &["--from", "ada", "--once"]);
    let arguments = ["send", "--username", "Eve", "Bea", path];
    let (code, said) = Command::start(server.address, &arguments, &[]).ended();
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("Bea declined"), "{said}");
    receive.says("declined a private session with Eve");
    Command::send(server.address, &[&photo], &[]).succeeds();
    receive.succeeds();
    receive.received();
}

#[test]
fn a_refused_file_has_an_exit_code_of_its_own() {
    let server = Server::start();
    let source = tempfile::tempdir().unwrap();
    let photo = file(&source, "photo.jpg", 1000);
    let mut bea = Client::join_with(server.address, "Bea", &["--accept-private", "always"]);
    let mut send = Command::send(server.address, &[&photo], &[]);
    let offer = bea.any("file_offered");
    bea.say(&format!("/refuse {}", offer["id"]));
    let (code, said) = send.ended();
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("Bea refused"), "{said}");
}

#[test]
fn a_receiver_that_cannot_write_says_why_and_what_it_was_stopped_before() {
    let server = Server::start();
    let source = tempfile::tempdir().unwrap();
    let photo = file(&source, "photo.jpg", 1000);
    // A file, where a folder has to be made.
    let blocked = file(&source, "blocked", 1).join("folder");
    let mut receive =
        Command::receive(server.address, &["--once", "--to", blocked.to_str().unwrap()]);
    let (code, said) = Command::send(server.address, &[&photo], &[]).ended();
    assert_eq!(code, 4, "{said}");
    receive.says("blocked/folder");
    receive.process.signal(Signal::SIGTERM);
    let (code, said) = receive.ended();
    assert_eq!(code, 6, "{said}");
    assert!(said.contains("no transfer was completed"), "{said}");
}

#[test]
fn a_recipient_that_is_missing_or_does_not_answer_in_time_is_absent() {
    let server = Server::start();
    let source = tempfile::tempdir().unwrap();
    let photo = file(&source, "photo.jpg", 1000);
    let arguments = ["send", "--wait", "1", "Bea", photo.to_str().unwrap()];
    let (code, said) = Command::start(server.address, &arguments, &[]).ended();
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("no user called Bea was in the room within 1 s"), "{said}");
    let mut bea = Client::join(server.address, "Bea");
    // Joining takes its part of the time.
    let arguments = ["send", "--wait", "4", "Bea", photo.to_str().unwrap()];
    let mut send = Command::start(server.address, &arguments, &[]);
    bea.any("private_request");
    let (code, said) = send.ended();
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("Bea did not accept within 4 s"), "{said}");
}

#[test]
fn send_waits_for_the_recipient_and_numbers_a_taken_name() {
    let server = Server::start();
    let source = tempfile::tempdir().unwrap();
    let photo = file(&source, "photo.jpg", 1000);
    let usual = [("CLIENT__USERNAME", "Ada")];
    let _ada = Client::join(server.address, "Ada");
    let arguments = ["send", "Bea", photo.to_str().unwrap()];
    let mut send = Command::start(server.address, &arguments, &usual);
    send.says("as Ada2; looking for Bea");
    let mut receive = Command::receive(server.address, &["--once"]);
    send.succeeds();
    receive.succeeds();
    let taken = ["send", "--username", "Ada", "Bea", photo.to_str().unwrap()];
    let (code, said) = Command::start(server.address, &taken, &[]).ended();
    assert_eq!(code, 3, "{said}");
}

#[test]
fn a_transfer_resumes_after_its_receiver_is_killed() {
    const SIZE: usize = 30_000_000;
    let server = Server::start();
    let source = tempfile::tempdir().unwrap();
    let film = file(&source, "film.mkv", SIZE);
    let always = ["--accept-private", "always", "--accept-files", "always"];
    let mut bea = Client::join_with(server.address, "Bea", &always);
    let mut send = Command::send(server.address, &[&film], &[("FILES__RATE", "10M")]);
    bea.wait("file_progress", |event| event["bytes"].as_u64().unwrap() > 1_000_000);
    bea.process.signal(Signal::SIGKILL);
    let (code, said) = send.ended();
    assert_eq!(code, 6, "{said}");
    assert!(said.contains("to resume it"), "{said}");
}

#[test]
fn an_interrupted_sender_has_not_delivered() {
    let server = Server::start();
    let source = tempfile::tempdir().unwrap();
    let photo = file(&source, "photo.jpg", 1000);
    let mut send = Command::send(server.address, &[&photo], &[]);
    send.says("looking for Bea");
    send.process.signal(Signal::SIGINT);
    let (code, said) = send.ended();
    assert_eq!(code, 6, "{said}");
    assert!(said.contains("stopped by SIGINT"), "{said}");
}

#[test]
fn a_missing_server_another_key_and_a_missing_file_have_different_exit_codes() {
    let source = tempfile::tempdir().unwrap();
    let photo = file(&source, "photo.jpg", 1000);
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, said) = Command::send(unused, &[&photo], &[]).ended();
    assert_eq!(code, 7, "{said}");
    assert!(said.contains("--server"), "{said}");
    let (code, said) = Command::send(unused, &[&source.path().join("none")], &[]).ended();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("none"), "{said}");
    let (server, home) = (Server::start(), tempfile::tempdir().unwrap());
    let data = home.path().join(".local/share/matou");
    fs::create_dir_all(&data).unwrap();
    let other = format!("{} SHA256:{} 2026-01-01\n", server.address, "A".repeat(43));
    fs::write(data.join("known_servers"), other).unwrap();
    let arguments = ["send", "Bea", photo.to_str().unwrap()];
    let (code, said) = Command::start_at(home, server.address, &arguments, &[]).ended();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("a different key") && !said.contains("--server"), "{said}");
}

#[test]
fn the_password_of_a_server_comes_from_the_environment_or_the_settings() {
    let source = tempfile::tempdir().unwrap();
    let photo = file(&source, "photo.jpg", 1000);
    let secret = source.path().join("password");
    fs::write(&secret, "sesame\n").unwrap();
    let secret = secret.to_str().unwrap();
    let server = Server::with("127.0.0.1:0", &[("SECURITY__PASSWORD_FILE", secret)]);
    let (code, said) = Command::send(server.address, &[&photo], &[]).ended();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("asks for a password"), "{said}");
    let password = [("CLIENT__PASSWORD_FILE", secret)];
    let receive = ["receive", "--username", "Bea", "--once"];
    let mut receive = Command::start(server.address, &receive, &password);
    receive.says("waiting for files");
    Command::send(server.address, &[&photo], &password).succeeds();
    receive.succeeds();
}

#[test]
fn nothing_is_sent_to_another_key_under_a_known_name() {
    let server = Server::with("127.0.0.1:0", &[("NAMES__KEEP_DAYS", "0")]);
    let source = tempfile::tempdir().unwrap();
    let photo = file(&source, "photo.jpg", 1000);
    let mut receive = Command::receive(server.address, &["--once"]);
    let mut send = Command::send(server.address, &[&photo], &[]);
    send.succeeds();
    receive.succeeds();
    let _other = Command::receive(server.address, &["--once"]);
    let arguments = ["send", "--username", "Ada", "Bea", photo.to_str().unwrap()];
    let mut again = Command::start_at(send.home, server.address, &arguments, &[]);
    let (code, said) = again.ended();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("different key"), "{said}");
    let advice = "matou-bin identity forget --person Bea";
    assert!(said.contains(advice), "{said}");
    let mut forget = matou(again.home.path());
    assert!(forget.args(advice.split(' ').skip(1)).status().unwrap().success());
    Command::start_at(again.home, server.address, &arguments, &[]).succeeds();
}

#[test]
fn a_terminal_gets_a_progress_bar_with_name_and_time_left() {
    let server = Server::start();
    let source = tempfile::tempdir().unwrap();
    let film = file(&source, "film.mkv", 30_000_000);
    let mut receive = Command::receive(server.address, &["--once"]);
    let home = tempfile::tempdir().unwrap();
    let address = server.address.to_string();
    let arguments = ["send", "--server", &address, "Bea", film.to_str().unwrap()];
    let home = home.path().to_str().unwrap();
    let settings = [("HOME", home), ("TERM", "xterm"), ("MATOU_CLIENT__FILES__RATE", "20M")];
    let program = env!("CARGO_BIN_EXE_matou-bin");
    let mut send = Terminal::run((100, 30), program, &arguments, &settings);
    send.wait("a bar", |screen| {
        let shown = screen.contents();
        let bar = shown.lines().find(|line| line.starts_with("film.mkv"));
        bar.is_some_and(|bar| bar.contains("MB of 30.0 MB") && bar.ends_with("left"))
    });
    send.shows("Bea received film.mkv, 30.0 MB");
    assert!(send.exit().success());
    receive.succeeds();
}
