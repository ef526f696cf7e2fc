//! A client against a peer, and a disk, that do what they should not.
#![allow(clippy::unwrap_used)] // A test may fail where it likes.

mod client_support;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command as Process;
use std::time::Duration;

use client_support::{FakeRoom, Person, RawPeer, name, text, within};
use matou_actors::client::{Command, Event, Policy, RequestState};
use matou_actors::protocol::{ClientFrame, PortPair, ServerFrame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn header(size: i64) -> Vec<u8> {
    [&[0, 0, 0, 14], &size.to_be_bytes()[..]].concat()
}

fn message(text: &str) -> Vec<u8> {
    let size = i32::try_from(text.len()).unwrap();
    [&[0, 0, 0, 13], &size.to_be_bytes()[..], text.as_bytes()].concat()
}

async fn is_said(person: &mut Person, words: &str) {
    person
        .expect(
            words,
            |event| matches!(event, Event::PrivateMessage { text, .. } if text.as_str() == words),
        )
        .await;
}

#[actix_rt::test]
async fn messages_cut_anywhere_and_glued_arrive() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    for byte in message("drop by drop") {
        eve.messages.write_all(&[byte]).await.unwrap();
    }
    eve.messages.write_all(&[message("glued"), message("together")].concat()).await.unwrap();
    for words in ["drop by drop", "glued", "together"] {
        is_said(&mut ann, words).await;
    }
    ann.send(Command::Close(name("eve"))).await;
    RawPeer::ends_after(&mut eve.messages, &[0, 0, 0, 15]).await;
    RawPeer::ends_after(&mut eve.files, &[]).await;
}

#[actix_rt::test]
async fn a_server_cannot_move_an_open_session_without_consent() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    let elsewhere: IpAddr = "127.0.0.2".parse().unwrap();
    let listen = || async { TcpListener::bind((elsewhere, 0)).await.unwrap() };
    let (messages, files) = (listen().await, listen().await);
    let port = |of: &TcpListener| of.local_addr().unwrap().port().try_into().unwrap();
    let ports = PortPair { message: port(&messages), file: port(&files) };

    room.inject(&ann.name, &ServerFrame::PrivateRequested { from: name("eve") });
    room.saw("PVCOACC", |frame| matches!(frame, ClientFrame::AcceptPrivate { .. })).await;
    let moved = ServerFrame::PeerListening { who: name("eve"), address: elsewhere, ports };
    room.inject(&ann.name, &moved);
    let asked = |event: &Event| {
        matches!(event, Event::PrivateMoveRequest { address, open, .. }
            if *address == elsewhere && *open == IpAddr::V4(Ipv4Addr::LOCALHOST))
    };
    ann.expect("a question with both addresses", asked).await;
    ann.send(Command::Tell { to: name("eve"), text: text("to the old one") }).await;
    let mut read = vec![0; message("to the old one").len()];
    within("the message", eve.messages.read_exact(&mut read)).await.unwrap();
    assert_eq!(read, message("to the old one"));
    let dialled = tokio::time::timeout(Duration::from_millis(50), messages.accept()).await;
    assert!(dialled.is_err(), "no one was asked");

    ann.send(Command::Accept(name("eve"))).await;
    let (mut new, _) = within("the new connection", messages.accept()).await.unwrap();
    let _files = within("the new file connection", files.accept()).await.unwrap();
    let says = |event: &Event| {
        matches!(event, Event::Notice { message }
            if message.contains("127.0.0.2") && message.contains("127.0.0.1"))
    };
    ann.expect("a line that says so", says).await;
    ann.send(Command::Tell { to: name("eve"), text: text("to the new one") }).await;
    within("the message", new.read_exact(&mut read)).await.unwrap();
    assert_eq!(read, message("to the new one"));
}

#[actix_rt::test]
async fn a_server_cannot_move_the_next_session_for_a_file_without_consent() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    eve.files.shutdown().await.unwrap();
    let asks = |frame: &ClientFrame| matches!(frame, ClientFrame::RequestPrivate { .. });
    let path = ann.write("a", b"content");
    // A client that sees the end of the connection before the file requests another one at once.
    loop {
        ann.send_file_to(&name("eve"), &path).await;
        let asked = tokio::time::timeout(Duration::from_millis(200), room.saw("PVCOREQ", asks));
        if asked.await.is_ok() {
            break;
        }
    }
    let address = "127.0.0.2".parse().unwrap();
    room.inject(&ann.name, &ServerFrame::PeerAccepted { by: name("eve"), address });
    let asked = |event: &Event| matches!(event, Event::PrivateMoveRequest { .. });
    ann.expect("a question", asked).await;
    assert!(!room.has_seen(|frame| matches!(frame, ClientFrame::OfferPorts { .. })));
    ann.send(Command::Decline(name("eve"))).await;
    assert!(ann.expect_failed().await.contains("another address"));
    ann.send(Command::Tell { to: name("eve"), text: text("still here") }).await;
    let mut read = vec![0; message("still here").len()];
    within("the message", eve.messages.read_exact(&mut read)).await.unwrap();
    assert_eq!(read, message("still here"));
}

