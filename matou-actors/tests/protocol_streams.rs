//! Streams of frames, cut at every byte and glued together, by hand and through the codec.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test may fail where it likes.

use std::fmt::Debug;
use std::net::IpAddr;
use std::num::NonZeroU16;

use bytes::{Buf, BytesMut};
use matou_actors::protocol::{
    ClaimedName, ClientFrame, Codec, CodecError, Decode, Encode, FileHeader, FrameError,
    MessageText, PeerFrame, PortPair, ServerFrame, Username,
};
use proptest::prelude::*;
use proptest::strategy::Union;
use tokio_util::codec::{Decoder, Encoder};

fn usernames() -> impl Strategy<Value = Username> {
    let letters = proptest::string::string_regex("[a-zA-Z0-9éßЖ猫]{1,10}").unwrap();
    letters.prop_filter_map("a name", |name| Username::parse(&name).ok())
}

fn claims() -> impl Strategy<Value = ClaimedName> {
    proptest::string::string_regex("\\PC{1,32}")
        .unwrap()
        .prop_filter_map("fits", |name| ClaimedName::unchecked(&name))
}

fn texts() -> impl Strategy<Value = MessageText> {
    let any = proptest::string::string_regex("\\PC{1,128}").unwrap();
    let longest = proptest::string::string_regex("[a-z]{511,512}").unwrap();
    let text = Union::new([any.boxed(), longest.boxed()]);
    text.prop_filter_map("a message", |text| MessageText::parse(&text).ok())
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    any::<IpAddr>().prop_map(|address| address.to_canonical())
}

fn ports() -> impl Strategy<Value = PortPair> {
    let pair = (any::<NonZeroU16>(), any::<NonZeroU16>());
    pair.prop_map(|(message, file)| PortPair { message, file })
}

fn client_frames() -> impl Strategy<Value = ClientFrame> {
    prop_oneof![
        claims().prop_map(ClientFrame::Join),
        texts().prop_map(ClientFrame::Say),
        Just(ClientFrame::Leave),
        claims().prop_map(|to| ClientFrame::RequestPrivate { to }),
        claims().prop_map(|from| ClientFrame::AcceptPrivate { from }),
        (claims(), ports()).prop_map(|(to, ports)| ClientFrame::OfferPorts { to, ports }),
    ]
}

fn server_frames() -> impl Strategy<Value = ServerFrame> {
    prop_oneof![
        any::<bool>().prop_map(|accepted| ServerFrame::JoinAnswer { accepted }),
        usernames().prop_map(ServerFrame::Joined),
        (usernames(), texts()).prop_map(|(from, text)| ServerFrame::Message { from, text }),
        usernames().prop_map(ServerFrame::Left),
        usernames().prop_map(|from| ServerFrame::PrivateRequested { from }),
        (usernames(), addresses())
            .prop_map(|(by, address)| ServerFrame::PeerAccepted { by, address }),
        (usernames(), addresses(), ports())
            .prop_map(|(who, address, ports)| ServerFrame::PeerListening { who, address, ports }),
    ]
}

fn peer_frames() -> impl Strategy<Value = PeerFrame> {
    prop_oneof![texts().prop_map(PeerFrame::Message), Just(PeerFrame::Close)]
}

fn headers() -> impl Strategy<Value = FileHeader> {
    any::<u64>().prop_map(|size| FileHeader::new(size >> 1).unwrap())
}

/// The bytes of `frames`, written one after the other by the codec.
fn glued<F: Encode + Decode + Clone>(frames: &[F]) -> BytesMut {
    let mut codec = Codec::<F, F>::default();
    let mut bytes = BytesMut::new();
    for frame in frames {
        codec.encode(frame.clone(), &mut bytes).unwrap();
    }
    bytes
}

/// Every beginning of a frame asks for more, and the whole is the frame and its length.
fn is_cut_anywhere<F: Encode + Decode + PartialEq + Debug>(frame: &F) -> Result<(), TestCaseError> {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes);
    for cut in 0..bytes.len() {
        prop_assert_eq!(&F::decode(&bytes[..cut]), &Ok(None), "cut at {}", cut);
    }
    let whole = F::decode(&bytes);
    prop_assert_eq!(whole.as_ref().ok().and_then(Option::as_ref).map(|(f, _)| f), Some(frame));
    prop_assert_eq!(whole.ok().flatten().map(|(_, taken)| taken), Some(bytes.len()));
    Ok(())
}

