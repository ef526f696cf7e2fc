//! Private set-up: each step, and everything that is ignored and never fatal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::harness::server::Server;
use crate::harness::wire::{
    DISCO, Peer, conotif, disconotif, pvcoacc, pvcoestadst, pvcoestasrc, pvcoport, pvcoreq,
    pvcoreqnotif,
};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Src, Dst and a third client, all at rest.
fn three(server: SocketAddr) -> (Peer, Peer, Peer) {
    let mut src = Peer::join(server, "Src", &[]);
    let mut dst = Peer::join(server, "Dst", &["Src"]);
    let other = Peer::join(server, "Other", &["Src", "Dst"]);
    src.expect(&[conotif("Dst"), conotif("Other")].concat());
    dst.expect(&conotif("Other"));
    (src, dst, other)
}

/// Nothing has arrived for any of `peers`, which are all that are connected, and nothing will: all
/// their earlier steps are decided, since steps are decided in order and a later one was.
fn at_rest(server: SocketAddr, peers: &mut [&mut Peer]) {
    let names: Vec<String> = peers.iter().map(|peer| peer.name.clone()).collect();
    let present: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut fence = Peer::join(server, "Fence", &present);
    for peer in peers.iter_mut() {
        peer.expect(&conotif("Fence"));
        peer.send(&pvcoreq("Fence"));
        fence.expect(&pvcoreqnotif(&peer.name));
    }
    drop(fence);
    for peer in peers {
        peer.expect(&disconotif("Fence"));
    }
}

/// Src asks, Dst accepts, Src sends its ports.
fn establish(src: &mut Peer, dst: &mut Peer, address: IpAddr) {
    src.send(&pvcoreq("Dst"));
    dst.expect(&pvcoreqnotif("Src"));
    dst.send(&pvcoacc("Src"));
    src.expect(&pvcoestasrc("Dst", address));
    src.send(&pvcoport("Dst", 40_001, 40_002));
    dst.expect(&pvcoestadst("Src", address, 40_001, 40_002));
}

#[test]
fn each_step_reaches_only_the_other_one_with_the_address_that_the_server_sees() {
    let server = Server::start();
    let (mut src, mut dst, mut other) = three(server.address);
    establish(&mut src, &mut dst, LOCAL);
    at_rest(server.address, &mut [&mut src, &mut dst, &mut other]);
}

#[test]
fn a_new_request_is_possible_once_established() {
    let server = Server::start();
    let (mut src, mut dst, mut other) = three(server.address);
    establish(&mut src, &mut dst, LOCAL);
    establish(&mut src, &mut dst, LOCAL);
    at_rest(server.address, &mut [&mut src, &mut dst, &mut other]);
}

#[test]
fn pvcoreq_to_an_unknown_name_or_to_oneself_is_ignored() {
    let server = Server::start();
    let (mut src, mut dst, mut other) = three(server.address);
    for to in ["Nobody", "Src", "not a name", "🐈"] {
        src.send(&pvcoreq(to));
    }
    at_rest(server.address, &mut [&mut src, &mut dst, &mut other]);
}

#[test]
fn a_repeat_while_one_is_pending_is_ignored() {
    let server = Server::start();
    let (mut src, mut dst, mut other) = three(server.address);
    src.send(&[pvcoreq("Dst"), pvcoreq("Dst"), pvcoreq("Dst")].concat());
    dst.expect(&pvcoreqnotif("Src"));
    at_rest(server.address, &mut [&mut src, &mut dst, &mut other]);
}

#[test]
fn pvcoacc_without_a_pending_request_is_ignored() {
    let server = Server::start();
    let (mut src, mut dst, mut other) = three(server.address);
    for from in ["Src", "Nobody", "Dst", "not a name"] {
        dst.send(&pvcoacc(from));
    }
    at_rest(server.address, &mut [&mut src, &mut dst, &mut other]);
    // The asker cannot accept in the other's place, nor can a third user.
    src.send(&[pvcoreq("Dst"), pvcoacc("Dst")].concat());
    dst.expect(&pvcoreqnotif("Src"));
    other.send(&pvcoacc("Src"));
    at_rest(server.address, &mut [&mut src, &mut dst, &mut other]);
}

