//! The actor against a peer of revision 2 on loopback, whose frames are written here; a probe is its
//! hub.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::io::AsyncReadExt;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::files::SharedFiles;
use super::{EncryptedSession, EncryptedSetup, MeetingSetup};
use crate::client::ids::{MessageId, MessageIds, SessionNumber, TransferId, TransferIds};
use crate::client::meeting::{
    MeetingPlan, MeetingPorts, MeetingSide, Met, News, Surroundings, meet, read_frame, write_frame,
};
use crate::client::messages::{
    FileEvent, GiveUp, OutgoingFile, PrivateText, SessionCommand, SessionEvent, SessionReport,
};
use crate::client::probe::{Reports, probe};
use crate::exchange::RateLimit;
use crate::protocol::v2::{
    self, ACTION, Candidate, CandidateKind, Candidates, DialReport, MessageFrame, OfferKind,
    RefuseReason, Text, Ticket, UnixMillis,
};
use crate::protocol::{MessageText, PeerFrame, Username};
use crate::transfer::{ChosenFile, Downloads};
use crate::trust::Identity;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NUMBER: v2::SessionId = v2::SessionId([7; 16]);
const LIMIT: Duration = Duration::from_secs(10);

/// A session that was asked for by `peer`.
fn start(peer: &Identity, limit: Duration) -> (Addr<EncryptedSession>, Reports<SessionReport>) {
    let (to, reports) = probe();
    let session = EncryptedSession::new(EncryptedSetup {
        id: SessionNumber(3),
        peer: Username::parse("bob").unwrap(),
        meeting: MeetingSetup {
            session: NUMBER,
            asked: false,
            key: peer.public_key(),
            candidates: None,
            local: LOCALHOST,
            server: LOCALHOST,
            show_to: None,
        },
        identity: own_identity(),
        listen: Some(LOCALHOST),
        ports: None,
        addresses: Vec::new(),
        connect_timeout: limit,
        messages: MessageIds::default(),
        files: SharedFiles {
            downloads: Arc::new(Downloads::new(".".into(), 0)),
            ids: TransferIds::default(),
            rate: RateLimit::default(),
        },
        reports: to,
        logger: slog::Logger::root(slog::Discard, slog::o!()),
    });
    (session.start(), reports)
}

fn own_identity() -> Arc<Identity> {
    thread_local! {
        static OWN: Arc<Identity> = Arc::new(Identity::generate().unwrap());
    }
    OWN.with(Arc::clone)
}

/// Another client of revision 2.
struct Peer(Met);

impl Peer {
    async fn meet(identity: Identity, reports: &mut Reports<SessionReport>) -> Self {
        let SessionEvent::CandidatesReady(own) = reports.next().await.event else {
            panic!("no candidates")
        };
        let ports = own.as_slice()[0].ports;
        let kind = CandidateKind::SeenByServer;
        let offered = Candidates::new(vec![Candidate { address: LOCALHOST, ports, kind }]);
        let (_news, news) = watch::channel(News { offered, ..News::default() });
        let plan = MeetingPlan {
            side: MeetingSide {
                session: NUMBER,
                asked: true,
                identity: Arc::new(identity),
                peer_key: own_identity().public_key(),
            },
            ports: MeetingPorts::bind(Some(LOCALHOST), None).unwrap(),
            around: Surroundings { networks: Vec::new(), server: LOCALHOST, outside: None },
            server: None,
            limit: LIMIT,
            logger: slog::Logger::root(slog::Discard, slog::o!()),
        };
        Self(meet(plan, news).await.0.unwrap())
    }

    async fn send(&mut self, frame: MessageFrame) {
        write_frame(&mut self.0.messages.stream, &frame).await.unwrap();
    }

    async fn next(&mut self) -> MessageFrame {
        timeout(LIMIT, read_frame(&mut self.0.messages.stream)).await.unwrap().unwrap()
    }
}

/// A session, its peer, and what it reports from then on.
async fn open() -> (Addr<EncryptedSession>, Peer, Reports<SessionReport>) {
    let bob = Identity::generate().unwrap();
    let (session, mut reports) = start(&bob, LIMIT);
    let peer = Peer::meet(bob, &mut reports).await;
    let met = reports.next().await;
    assert!(matches!(
        met,
        SessionReport { session: SessionNumber(3), event: SessionEvent::Met(_) }
    ));
    assert!(matches!(reports.next().await.event, SessionEvent::Up { .. }));
    assert!(matches!(reports.next().await.event, SessionEvent::Diagnosed(_)));
    (session, peer, reports)
}

