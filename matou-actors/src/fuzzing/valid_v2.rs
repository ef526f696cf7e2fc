//! Valid frames of revision 2, to be broken.

use std::net::Ipv6Addr;
use std::num::NonZeroU16;

use bytes::{Bytes, BytesMut};

use crate::protocol::v2::{
    Answer, Answered, CancelReason, Candidate, CandidateKind, Candidates, ClientFrame, DataRun,
    Declined, DialReport, DialResult, Dialled, Digest, Endpoint, EntryPath, FileFrame, LeaveReason,
    MeetingResult, MemberRevision, MessageFrame, NoticeCode, NoticeLevel, OfferKind, PasswordProof,
    PrivatePort, PublicKey, RefuseReason, ServerFrame, SessionId, SignInRefusal, Text, Ticket,
    UnixMillis,
};
use crate::protocol::{ClaimedName, Encode, MessageText, PortPair, Username};

/// One whole valid frame of nearly each kind.
pub(super) fn valid_frames_v2() -> Vec<Vec<u8>> {
    let mut frames: Vec<_> = client_frames().iter().map(bytes).collect();
    frames.extend(server_frames().iter().map(bytes));
    frames.extend(message_frames().iter().map(bytes));
    frames.extend(file_frames().iter().map(bytes));
    // Of a type that is not known.
    frames.push([&[0, 0, 0, 99, 0, 0, 0, 3][..], b"abc"].concat());
    frames
}

fn bytes<F: Encode>(frame: &F) -> Vec<u8> {
    let mut out = BytesMut::new();
    frame.encode(&mut out);
    out.to_vec()
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn said(text: &str) -> MessageText {
    MessageText::parse(text).unwrap()
}

fn label<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap()
}

const SESSION: SessionId = SessionId([7; 16]);
const KEY: PublicKey = PublicKey([9; 32]);
const HASH: Digest = Digest([8; 32]);
const NOON: UnixMillis = UnixMillis(1_764_072_000_000);

fn candidates() -> Candidates {
    let port = |number| NonZeroU16::new(number).unwrap();
    let ports = PortPair { message: port(40_000), file: port(1024) };
    let at = |address, kind| Candidate { address, ports, kind };
    Candidates::new(vec![
        at([192, 0, 2, 7].into(), CandidateKind::SeenByServer),
        at(Ipv6Addr::LOCALHOST.into(), CandidateKind::Interface),
    ])
    .unwrap()
}

fn endpoint() -> Endpoint {
    Endpoint { address: [192, 0, 2, 7].into(), port: NonZeroU16::new(40_000).unwrap() }
}

fn dialled() -> DialReport {
    DialReport::new(vec![Dialled { to: endpoint(), result: DialResult::Silent }])
}

fn client_frames() -> Vec<ClientFrame> {
    let username = ClaimedName::unchecked("élodie").unwrap();
    let (program, password) = (label("test"), PasswordProof::Hmac([1; 32]));
    vec![
        ClientFrame::Hello { username: username.clone(), program, password, last_sequence: 7 },
        ClientFrame::History { before: 1000, count: 500 },
        ClientFrame::Ask { session: SESSION, username },
        ClientFrame::Answer { session: SESSION, answer: Answer::Accepted(candidates()) },
        ClientFrame::Answer { session: SESSION, answer: Answer::Declined(Declined::Busy) },
        ClientFrame::Candidates { session: SESSION, candidates: candidates() },
        ClientFrame::Say { flags: 2, text: said("héllo 🐈 world") },
        ClientFrame::Where { ticket: Ticket([6; 16]), port: PrivatePort::Files },
        ClientFrame::Outcome {
            session: SESSION,
            result: MeetingResult::Failed,
            dialled: dialled(),
        },
    ]
}

fn server_frames() -> Vec<ServerFrame> {
    let (username, member) = (name("Иван"), MemberRevision::Revision2(KEY));
    let accepted = Answered::Accepted { by: name("bob"), key: KEY, candidates: candidates() };
    let declined = Answered::Declined { by: name("bob"), reason: Declined::Expired };
    vec![
        ServerFrame::Welcome {
            username: username.clone(),
            now: NOON,
            sequence: 3,
            server: label("Ship"),
            topic: label("Be kind."),
            present: 2,
        },
        ServerFrame::Refused { reason: SignInRefusal::OtherKey, text: label("not yours") },
        ServerFrame::Present { username: username.clone(), member: MemberRevision::Revision1 },
        ServerFrame::Joined { sequence: 4, time: NOON, username: username.clone(), member },
        ServerFrame::Left {
            sequence: 5,
            time: NOON,
            username: username.clone(),
            reason: LeaveReason::Removed,
        },
        ServerFrame::Said {
            sequence: 6,
            time: NOON,
            username: username.clone(),
            text: said("hi"),
            flags: 1,
        },
        ServerFrame::HistoryEnd { oldest: 1 },
        ServerFrame::Asked { session: SESSION, username, key: KEY },
        ServerFrame::Answered { session: SESSION, answer: accepted },
        ServerFrame::Answered { session: SESSION, answer: declined },
        ServerFrame::Notice {
            level: NoticeLevel::End,
            code: NoticeCode::TakenOver,
            text: label("elsewhere"),
        },
        ServerFrame::Topic { sequence: 7, time: NOON, topic: label("") },
        ServerFrame::Where { session: SESSION, ticket: Ticket([6; 16]) },
        ServerFrame::Here { seen: endpoint() },
        ServerFrame::Go { session: SESSION },
        ServerFrame::Outcome {
            session: SESSION,
            result: MeetingResult::Connected,
            dialled: dialled(),
        },
    ]
}

fn message_frames() -> Vec<MessageFrame> {
    vec![
        MessageFrame::Session { session: SESSION, role: 1 },
        MessageFrame::Use {},
        MessageFrame::Tell { number: 1, flags: 0, text: said("psst") },
        MessageFrame::Told { number: 1 },
        MessageFrame::Offer {
            transfer: 1,
            kind: OfferKind::Folder,
            name: label("photos"),
            size: -1,
            files: 3,
            modified: NOON,
        },
        MessageFrame::Take { transfer: 1, have: 4096 },
        MessageFrame::Refuse { transfer: 1, reason: RefuseReason::NoSpace },
        MessageFrame::Cancel { transfer: 1, reason: CancelReason::WrongHash },
        MessageFrame::Receipt { transfer: 1, hash: HASH },
        MessageFrame::Proof { transfer: 1, have: 4096, hash: HASH },
    ]
}

fn file_frames() -> Vec<FileFrame> {
    let path = || EntryPath::parse("photos/ö.jpg").unwrap();
    vec![
        FileFrame::Entry {
            transfer: 1,
            path: path(),
            size: 4097,
            modified: NOON,
            flags: 1,
            offset: 4096,
        },
        FileFrame::Data { transfer: 1, bytes: DataRun::new(Bytes::from_static(b"x")).unwrap() },
        FileFrame::End { transfer: 1, hash: HASH },
        FileFrame::Have { transfer: 1, path: path(), size: 4097, modified: NOON, hash: HASH },
    ]
}
