//! A client that the server closes receives everything that was queued, even while it still writes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;

use harness::server::Server;
use harness::wire::{Peer, conotif, coreq, cores, msg, msgbc};
use harness::{DEADLINE, matou};
use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

/// Long notices, more of them than a small receive buffer takes: some wait in the server's kernel.
const NOTICES: usize = 60;

struct Stage {
    server: Server,
    folder: TempDir,
}

/// A client that reads nothing for now and writes all the time.
struct Chatterbox {
    peer: Peer,
    writer: JoinHandle<()>,
}

impl Stage {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("admin");
        // After the first message of each nothing is read for a while: input stays unread.
        let settings = [
            ("ADMIN__SOCKET", socket.to_str().unwrap()),
            ("LIMITS__MESSAGES_PER_SECOND", "1"),
            ("LIMITS__MESSAGE_BURST", "1"),
        ];
        let server = Server::with("127.0.0.1:0", &settings);
        Self { server, folder }
    }

    fn admin(&self, arguments: &[&str]) {
        let mut command: Command = matou(Path::new(env!("CARGO_TARGET_TMPDIR")));
        command.arg("admin").arg("--socket").arg(self.folder.path().join("admin"));
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Bob, for whom much is queued, and who writes more than he reads.
    fn bob(&self) -> (Chatterbox, Vec<u8>) {
        let mut peer = connect(self.server.address);
        peer.send(&coreq("bob"));
        let mut due = [cores(true), conotif("bob")].concat();
        peer.expect(&due);
        due.clear();
        for number in 0..NOTICES {
            let text = format!("{number:0>500}");
            self.admin(&["notice", &text]);
            due.extend(msgbc("Server", &text));
        }
        (Chatterbox::start(peer, msg(&"x".repeat(500))), due)
    }
}

impl Chatterbox {
    fn start(peer: Peer, frame: Vec<u8>) -> Self {
        let mut stream = peer.stream.try_clone().unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        // More than the server reads at once, before anything else happens.
        stream.write_all(&frame.repeat(100)).unwrap();
        let writer = std::thread::spawn(move || while stream.write_all(&frame).is_ok() {});
        Self { peer, writer }
    }

    /// Everything up to an end that is not a reset.
    fn hears_to_the_end(mut self) -> Vec<u8> {
        let received = self.peer.rest();
        drop(self.peer.stream.shutdown(std::net::Shutdown::Both));
        self.writer.join().unwrap();
        received
    }
}

/// A connection that takes few bytes until they are read.
fn connect(server: SocketAddr) -> Peer {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&server.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    Peer { stream, name: "bob".into() }
}

/// Besides his own first message Bob received exactly what was due.
fn assert_received(mut received: Vec<u8>, due: &[u8]) {
    let own = msgbc("bob", &"x".repeat(500));
    while let Some(at) = received.windows(own.len()).position(|part| part == own) {
        received.drain(at..at + own.len());
    }
    assert_eq!(
        received.len(),
        due.len(),
        "ends with {}",
        received[received.len().saturating_sub(80)..].escape_ascii()
    );
    assert!(received == due);
}

#[test]
fn a_client_kicked_while_writing_receives_the_queue_and_the_reason() {
    let stage = Stage::start();
    let (bob, mut due) = stage.bob();
    stage.admin(&["kick", "bob", "too", "loud"]);
    due.extend(msgbc("Server", "You were disconnected by an operator: too loud"));
    assert_received(bob.hears_to_the_end(), &due);
}

#[test]
fn a_client_writing_during_shutdown_receives_the_queue() {
    let mut stage = Stage::start();
    let (bob, due) = stage.bob();
    stage.server.process.signal(Signal::SIGTERM);
    assert_received(bob.hears_to_the_end(), &due);
    assert!(stage.server.process.exit().success());
}

#[test]
fn a_client_that_tries_too_many_names_receives_every_answer() {
    let server = Server::with("127.0.0.1:0", &[("LIMITS__NAME_ATTEMPTS", "5")]);
    let bob = Chatterbox::start(connect(server.address), coreq("no name"));
    assert_eq!(bob.hears_to_the_end(), cores(false).repeat(5));
}