/// Frames in pieces of any size leave the codec unchanged, and nothing is left.
fn survives_pieces<F: Encode + Decode + Clone + PartialEq + Debug>(
    frames: &[F],
    pieces: &[usize],
) -> Result<(), TestCaseError> {
    let mut sent = glued(frames);
    let (mut codec, mut buffer, mut received) = (Codec::<F, F>::default(), BytesMut::new(), vec![]);
    let mut pieces = pieces.iter().cycle();
    while !sent.is_empty() {
        let piece = (*pieces.next().unwrap()).min(sent.len());
        buffer.extend_from_slice(&sent[..piece]);
        sent.advance(piece);
        while let Some(frame) = codec.decode(&mut buffer).unwrap() {
            received.push(frame);
        }
    }
    prop_assert_eq!(codec.decode_eof(&mut buffer).unwrap(), None);
    prop_assert_eq!(&received, frames);
    prop_assert!(buffer.is_empty());
    Ok(())
}

proptest! {
    #[test]
    fn a_client_frame_is_cut_at_every_byte(frame in client_frames()) {
        is_cut_anywhere(&frame)?;
    }

    #[test]
    fn a_server_frame_is_cut_at_every_byte(frame in server_frames()) {
        is_cut_anywhere(&frame)?;
    }

    #[test]
    fn a_peer_frame_is_cut_at_every_byte(frame in peer_frames()) {
        is_cut_anywhere(&frame)?;
    }

    #[test]
    fn a_file_header_is_cut_at_every_byte(header in headers()) {
        is_cut_anywhere(&header)?;
    }

    #[test]
    fn glued_client_frames_come_out_one_by_one(
        frames in proptest::collection::vec(client_frames(), 1..12),
        pieces in proptest::collection::vec(1..200_usize, 1..8),
    ) {
        survives_pieces(&frames, &pieces)?;
    }

    #[test]
    fn glued_server_frames_come_out_one_by_one(
        frames in proptest::collection::vec(server_frames(), 1..12),
        pieces in proptest::collection::vec(1..200_usize, 1..8),
    ) {
        survives_pieces(&frames, &pieces)?;
    }

    #[test]
    fn glued_peer_frames_come_out_one_by_one(
        frames in proptest::collection::vec(peer_frames(), 1..12),
        pieces in proptest::collection::vec(1..200_usize, 1..8),
    ) {
        survives_pieces(&frames, &pieces)?;
    }

    #[test]
    fn a_file_header_takes_nothing_of_the_file_behind_it(
        header in headers(),
        file in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut bytes = glued(&[header]);
        bytes.extend_from_slice(&file);
        let mut codec = Codec::<FileHeader, FileHeader>::default();
        prop_assert_eq!(codec.decode(&mut bytes).unwrap(), Some(header));
        prop_assert_eq!(&bytes[..], &file[..]);
    }
}

#[test]
fn a_stream_that_ends_inside_a_frame_is_an_error_of_the_codec() {
    let mut codec = Codec::<ClientFrame, ServerFrame>::default();
    let mut bytes = BytesMut::from(&b"\0\0\0\x05\0\0\0\0\0\0\0\x03bo"[..]);
    assert_eq!(codec.decode_eof(&mut bytes).unwrap(), Some(ClientFrame::Leave));
    assert!(matches!(codec.decode_eof(&mut bytes), Err(CodecError::Io(_))));
}

#[test]
fn frames_before_a_violation_come_out_and_then_the_violation() {
    let mut codec = Codec::<ClientFrame, ServerFrame>::default();
    let mut bytes = BytesMut::from(&b"\0\0\0\x05\0\0\0\x05\0\0\0\x63rest"[..]);
    assert_eq!(codec.decode(&mut bytes).unwrap(), Some(ClientFrame::Leave));
    assert_eq!(codec.decode(&mut bytes).unwrap(), Some(ClientFrame::Leave));
    for _ in 0..2 {
        let violation = codec.decode(&mut bytes).unwrap_err();
        assert!(matches!(violation, CodecError::Frame(FrameError::UnknownType(0x63))));
    }
}
