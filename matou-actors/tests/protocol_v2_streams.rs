//! Frames of revision 2 cut at every byte, foreign bytes, and what a decoder must refuse or skip.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test may fail where it likes.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use matou_actors::protocol::v2::{
    ClientFrame, DataRun, Digest, EntryPath, FileFrame, MAX_BODY, MAX_DATA, MemberRevision,
    MessageFrame, PublicKey, ServerFrame, SessionId, Text, UnixMillis,
};
use matou_actors::protocol::{
    Decode, Encode, Field, FrameError, Kind, MessageText, Username, UsernameError,
};
use proptest::prelude::*;

fn usernames() -> impl Strategy<Value = Username> {
    let letters = proptest::string::string_regex("[a-zA-Z0-9éßЖ猫]{1,10}").unwrap();
    letters.prop_filter_map("a name", |name| Username::parse(&name).ok())
}

fn server_frames() -> impl Strategy<Value = ServerFrame> {
    let member = prop_oneof![
        Just(MemberRevision::Revision1),
        any::<[u8; 32]>().prop_map(|key| MemberRevision::Revision2(PublicKey(key))),
    ];
    let said = (usernames(), "[a-z é]{1,200}", any::<i64>(), any::<u32>(), any::<i32>());
    prop_oneof![
        (usernames(), member)
            .prop_map(|(username, member)| ServerFrame::Present { username, member }),
        said.prop_filter_map("a message", |(username, text, time, sequence, flags)| {
            let (text, time) = (MessageText::parse(&text).ok()?, UnixMillis(time));
            Some(ServerFrame::Said { sequence: sequence.into(), time, username, text, flags })
        }),
        (any::<[u8; 16]>(), usernames(), any::<[u8; 32]>()).prop_map(|(session, username, key)| {
            ServerFrame::Asked { session: SessionId(session), username, key: PublicKey(key) }
        }),
    ]
}

fn file_frames() -> impl Strategy<Value = FileFrame> {
    let run = proptest::collection::vec(any::<u8>(), 1..3000);
    prop_oneof![
        (any::<u32>(), run).prop_map(|(transfer, bytes)| FileFrame::Data {
            transfer: transfer.into(),
            bytes: DataRun::new(Bytes::from(bytes)).unwrap(),
        }),
        (any::<u32>(), any::<[u8; 32]>()).prop_map(|(transfer, hash)| FileFrame::End {
            transfer: transfer.into(),
            hash: Digest(hash)
        }),
    ]
}

/// Cut anywhere, `frames` are the same frames; before its end each is waited for.
fn cut_anywhere<F: Encode + Decode + PartialEq + Debug>(frames: &[F]) {
    let mut bytes = BytesMut::new();
    for frame in frames {
        let start = bytes.len();
        frame.encode(&mut bytes);
        for end in start..bytes.len() {
            assert_eq!(F::decode(&bytes[start..end]), Ok(None));
        }
    }
    let mut rest = &bytes[..];
    for frame in frames {
        let (read, length) = F::decode(rest).unwrap().unwrap();
        assert_eq!(&read, frame);
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
}

/// Any input is a frame, a violation or a beginning, and no more is consumed than there is.
fn any_bytes<F: Decode + Debug>(bytes: &[u8]) {
    if let Ok(Some((_, length))) = F::decode(bytes) {
        assert!((4..=bytes.len()).contains(&length));
    }
}

proptest! {
    #[test]
    fn frames_of_the_server_may_be_cut_anywhere(
        frames in proptest::collection::vec(server_frames(), 1..5),
    ) {
        cut_anywhere(&frames);
    }

    #[test]
    fn frames_of_the_file_connection_may_be_cut_anywhere(
        frames in proptest::collection::vec(file_frames(), 1..4),
    ) {
        cut_anywhere(&frames);
    }

    #[test]
    fn any_body_is_a_frame_or_a_violation(
        code in 0_u8..70,
        body in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let size = u32::try_from(body.len()).unwrap().to_be_bytes();
        let bytes = [&[0, 0, 0, code], &size[..], &body].concat();
        any_bytes::<ClientFrame>(&bytes);
        any_bytes::<ServerFrame>(&bytes);
        any_bytes::<MessageFrame>(&bytes);
        any_bytes::<FileFrame>(&bytes);
    }
}

fn frame(code: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[0, 0, 0, code], &size[..], body].concat()
}

