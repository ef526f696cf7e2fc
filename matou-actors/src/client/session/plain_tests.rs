use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::plain::{PlainRole, PlainSession, PlainSetup};
use crate::client::files::FileContext;
use crate::client::ids::{SessionNumber, TransferId, TransferIds};
use crate::client::messages::{
    FileEvent, GiveUp, OutgoingFile, SessionCommand, SessionEvent, SessionReport,
};
use crate::client::probe::{Reports, probe};
use crate::protocol::{MessageText, PortPair, Username};
use crate::transfer::{ChosenFile, Downloads};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn start(role: PlainRole) -> (Addr<PlainSession>, Reports<SessionReport>) {
    let (to, reports) = probe();
    let session = PlainSession::new(PlainSetup {
        id: SessionNumber(3),
        peer: Username::parse("bob").unwrap(),
        role,
        connect_timeout: Duration::from_secs(5),
        files: FileContext {
            downloads: Arc::new(Downloads::new(".".into(), 0)),
            ids: TransferIds::default(),
        },
        reports: to,
        logger: slog::Logger::root(slog::Discard, slog::o!()),
    });
    (session.start(), reports)
}

/// A session that listens, its two connections, and what it reports from then on.
async fn listening() -> (Addr<PlainSession>, TcpStream, TcpStream, Reports<SessionReport>) {
    let role = PlainRole::Listen { address: LOCALHOST, ports: None, peer: LOCALHOST };
    let (session, mut reports) = start(role);
    let SessionEvent::PortsOpen(ports) = reports.next().await.event else { panic!("no ports") };
    let messages = TcpStream::connect((LOCALHOST, ports.message.get())).await.unwrap();
    let files = TcpStream::connect((LOCALHOST, ports.file.get())).await.unwrap();
    let up = reports.next().await;
    assert!(matches!(
        up,
        SessionReport { session: SessionNumber(3), event: SessionEvent::Up { .. } }
    ));
    (session, messages, files, reports)
}

fn text(text: &str) -> MessageText {
    MessageText::parse(text).unwrap()
}

fn header(size: u8) -> [u8; 12] {
    [0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, size]
}

fn close(give_up: GiveUp) -> SessionCommand {
    SessionCommand::Close { reason: "you closed it".into(), give_up }
}

async fn next_offer(reports: &mut Reports<SessionReport>) -> (TransferId, u64) {
    match reports.next().await.event {
        SessionEvent::File(FileEvent::Offered { id, size, .. }) => (id, size.unwrap()),
        other => panic!("no offer but {other:?}"),
    }
}

#[actix_rt::test]
async fn talk_ends_by_itself_while_files_are_still_watched() {
    let (session, mut messages, mut files, mut reports) = listening().await;
    let (hi, close) = ([0, 0, 0, 13, 0, 0, 0, 2, b'h', b'i'], [0, 0, 0, 15]);
    messages.write_all(&[&hi[..], &close].concat()).await.unwrap();
    let SessionEvent::Texts(texts) = reports.next().await.event else { panic!("no texts") };
    assert_eq!(texts, [text("hi").into()]);
    let SessionEvent::TalkOver { reason } = reports.next().await.event else { panic!("talks") };
    assert!(reason.contains("closed"), "{reason}");

    files.write_all(&header(9)).await.unwrap();
    assert_eq!(next_offer(&mut reports).await.1, 9);
    drop(files);
    let failed = reports.next().await.event;
    assert!(matches!(failed, SessionEvent::File(FileEvent::Failed { .. })), "{failed:?}");
    assert!(matches!(reports.next().await.event, SessionEvent::Over { .. }));
    let (room, wait) = oneshot::channel();
    session.do_send(SessionCommand::SendText { text: text("late").into(), room });
    assert!(wait.await.is_err(), "it does not hold the next one up");
}

#[actix_rt::test]
async fn a_late_text_is_reported() {
    // The file connection stays, and with it the session.
    let (session, messages, _files, mut reports) = listening().await;
    drop(messages);
    let (room, _wait) = oneshot::channel();
    let mut late = Some(SessionCommand::SendText { text: text("late").into(), room });
    loop {
        match reports.next().await.event {
            SessionEvent::TalkOver { .. } => session.do_send(late.take().unwrap()),
            SessionEvent::NotSent { text: unsent, .. } => break assert_eq!(unsent, text("late")),
            _ => {}
        }
    }
}

#[actix_rt::test]
async fn the_header_after_a_refused_file_is_read() {
    let (session, _messages, mut files, mut reports) = listening().await;
    files.write_all(&[&header(3)[..], b"one", &header(4)].concat()).await.unwrap();
    let (id, 3) = next_offer(&mut reports).await else { panic!("another file") };
    // All of the file is here once the header behind it is, which was written with it.
    session.do_send(SessionCommand::RefuseFile { id, reason: "no".into() });
    let failed = reports.next().await.event;
    assert!(matches!(failed, SessionEvent::File(FileEvent::Failed { .. })), "{failed:?}");
    assert_eq!(next_offer(&mut reports).await.1, 4);
}

