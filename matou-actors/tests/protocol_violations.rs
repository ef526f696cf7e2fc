//! Every violation that PROTOCOL.md names, and that it is noticed as early as it can be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test may fail where it likes.

use std::fmt::Debug;

use matou_actors::protocol::{
    ClientFrame, Decode, Field, FileHeader, FrameError, Kind, MAX_MESSAGE, MAX_USERNAME, PeerFrame,
    ServerFrame, UsernameError,
};
use proptest::prelude::*;

/// Exactly `bytes` are a violation, and one byte less is not one yet.
#[track_caller]
fn violates<F: Decode + PartialEq + Debug>(bytes: &[u8], expected: FrameError) {
    assert_eq!(F::decode(bytes), Err(expected), "{}", bytes.escape_ascii());
    let before = &bytes[..bytes.len() - 1];
    assert_eq!(F::decode(before), Ok(None), "{} is only a beginning", before.escape_ascii());
}

fn size(field: Field, size: i32) -> FrameError {
    FrameError::Size { field, size }
}

/// `head`, then `value` as an `int`.
fn int(head: &[u8], value: i32) -> Vec<u8> {
    [head, &value.to_be_bytes()].concat()
}

/// The frames that begin with the size of a username, for each dialect.
const NAMED_BY_CLIENT: [i32; 4] = [0, 7, 9, 10];
const NAMED_BY_SERVER: [i32; 6] = [2, 4, 6, 8, 11, 12];

/// Sizes outside `1..=limit`: negative, zero and beyond.
fn bad_sizes(limit: usize) -> [i32; 7] {
    let over = i32::try_from(limit).unwrap() + 1;
    [0, -1, i32::MIN, over, over * 2, 0x0100_0000, i32::MAX]
}

#[test]
fn a_username_size_that_is_negative_zero_or_too_large_is_refused_before_the_name_is_there() {
    for bad in bad_sizes(MAX_USERNAME) {
        for kind in NAMED_BY_CLIENT {
            violates::<ClientFrame>(&int(&int(&[], kind), bad), size(Field::Username, bad));
        }
        for kind in NAMED_BY_SERVER {
            violates::<ServerFrame>(&int(&int(&[], kind), bad), size(Field::Username, bad));
        }
    }
}

#[test]
fn a_message_size_that_is_negative_zero_or_too_large_is_refused_before_the_message_is_there() {
    for bad in bad_sizes(MAX_MESSAGE) {
        violates::<ClientFrame>(&int(b"\0\0\0\x03", bad), size(Field::Message, bad));
        violates::<ServerFrame>(&int(b"\0\0\0\x04\0\0\0\x01a", bad), size(Field::Message, bad));
        violates::<PeerFrame>(&int(b"\0\0\0\x0d", bad), size(Field::Message, bad));
    }
}

#[test]
fn an_address_of_neither_4_nor_16_bytes_is_refused_before_the_address_is_there() {
    let wrong = (-1..=17).filter(|bytes| ![4, 16].contains(bytes)).chain(bad_sizes(16));
    for bad in wrong {
        for kind in [11, 12] {
            let head = [&int(&[], kind)[..], b"\0\0\0\x01a"].concat();
            violates::<ServerFrame>(&int(&head, bad), size(Field::Address, bad));
        }
    }
}

#[test]
fn a_file_size_that_is_negative_is_refused() {
    for bad in [-1, i64::MIN, -4096] {
        let bytes = [&[0, 0, 0, 14][..], &bad.to_be_bytes()].concat();
        violates::<FileHeader>(&bytes, FrameError::FileSize(bad));
    }
}

#[test]
fn a_port_outside_1_to_65535_is_refused_at_once() {
    for bad in [0, -1, 65_536, i32::MIN, i32::MAX, 0x0001_0001] {
        let client = b"\0\0\0\x0a\0\0\0\x01a";
        let server = b"\0\0\0\x0c\0\0\0\x01a\0\0\0\x04\x7f\0\0\x01";
        violates::<ClientFrame>(&int(client, bad), FrameError::Port(bad));
        violates::<ServerFrame>(&int(server, bad), FrameError::Port(bad));
        violates::<ClientFrame>(&int(&int(client, 40_000), bad), FrameError::Port(bad));
        violates::<ServerFrame>(&int(&int(server, 40_000), bad), FrameError::Port(bad));
    }
}