#[test]
fn unknown_types_are_skipped_whatever_their_content() {
    for (code, bytes) in [(37, frame(37, b"")), (59, frame(59, &vec![7; MAX_BODY]))] {
        let skipped = Ok(Some((ServerFrame::Unknown { code }, bytes.len())));
        assert_eq!(ServerFrame::decode(&bytes), skipped);
        assert_eq!(ServerFrame::decode(&bytes[..bytes.len() - 1]), Ok(None));
    }
}

#[test]
fn a_negative_type_is_a_violation() {
    for code in [-1, i32::MIN] {
        let unknown = FrameError::UnknownType(code);
        assert_eq!(ClientFrame::decode(&code.to_be_bytes()), Err(unknown));
        assert_eq!(FileFrame::decode(&code.to_be_bytes()), Err(unknown));
    }
}

#[test]
fn a_body_that_is_too_long_is_refused_before_it_arrives() {
    let size = 65_537_i32;
    let bytes = [&[0, 0, 0, 99][..], &size.to_be_bytes()].concat();
    let refused = FrameError::Size { field: Field::Body, size };
    assert_eq!(MessageFrame::decode(&bytes), Err(refused));
}

#[test]
fn bytes_after_the_last_field_are_ignored() {
    let bytes = frame(43, b"\0\0\0\0\0\0\0\x01 and more");
    let told = MessageFrame::Told { number: 1 };
    assert_eq!(MessageFrame::decode(&bytes), Ok(Some((told, bytes.len()))));
}

#[test]
fn a_body_shorter_than_its_fields_is_a_violation() {
    for length in 0..8 {
        let bytes = frame(43, &[0; 8][..length]);
        assert_eq!(MessageFrame::decode(&bytes), Err(FrameError::Truncated(Kind::TOLD)));
    }
}

#[test]
fn a_frame_of_another_dialect_is_refused_at_its_type() {
    #[track_caller]
    fn refused<F: Decode + PartialEq + Debug>(code: u8, kind: Kind) {
        assert_eq!(F::decode(&[0, 0, 0, code]), Err(FrameError::WrongDirection(kind)));
    }
    refused::<ClientFrame>(17, Kind::WELCOME);
    refused::<ServerFrame>(16, Kind::HELLO);
    refused::<MessageFrame>(61, Kind::DATA);
    refused::<FileFrame>(44, Kind::OFFER);
    refused::<FileFrame>(14, Kind::PVFILE);
    refused::<MessageFrame>(14, Kind::PVFILE);
}

#[test]
fn paths_cannot_lead_out_of_their_folder() {
    for bad in ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "../a", "a\0b"] {
        assert_eq!(EntryPath::parse(bad), None, "{bad:?}");
    }
    for good in ["a", "a/b", "...", "a b/ö", ".hidden", "a\\b", "..a"] {
        assert_eq!(EntryPath::parse(good).unwrap().as_str(), good);
    }
    let longest = "a".repeat(4096);
    assert!(EntryPath::parse(&longest).is_some() && EntryPath::parse(&(longest + "a")).is_none());
}

#[test]
fn values_out_of_their_range_are_violations() {
    let negative = frame(43, &(-1_i64).to_be_bytes());
    assert_eq!(MessageFrame::decode(&negative), Err(FrameError::Negative(-1)));
    let present = frame(19, b"\0\0\0\x03a b\0\0\0\0");
    let error = FrameError::Username(UsernameError::Character(' '));
    assert_eq!(ServerFrame::decode(&present), Err(error));
    for count in [0_i32, 17, -1] {
        let body = [&[7; 16][..], &count.to_be_bytes()].concat();
        let error = FrameError::Size { field: Field::Candidates, size: count };
        assert_eq!(ClientFrame::decode(&frame(29, &body)), Err(error));
    }
    for size in [0, MAX_DATA + 1] {
        let body = [&[0; 8][..], &vec![1; size]].concat();
        let size = i32::try_from(size).unwrap();
        let error = FrameError::Size { field: Field::Data, size };
        assert_eq!(FileFrame::decode(&frame(61, &body)), Err(error));
    }
    assert!(Text::<3>::new("abc").is_some() && Text::<3>::new("abcd").is_none());
}