#[actix_rt::test]
async fn texts_are_written_in_order_before_the_goodbye_and_reported_before_the_close() {
    let (session, mut messages, files, mut reports) = listening().await;
    let (room, wait) = oneshot::channel();
    session.do_send(SessionCommand::SendText { text: text("hi").into(), room });
    session.do_send(close(GiveUp::WhenStalled));
    assert!(wait.await.is_err(), "there is room for the next one");
    let SessionEvent::Sent { text: sent, .. } = reports.next().await.event else {
        panic!("not sent")
    };
    assert_eq!(sent, text("hi").into());
    assert!(matches!(reports.next().await.event, SessionEvent::Closing));
    let mut written = Vec::new();
    messages.read_to_end(&mut written).await.unwrap();
    assert_eq!(written, [0, 0, 0, 13, 0, 0, 0, 2, b'h', b'i', 0, 0, 0, 15]);
    drop((messages, files));
    assert!(matches!(reports.next().await.event, SessionEvent::Over { .. }));
}

#[actix_rt::test]
async fn a_peer_that_does_not_read_holds_up_texts_and_nothing_else() {
    let (session, _messages, mut files, mut reports) = listening().await;
    let long = text(&"a".repeat(512));
    let mut waits = Vec::new();
    // Less than the send queue takes at most, and more than it takes without a wait.
    for _ in 0..1_900 {
        let (room, wait) = oneshot::channel();
        session.do_send(SessionCommand::SendText { text: long.clone().into(), room });
        waits.push(wait);
        assert!(matches!(reports.next().await.event, SessionEvent::Sent { .. }));
    }
    let last = waits.last_mut().unwrap();
    assert_eq!(last.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    files.write_all(&header(9)).await.unwrap();
    next_offer(&mut reports).await;
    session.do_send(close(GiveUp::WhenHungUp));
    let failed = reports.next().await.event;
    assert!(matches!(failed, SessionEvent::File(FileEvent::Failed { .. })), "{failed:?}");
    assert!(matches!(reports.next().await.event, SessionEvent::Closing));
    let SessionEvent::Unwritten(bytes) = reports.next().await.event else { panic!("written") };
    assert!(bytes > 256 * 1024, "{bytes}");
}

#[actix_rt::test]
async fn a_file_is_sent_and_the_next_one_waits_for_it() {
    let (session, _messages, mut files, mut reports) = listening().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"abc").unwrap();
    let handles = Arc::new(tokio::sync::Semaphore::new(2));
    for number in [7, 8] {
        let chosen = ChosenFile::choose(file.path().into(), &handles).unwrap();
        let file = OutgoingFile { id: TransferId(number), file: Arc::new(chosen), resent: false };
        session.do_send(SessionCommand::SendFile(file));
    }
    let mut received = vec![0; 2 * (12 + 3)];
    files.read_exact(&mut received).await.unwrap();
    assert_eq!(received, [&header(3)[..], b"abc"].concat().repeat(2));
    let mut ended = Vec::new();
    while ended.len() < 2 {
        if let SessionEvent::File(FileEvent::Whole { id, .. }) = reports.next().await.event {
            ended.push(id.0);
        }
    }
    assert_eq!(ended, [7, 8]);
}

#[actix_rt::test]
async fn a_session_that_took_a_refusal_gives_files_back() {
    let (session, _messages, mut files, mut reports) = listening().await;
    files.write_all(&header(200)).await.unwrap();
    let (id, _) = next_offer(&mut reports).await;
    session.do_send(SessionCommand::RefuseFile { id, reason: "no".into() });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"abc").unwrap();
    let handles = Arc::new(tokio::sync::Semaphore::new(1));
    let chosen = Arc::new(ChosenFile::choose(file.path().into(), &handles).unwrap());
    let file = OutgoingFile { id: TransferId(7), file: chosen, resent: false };
    session.do_send(SessionCommand::SendFile(file));
    assert!(matches!(
        reports.next().await.event,
        SessionEvent::File(FileEvent::Failed { id: failed, .. }) if failed == id
    ));
    let back = reports.next().await.event;
    let SessionEvent::File(FileEvent::GaveBack(back)) = back else { panic!("{back:?}") };
    assert!(back.id == TransferId(7) && !back.resent);
    let mut rest = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(10), files.read_to_end(&mut rest)).await;
    assert!(end.is_ok() && rest.is_empty(), "the sender learns of the refusal");
}

#[actix_rt::test]
async fn a_closed_session_ends_only_once_its_transfers_have() {
    let (session, messages, mut files, mut reports) = listening().await;
    files.write_all(&header(200)).await.unwrap();
    let (id, _) = next_offer(&mut reports).await;
    session.do_send(SessionCommand::TakeFile { id, unattended: true, folder: None });
    let begun = reports.next().await.event;
    let SessionEvent::File(FileEvent::Begun { path, .. }) = begun else { panic!("{begun:?}") };
    drop(messages);
    session.do_send(close(GiveUp::WhenHungUp));
    let mut failed = false;
    loop {
        match reports.next().await.event {
            SessionEvent::File(FileEvent::Failed { .. }) => failed = true,
            SessionEvent::Over { .. } => break,
            _ => {}
        }
    }
    assert!(failed && !path.exists(), "nothing of it had come");
}

#[actix_rt::test]
async fn a_peer_that_cannot_be_reached_is_reported_by_address() {
    let free = TcpListener::bind((LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    let free = free.try_into().unwrap();
    let ports = PortPair { message: free, file: free };
    let (_session, mut reports) =
        start(PlainRole::Dial { address: LOCALHOST, ports, source: None });
    let SessionEvent::Over { reason } = reports.next().await.event else { panic!("it is up") };
    assert!(reason.contains("cannot reach 127.0.0.1"), "{reason}");
}