#[actix_rt::test]
async fn a_server_cannot_have_a_client_dial_in_a_loop() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let _eve = RawPeer::connect(&mut room, &mut ann).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let closed = closed.try_into().unwrap();
    let ports = PortPair { message: closed, file: closed };
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let began = std::time::Instant::now();
    for _ in 0..3 {
        room.inject(&ann.name, &ServerFrame::PrivateRequested { from: name("eve") });
        room.saw("PVCOACC", |frame| matches!(frame, ClientFrame::AcceptPrivate { .. })).await;
        room.inject(&ann.name, &ServerFrame::PeerListening { who: name("eve"), address, ports });
        // The attempt is over before the next one is asked for.
        ann.expect_log("a private session ended").await;
    }
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
}

#[actix_rt::test]
async fn a_violation_ends_the_session_after_its_earlier_texts() {
    let violations = [
        &[0, 0, 0, 3][..],
        &[0, 0, 0, 99],
        &[0, 0, 0, 13, 0, 0, 0, 0],
        &[0, 0, 0, 13, 255, 255, 255, 255],
        &[0, 0, 0, 13, 0, 0, 0, 1, 7],
    ];
    for bad in violations {
        let mut room = FakeRoom::open().await;
        let mut ann = Person::join("ann", &room).await;
        let mut eve = RawPeer::connect(&mut room, &mut ann).await;
        eve.messages.write_all(&[&message("hi"), bad].concat()).await.unwrap();
        is_said(&mut ann, "hi").await;
        let reason = ann.expect_closed().await;
        assert!(reason.contains("breaks the protocol"), "{reason}");
    }
}

#[actix_rt::test]
async fn a_negative_file_size_is_a_violation_and_messages_continue() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    eve.files.write_all(&header(-1)).await.unwrap();
    let said =
        |event: &Event| matches!(event, Event::Error { message, .. } if message.contains("eve"));
    ann.expect("a report of the violation", said).await;
    eve.messages.write_all(&message("still here")).await.unwrap();
    is_said(&mut ann, "still here").await;
    let path = ann.write("file", b"x");
    loop {
        // The two connections race: the file connection is done with soon, if not yet.
        ann.send_file_to(&name("eve"), &path).await;
        let end = ann
            .expect("an end", |event| {
                matches!(
                    event,
                    Event::FileSent { .. } | Event::PrivateState { state: RequestState::Asked, .. }
                )
            })
            .await;
        if let Event::PrivateState { .. } = end {
            break;
        }
    }
}

#[actix_rt::test]
async fn nothing_past_the_header_is_read_until_the_file_is_taken_and_a_cut_one_stays_part() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    eve.files.write_all(&[header(10), b"12345".to_vec()].concat()).await.unwrap();
    let (id, size) = ann.expect_offer().await;
    assert_eq!(size, 10);
    assert!(!ann.downloads().exists() || std::fs::read_dir(ann.downloads()).unwrap().count() == 0);
    ann.send(Command::Take(id)).await;
    ann.expect("started", |event| matches!(event, Event::FileStarted(_))).await;
    eve.files.shutdown().await.unwrap();
    let reason = ann.expect_failed().await;
    assert!(reason.contains("5 of 10 bytes are kept in") && reason.contains(".part"), "{reason}");
    eve.messages.write_all(&message("oops")).await.unwrap();
    is_said(&mut ann, "oops").await;
}

#[actix_rt::test]
async fn an_offer_that_its_sender_withdraws_fails() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    eve.files.write_all(&header(10)).await.unwrap();
    ann.expect_offer().await;
    eve.files.shutdown().await.unwrap();
    assert!(ann.expect_failed().await.contains("closed"));
    ann.send(Command::Tell { to: name("eve"), text: text("fine") }).await;
    is_said(&mut ann, "fine").await;
}

#[actix_rt::test]
async fn sessions_and_files_with_an_ignored_user_still_end() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    eve.files.write_all(&header(10)).await.unwrap();
    ann.expect_offer().await;
    ann.send(Command::Ignore(name("eve"))).await;
    eve.files.shutdown().await.unwrap();
    ann.expect_failed().await;
}

#[actix_rt::test]
async fn transfers_with_an_ignored_user_are_listed() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    eve.files.write_all(&header(10)).await.unwrap();
    let (id, _) = ann.expect_offer().await;
    ann.send(Command::Take(id)).await;
    ann.expect("started", |event| matches!(event, Event::FileStarted(_))).await;
    ann.send(Command::Ignore(name("eve"))).await;
    ann.send(Command::ListTransfers).await;
    let event = ann.expect("a list", |event| matches!(event, Event::Transfers { .. })).await;
    let Event::Transfers { transfers } = event else { unreachable!() };
    assert_eq!(transfers.iter().map(|info| info.id).collect::<Vec<_>>(), [id]);
}