#[test]
fn pvcoport_without_acceptance_is_ignored() {
    let server = Server::start();
    let (mut src, mut dst, mut other) = three(server.address);
    src.send(&pvcoport("Dst", 40_001, 40_002));
    src.send(&[pvcoreq("Dst"), pvcoport("Dst", 40_001, 40_002)].concat());
    dst.expect(&pvcoreqnotif("Src"));
    at_rest(server.address, &mut [&mut src, &mut dst, &mut other]);
    // Once it is accepted, only the asker may send ports.
    dst.send(&[pvcoacc("Src"), pvcoport("Src", 40_001, 40_002)].concat());
    src.expect(&pvcoestasrc("Dst", LOCAL));
    other.send(&pvcoport("Dst", 40_001, 40_002));
    at_rest(server.address, &mut [&mut src, &mut dst, &mut other]);
}

#[test]
fn each_step_works_once() {
    let server = Server::start();
    let (mut src, mut dst, mut other) = three(server.address);
    src.send(&pvcoreq("Dst"));
    dst.expect(&pvcoreqnotif("Src"));
    dst.send(&[pvcoacc("Src"), pvcoacc("Src")].concat());
    src.expect(&pvcoestasrc("Dst", LOCAL));
    at_rest(server.address, &mut [&mut src, &mut dst, &mut other]);
    src.send(&[pvcoport("Dst", 40_001, 40_002), pvcoport("Dst", 40_003, 40_004)].concat());
    dst.expect(&pvcoestadst("Src", LOCAL, 40_001, 40_002));
    at_rest(server.address, &mut [&mut src, &mut dst, &mut other]);
}

#[test]
fn mutual_requests_are_independent() {
    let server = Server::start();
    let (mut src, mut dst, mut other) = three(server.address);
    src.send(&pvcoreq("Dst"));
    dst.expect(&pvcoreqnotif("Src"));
    dst.send(&pvcoreq("Src"));
    src.expect(&pvcoreqnotif("Dst"));
    src.send(&pvcoacc("Dst"));
    dst.expect(&pvcoestasrc("Src", LOCAL));
    dst.send(&pvcoacc("Src"));
    src.expect(&pvcoestasrc("Dst", LOCAL));
    src.send(&pvcoport("Dst", 40_001, 40_002));
    dst.expect(&pvcoestadst("Src", LOCAL, 40_001, 40_002));
    dst.send(&pvcoport("Src", 40_003, 40_004));
    src.expect(&pvcoestadst("Dst", LOCAL, 40_003, 40_004));
    at_rest(server.address, &mut [&mut src, &mut dst, &mut other]);
}

#[test]
fn a_pending_request_ends_when_the_requester_leaves() {
    let server = Server::start();
    let (mut src, mut dst, mut other) = three(server.address);
    src.send(&pvcoreq("Dst"));
    dst.expect(&pvcoreqnotif("Src"));
    src.send(&DISCO);
    dst.expect(&disconotif("Src"));
    other.expect(&disconotif("Src"));
    // Another client under the same name did not ask.
    let mut again = Peer::join(server.address, "Src", &["Dst", "Other"]);
    dst.expect(&conotif("Src"));
    other.expect(&conotif("Src"));
    dst.send(&pvcoacc("Src"));
    at_rest(server.address, &mut [&mut dst, &mut other, &mut again]);
}

#[test]
fn a_pending_request_ends_when_the_recipient_leaves() {
    let server = Server::start();
    let (mut src, mut dst, mut other) = three(server.address);
    src.send(&pvcoreq("Dst"));
    dst.expect(&pvcoreqnotif("Src"));
    drop(dst);
    src.expect(&disconotif("Dst"));
    other.expect(&disconotif("Dst"));
    let mut again = Peer::join(server.address, "Dst", &["Src", "Other"]);
    src.expect(&conotif("Dst"));
    other.expect(&conotif("Dst"));
    again.send(&pvcoacc("Src"));
    at_rest(server.address, &mut [&mut src, &mut other, &mut again]);
    // And so the name may be asked anew.
    src.send(&pvcoreq("Dst"));
    again.expect(&pvcoreqnotif("Src"));
}