fn text(text: &str) -> MessageText {
    MessageText::parse(text).unwrap()
}

fn tell(number: u64, flags: i32, said: &str) -> MessageFrame {
    MessageFrame::Tell { number, flags, text: text(said) }
}

/// Has the session send a text; it is dropped once the next one may follow.
fn say(session: &Addr<EncryptedSession>, said: &str) -> oneshot::Receiver<()> {
    let (room, wait) = oneshot::channel();
    session.do_send(SessionCommand::SendText { text: text(said).into(), room });
    wait
}

fn close(session: &Addr<EncryptedSession>, give_up: GiveUp) {
    session.do_send(SessionCommand::Close { reason: "you closed it".into(), give_up });
}

fn outgoing(number: u64, path: &Path) -> OutgoingFile {
    let handles = Arc::new(tokio::sync::Semaphore::new(1));
    let file = ChosenFile::choose(path.into(), &handles).unwrap();
    OutgoingFile { id: TransferId(number), file: Arc::new(file), resent: false }
}

async fn next_over(reports: &mut Reports<SessionReport>) -> String {
    let event = reports.next().await.event;
    let SessionEvent::Over { reason } = event else { panic!("not over, but {event:?}") };
    reason
}

#[actix_rt::test]
async fn a_text_is_numbered_and_reported_once_more_when_the_peer_has_it() {
    let (session, mut peer, mut reports) = open().await;
    assert!(say(&session, "hi").await.is_err(), "there is room for the next one");
    say(&session, "there");
    for (id, said) in [(MessageId(1), "hi"), (MessageId(2), "there")] {
        let event = reports.next().await.event;
        let SessionEvent::Sent { text: sent, id: Some(sent_id) } = event else {
            panic!("{event:?}")
        };
        assert_eq!((sent_id, sent), (id, text(said).into()));
        assert_eq!(peer.next().await, tell(id.0, 0, said));
    }
    peer.send(MessageFrame::Told { number: 2 }).await;
    let SessionEvent::Confirmed(ids) = reports.next().await.event else { panic!("unconfirmed") };
    assert_eq!(ids, [MessageId(1), MessageId(2)]);
}

#[actix_rt::test]
async fn texts_of_the_peer_are_confirmed_once_the_hub_has_them() {
    let (_session, mut peer, mut reports) = open().await;
    peer.send(tell(1, 0, "hi")).await;
    peer.send(tell(2, ACTION, "waves")).await;
    let mut texts = Vec::new();
    while texts.len() < 2 {
        let SessionEvent::Texts(more) = reports.next().await.event else { panic!("no texts") };
        texts.extend(more);
    }
    assert_eq!(texts, [text("hi").into(), PrivateText { text: text("waves"), action: true }]);
    while peer.next().await != (MessageFrame::Told { number: 2 }) {}
    peer.send(MessageFrame::Ping {}).await;
    assert_eq!(peer.next().await, MessageFrame::Pong {});
}

#[actix_rt::test]
async fn typing_is_reported_both_ways_and_repeats_are_not() {
    let (session, mut peer, mut reports) = open().await;
    for (active, state) in [(true, 1), (false, 0)] {
        session.do_send(SessionCommand::Typing(active));
        assert_eq!(peer.next().await, MessageFrame::Typing { state });
    }
    let begun = std::time::Instant::now();
    for _ in 0..200 {
        peer.send(MessageFrame::Typing { state: 1 }).await;
    }
    peer.send(tell(1, 0, "hi")).await;
    let mut reported = 0;
    loop {
        match reports.next().await.event {
            SessionEvent::Typing(true) => reported += 1,
            SessionEvent::Texts(_) => break,
            event => panic!("{event:?}"),
        }
    }
    let most = 1 + begun.elapsed().as_millis() / 500;
    assert!((1..=most).contains(&reported), "{reported} of at most {most}");
}

