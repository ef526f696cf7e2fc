//! The bytes of every frame of revision 2, written out by hand from the tables of the protocol.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test may fail where it likes.

use std::fmt::Debug;
use std::num::NonZeroU16;

use bytes::{Bytes, BytesMut};
use matou_actors::protocol::v2::{
    Answer, Answered, CancelReason, Candidate, CandidateKind, Candidates, ClientFrame, DataRun,
    Declined, DialReport, DialResult, Dialled, Digest, Endpoint, EntryPath, FileFrame, LeaveReason,
    MeetingResult, MemberRevision, MessageFrame, NoticeCode, NoticeLevel, OfferKind, PasswordProof,
    PrivatePort, PublicKey, RefuseReason, ServerFrame, SessionId, SignInRefusal, Text, Ticket,
    UnixMillis,
};
use matou_actors::protocol::{
    ClaimedName, Decode, Encode, Kind, MessageText, PortPair, Username, v1,
};

const KEY: PublicKey = PublicKey([0x4b; 32]);
const SESSION: SessionId = SessionId(*b"session number 1");
const HASH: Digest = Digest([0x48; 32]);
const NOON: UnixMillis = UnixMillis(0x0102_0304_0506_0708);
const NOON_BYTES: &[u8] = b"\x01\x02\x03\x04\x05\x06\x07\x08";

/// `frame` is written as type, size and `fields`, and read back from them.
#[track_caller]
fn golden<F: Encode + Decode + PartialEq + Debug>(frame: &F, code: u8, fields: &[&[u8]]) {
    let body = fields.concat();
    let size = u32::try_from(body.len()).unwrap().to_be_bytes();
    let bytes = [&[0, 0, 0, code], &size[..], &body].concat();
    let mut written = BytesMut::new();
    frame.encode(&mut written);
    assert_eq!(&written[..], bytes, "written {frame:?}");
    let (read, length) = F::decode(&bytes).unwrap().unwrap();
    assert_eq!((&read, length), (frame, bytes.len()), "read");
}

fn claim(name: &str) -> ClaimedName {
    ClaimedName::unchecked(name).unwrap()
}

fn name(name: &str) -> Username {
    Username::parse(name).unwrap()
}

fn say(text: &str) -> MessageText {
    MessageText::parse(text).unwrap()
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap()
}

fn candidate(address: &str, ports: [u16; 2], kind: CandidateKind) -> Candidate {
    let [message, file] = ports.map(|port| NonZeroU16::new(port).unwrap());
    Candidate { address: address.parse().unwrap(), ports: PortPair { message, file }, kind }
}

fn candidates() -> Candidates {
    Candidates::new(vec![
        candidate("10.0.0.5", [5000, 5001], CandidateKind::Interface),
        candidate("2001:db8::1", [5000, 5001], CandidateKind::SeenByServer),
    ])
    .unwrap()
}

const CANDIDATES: &[u8] = b"\0\0\0\x02\
    \0\0\0\x04\x0a\0\0\x05\0\0\x13\x88\0\0\x13\x89\0\0\0\x01\
    \0\0\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\x13\x88\0\0\x13\x89\0\0\0\x02";

#[test]
fn frame_16_hello() {
    let hello = |password, last_sequence| ClientFrame::Hello {
        username: claim("bob"),
        program: text("matou 2"),
        password,
        last_sequence,
    };
    let head: &[u8] = b"\0\0\0\x03bob\0\0\0\x07matou 2";
    golden(&hello(PasswordProof::None, 0), 16, &[head, b"\0\0\0\0", &[0; 8]]);
    let proof = hello(PasswordProof::Hmac([0x50; 32]), 258);
    golden(&proof, 16, &[head, b"\0\0\0\x20", &[0x50; 32], b"\0\0\0\0\0\0\x01\x02"]);
}

#[test]
fn frame_17_welcome() {
    let frame = ServerFrame::Welcome {
        username: name("bob"),
        now: NOON,
        sequence: 7,
        server: text("ship"),
        topic: text(""),
        present: 2,
    };
    let rest: &[u8] = b"\0\0\0\0\0\0\0\x07\0\0\0\x04ship\0\0\0\0\0\0\0\x02";
    golden(&frame, 17, &[b"\0\0\0\x03bob", NOON_BYTES, rest]);
}

