//! Rates in separate networks: users on slow lines who stay connected during a burst of the others,
//! and addresses that count as one.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::thread::JoinHandle;

use harness::client::Client;
use harness::server::Server;
use harness::wire::{Peer, conotif, coreq, cores, frame_length, msg, msgbc};
use support::network::{Line, NEAR, Network};

/// As many messages as one may send at once, with the COREQ before them.
const LINES: usize = 199;

/// A server at the near end of a line, and a client at its far end.
struct Scene {
    line: Line,
    server: Server,
    ada: Client,
}

impl Scene {
    fn at(rate: &'static str) -> Option<Self> {
        let line = Line::of(rate)?;
        let server = line.near.within(|| Server::with("0.0.0.0:0", &[]));
        let address = SocketAddr::from((NEAR, server.address.port()));
        let ada = line.far.within(move || Client::join(address, "Ada"));
        Some(Self { line, server, ada })
    }

    /// A client on this side of the slow line, at `address`, that has joined.
    fn join(&self, address: Ipv4Addr, name: &str) -> TcpStream {
        let server = SocketAddr::from(([127, 0, 0, 1], self.server.address.port()));
        let mut peer = self.line.near.within(move || Peer::connect_from(address.into(), server));
        peer.send(&coreq(name));
        peer.expect(&cores(true));
        peer.stream
    }

    /// What Ada hears next.
    fn next_message(&mut self) -> (String, String) {
        let event = self.ada.wait_for(&["message", "disconnected", "reconnecting"], |_| true);
        assert_eq!(event["event"], "message", "Ada was disconnected: {event}");
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        (text("from"), text("text"))
    }
}

/// The longest page that can be pasted at once.
fn page() -> Vec<u8> {
    (0..LINES).flat_map(|line| msg(&format!("{line:03}{}", "x".repeat(509)))).collect()
}

/// Pastes `page` and reads `messages` messages of anybody.
fn paste(mut stream: TcpStream, page: Vec<u8>, messages: usize) -> JoinHandle<()> {
    let mut writing = stream.try_clone().unwrap();
    std::thread::spawn(move || writing.write_all(&page));
    std::thread::spawn(move || {
        let (mut bytes, mut chunk, mut received) = (Vec::new(), vec![0; 1 << 16], 0);
        while received < messages {
            let count = stream.read(&mut chunk).unwrap();
            assert!(count > 0, "disconnected after {received} messages");
            bytes.extend_from_slice(&chunk[..count]);
            let mut at = 0;
            while let Some(length) = frame_length(&bytes[at..]) {
                received += usize::from(bytes[at..at + 4] == [0, 0, 0, 4]);
                at += length;
            }
            bytes.drain(..at);
        }
    })
}

fn twenty_connections_of_one_address_evict_no_one(rate: &'static str) {
    const CROWD: usize = 20;
    let Some(mut scene) = Scene::at(rate) else { return };
    let crowd: Vec<_> =
        (0..CROWD).map(|number| scene.join(Ipv4Addr::LOCALHOST, &format!("c{number}"))).collect();
    let bea = scene.join(Ipv4Addr::new(127, 0, 0, 2), "Bea");
    let everything = CROWD * LINES;
    let crowd: Vec<_> = crowd.into_iter().map(|one| paste(one, page(), everything)).collect();
    // When the address has used up what it may say at once.
    let mut writing = bea.try_clone().unwrap();
    paste(bea, Vec::new(), everything / 2).join().unwrap();
    writing.write_all(&msg("hello")).unwrap();
    let received: Vec<_> = (0..=everything).map(|_| scene.next_message()).collect();
    let place = received.iter().position(|message| *message == ("Bea".into(), "hello".into()));
    assert!(place.is_some_and(|place| place < everything), "others wait, Bea does not: {place:?}");
    for one in crowd {
        one.join().unwrap();
    }
}

#[test]
fn twenty_connections_of_one_address_evict_no_one_at_10_mbit() {
    twenty_connections_of_one_address_evict_no_one("10mbit");
}

#[test]
fn twenty_connections_of_one_address_evict_no_one_at_2_mbit() {
    twenty_connections_of_one_address_evict_no_one("2mbit");
}

fn forty_people_paste_a_page_and_all_read_all_of_it(rate: &'static str) {
    const PEOPLE: u8 = 40;
    let Some(mut scene) = Scene::at(rate) else { return };
    let everything = LINES * usize::from(PEOPLE);
    let people: Vec<_> = (0..PEOPLE)
        .map(|number| scene.join(Ipv4Addr::new(127, 0, 1, number), &format!("p{number}")))
        .collect();
    let people: Vec<_> = people.into_iter().map(|one| paste(one, page(), everything)).collect();
    let mut next = HashMap::new();
    for _ in 0..everything {
        let (from, text) = scene.next_message();
        let line: &mut usize = next.entry(from).or_default();
        assert!(text.starts_with(&format!("{line:03}")), "{line}: {text}");
        *line += 1;
    }
    for one in people {
        one.join().unwrap();
    }
}

#[test]
fn forty_people_paste_a_page_and_all_read_all_of_it_at_10_mbit() {
    forty_people_paste_a_page_and_all_read_all_of_it("10mbit");
}

#[test]
fn forty_people_paste_a_page_and_all_read_all_of_it_at_2_mbit() {
    forty_people_paste_a_page_and_all_read_all_of_it("2mbit");
}

#[test]
fn addresses_of_one_64_share_their_rates() {
    let addresses = &["2001:db8:0:1::1/128", "2001:db8:0:1:ffff::2/128", "2001:db8:0:2::1/128"];
    let Some(network) = Network::with(addresses) else { return };
    let mut server = network.within(|| {
        let limits = [
            ("LIMITS__BYTES_PER_SECOND", "1"),
            ("LIMITS__BYTE_BURST", "1024"),
            ("LIMITS__RATES_PER_ADDRESS", "1"),
        ];
        Server::with("[::]:0", &limits)
    });
    let at = SocketAddr::from((Ipv6Addr::LOCALHOST, server.address.port()));
    let join = |address: &str, name: &str| {
        let address = address.split_once('/').unwrap().0.parse().unwrap();
        let mut peer = network.within(move || Peer::connect_from(address, at));
        name.clone_into(&mut peer.name);
        peer.send(&coreq(name));
        peer.expect(&cores(true));
        peer
    };
    let mut alice = join(addresses[0], "alice");
    alice.expect(&conotif("alice"));
    let long = "x".repeat(512);
    for _ in 0..2 {
        alice.send(&msg(&long));
        alice.expect(&msgbc("alice", &long));
    }
    let mut bob = join(addresses[1], "bob");
    alice.expect(&conotif("bob"));
    bob.send(&msg("held"));
    assert_eq!(server.logged("messages delayed")["address"], "2001:db8:0:1::/64");
    let mut carol = join(addresses[2], "carol");
    alice.expect(&conotif("carol"));
    carol.send(&msg("not held"));
    alice.expect(&msgbc("carol", "not held"));
}
