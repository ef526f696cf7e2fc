//! What the original authors' programs sent each other, as recorded: every byte decodes into
//! frames, and the frames encode into the same bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test may fail where it likes.

use bytes::BytesMut;
use matou_actors::protocol::{
    ClientFrame, Decode, Encode, FILE_CHUNK, FileHeader, PeerFrame, ServerFrame,
};
use serde_json::Value;

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// The packets that `from` sent on the connection of this name; without it those of all others.
fn sent(connection: &str, from: impl Fn(&str) -> bool) -> Vec<Vec<u8>> {
    let all: Value = serde_json::from_str(include_str!("../../tests/data/original.json")).unwrap();
    let all = all.as_array().unwrap();
    let found = all.iter().find(|entry| entry["connection"] == connection).unwrap();
    let packets = found["sent"].as_array().unwrap().iter();
    packets
        .filter(|packet| from(packet["from"].as_str().unwrap()))
        .map(|packet| unhex(packet["bytes"].as_str().unwrap()))
        .collect()
}

/// Decodes `bytes` to their end; they are what the frames encode into.
fn frames<F: Decode + Encode>(bytes: &[u8]) -> usize {
    let (mut rest, mut count, mut again) = (bytes, 0, BytesMut::new());
    while !rest.is_empty() {
        let (frame, length) = F::decode(rest).unwrap().unwrap();
        frame.encode(&mut again);
        rest = &rest[length..];
        count += 1;
    }
    assert_eq!(again, bytes);
    count
}

#[test]
fn recorded_public_connections_are_frames_of_client_and_server() {
    for (name, by_client, by_server) in [("Alice", 4, 6), ("Bob", 3, 7)] {
        let connection = format!("public connection of {name}");
        let client = sent(&connection, |from| from == name).concat();
        let server = sent(&connection, |from| from == "server").concat();
        assert_eq!(frames::<ClientFrame>(&client), by_client, "{name}");
        assert_eq!(frames::<ServerFrame>(&server), by_server, "{name}");
    }
}

#[test]
fn recorded_private_messages_are_frames_of_peers() {
    for name in ["Alice", "Bob"] {
        let bytes = sent("private message connection", |from| from == name).concat();
        assert_eq!(frames::<PeerFrame>(&bytes), 1, "{name}");
    }
}

#[test]
fn the_recorded_file_is_a_header_and_chunks_of_4096_bytes() {
    let packets = sent("private file connection", |_| true);
    let lengths: Vec<_> = packets.iter().map(Vec::len).collect();
    assert_eq!(lengths, [FileHeader::LENGTH, FILE_CHUNK, 5000 - FILE_CHUNK]);
    assert_eq!(frames::<FileHeader>(&packets[0]), 1);
    let (header, _) = FileHeader::decode(&packets[0]).unwrap().unwrap();
    assert_eq!(header.size(), 5000);
}