#[test]
fn a_peer_that_leaves_after_each_step_is_never_fatal() {
    let server = Server::start();
    let mut src = Peer::join(server.address, "Src", &[]);
    for step in 0..3 {
        let mut dst = Peer::join(server.address, "Dst", &["Src"]);
        src.expect(&conotif("Dst"));
        src.send(&pvcoreq("Dst"));
        dst.expect(&pvcoreqnotif("Src"));
        if step >= 1 {
            dst.send(&pvcoacc("Src"));
            src.expect(&pvcoestasrc("Dst", LOCAL));
        }
        if step >= 2 {
            src.send(&pvcoport("Dst", 40_001, 40_002));
            dst.expect(&pvcoestadst("Src", LOCAL, 40_001, 40_002));
        }
        drop(dst);
        src.expect(&disconotif("Dst"));
        src.send(&[pvcoport("Dst", 40_001, 40_002), pvcoacc("Dst")].concat());
    }
    at_rest(server.address, &mut [&mut src]);
}

#[test]
fn a_pending_request_expires() {
    let server = Server::with("127.0.0.1:0", &[("PRIVATE__REQUEST_SECONDS", "1")]);
    let (mut src, mut dst, _other) = three(server.address);
    let start = std::time::Instant::now();
    src.send(&pvcoreq("Dst"));
    dst.expect(&pvcoreqnotif("Src"));
    // While the first one is pending a repeat is ignored, so a second notification shows that
    // it died.
    dst.stream.set_read_timeout(Some(std::time::Duration::from_millis(100))).unwrap();
    let mut first = [0];
    while std::io::Read::read(&mut dst.stream, &mut first).is_err() {
        assert!(start.elapsed() < crate::harness::DEADLINE, "the request never died");
        src.send(&pvcoreq("Dst"));
    }
    assert!(start.elapsed() >= std::time::Duration::from_millis(900));
    dst.stream.set_read_timeout(Some(crate::harness::DEADLINE)).unwrap();
    dst.expect(&pvcoreqnotif("Src")[1..]);
}

#[test]
fn an_ipv4_client_of_an_ipv6_socket_is_sent_as_4_bytes() {
    let server = Server::with("[::]:0", &[]);
    let v4 = SocketAddr::new(LOCAL, server.address.port());
    let (mut src, mut dst, mut other) = three(v4);
    establish(&mut src, &mut dst, LOCAL);
    at_rest(server.address, &mut [&mut src, &mut dst, &mut other]);
}

#[test]
fn an_ipv6_address_is_sent_as_16_bytes() {
    let Ok(_) = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        return; // A machine without IPv6 has nothing to show here.
    };
    let server = Server::with("[::1]:0", &[]);
    let (mut src, mut dst, mut other) = three(server.address);
    establish(&mut src, &mut dst, Ipv6Addr::LOCALHOST.into());
    at_rest(server.address, &mut [&mut src, &mut dst, &mut other]);
}

#[test]
fn a_remote_client_gets_the_servers_own_address_for_one_on_loopback() {
    let Some(outside) = address_of_this_machine() else {
        return; // A machine with loopback alone has no remote clients.
    };
    let server = Server::with("0.0.0.0:0", &[]);
    let port = server.address.port();
    let mut src = Peer::join(SocketAddr::new(outside, port), "Src", &[]);
    let mut dst = Peer::join(SocketAddr::new(LOCAL, port), "Dst", &["Src"]);
    src.expect(&conotif("Dst"));
    src.send(&pvcoreq("Dst"));
    dst.expect(&pvcoreqnotif("Src"));
    dst.send(&pvcoacc("Src"));
    src.expect(&pvcoestasrc("Dst", outside));
    src.send(&pvcoport("Dst", 40_001, 40_002));
    dst.expect(&pvcoestadst("Src", outside, 40_001, 40_002));
}

/// The address by which others on the network reach this machine. Nothing is sent.
fn address_of_this_machine() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}
