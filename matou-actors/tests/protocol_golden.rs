//! The bytes of every frame, written out by hand from the original description: both ways, to the byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test may fail where it likes.

use std::net::IpAddr;
use std::num::NonZeroU16;

use bytes::BytesMut;
use matou_actors::protocol::{
    ClaimedName, ClientFrame, Decode, Encode, FileHeader, Kind, MessageText, PeerFrame, PortPair,
    ServerFrame, Username,
};

/// `frame` is written as exactly `bytes`, and `bytes` are read as exactly `frame`.
#[track_caller]
fn golden<F: Encode + Decode + PartialEq + std::fmt::Debug>(frame: &F, bytes: &[u8]) {
    let mut written = BytesMut::new();
    frame.encode(&mut written);
    assert_eq!(&written[..], bytes, "written {frame:?}");
    let (read, length) = F::decode(bytes).unwrap().unwrap();
    assert_eq!((&read, length), (frame, bytes.len()), "read");
}

fn claim(name: &str) -> ClaimedName {
    ClaimedName::unchecked(name).unwrap()
}

fn name(name: &str) -> Username {
    Username::parse(name).unwrap()
}

fn text(text: &str) -> MessageText {
    MessageText::parse(text).unwrap()
}

fn ports(message: u16, file: u16) -> PortPair {
    PortPair { message: NonZeroU16::new(message).unwrap(), file: NonZeroU16::new(file).unwrap() }
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

#[test]
fn frame_0_coreq() {
    golden(&ClientFrame::Join(claim("bob")), b"\0\0\0\x00\0\0\0\x03bob");
    golden(&ClientFrame::Join(claim("é")), b"\0\0\0\x00\0\0\0\x02\xc3\xa9");
}

#[test]
fn frame_1_cores() {
    golden(&ServerFrame::JoinAnswer { accepted: true }, b"\0\0\0\x01\x01");
    golden(&ServerFrame::JoinAnswer { accepted: false }, b"\0\0\0\x01\x00");
}

#[test]
fn frame_2_conotif() {
    golden(&ServerFrame::Joined(name("alice")), b"\0\0\0\x02\0\0\0\x05alice");
}

#[test]
fn frame_3_msg() {
    golden(&ClientFrame::Say(text("hi!")), b"\0\0\0\x03\0\0\0\x03hi!");
    golden(&ClientFrame::Say(text("🐈")), b"\0\0\0\x03\0\0\0\x04\xf0\x9f\x90\x88");
}

#[test]
fn frame_4_msgbc() {
    let frame = ServerFrame::Message { from: name("bob"), text: text("hi!") };
    golden(&frame, b"\0\0\0\x04\0\0\0\x03bob\0\0\0\x03hi!");
}

#[test]
fn frame_5_disco() {
    golden(&ClientFrame::Leave, b"\0\0\0\x05");
}

#[test]
fn frame_6_disconotif() {
    golden(&ServerFrame::Left(name("alice")), b"\0\0\0\x06\0\0\0\x05alice");
}

#[test]
fn frame_7_pvcoreq() {
    golden(&ClientFrame::RequestPrivate { to: claim("alice") }, b"\0\0\0\x07\0\0\0\x05alice");
}

#[test]
fn frame_8_pvcoreqnotif() {
    golden(&ServerFrame::PrivateRequested { from: name("bob") }, b"\0\0\0\x08\0\0\0\x03bob");
}

#[test]
fn frame_9_pvcoacc() {
    golden(&ClientFrame::AcceptPrivate { from: claim("bob") }, b"\0\0\0\x09\0\0\0\x03bob");
}

#[test]
fn frame_10_pvcoport() {
    golden(
        &ClientFrame::OfferPorts { to: claim("alice"), ports: ports(40_000, 65_535) },
        b"\0\0\0\x0a\0\0\0\x05alice\0\0\x9c\x40\0\0\xff\xff",
    );
    golden(
        &ClientFrame::OfferPorts { to: claim("a"), ports: ports(1, 1024) },
        b"\0\0\0\x0a\0\0\0\x01a\0\0\0\x01\0\0\x04\0",
    );
}

#[test]
fn frame_11_pvcoestasrc_ipv4_and_ipv6() {
    golden(
        &ServerFrame::PeerAccepted { by: name("alice"), address: ip("192.0.2.7") },
        b"\0\0\0\x0b\0\0\0\x05alice\0\0\0\x04\xc0\0\x02\x07",
    );
    golden(
        &ServerFrame::PeerAccepted { by: name("alice"), address: ip("2001:db8::7") },
        b"\0\0\0\x0b\0\0\0\x05alice\0\0\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07",
    );
}

#[test]
fn frame_12_pvcoestadst_ipv4_and_ipv6() {
    golden(
        &ServerFrame::PeerListening {
            who: name("bob"),
            address: ip("192.0.2.7"),
            ports: ports(40_000, 40_001),
        },
        b"\0\0\0\x0c\0\0\0\x03bob\0\0\0\x04\xc0\0\x02\x07\0\0\x9c\x40\0\0\x9c\x41",
    );
    golden(
        &ServerFrame::PeerListening {
            who: name("bob"),
            address: ip("fd00::1"),
            ports: ports(40_000, 40_001),
        },
        b"\0\0\0\x0c\0\0\0\x03bob\0\0\0\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\x9c\x40\0\0\x9c\x41",
    );
}

#[test]
fn an_ipv4_mapped_address_is_sent_as_4_bytes_and_read_as_ipv4() {
    let frame = ServerFrame::PeerAccepted { by: name("a"), address: ip("::ffff:192.0.2.7") };
    let mut written = BytesMut::new();
    frame.encode(&mut written);
    assert_eq!(&written[..], b"\0\0\0\x0b\0\0\0\x01a\0\0\0\x04\xc0\0\x02\x07");
    let mapped = b"\0\0\0\x0b\0\0\0\x01a\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x07";
    let expected = ServerFrame::PeerAccepted { by: name("a"), address: ip("192.0.2.7") };
    assert_eq!(ServerFrame::decode(mapped).unwrap(), Some((expected, mapped.len())));
}

#[test]
fn frame_13_pvmsg() {
    golden(&PeerFrame::Message(text("hi!")), b"\0\0\0\x0d\0\0\0\x03hi!");
}

#[test]
fn frame_14_pvfile_sizes_are_a_signed_long_and_zero_is_a_file() {
    let header = |size| FileHeader::new(size).unwrap();
    golden(&header(0), b"\0\0\0\x0e\0\0\0\0\0\0\0\0");
    golden(&header(4097), b"\0\0\0\x0e\0\0\0\0\0\0\x10\x01");
    golden(&header(0x1_0000_0000), b"\0\0\0\x0e\0\0\0\x01\0\0\0\0");
    golden(&header((1 << 63) - 1), b"\0\0\0\x0e\x7f\xff\xff\xff\xff\xff\xff\xff");
    assert_eq!(FileHeader::new(1 << 63), None, "no long holds it");
}

#[test]
fn frame_15_pvdisco() {
    golden(&PeerFrame::Close, b"\0\0\0\x0f");
}

#[test]
fn the_longest_name_and_text_are_allowed() {
    let mut bytes = vec![0, 0, 0, 4, 0, 0, 0, 32];
    bytes.extend([b'n'; 32]);
    bytes.extend([0, 0, 2, 0]);
    bytes.extend([b't'; 512]);
    let frame = ServerFrame::Message { from: name(&"n".repeat(32)), text: text(&"t".repeat(512)) };
    golden(&frame, &bytes);
    assert_eq!(bytes.len(), matou_actors::protocol::MAX_FRAME);
}

#[test]
fn there_are_16_kinds_with_the_codes_and_names_of_the_document() {
    let names = [
        "COREQ",
        "CORES",
        "CONOTIF",
        "MSG",
        "MSGBC",
        "DISCO",
        "DISCONOTIF",
        "PVCOREQ",
        "PVCOREQNOTIF",
        "PVCOACC",
        "PVCOPORT",
        "PVCOESTASRC",
        "PVCOESTADST",
        "PVMSG",
        "PVFILE",
        "PVDISCO",
    ];
    let kinds: Vec<_> = Kind::ALL.iter().filter(|kind| kind.revision() == 1).collect();
    assert_eq!(kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>(), names);
    for (code, kind) in (0..).zip(kinds) {
        assert_eq!((kind.code(), Kind::from_code(code)), (code, Some(*kind)));
    }
    let unknown = [-1, i32::MIN, i32::MAX, 0x0300_0000];
    assert!(unknown.iter().all(|&code| Kind::from_code(code).is_none()));
}
