//! Standard input as the source of a file, and standard output as its target.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{ChildStdin, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::client::Client;
use crate::harness::lines::Lines;
use crate::harness::server::Server;
use crate::harness::wire::Peer;
use crate::harness::{self, Process, matou};
use crate::{Command, content, file};

/// `send` as Ada, to Bea, of standard input.
fn send_input(server: SocketAddr, more: &[&str]) -> (Command, ChildStdin) {
    send_input_at(tempfile::tempdir().unwrap(), server, more)
}

fn send_input_at(home: TempDir, server: SocketAddr, more: &[&str]) -> (Command, ChildStdin) {
    let arguments = [&["send", "--username", "Ada"], more, &["Bea", "-"]].concat();
    let mut send = Command::reading(Stdio::piped(), home, server, &arguments, &[]);
    let input = send.process.0.stdin.take().unwrap();
    (send, input)
}

/// `receive --to -` as Bea, who has joined, and everything that it writes to standard output.
fn receive_to_output(
    server: SocketAddr,
) -> (Process, Lines, TempDir, std::thread::JoinHandle<Vec<u8>>) {
    let home = tempfile::tempdir().unwrap();
    let mut command = matou(home.path());
    command.args(["receive", "--username", "Bea", "--to", "-", "--server", &server.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process(command.spawn().unwrap());
    let mut output = process.0.stdout.take().unwrap();
    let mut errors = Lines::new("errors", process.0.stderr.take().unwrap());
    let read = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).unwrap();
        bytes
    });
    errors.wait("waiting for files", |line| line.contains("waiting for files").then_some(()));
    (process, errors, home, read)
}

#[test]
fn standard_input_is_sent_while_it_is_read_until_its_end() {
    let server = Server::start();
    let always = ["--accept-private", "always", "--accept-files", "always"];
    let mut bea = Client::join_with(server.address, "Bea", &always);
    let (mut send, mut input) = send_input(server.address, &["--name", "notes.txt"]);
    input.write_all(&content(2_000_000)).unwrap();
    let offer = bea.any("file_offered");
    assert_eq!((offer["name"].as_str(), offer.get("size")), (Some("notes.txt"), None), "{offer}");
    let growing = bea.any("file_started")["path"].as_str().unwrap().to_owned();
    let there = || fs::metadata(&growing).is_ok_and(|status| status.len() > 1_000_000);
    harness::until("what came so far", there);
    input.write_all(&content(100_000)).unwrap();
    drop(input);
    let said = send.succeeds();
    assert!(said.contains("Bea received notes.txt, 2.1 MB"), "{said}");
    let received = bea.any("file_received");
    let expected = [content(2_000_000), content(100_000)].concat();
    assert_eq!(fs::read(received["path"].as_str().unwrap()).unwrap(), expected);
}

#[test]
fn only_a_whole_file_is_written_to_standard_output_and_nothing_is_left_behind() {
    let server = Server::start();
    let (mut receive, mut errors, home, read) = receive_to_output(server.address);
    let source = tempfile::tempdir().unwrap();
    let mut folder = Command::send(server.address, &[source.path()], &[]);
    let (code, said) = folder.ended();
    assert_eq!(code, 4, "{said}");
    errors.wait("a folder", |line| line.contains("a folder cannot be written").then_some(()));
    let (mut send, mut input) = send_input_at(folder.home, server.address, &[]);
    input.write_all(&content(1_000_000)).unwrap();
    drop(input);
    send.succeeds();
    assert_eq!(receive.exit().code(), Some(0), "{:?}", errors.rest());
    assert!(read.join().unwrap() == content(1_000_000));
    assert_eq!(fs::read_dir(home.path().join("Downloads")).unwrap().count(), 0);
}

#[test]
fn a_reader_of_standard_output_that_goes_leaves_the_file_where_the_error_says() {
    let server = Server::start();
    let home = tempfile::tempdir().unwrap();
    let mut receive = matou(home.path());
    receive.args(["receive", "--username", "Bea", "--to", "-"]);
    receive.args(["--server", &server.address.to_string()]);
    receive.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut receive = Process(receive.spawn().unwrap());
    drop(receive.0.stdout.take());
    let mut errors = Lines::new("errors", receive.0.stderr.take().unwrap());
    let source = tempfile::tempdir().unwrap();
    let photo = file(&source, "photo.jpg", 300_000);
    Command::send(server.address, &[&photo], &[]).succeeds();
    assert_eq!(receive.exit().code(), Some(1));
    let kept = home.path().canonicalize().unwrap().join("Downloads/photo.jpg");
    let said = errors.rest().join("\n");
    assert!(said.contains(&format!("kept as {}", kept.display())), "{said}");
    assert_eq!(fs::read(kept).unwrap(), content(300_000));
}

#[test]
fn standard_input_that_was_cut_has_to_be_sent_from_its_beginning() {
    let server = Server::start();
    let always = ["--accept-private", "always", "--accept-files", "always"];
    let mut bea = Client::join_with(server.address, "Bea", &always);
    let (mut send, mut input) = send_input(server.address, &[]);
    input.write_all(&content(60_000)).unwrap();
    bea.any("file_started");
    bea.process.signal(Signal::SIGKILL);
    let (code, said) = send.ended();
    assert_eq!(code, 6, "{said}");
    assert!(said.contains("standard input starts from the beginning"), "{said}");
    drop(input);
}

#[test]
fn standard_input_needs_a_program_that_takes_a_file_of_unknown_size() {
    let server = Server::start();
    let _bea = Peer::join(server.address, "Bea", &[]);
    let (mut send, input) = send_input(server.address, &[]);
    drop(input);
    let (code, said) = send.ended();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("needs to know the size in advance"), "{said}");
}