#[test]
fn an_acceptation_other_than_0_and_1_is_refused() {
    for bad in 2..=255 {
        violates::<ServerFrame>(&[0, 0, 0, 1, bad], FrameError::Acceptation(bad));
    }
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    // Overlong, surrogate, beyond U+10FFFF, a stray continuation, a cut sequence.
    let bad: [&[u8]; 6] =
        [b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x82", b"a\xff"];
    for text in bad {
        let sized = int(&[], i32::try_from(text.len()).unwrap());
        let sized = [&sized, text].concat();
        for kind in NAMED_BY_CLIENT {
            let bytes = [int(&[], kind), sized.clone()].concat();
            violates::<ClientFrame>(&bytes, FrameError::NotUtf8(Field::Username));
        }
        for kind in NAMED_BY_SERVER {
            let bytes = [int(&[], kind), sized.clone()].concat();
            violates::<ServerFrame>(&bytes, FrameError::NotUtf8(Field::Username));
        }
        let not_utf8 = FrameError::NotUtf8(Field::Message);
        violates::<ClientFrame>(&[b"\0\0\0\x03", &sized[..]].concat(), not_utf8);
        violates::<PeerFrame>(&[b"\0\0\0\x0d", &sized[..]].concat(), not_utf8);
        violates::<ServerFrame>(&[b"\0\0\0\x04\0\0\0\x01a", &sized[..]].concat(), not_utf8);
    }
}

#[test]
fn a_control_character_in_a_message_is_refused() {
    for control in (0..=0x1f).chain(0x7f..=0x9f).filter_map(char::from_u32) {
        let text = format!("a{control}b");
        let sized = int(&[], i32::try_from(text.len()).unwrap());
        let sized = [&sized, text.as_bytes()].concat();
        violates::<ClientFrame>(
            &[b"\0\0\0\x03", &sized[..]].concat(),
            FrameError::ControlCharacter,
        );
        violates::<PeerFrame>(&[b"\0\0\0\x0d", &sized[..]].concat(), FrameError::ControlCharacter);
        let said = [b"\0\0\0\x04\0\0\0\x01a", &sized[..]].concat();
        violates::<ServerFrame>(&said, FrameError::ControlCharacter);
    }
}

#[test]
fn a_name_that_the_server_vouches_for_must_be_a_username() {
    for kind in NAMED_BY_SERVER {
        for (bad, character) in [("a b", ' '), ("a\u{1b}", '\u{1b}'), ("a/b", '/')] {
            let head = int(&int(&[], kind), i32::try_from(bad.len()).unwrap());
            let bytes = [&head, bad.as_bytes()].concat();
            let expected = FrameError::Username(UsernameError::Character(character));
            violates::<ServerFrame>(&bytes, expected);
        }
    }
}

#[test]
fn a_name_that_a_client_claims_may_be_any_text_and_is_judged_later() {
    let (frame, _) = ClientFrame::decode(b"\0\0\0\0\0\0\0\x03a\n!").unwrap().unwrap();
    let ClientFrame::Join(claimed) = frame else { panic!("{frame:?}") };
    assert_eq!(claimed.parse(), Err(UsernameError::Character('\n')));
}

/// Client to server, server to client, peer messages, peer files.
#[test]
fn every_kind_that_the_sender_may_not_send_is_refused_at_its_type() {
    for kind in Kind::ALL.iter().copied().filter(|kind| kind.revision() == 1) {
        let code = kind.code();
        let bytes = code.to_be_bytes();
        let refused = [
            ClientFrame::decode(&bytes).map(|_| ()),
            ServerFrame::decode(&bytes).map(|_| ()),
            PeerFrame::decode(&bytes).map(|_| ()),
            FileHeader::decode(&bytes).map(|_| ()),
        ];
        let may = [
            [0, 3, 5, 7, 9, 10].contains(&code),
            [1, 2, 4, 6, 8, 11, 12].contains(&code),
            [13, 15].contains(&code),
            code == 14,
        ];
        for (answer, may) in refused.into_iter().zip(may) {
            let expected = if may { Ok(()) } else { Err(FrameError::WrongDirection(kind)) };
            assert_eq!(answer, expected, "{kind}");
        }
    }
}

#[test]
fn an_unknown_type_is_refused_at_its_type() {
    for code in [16, 17, 40, 63, 255, 256, 0x0300_0000, -1, i32::MIN, i32::MAX] {
        let bytes = code.to_be_bytes();
        violates::<ClientFrame>(&bytes, FrameError::UnknownType(code));
        violates::<ServerFrame>(&bytes, FrameError::UnknownType(code));
        violates::<PeerFrame>(&bytes, FrameError::UnknownType(code));
        violates::<FileHeader>(&bytes, FrameError::UnknownType(code));
    }
}

proptest! {
    /// No input makes a decoder fail otherwise than by an error, consume more bytes than there are,
    /// or ask for more than one frame's worth of them.
    #[test]
    fn any_bytes_are_a_frame_a_violation_or_a_short_beginning(
        bytes in proptest::collection::vec(any::<u8>(), 0..700),
    ) {
        fn judge<F: Decode + Debug>(bytes: &[u8]) -> Result<(), TestCaseError> {
            match F::decode(bytes) {
                Ok(Some((_, taken))) => prop_assert!((1..=bytes.len()).contains(&taken)),
                Ok(None) => prop_assert!(bytes.len() < matou_actors::protocol::MAX_FRAME),
                Err(violation) => prop_assert!(!violation.to_string().is_empty()),
            }
            Ok(())
        }
        judge::<ClientFrame>(&bytes)?;
        judge::<ServerFrame>(&bytes)?;
        judge::<PeerFrame>(&bytes)?;
        judge::<FileHeader>(&bytes)?;
    }
}
