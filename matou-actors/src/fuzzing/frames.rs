//! The codecs: what they promise about any bytes.

use std::fmt::Debug;

use bytes::BytesMut;

use crate::protocol::{
    ClientFrame, Decode, Encode, FileHeader, FrameError, MAX_FRAME, PeerFrame, ServerFrame, v2,
};

/// A client's bytes, read by a server.
pub fn client_frames(bytes: &[u8]) {
    stream::<ClientFrame>(bytes, MAX_FRAME, true);
}

/// A server's bytes, read by a client.
pub fn server_frames(bytes: &[u8]) {
    // An IPv4-mapped address may be read from 16 bytes and is written as 4.
    stream::<ServerFrame>(bytes, MAX_FRAME, false);
}

/// A peer's bytes on the message connection.
pub fn peer_frames(bytes: &[u8]) {
    stream::<PeerFrame>(bytes, MAX_FRAME, true);
}

/// A peer's bytes on the file connection.
pub fn file_headers(bytes: &[u8]) {
    stream::<FileHeader>(bytes, MAX_FRAME, true);
}

/// The four dialects of revision 2. Bytes after the last known field are ignored, so that a frame
/// may be written shorter than it was read.
pub fn frames_v2(bytes: &[u8]) {
    stream::<v2::ClientFrame>(bytes, v2::MAX_FRAME, false);
    stream::<v2::ServerFrame>(bytes, v2::MAX_FRAME, false);
    stream::<v2::MessageFrame>(bytes, v2::MAX_FRAME, false);
    stream::<v2::FileFrame>(bytes, v2::MAX_FRAME, false);
}

/// Reads frames until the first violation or the end, and checks each on the way.
fn stream<F: Decode + Encode + PartialEq + Debug>(bytes: &[u8], longest: usize, one_form: bool) {
    let mut rest = bytes;
    loop {
        match F::decode(rest) {
            Ok(Some((frame, length))) => {
                let (taken, after) = rest.split_at_checked(length).expect("no more than there is");
                check(&frame, taken, longest, one_form);
                rest = after;
            }
            Ok(None) => {
                assert!(rest.len() < longest, "a whole frame asks for more");
                return;
            }
            Err(violation) => return check_violation::<F>(rest, longest, violation),
        }
    }
}

/// `frame` is the meaning of exactly `taken`: not of less, and it is written as it was read.
fn check<F: Decode + Encode + PartialEq + Debug>(
    frame: &F,
    taken: &[u8],
    longest: usize,
    one_form: bool,
) {
    assert!((1..=longest).contains(&taken.len()));
    let (_, less) = taken.split_last().expect("at least the type");
    assert_eq!(F::decode(less), Ok(None), "the last byte was needed");
    let mut written = BytesMut::new();
    frame.encode(&mut written);
    if one_form {
        assert_eq!(written, taken);
    }
    if written.is_empty() {
        // A frame of an unknown type, which is skipped and never written.
        return;
    }
    let length = written.len();
    match F::decode(&written) {
        Ok(Some((again, all))) => assert_eq!((&again, all), (frame, length)),
        other => panic!("{frame:?} was written as something else: {other:?}"),
    }
}

/// A violation is found early, stays one whatever follows, and has a text.
fn check_violation<F: Decode + PartialEq + Debug>(
    bytes: &[u8],
    longest: usize,
    violation: FrameError,
) {
    let head = bytes.get(..longest).unwrap_or(bytes);
    assert_eq!(F::decode(head), Err(violation), "one frame's bytes are enough");
    assert!(violation.to_string().chars().all(|c| !c.is_control()));
}
