//! A peer of revision 2 that the test plays itself, frame by frame over real TLS: whatever it
//! sends, the user reads a reason, and the room and other sessions continue.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A test may fail where it likes.

mod support;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use matou_actors::client::{Command, Event};
use matou_actors::protocol::v2::{
    Answered, CancelReason, ClientFrame, DataRun, Digest, EntryPath, FileFrame, MessageFrame,
    OfferKind, PublicKey, RefuseReason, ServerFrame, SessionId, Text, UnixMillis,
};
use matou_actors::protocol::{Decode, Encode, PeerFrame};
use matou_actors::trust::{Alpn, ExpectedKey, Identity, KeyExchange, client_config};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use support::encrypted::Encrypted;
use support::victim::Victim;
use support::{DEADLINE, Server, claim, name, text};

/// One of the two connections.
struct Link {
    stream: StreamOwned<ClientConnection, TcpStream>,
    unread: Vec<u8>,
}

impl Link {
    fn dial(at: (IpAddr, u16), identity: &Identity, key: PublicKey, alpn: Alpn) -> Self {
        let expected = ExpectedKey::Exactly(key);
        let config = client_config(identity, expected, alpn, KeyExchange::Classic).unwrap();
        let called = ServerName::try_from("matou").unwrap();
        let tls = ClientConnection::new(Arc::new(config), called).unwrap();
        let socket = TcpStream::connect(at).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_write_timeout(Some(DEADLINE)).unwrap();
        Self { stream: StreamOwned::new(tls, socket), unread: Vec::new() }
    }

    /// An error is an end by the other side, which some frames are meant to cause.
    fn send(&mut self, frame: &impl Encode) {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        let _ = self.stream.write_all(&out);
    }

    fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// `None` once the other side has closed.
    fn receive<F: Decode>(&mut self) -> Option<F> {
        loop {
            if let Some((frame, taken)) = F::decode(&self.unread).unwrap() {
                self.unread.drain(..taken);
                return Some(frame);
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(read) => self.unread.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("nothing came"),
                Err(_) => return None,
            }
        }
    }

    fn wait<F: Decode + std::fmt::Debug>(&mut self, wanted: impl Fn(&F) -> bool) -> F {
        loop {
            let frame = self.receive().expect("the other side closed");
            if wanted(&frame) {
                return frame;
            }
        }
    }

    /// Ends without the end that TLS wants.
    fn cut(self) {
        let _ = self.stream.sock.shutdown(std::net::Shutdown::Both);
    }
}

/// The hostile peer, or an honest one beside it.
struct Peer {
    _server: Encrypted,
    talk: Link,
    files: Link,
    told: u64,
}

impl Peer {
    /// Joins, and opens a session with ann.
    fn meet(server: &Server, called: &str) -> Self {
        let identity = Identity::generate().unwrap();
        let mut at_server = Encrypted::connect_as(server, &identity);
        at_server.hello(called);
        while !matches!(at_server.receive(), ServerFrame::Joined { .. }) {}
        let (talk, files) = open(&mut at_server, &identity);
        Self { _server: at_server, talk, files, told: 0 }
    }

    fn tell(&mut self, words: &str) {
        self.told += 1;
        self.talk.send(&tell(self.told, words));
    }

    /// Offers one file, and waits until it is taken.
    fn offer(&mut self, transfer: u64, size: i64) {
        self.talk.send(&offer(transfer, OfferKind::File, size, 1));
        let is_take = |frame: &MessageFrame| matches!(frame, MessageFrame::Take { .. });
        self.talk.wait(is_take);
    }
}

fn open(server: &mut Encrypted, identity: &Identity) -> (Link, Link) {
    let session = SessionId(fastrand::u128(..).to_be_bytes());
    server.send(&ClientFrame::Ask { session, username: claim("ann") });
    let answer = loop {
        if let ServerFrame::Answered { answer, .. } = server.receive() {
            break answer;
        }
    };
    let Answered::Accepted { key, candidates, .. } = answer else { panic!("{answer:?}") };
    let ports = candidates.as_slice()[0].ports;
    let link = |port: u16, alpn| {
        let at = (IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let mut link = Link::dial(at, identity, key, alpn);
        link.send(&MessageFrame::Session { session, role: 0 });
        let other = MessageFrame::Session { session, role: 1 };
        assert_eq!(link.receive::<MessageFrame>(), Some(other));
        link.send(&MessageFrame::Use {});
        link
    };
    (link(ports.message.get(), Alpn::Message), link(ports.file.get(), Alpn::File))
}

fn tell(number: u64, words: &str) -> MessageFrame {
    MessageFrame::Tell { number, flags: 0, text: text(words) }
}

fn offer(transfer: u64, kind: OfferKind, size: i64, files: u32) -> MessageFrame {
    let (name, modified) = (Text::new("gift").unwrap(), UnixMillis(0));
    MessageFrame::Offer { transfer, kind, name, size, files, modified }
}

fn entry(transfer: u64, size: u64) -> FileFrame {
    let (path, modified) = (EntryPath::parse("gift").unwrap(), UnixMillis(0));
    FileFrame::Entry { transfer, path, size, modified, flags: 0, offset: 0 }
}

fn data(transfer: u64, bytes: &'static [u8]) -> FileFrame {
    FileFrame::Data { transfer, bytes: DataRun::new(Bytes::from_static(bytes)).unwrap() }
}

fn end(transfer: u64, of: &[u8]) -> FileFrame {
    FileFrame::End { transfer, hash: Digest(*blake3::hash(of).as_bytes()) }
}

fn raw(kind: i32, size: i32, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &size.to_be_bytes(), body].concat()
}