#[actix_rt::test]
async fn the_settings_no_longer_answer_the_offers_of_an_ignored_user() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join_with("ann", &room, |settings| {
        settings.accept_files = Policy::Always;
    })
    .await;
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    ann.send(Command::Ignore(name("eve"))).await;
    ann.expect("ignored", |event| matches!(event, Event::Notice { .. })).await;
    eve.files.write_all(&header(10)).await.unwrap();
    ann.expect_log("withheld a file offer").await;
    assert!(ann.events.try_recv().is_none(), "it is ignored");
    ann.send(Command::Unignore(name("eve"))).await;
    ann.expect("started", |event| matches!(event, Event::FileStarted(_))).await;
}

#[actix_rt::test]
async fn a_stuck_peer_stops_neither_the_room_nor_quitting() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let _eve = RawPeer::connect(&mut room, &mut ann).await;
    let big = ann.write("big", &vec![1; 20_000_000]);
    ann.send_file_to(&name("eve"), &big).await;
    for _ in 0..500 {
        ann.send(Command::Tell { to: name("eve"), text: text(&"x".repeat(500)) }).await;
    }
    ann.send(Command::Say(text("room"))).await;
    ann.expect("room", |event| matches!(event, Event::Message { .. })).await;
    ann.send(Command::Quit).await;
    let rest = ann.rest().await;
    assert!(rest.iter().any(|event| matches!(event, Event::FileFailed { .. })), "{rest:#?}");
}

#[actix_rt::test]
async fn a_closed_session_ends_although_its_peer_does_not_read() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    // More than the sockets hold, and less than makes the user wait.
    socket2::SockRef::from(&eve.messages).set_recv_buffer_size(4096).unwrap();
    for _ in 0..500 {
        ann.send(Command::Tell { to: name("eve"), text: text(&"x".repeat(500)) }).await;
    }
    ann.send(Command::Close(name("eve"))).await;
    ann.expect_closed().await;
    // Nothing but time passes from here on.
    tokio::time::pause();
    ann.expect_error("not all messages to eve were sent").await;
    tokio::time::resume();
    let end = within("the end", eve.messages.read_to_end(&mut Vec::new())).await;
    assert!(end.is_err() || end.is_ok_and(|read| read < 500 * 505));
}

#[actix_rt::test]
async fn a_full_disk_fails_that_file_and_keeps_the_received_part() {
    let disk = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::new(disk.path()) else {
        // Without the right to mount, the mover's own test with /dev/full has to do.
        return;
    };
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join_with("ann", &room, |settings| {
        settings.downloads = disk.path().to_owned();
    })
    .await;
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    let content = vec![7; 900_000];
    eve.files.write_all(&header(900_000)).await.unwrap();
    let (id, _) = ann.expect_offer().await;
    ann.send(Command::Take(id)).await;
    ann.expect("started", |event| matches!(event, Event::FileStarted(_))).await;
    // There was room when it was taken.
    std::fs::write(disk.path().join("other"), vec![1; 600_000]).unwrap();
    let _ = eve.files.write_all(&content).await;
    let reason = ann.expect_failed().await;
    assert!(reason.contains("cannot write") && reason.contains("are kept in"), "{reason}");
    eve.messages.write_all(&message("and now?")).await.unwrap();
    is_said(&mut ann, "and now?").await;
    let kept = std::fs::read_dir(disk.path()).unwrap().map(|entry| entry.unwrap().path());
    let part = kept.into_iter().find(|path| path.extension().is_some()).unwrap();
    let kept = std::fs::read(part).unwrap();
    assert!(!kept.is_empty() && content.starts_with(&kept));
}

/// A disk of 1 MiB.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn new(at: &'a Path) -> Option<Self> {
        let options = ["-t", "tmpfs", "-o", "size=1m", "none"];
        let mounted = Process::new("mount").args(options).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // Lazily: a client may still hold the folder open.
        let _ = Process::new("umount").arg("-l").arg(self.0).status();
    }
}

#[actix_rt::test]
async fn the_end_inside_a_file_says_what_it_can_mean() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    eve.files.write_all(&[&header(1000), &b"a begin"[..]].concat()).await.unwrap();
    let (id, _) = ann.expect_offer().await;
    ann.send(Command::Take(id)).await;
    ann.expect("the begin", |event| matches!(event, Event::FileStarted(_))).await;
    eve.files.shutdown().await.unwrap();
    let reason = ann.expect_failed().await;
    assert!(reason.contains("the sender stopped it, or the connection broke"), "{reason}");
    assert!(reason.contains("7 of 1000 bytes are kept"), "{reason}");
}
