//! A client against a peer, and a disk, that do what they should not.
#![allow(clippy::unwrap_used)] // A test may fail where it likes.

mod client_support;

use std::path::Path;
use std::process::Command as Process;

use client_support::{FakeRoom, Person, RawPeer, name, text, within};
use matou_actors::client::{Command, Event, Policy, RequestState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
async fn a_violation_ends_the_session_after_what_was_said_before_it() {
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
async fn a_negative_file_size_is_a_violation_and_talk_goes_on() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    eve.files.write_all(&header(-1)).await.unwrap();
    eve.messages.write_all(&message("still here")).await.unwrap();
    is_said(&mut ann, "still here").await;
    let path = ann.write("file", b"x");
    loop {
        // The two connections race: the file connection is done with soon, if not yet.
        ann.send(Command::Send { to: name("eve"), path: path.clone() }).await;
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
async fn what_is_known_of_somebody_has_an_end_although_they_are_ignored() {
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
async fn what_runs_with_somebody_who_is_ignored_is_listed() {
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
async fn the_settings_answer_the_offers_of_somebody_who_is_ignored_no_more() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join_with("ann", &room, |settings| {
        settings.accept_files = Policy::Always;
    })
    .await;
    // In the way of the folder, so that the offer stands.
    std::fs::write(ann.downloads(), "").unwrap();
    let mut eve = RawPeer::connect(&mut room, &mut ann).await;
    eve.files.write_all(&header(10)).await.unwrap();
    ann.expect_error("not taken").await;
    ann.send(Command::Ignore(name("eve"))).await;
    std::fs::remove_file(ann.downloads()).unwrap();
    ann.send(Command::Unignore(name("eve"))).await;
    ann.expect("started", |event| matches!(event, Event::FileStarted(_))).await;
}

#[actix_rt::test]
async fn a_stuck_peer_stops_neither_the_room_nor_quitting() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let _eve = RawPeer::connect(&mut room, &mut ann).await;
    let big = ann.write("big", &vec![1; 20_000_000]);
    ann.send(Command::Send { to: name("eve"), path: big }).await;
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
async fn a_disk_that_fills_up_fails_that_file_and_keeps_what_came() {
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
