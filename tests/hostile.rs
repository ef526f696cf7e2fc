//! Skilled ill will against the real program: a server that lies, a peer that does, and crowds of
//! one address.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use harness::DEADLINE;
use harness::client::Client;
use harness::server::Server;
use harness::wire::{
    Peer, conotif, coreq, cores, frame, frame_length, pvcoacc, pvcoestadst, pvcoestasrc, pvcoreq,
    pvcoreqnotif,
};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A server spoken by hand, and the ends of Bob in an open private session with Ada.
struct Stage {
    server: Peer,
    ada: Client,
    messages: Peer,
    files: Peer,
    /// Where Bob listens.
    ports: Ports,
}

/// The ports of a peer that waits for a private session.
struct Ports {
    address: IpAddr,
    messages: TcpListener,
    files: TcpListener,
}

impl Ports {
    fn at(address: IpAddr) -> Self {
        let listen = || TcpListener::bind((address, 0)).unwrap();
        Self { address, messages: listen(), files: listen() }
    }

    /// PVCOESTADST that names them as Bob's.
    fn frame(&self) -> Vec<u8> {
        let port = |of: &TcpListener| of.local_addr().unwrap().port().into();
        pvcoestadst("Bob", self.address, port(&self.messages), port(&self.files))
    }

    fn accept(&self) -> (Peer, Peer) {
        let accept = |listener: &TcpListener| by_hand(listener.accept().unwrap().0);
        (accept(&self.messages), accept(&self.files))
    }

    /// How many connections were made that are not accepted yet.
    fn count(&self) -> usize {
        self.messages.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| self.messages.accept().ok()).count()
    }
}

impl Stage {
    fn with(arguments: &[&str]) -> Self {
        let listener = TcpListener::bind((HERE, 0)).unwrap();
        let mut ada = Client::start(listener.local_addr().unwrap(), "Ada", arguments);
        let mut server = by_hand(listener.accept().unwrap().0);
        server.expect(&coreq("Ada"));
        server.send(&[cores(true), conotif("Ada"), conotif("Bob")].concat());
        ada.wait("joined", |event| event["username"] == "Bob");
        server.send(&pvcoreqnotif("Bob"));
        ada.any("private_request");
        ada.say("/accept Bob");
        server.expect(&pvcoacc("Bob"));
        let ports = Ports::at(HERE);
        server.send(&ports.frame());
        let (messages, files) = ports.accept();
        ada.any("private_opened");
        Self { server, ada, messages, files, ports }
    }
}

fn by_hand(stream: TcpStream) -> Peer {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    Peer { stream, name: String::new() }
}

/// PVMSG (13).
fn private(text: &str) -> Vec<u8> {
    frame(13, &[text.as_bytes()])
}

/// PVFILE (14) that announces a file of `size` bytes.
fn file_header(size: i64) -> Vec<u8> {
    [&[0, 0, 0, 14], &size.to_be_bytes()[..]].concat()
}

#[test]
fn a_server_cannot_move_an_open_session_without_consent() {
    let mut stage = Stage::with(&[]);
    let elsewhere = Ports::at(ELSEWHERE);
    stage.server.send(&pvcoreqnotif("Bob"));
    stage.server.expect(&pvcoacc("Bob"));
    stage.server.send(&elsewhere.frame());
    let asked = stage.ada.any("private_move_request");
    assert_eq!((&asked["address"], &asked["open"]), (&"127.0.0.2".into(), &"127.0.0.1".into()));
    stage.ada.say("/msg Bob to the old one");
    stage.messages.expect(&private("to the old one"));
    stage.ada.say("/decline Bob");
    stage.ada.say("/msg Bob still to the old one");
    stage.messages.expect(&private("still to the old one"));
    assert_eq!(elsewhere.count(), 0, "no one was asked");
}

#[test]
fn a_server_cannot_have_a_client_dial_in_a_loop() {
    let mut stage = Stage::with(&[]);
    let start = Instant::now();
    let mut answers = stage.server.stream.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut answers, &mut std::io::sink()));
    while start.elapsed() < Duration::from_secs(2) {
        stage.server.send(&[pvcoreqnotif("Bob"), stage.ports.frame()].concat());
        std::thread::sleep(Duration::from_millis(5));
    }
    let dialled = stage.ports.count();
    assert!(dialled <= 4, "{dialled} connections in {:?}", start.elapsed());
}