#[test]
fn frame_18_refused() {
    let reasons = [
        (1, SignInRefusal::InvalidName),
        (2, SignInRefusal::Taken),
        (3, SignInRefusal::OtherKey),
        (4, SignInRefusal::Reserved),
        (5, SignInRefusal::Password),
        (6, SignInRefusal::NotListed),
        (7, SignInRefusal::Banned),
        (8, SignInRefusal::Full),
        (9, SignInRefusal::TooManyNames),
        (99, SignInRefusal::Other(99)),
    ];
    for (code, reason) in reasons {
        let frame = ServerFrame::Refused { reason, text: text("no") };
        golden(&frame, 18, &[&[0, 0, 0, code], b"\0\0\0\x02no"]);
    }
}

#[test]
fn frame_19_present() {
    let frame = ServerFrame::Present { username: name("ann"), member: MemberRevision::Revision1 };
    golden(&frame, 19, &[b"\0\0\0\x03ann", &[0; 4]]);
    let frame =
        ServerFrame::Present { username: name("ann"), member: MemberRevision::Revision2(KEY) };
    golden(&frame, 19, &[b"\0\0\0\x03ann", b"\0\0\0\x01", &KEY.0]);
}

#[test]
fn frame_20_joined() {
    let (sequence, time, username) = (9, NOON, name("ann"));
    let frame =
        ServerFrame::Joined { sequence, time, username, member: MemberRevision::Revision2(KEY) };
    let head: &[u8] = b"\0\0\0\0\0\0\0\x09";
    golden(&frame, 20, &[head, NOON_BYTES, b"\0\0\0\x03ann", b"\0\0\0\x01", &KEY.0]);
}

#[test]
fn frame_21_left() {
    let reasons = [
        (0, LeaveReason::SignedOut),
        (1, LeaveReason::ConnectionLost),
        (2, LeaveReason::Removed),
        (3, LeaveReason::ServerStops),
    ];
    for (code, reason) in reasons {
        let frame = ServerFrame::Left { sequence: 9, time: NOON, username: name("ann"), reason };
        let head: &[u8] = b"\0\0\0\0\0\0\0\x09";
        golden(&frame, 21, &[head, NOON_BYTES, b"\0\0\0\x03ann", &[0, 0, 0, code]]);
    }
}

#[test]
fn frame_22_said() {
    let (sequence, time, username) = (9, NOON, name("ann"));
    let frame = ServerFrame::Said { sequence, time, username, text: say("hi!"), flags: 3 };
    let rest: &[u8] = b"\0\0\0\x03ann\0\0\0\x03hi!\0\0\0\x03";
    golden(&frame, 22, &[b"\0\0\0\0\0\0\0\x09", NOON_BYTES, rest]);
}

#[test]
fn frames_23_and_24_history() {
    let frame = ClientFrame::History { before: 300, count: 50 };
    golden(&frame, 23, &[b"\0\0\0\0\0\0\x01\x2c", b"\0\0\0\x32"]);
    golden(&ServerFrame::HistoryEnd { oldest: 300 }, 24, &[b"\0\0\0\0\0\0\x01\x2c"]);
}

#[test]
fn frames_25_to_28_a_request_and_its_answers() {
    let frame = ClientFrame::Ask { session: SESSION, username: claim("bob") };
    golden(&frame, 25, &[&SESSION.0, b"\0\0\0\x03bob"]);
    let frame = ServerFrame::Asked { session: SESSION, username: name("ann"), key: KEY };
    golden(&frame, 26, &[&SESSION.0, b"\0\0\0\x03ann", &KEY.0]);
    let frame = ClientFrame::Answer { session: SESSION, answer: Answer::Accepted(candidates()) };
    golden(&frame, 27, &[&SESSION.0, &[0; 4], CANDIDATES]);
    let frame = ClientFrame::Answer { session: SESSION, answer: Answer::Declined(Declined::Busy) };
    golden(&frame, 27, &[&SESSION.0, b"\0\0\0\x02"]);
    let (by, key, candidates) = (name("bob"), KEY, candidates());
    let answer = Answered::Accepted { by, key, candidates };
    let frame = ServerFrame::Answered { session: SESSION, answer };
    golden(&frame, 28, &[&SESSION.0, &[0; 4], b"\0\0\0\x03bob", &KEY.0, CANDIDATES]);
    let reasons = [
        (1, Declined::ByUser),
        (2, Declined::Busy),
        (3, Declined::NoSuchUser),
        (4, Declined::Left),
        (5, Declined::Expired),
        (6, Declined::TooMany),
        (7, Declined::EncryptionRequired),
    ];
    for (code, reason) in reasons {
        let answer = Answered::Declined { by: name("bob"), reason };
        let frame = ServerFrame::Answered { session: SESSION, answer };
        golden(&frame, 28, &[&SESSION.0, &[0, 0, 0, code], b"\0\0\0\x03bob"]);
    }
}

