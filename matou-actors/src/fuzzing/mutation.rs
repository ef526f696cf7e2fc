//! Frames, broken in all the ways that a fuzzer likes.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

use bytes::BytesMut;
use fastrand::Rng;

use crate::protocol::{
    ClaimedName, ClientFrame, Encode, FileHeader, MessageText, PeerFrame, PortPair, ServerFrame,
    Username,
};

/// Sizes, ports and types on either side of every limit.
const INTERESTING: [i32; 14] =
    [0, 1, -1, 4, 15, 16, 32, 33, 512, 513, 65_535, 65_536, i32::MIN, i32::MAX];

/// One whole valid frame of each kind, in turn.
pub(super) fn valid_frames() -> Vec<Vec<u8>> {
    let name = |text| Username::parse(text).expect("a name");
    let text = MessageText::parse("héllo 🐈 world").expect("a message");
    let claim = |text| ClaimedName::unchecked(text).expect("fits");
    let port = |number| NonZeroU16::new(number).expect("not zero");
    let ports = PortPair { message: port(40_000), file: port(1) };
    let (v4, v6) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    let frames: [&dyn Encode; 17] = [
        &ClientFrame::Join(claim("alice")),
        &ServerFrame::JoinAnswer { accepted: true },
        &ServerFrame::Joined(name("élodie")),
        &ClientFrame::Say(text.clone()),
        &ServerFrame::Message { from: name("bob"), text: text.clone() },
        &ClientFrame::Leave,
        &ServerFrame::Left(name("Иван")),
        &ClientFrame::RequestPrivate { to: claim("bob") },
        &ServerFrame::PrivateRequested { from: name("bob") },
        &ClientFrame::AcceptPrivate { from: claim("a b") },
        &ClientFrame::OfferPorts { to: claim("bob"), ports },
        &ServerFrame::PeerAccepted { by: name("bob"), address: v4 },
        &ServerFrame::PeerAccepted { by: name("bob"), address: v6 },
        &ServerFrame::PeerListening { who: name("bob"), address: v4, ports },
        &PeerFrame::Message(text),
        &FileHeader::new(4097).expect("fits"),
        &PeerFrame::Close,
    ];
    let bytes = |frame: &dyn Encode| {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        out.to_vec()
    };
    frames.into_iter().map(bytes).collect()
}

/// A few frames in a row with a few things wrong.
pub(crate) fn mutated(frames: &[Vec<u8>], rng: &mut Rng, out: &mut Vec<u8>) {
    out.clear();
    for _ in 0..rng.usize(1..5) {
        out.extend_from_slice(&frames[rng.usize(..frames.len())]);
    }
    for _ in 0..rng.usize(0..4) {
        mutate(rng, out);
    }
}

fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = rng.usize(..=bytes.len());
    match rng.u8(..7) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, rng.u8(..)),
        2 => {
            let value = INTERESTING[rng.usize(..INTERESTING.len())].to_be_bytes();
            bytes.iter_mut().skip(at).zip(value).for_each(|(byte, value)| *byte = value);
        }
        3 => {
            bytes.drain(at..bytes.len().min(at + rng.usize(1..9)));
        }
        4 => {
            let copied = bytes[at..bytes.len().min(at + 40)].to_vec();
            bytes.extend(copied);
        }
        5 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << rng.u8(..8)),
        _ => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = rng.u8(..)),
    }
}