/// The room and the session with bob work.
fn all_goes_on(victim: &mut Victim, bob: &mut Peer, turn: usize) {
    bob.tell(&format!("still here {turn}"));
    victim.reads(&format!("still here {turn}"));
    victim.send(Command::Say(text(&format!("hello {turn}"))));
    victim.expect("the room", |event| {
        matches!(event, Event::Message { text, .. } if text.to_string() == format!("hello {turn}"))
    });
}

#[test]
fn frames_of_unknown_types_and_every_size_are_skipped_on_both_connections() {
    let server = Server::start();
    let mut victim = Victim::join(&server);
    let mut eve = Peer::meet(&server, "eve");
    for kind in [53, 59, 64, 99, 1000, i32::MAX] {
        for size in [0, 1, 7, 8, 4096, 65_535, 65_536] {
            let frame = raw(kind, size, &vec![0xff; usize::try_from(size).unwrap()]);
            eve.talk.send_bytes(&frame);
            eve.files.send_bytes(&frame);
        }
    }
    eve.tell("after all of them");
    victim.reads("after all of them");
    eve.offer(1, 4);
    for frame in [entry(1, 4), data(1, b"four"), end(1, b"four")] {
        eve.files.send(&frame);
    }
    assert_eq!(std::fs::read(victim.received()).unwrap(), b"four");
}

#[test]
fn a_violation_on_the_message_connection_ends_only_that_session_with_a_reason() {
    const BREAKS: &str = "breaks the protocol";
    let server = Server::start();
    let mut victim = Victim::join(&server);
    let mut bob = Peer::meet(&server, "bob");
    let frame = |frame: &MessageFrame| {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        out.to_vec()
    };
    let session = SessionId([0; 16]);
    let cases = [
        (frame(&tell(2, "too early")), BREAKS),
        (frame(&tell(0, "too early")), BREAKS),
        (frame(&tell(u64::MAX, "far too early")), BREAKS),
        (frame(&MessageFrame::Told { number: 1 }), BREAKS),
        (frame(&MessageFrame::Told { number: u64::MAX }), BREAKS),
        (frame(&MessageFrame::Session { session, role: 0 }), BREAKS),
        (frame(&MessageFrame::Use {}), BREAKS),
        (frame(&MessageFrame::Revision1(PeerFrame::Message(text("plain")))), BREAKS),
        (raw(42, 65_537, b""), BREAKS),
        (raw(42, -1, b""), BREAKS),
        (raw(-1, 0, b""), BREAKS),
        (raw(i32::MIN, 0, b""), BREAKS),
        (raw(99, i32::MAX, b""), BREAKS),
        (raw(42, 12, &[0; 12]), BREAKS),
        (raw(44, 3, b"abc"), BREAKS),
        (frame(&MessageFrame::Revision1(PeerFrame::Close)), "closed"),
        // The beginning of a frame.
        (raw(42, 100, b"abc"), "cut"),
    ];
    for (turn, (bytes, reason)) in cases.into_iter().enumerate() {
        let mut eve = Peer::meet(&server, &format!("eve{turn}"));
        eve.talk.send_bytes(&bytes);
        if reason == "cut" {
            eve.talk.cut();
        }
        victim.closed_because(reason);
        all_goes_on(&mut victim, &mut bob, turn);
    }
}

#[test]
fn lies_about_a_file_end_that_file_with_a_reason_and_nothing_else() {
    let server = Server::start();
    let mut victim = Victim::join(&server);
    let mut eve = Peer::meet(&server, "eve");
    let cases: [(&[FileFrame], &str); 6] = [
        (&[entry(1, 4), data(1, b"fives")], "more data"),
        (&[entry(1, 4), data(1, b"four"), end(1, b"fore")], "not what was sent"),
        (&[entry(1, 4), data(1, b"fo"), end(1, b"fo")], "not what was sent"),
        (&[entry(1, 1 << 40)], "differs from the offer"),
        (&[data(1, b"four")], "data without an entry"),
        (&[end(1, b"four")], "did not begin"),
    ];
    for (turn, (frames, reason)) in cases.into_iter().enumerate() {
        let strange = [
            MessageFrame::Take { transfer: 2, have: u64::MAX },
            MessageFrame::Receipt { transfer: 1, hash: Digest([0; 32]) },
            MessageFrame::Cancel { transfer: 77, reason: CancelReason::Disk },
            MessageFrame::Refuse { transfer: 77, reason: RefuseReason::Other(-5) },
            MessageFrame::Proof { transfer: 2, have: 4096, hash: Digest([0; 32]) },
        ];
        for frame in strange {
            eve.talk.send(&frame);
        }
        eve.offer(1, 4);
        for frame in frames {
            eve.files.send(frame);
        }
        victim.file_failed_because(reason);
        eve.tell(&format!("sorry {turn}"));
        victim.reads(&format!("sorry {turn}"));
    }
    eve.offer(1, 4);
    for frame in [entry(1, 4), data(1, b"four"), end(1, b"four")] {
        eve.files.send(&frame);
    }
    assert_eq!(std::fs::read(victim.received()).unwrap(), b"four");
    let names = std::fs::read_dir(victim.folder.path().join("downloads")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name.to_string_lossy().starts_with("gift")), "{names:?}");
}