#[test]
fn frame_29_candidates() {
    let (session, candidates) = (SESSION, candidates());
    let frame = ClientFrame::Candidates { session, candidates: candidates.clone() };
    golden(&frame, 29, &[&SESSION.0, CANDIDATES]);
    golden(&ServerFrame::Candidates { session, candidates }, 29, &[&SESSION.0, CANDIDATES]);
}

#[test]
fn frames_30_to_32() {
    let (level, code) = (NoticeLevel::End, NoticeCode::TakenOver);
    let frame = ServerFrame::Notice { level, code, text: text("bye") };
    golden(&frame, 30, &[b"\0\0\0\x02\0\0\0\x03\0\0\0\x03bye"]);
    let frame = ServerFrame::Topic { sequence: 9, time: NOON, topic: text("tea") };
    golden(&frame, 31, &[b"\0\0\0\0\0\0\0\x09", NOON_BYTES, b"\0\0\0\x03tea"]);
    let frame = ClientFrame::Say { flags: 2, text: say("waves") };
    golden(&frame, 32, &[b"\0\0\0\x02\0\0\0\x05waves"]);
}

fn at(address: &str, port: u16) -> Endpoint {
    let (address, port) = (address.parse().unwrap(), NonZeroU16::new(port).unwrap());
    Endpoint { address, port }
}

#[test]
fn frames_33_to_35_where_both_sides_are_seen() {
    let ticket = Ticket(*b"a ticket, random");
    let frame = ServerFrame::Where { session: SESSION, ticket };
    golden(&frame, 33, &[&SESSION.0, b"a ticket, random"]);
    for (code, port) in [(0, PrivatePort::Messages), (1, PrivatePort::Files)] {
        golden(&ClientFrame::Where { ticket, port }, 33, &[&ticket.0, &[0, 0, 0, code]]);
    }
    let frame = ServerFrame::Here { seen: at("203.0.113.5", 5000) };
    golden(&frame, 34, &[b"\0\0\0\x04\xcb\0\x71\x05\0\0\x13\x88"]);
    golden(&ServerFrame::Go { session: SESSION }, 35, &[&SESSION.0]);
}

#[test]
fn frame_36_outcome() {
    let results = [
        DialResult::Reached,
        DialResult::Refused,
        DialResult::Silent,
        DialResult::NoRoute,
        DialResult::NotTried,
        DialResult::Foreign,
    ];
    let dialled = |result| DialReport::new(vec![Dialled { to: at("2001:db8::1", 65535), result }]);
    let address = b"\0\0\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\xff\xff";
    for (code, dial) in (0..).zip(results) {
        let (session, result, dialled) = (SESSION, MeetingResult::Failed, dialled(dial));
        let fields: &[&[u8]] =
            &[&SESSION.0, b"\0\0\0\x01", b"\0\0\0\x01", address, &[0, 0, 0, code]];
        golden(&ClientFrame::Outcome { session, result, dialled: dialled.clone() }, 36, fields);
        golden(&ServerFrame::Outcome { session, result, dialled }, 36, fields);
    }
    let (result, dialled) = (MeetingResult::Connected, DialReport::default());
    let frame = ClientFrame::Outcome { session: SESSION, result, dialled };
    golden(&frame, 36, &[&SESSION.0, &[0; 8]]);
}

#[test]
fn frames_40_and_41_begin_both_connections() {
    let frame = MessageFrame::Session { session: SESSION, role: 1 };
    golden(&frame, 40, &[&SESSION.0, b"\0\0\0\x01"]);
    golden(&FileFrame::Session { session: SESSION, role: 0 }, 40, &[&SESSION.0, &[0; 4]]);
    golden(&MessageFrame::Use {}, 41, &[]);
    golden(&FileFrame::Use {}, 41, &[]);
}