#[test]
fn a_negative_file_size_is_reported_and_messages_continue() {
    let mut stage = Stage::with(&[]);
    stage.files.send(&file_header(-1));
    stage.ada.wait("error", |event| event["message"].as_str().unwrap().contains("Bob"));
    stage.messages.send(&private("still here"));
    stage.ada.wait_for_private("Bob", "Ada", "still here");
}

#[test]
fn automatic_acceptance_of_files_has_a_bounded_rate() {
    const FILES: u32 = 260;
    let mut stage = Stage::with(&["--accept-files", "always"]);
    let start = Instant::now();
    stage.files.send(&[&file_header(1)[..], b"x"].concat().repeat(300));
    for _ in 0..FILES {
        stage.ada.any("file_received");
    }
    // 200 at once, then 20 a second.
    assert!(start.elapsed() >= Duration::from_millis(50) * (FILES - 200), "{:?}", start.elapsed());
}

#[test]
fn joining_asking_and_leaving_neither_pesters_anyone_nor_keeps_a_friend_out() {
    let server = Server::start();
    let mut bea = Peer::join(server.address, "Bea", &[]);
    for number in 0..60 {
        let name = format!("x{number}");
        let mut asking = Peer::connect(server.address);
        asking.send(&coreq(&name));
        asking.expect(&cores(true));
        asking.send(&pvcoreq("Bea"));
        // Half of them stay, so that their requests wait for an answer.
        if number % 2 == 0 {
            asking.reset();
        } else {
            std::mem::forget(asking);
        }
    }
    let mut friend = Peer::connect_from(ELSEWHERE, server.address);
    friend.send(&coreq("Friend"));
    friend.expect(&cores(true));
    friend.send(&pvcoreq("Bea"));
    let asked = requests_before(&mut bea, "Friend");
    assert!((1..=11).contains(&asked), "{asked} requests of one address");
}

/// Reads until `name` asks for a private session; how many others have asked before.
fn requests_before(peer: &mut Peer, name: &str) -> usize {
    let (mut received, mut asked) = (Vec::new(), 0);
    loop {
        received.extend(peer.take(1));
        let Some(length) = frame_length(&received) else { continue };
        let next: Vec<u8> = received.drain(..length).collect();
        if next == pvcoreqnotif(name) {
            return asked;
        }
        asked += usize::from(next[..4] == pvcoreqnotif("")[..4]);
    }
}

#[test]
fn strangers_of_ten_addresses_do_not_keep_a_friend_out() {
    let server = Server::start();
    let mut bea = Peer::join(server.address, "Bea", &[]);
    let ask = |from: IpAddr, name: &str| {
        let mut asking = Peer::connect_from(from, server.address);
        asking.send(&[coreq(name), pvcoreq("Bea")].concat());
        asking.expect(&cores(true));
        asking
    };
    let mut friend = ask(ELSEWHERE, "Friend");
    requests_before(&mut bea, "Friend");
    bea.send(&pvcoacc("Friend"));
    let mut received = Vec::new();
    while !received.ends_with(&pvcoestasrc("Bea", HERE)) {
        received.extend(friend.take(1));
    }
    friend.reset();
    let _strangers: Vec<_> = (10..20)
        .map(|last| {
            let stranger = ask([127, 0, 0, last].into(), &format!("s{last}"));
            requests_before(&mut bea, &format!("s{last}"));
            stranger
        })
        .collect();
    let _friend = ask(ELSEWHERE, "Again");
    requests_before(&mut bea, "Again");
}

#[test]
fn one_address_cannot_take_all_places() {
    let mut server = Server::with("127.0.0.1:0", &[("LIMITS__CLIENTS", "100")]);
    let crowd: Vec<_> = (0..99).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let refused = server.logged("connections refused");
    assert_eq!(refused["reason"], "too many connections from this address");
    for number in 0..20 {
        let mut peer = Peer::connect_from(ELSEWHERE, server.address);
        peer.send(&coreq(&format!("p{number}")));
        peer.expect(&cores(true));
        std::mem::forget(peer);
    }
    drop(crowd);
}

#[test]
fn clients_of_one_address_that_pipe_a_page_each_send_all_of_it() {
    const LINES: usize = 199;
    let server = Server::start();
    let clients: Vec<_> =
        (0..20).map(|number| Client::join(server.address, &format!("c{number}"))).collect();
    let clients: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            std::thread::spawn(move || {
                for line in 0..LINES {
                    client.say(&format!("line {line}"));
                }
                client.end_of_input();
                client.ended()
            })
        })
        .collect();
    for client in clients {
        let (events, code) = client.join().unwrap();
        let error = events.iter().find(|event| event["event"] == "error");
        assert_eq!((error, code), (None, 0));
    }
}