#[actix_rt::test]
async fn a_peer_that_closes_ends_the_session_and_a_text_after_that_is_reported() {
    let (session, mut peer, mut reports) = open().await;
    say(&session, "hi");
    assert!(matches!(reports.next().await.event, SessionEvent::Sent { .. }));
    assert_eq!(peer.next().await, tell(1, 0, "hi"));
    peer.send(MessageFrame::Revision1(PeerFrame::Close)).await;
    let SessionEvent::Unconfirmed(texts) = reports.next().await.event else { panic!("confirmed") };
    assert_eq!(texts, [text("hi")]);
    // The actor is still there for what the hub sent before it knew.
    let late = say(&session, "late");
    let mut has_ended = false;
    loop {
        match reports.next().await.event {
            SessionEvent::Over { reason } => {
                assert_eq!(reason, "the other side closed it");
                has_ended = true;
            }
            SessionEvent::NotSent { text: unsent, .. } => break assert_eq!(unsent, text("late")),
            SessionEvent::Unconfirmed(texts) => break assert_eq!(texts, [text("late")]),
            SessionEvent::Sent { .. } if !has_ended => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(late.await.is_err(), "it does not hold the next one up");
}

#[actix_rt::test]
async fn a_violation_ends_the_session_after_the_earlier_messages() {
    let (_session, mut peer, mut reports) = open().await;
    peer.send(tell(1, 0, "hi")).await;
    peer.send(tell(3, 0, "there")).await;
    assert!(matches!(reports.next().await.event, SessionEvent::Texts(_)));
    let reason = next_over(&mut reports).await;
    assert!(reason.contains("message has number 3 instead of 2"), "{reason}");
}

#[actix_rt::test]
async fn the_goodbye_follows_the_texts_and_the_session_ends_with_its_peer() {
    let (session, mut peer, mut reports) = open().await;
    say(&session, "hi");
    close(&session, GiveUp::WhenStalled);
    assert!(matches!(reports.next().await.event, SessionEvent::Sent { .. }));
    assert!(matches!(reports.next().await.event, SessionEvent::Closing));
    assert_eq!(peer.next().await, tell(1, 0, "hi"));
    let mut rest = Vec::new();
    let end = timeout(LIMIT, peer.0.messages.stream.read_to_end(&mut rest)).await;
    assert!(end.unwrap().is_ok() && rest == [0, 0, 0, 15], "{rest:?}");
    peer.send(MessageFrame::Told { number: 1 }).await;
    assert!(matches!(reports.next().await.event, SessionEvent::Confirmed(_)));
    drop(peer);
    next_over(&mut reports).await;
}

#[actix_rt::test]
async fn a_session_is_closed_while_its_queue_is_full() {
    let (session, mut peer, mut reports) = open().await;
    let long = "a".repeat(512);
    let mut sent = 0;
    let last = loop {
        let wait = say(&session, &long);
        match reports.next().await.event {
            SessionEvent::Sent { .. } => sent += 1,
            SessionEvent::NotSent { .. } => break wait,
            other => panic!("{other:?}"),
        }
    };
    assert!(sent > 2_000, "{sent}");
    // Files overtake waiting messages.
    let (kind, name) = (OfferKind::File, Text::new("gift").unwrap());
    let (files, modified) = (1, UnixMillis(0));
    peer.send(MessageFrame::Offer { transfer: 1, kind, name, size: 9, files, modified }).await;
    assert!(matches!(reports.next().await.event, SessionEvent::Texts(none) if none.is_empty()));
    assert!(matches!(
        reports.next().await.event,
        SessionEvent::File(FileEvent::Offered { size: Some(9), .. })
    ));
    close(&session, GiveUp::WhenHungUp);
    assert!(matches!(reports.next().await.event, SessionEvent::Closing));
    let SessionEvent::Unwritten(bytes) = reports.next().await.event else { panic!("written") };
    assert!(bytes > 256 * 1024, "{bytes}");
    drop(peer);
    loop {
        match reports.next().await.event {
            SessionEvent::Unconfirmed(texts) => break assert_eq!(texts.len(), sent),
            SessionEvent::Unwritten(_) | SessionEvent::File(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(last.await.is_err());
}

#[actix_rt::test]
async fn an_offer_is_reported_by_name_and_the_answer_sent() {
    let (session, mut peer, mut reports) = open().await;
    let (kind, name) = (OfferKind::Folder, Text::new("gift").unwrap());
    let (files, modified) = (3, UnixMillis(0));
    peer.send(MessageFrame::Offer { transfer: 1, kind, name, size: 9, files, modified }).await;
    assert!(matches!(reports.next().await.event, SessionEvent::Texts(none) if none.is_empty()));
    let event = reports.next().await.event;
    let SessionEvent::File(FileEvent::Offered { id, size: Some(9), named: Some(named), .. }) =
        event
    else {
        panic!("{event:?}")
    };
    assert_eq!((named.name.as_str(), named.entries), ("gift", Some(3)));
    session.do_send(SessionCommand::RefuseFile { id, reason: "no".into() });
    let frame = peer.next().await;
    assert!(
        matches!(frame, MessageFrame::Refuse { transfer: 1, reason: RefuseReason::Refused }),
        "{frame:?}"
    );
}

#[actix_rt::test]
async fn a_file_that_is_offered_fails_with_the_session() {
    let (session, mut peer, mut reports) = open().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"abc").unwrap();
    session.do_send(SessionCommand::SendFile(outgoing(7, file.path())));
    let offer = peer.next().await;
    assert!(matches!(offer, MessageFrame::Offer { size: 3, .. }), "{offer:?}");
    drop(peer);
    let event = reports.next().await.event;
    assert!(
        matches!(event, SessionEvent::File(FileEvent::Failed { id: TransferId(7), .. })),
        "{event:?}"
    );
    next_over(&mut reports).await;
}

#[actix_rt::test]
async fn messages_that_cannot_be_sent_yet_are_given_back() {
    let bob = Identity::generate().unwrap();
    let (session, mut reports) = start(&bob, LIMIT);
    assert!(matches!(reports.next().await.event, SessionEvent::CandidatesReady(_)));
    let file = tempfile::NamedTempFile::new().unwrap();
    session.do_send(SessionCommand::SendFile(outgoing(7, file.path())));
    let event = reports.next().await.event;
    let SessionEvent::File(FileEvent::GaveBack(back)) = event else { panic!("{event:?}") };
    assert!(back.id == TransferId(7) && !back.resent);
    assert!(say(&session, "hi").await.is_err(), "it does not hold the next one up");
    let event = reports.next().await.event;
    assert!(matches!(event, SessionEvent::NotSent { .. }), "{event:?}");
}

#[actix_rt::test]
async fn a_meeting_without_the_peer_ends_in_time_with_a_diagnosis() {
    let bob = Identity::generate().unwrap();
    let (_session, mut reports) = start(&bob, Duration::from_millis(100));
    assert!(matches!(reports.next().await.event, SessionEvent::CandidatesReady(_)));
    assert!(matches!(reports.next().await.event, SessionEvent::Met(_)));
    assert!(matches!(reports.next().await.event, SessionEvent::Diagnosed(_)));
    let reason = next_over(&mut reports).await;
    assert!(reason.starts_with("no connection within"), "{reason}");
}

#[actix_rt::test]
async fn the_diagnosis_waits_a_while_for_the_peers_view() {
    for reports_back in [true, false] {
        let bob = Identity::generate().unwrap();
        let (session, mut reports) = start(&bob, Duration::from_millis(100));
        session.do_send(SessionCommand::Show(Ticket([1; 16])));
        assert!(matches!(reports.next().await.event, SessionEvent::CandidatesReady(_)));
        assert!(matches!(reports.next().await.event, SessionEvent::Met(_)));
        if reports_back {
            session.do_send(SessionCommand::PeerSaw(DialReport::default()));
        }
        let event = reports.next().await.event;
        let SessionEvent::Diagnosed(evidence) = event else { panic!("{event:?}") };
        assert_eq!(evidence.by_peer.is_some(), reports_back);
        next_over(&mut reports).await;
    }
}

#[actix_rt::test]
async fn a_session_that_is_closed_while_it_meets_ends_at_once() {
    let bob = Identity::generate().unwrap();
    let (session, mut reports) = start(&bob, LIMIT);
    assert!(matches!(reports.next().await.event, SessionEvent::CandidatesReady(_)));
    close(&session, GiveUp::WhenStalled);
    assert_eq!(next_over(&mut reports).await, "closed");
}