#[test]
fn frames_42_and_43_private_messages() {
    let frame = MessageFrame::Tell { number: 1, flags: 0, text: say("hi!") };
    golden(&frame, 42, &[b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x03hi!"]);
    golden(&MessageFrame::Told { number: 1 }, 43, &[b"\0\0\0\0\0\0\0\x01"]);
}

#[test]
fn frames_44_to_48_and_52_offers_and_receipts() {
    let frame = MessageFrame::Offer {
        transfer: 1,
        kind: OfferKind::Folder,
        name: text("pictures"),
        size: -1,
        files: 3,
        modified: NOON,
    };
    let one: &[u8] = b"\0\0\0\0\0\0\0\x01";
    let rest: &[u8] = b"\0\0\0\x01\0\0\0\x08pictures\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x03";
    golden(&frame, 44, &[one, rest, NOON_BYTES]);
    golden(&MessageFrame::Take { transfer: 1, have: 4096 }, 45, &[one, b"\0\0\0\0\0\0\x10\0"]);
    for (code, reason) in [
        (1, RefuseReason::Refused),
        (2, RefuseReason::NoSpace),
        (3, RefuseReason::TooLarge),
        (4, RefuseReason::CannotWrite),
    ] {
        golden(&MessageFrame::Refuse { transfer: 1, reason }, 46, &[one, &[0, 0, 0, code]]);
    }
    for (code, reason) in [
        (1, CancelReason::User),
        (2, CancelReason::FileChanged),
        (3, CancelReason::CannotRead),
        (4, CancelReason::Disk),
        (5, CancelReason::WrongHash),
        (6, CancelReason::SessionOver),
    ] {
        golden(&MessageFrame::Cancel { transfer: 1, reason }, 47, &[one, &[0, 0, 0, code]]);
    }
    golden(&MessageFrame::Receipt { transfer: 1, hash: HASH }, 48, &[one, &HASH.0]);
    let frame = MessageFrame::Proof { transfer: 1, have: 4096, hash: HASH };
    golden(&frame, 52, &[one, b"\0\0\0\0\0\0\x10\0", &HASH.0]);
}

#[test]
fn frames_49_to_51() {
    golden(&MessageFrame::Typing { state: 1 }, 49, &[b"\0\0\0\x01"]);
    golden(&MessageFrame::Ping {}, 50, &[]);
    golden(&MessageFrame::Pong {}, 51, &[]);
}

#[test]
fn frames_60_to_63_files() {
    let path = EntryPath::parse("a/b.txt").unwrap();
    let one: &[u8] = b"\0\0\0\0\0\0\0\x01";
    let frame = FileFrame::Entry {
        transfer: 1,
        path: path.clone(),
        size: 5,
        modified: NOON,
        flags: 1,
        offset: 0,
    };
    let (named, five): (&[u8], &[u8]) = (b"\0\0\0\x07a/b.txt", b"\0\0\0\0\0\0\0\x05");
    golden(&frame, 60, &[one, named, five, NOON_BYTES, b"\0\0\0\x01", &[0; 8]]);
    let bytes = DataRun::new(Bytes::from_static(b"hello")).unwrap();
    golden(&FileFrame::Data { transfer: 1, bytes }, 61, &[one, b"hello"]);
    golden(&FileFrame::End { transfer: 1, hash: HASH }, 62, &[one, &HASH.0]);
    let frame = FileFrame::Have { transfer: 1, path, size: 5, modified: NOON, hash: HASH };
    golden(&frame, 63, &[one, named, five, NOON_BYTES, &HASH.0]);
}

#[test]
fn frames_of_revision_1_keep_their_bytes() {
    let frame = ClientFrame::Revision1(v1::ClientFrame::Say(say("hi!")));
    let bytes = b"\0\0\0\x03\0\0\0\x03hi!";
    let mut written = BytesMut::new();
    frame.encode(&mut written);
    assert_eq!(&written[..], bytes);
    assert_eq!(ClientFrame::decode(bytes), Ok(Some((frame, bytes.len()))));
    let close = MessageFrame::Revision1(v1::PeerFrame::Close);
    assert_eq!(MessageFrame::decode(b"\0\0\0\x0f"), Ok(Some((close, 4))));
}

#[test]
fn the_type_codes_are_those_of_the_tables() {
    let codes: Vec<_> =
        Kind::ALL.iter().map(|kind| kind.code()).filter(|code| *code > 15).collect();
    let expected: Vec<_> = (16..=36).chain(40..=52).chain(60..=63).collect();
    assert_eq!(codes, expected);
}
