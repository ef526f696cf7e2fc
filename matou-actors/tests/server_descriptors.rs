//! A server whose process has no descriptors left. Alone in its program, since the limit is the
//! process's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use matou_actors::protocol::ClientFrame;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, SockAddr, Socket, Type};
use support::{Client, Server, message, text};

#[test]
fn without_descriptors_newcomers_are_refused_and_the_others_continue() {
    const CROWD: usize = 40;
    let server = Server::start();
    let mut alice = Client::join(&server, "alice");
    // Their own descriptors exist before the last ones are gone.
    let crowd: Vec<Socket> =
        (0..CROWD).map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()).collect();
    let (before, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let open = std::fs::read_dir("/dev/fd").unwrap().count();
    setrlimit(Resource::RLIMIT_NOFILE, u64::try_from(open + 4).unwrap(), most).unwrap();
    for socket in &crowd {
        socket.connect(&SockAddr::from(server.address)).unwrap();
    }
    let turned_away = |counts: &matou_actors::server::Snapshot| {
        counts.refusals["descriptors"] + counts.connections > 40
    };
    server.wait_for("all are in or out", turned_away);
    let counts = server.monitor.snapshot();
    assert!(counts.connections < 20, "{counts:?}");
    alice.send(&ClientFrame::Say(text("still here")));
    assert_eq!(alice.receive(), message("alice", "still here"));
    setrlimit(Resource::RLIMIT_NOFILE, before, most).unwrap();
    let mut ended = 0;
    for socket in crowd {
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        ended += u64::from(matches!(stream.read(&mut [0; 1]), Ok(0)));
    }
    assert_eq!(ended, counts.refusals["descriptors"], "an orderly end, no reset");
    Client::join(&server, "bob");
}