#[test]
fn a_broken_file_connection_fails_its_file_and_messages_continue() {
    let server = Server::start();
    let mut victim = Victim::join(&server);
    for (called, bytes, reason) in [
        ("eve", raw(61, 65_537, b""), "breaks the protocol"),
        ("mallory", raw(60, 3, b"abc"), "breaks the protocol"),
        ("trudy", Vec::new(), "was cut"),
    ] {
        let mut eve = Peer::meet(&server, called);
        eve.offer(1, 4096);
        eve.files.send(&entry(1, 4096));
        eve.files.send(&data(1, b"a part of it"));
        eve.files.send_bytes(&bytes);
        let Peer { files, mut talk, .. } = eve;
        if bytes.is_empty() {
            files.cut();
        }
        victim.file_failed_because(reason);
        talk.send(&tell(1, &format!("{called} talks on")));
        victim.reads(&format!("{called} talks on"));
    }
}

#[test]
fn a_peer_that_floods_offers_is_read_no_faster_than_the_user_reads() {
    /// Twenty times what sockets hold.
    const MOST: usize = 100 * 1024 * 1024;
    let server = Server::start();
    let (mut victim, resume) = Victim::join_paused(&server);
    let mut eve = Peer::meet(&server, "eve");
    let mut turn = BytesMut::new();
    for transfer in (1..2000).step_by(2) {
        offer(transfer, OfferKind::File, 1 << 50, 1).encode(&mut turn);
        MessageFrame::Cancel { transfer, reason: CancelReason::User }.encode(&mut turn);
    }
    let short = Some(Duration::from_secs(2));
    eve.talk.stream.sock.set_write_timeout(short).unwrap();
    let mut sent = 0;
    while eve.talk.stream.write_all(&turn).is_ok() {
        sent += turn.len();
        assert!(sent < MOST, "{sent} bytes of offers are kept somewhere");
    }
    drop(resume);
    let mut bob = Peer::meet(&server, "bob");
    all_goes_on(&mut victim, &mut bob, 0);
}

#[test]
fn a_peer_that_never_reads_or_confirms_costs_a_bounded_amount_and_can_be_closed() {
    let server = Server::start();
    let mut victim = Victim::join(&server);
    let mut bob = Peer::meet(&server, "bob");
    let eve = Peer::meet(&server, "eve");
    // More than may wait for a peer.
    for _ in 0..3000 {
        victim.send(Command::Tell { to: name("eve"), text: text(&"x".repeat(500)) });
    }
    bob.tell("meanwhile");
    victim.reads("meanwhile");
    victim.send(Command::Close(name("eve")));
    victim.closed_because("");
    let undelivered = victim.passed.iter().any(|event| matches!(event, Event::Undelivered { .. }));
    if !undelivered {
        victim.expect("a word", |event| matches!(event, Event::Undelivered { .. }));
    }
    all_goes_on(&mut victim, &mut bob, 0);
    drop(eve);
}

#[test]
fn a_thousand_offers_are_answered_and_cost_few_descriptors() {
    let server = Server::start();
    let mut victim = Victim::join(&server);
    let mut eve = Peer::meet(&server, "eve");
    let before = std::fs::read_dir("/proc/self/fd").unwrap().count();
    for number in 0..1000 {
        eve.talk.send(&offer(2 * number + 1, OfferKind::File, 4, 1));
    }
    let (mut taken, mut refused) = (0, 0);
    while taken + refused < 1000 {
        match eve.talk.receive::<MessageFrame>().expect("an answer") {
            MessageFrame::Take { .. } => taken += 1,
            MessageFrame::Refuse { .. } => refused += 1,
            _ => {}
        }
    }
    assert_eq!(taken, 64);
    let after = std::fs::read_dir("/proc/self/fd").unwrap().count();
    assert!(after < before + 400, "{after} descriptors after {before}");
    eve.tell("and now?");
    victim.reads("and now?");
    let mut bob = Peer::meet(&server, "bob");
    all_goes_on(&mut victim, &mut bob, 0);
}
