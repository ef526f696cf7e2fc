//! Files between two clients.
#![allow(clippy::unwrap_used)] // A test may fail where it likes.

mod client_support;

use std::os::unix::fs::PermissionsExt;

use client_support::{FakeRoom, Person, pair};
use matou_actors::client::{Command, Event, Policy, TransferId};

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at * 31 + at / 4096) % 251).unwrap()).collect()
}

#[actix_rt::test]
async fn files_of_every_awkward_size_arrive_whole_and_private() {
    let room = FakeRoom::open().await;
    let mut bob = Person::join_open("bob", &room).await;
    let mut ann = Person::join("ann", &room).await;
    ann.meet(&bob).await;
    for size in [0, 1, 4095, 4096, 4097, 3_000_000] {
        let path = ann.write("file", &content(size));
        ann.send_file(&bob, &path).await;
        let last = ann
            .expect("sent", |event| {
                matches!(event, Event::FileSent { .. } | Event::FileFailed { .. })
            })
            .await;
        assert!(
            matches!(last, Event::FileSent { size: reported, .. } if reported == size as u64),
            "{last:?}"
        );
        let received = bob.expect_received().await;
        assert_eq!(std::fs::read(&received).unwrap(), content(size), "{size}");
        assert_eq!(received.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let called = received.file_name().unwrap().to_str().unwrap();
        assert!(called.starts_with("ann-20"), "{called}");
    }
    let left = std::fs::read_dir(bob.downloads()).unwrap().count();
    assert_eq!(left, 6, "no .part file is left, nothing was overwritten");
}

#[actix_rt::test]
async fn files_wait_for_their_turn_and_finish_waits_for_them() {
    let room = FakeRoom::open().await;
    let mut bob = Person::join_open("bob", &room).await;
    let mut ann = Person::join("ann", &room).await;
    ann.meet(&bob).await;
    for size in 1..=5 {
        ann.send_file(&bob, &ann.write(&format!("{size}"), &content(size * 100_000))).await;
    }
    ann.send(Command::Finish).await;
    for size in 1..=5 {
        let received = bob.expect_received().await;
        assert_eq!(std::fs::read(received).unwrap(), content(size * 100_000));
    }
    let sent =
        ann.rest().await.iter().filter(|event| matches!(event, Event::FileSent { .. })).count();
    assert_eq!(sent, 5);
}

#[actix_rt::test]
async fn files_move_both_ways_at_once_while_messages_continue() {
    const SIZE: usize = 20_000_000;
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    ann.send_file(&bob, &ann.write("a", &content(SIZE))).await;
    bob.send_file(&ann, &bob.write("b", &content(SIZE))).await;
    for person in [&mut ann, &mut bob] {
        let (id, size) = person.expect_offer().await;
        assert_eq!(size, SIZE as u64);
        person.send(Command::Take(id)).await;
    }
    for number in 0..100 {
        ann.whisper(&bob, &format!("{number}")).await;
        bob.whisper(&ann, &format!("{number}")).await;
    }
    let (mut files, mut texts) = (0, 0);
    for person in [&mut ann, &mut bob] {
        let own = person.name.clone();
        let (mut file, mut text) = (false, 0);
        while !file || text < 100 {
            match person.next().await {
                Event::FileReceived { path, .. } => {
                    assert_eq!(std::fs::read(path).unwrap(), content(SIZE));
                    file = true;
                    files += 1;
                }
                Event::PrivateMessage { from, .. } if from != own => {
                    text += 1;
                    texts += 1;
                }
                Event::FileFailed { reason, .. } => panic!("{reason}"),
                _ => {}
            }
        }
    }
    assert_eq!((files, texts), (2, 200));
}

#[actix_rt::test]
async fn refusing_closes_the_file_connection_only() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    ann.send_file(&bob, &ann.write("big", &content(20_000_000))).await;
    let (id, _) = bob.expect_offer().await;
    bob.send(Command::Refuse(id)).await;
    bob.expect_failed().await;
    assert!(ann.expect_failed().await.contains("refused"));
    ann.whisper(&bob, "never mind").await;
    bob.expect_text(&ann, "never mind").await;
    assert!(!bob.downloads().exists() || std::fs::read_dir(bob.downloads()).unwrap().count() == 0);
    for _ in 0..2 {
        let (from, to) = (&mut ann, &mut bob);
        from.send_file(to, &from.write("small", b"x")).await;
        let (id, size) = to.expect_offer().await;
        assert_eq!(size, 1, "another connection is made for it, and the user is not asked");
        to.send(Command::Take(id)).await;
        to.expect_received().await;
        from.expect_sent().await;
        std::mem::swap(&mut ann, &mut bob);
    }
}

#[actix_rt::test]
async fn refusing_one_file_does_not_refuse_those_queued_after_it() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    ann.send_file(&bob, &ann.write("big", &content(20_000_000))).await;
    ann.send_file(&bob, &ann.write("small", b"xy")).await;
    let (id, _) = bob.expect_offer().await;
    bob.send(Command::Refuse(id)).await;
    let (_, size) = bob.expect_offer().await;
    assert_eq!(size, 2);
    assert!(ann.expect_failed().await.contains("refused"));
}

#[actix_rt::test]
async fn a_file_that_does_not_fit_stays_offered_until_its_sender_cancels() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    // A sparse file that cannot be through before it is cancelled.
    let path = ann.write("big", b"");
    std::fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    ann.send_file(&bob, &path).await;
    let started = ann.expect("started", |event| matches!(event, Event::FileStarted(_))).await;
    let Event::FileStarted(info) = started else { unreachable!() };
    let (id, _) = bob.expect_offer().await;
    bob.send(Command::Take(id)).await;
    // No disk of the tests holds it.
    let refused = bob.expect_error("bytes free").await;
    assert!(refused.contains(&format!("/take {id}")), "the offer stands: {refused}");
    ann.send(Command::Cancel(info.id)).await;
    assert!(ann.expect_failed().await.contains("cancelled"));
    assert!(bob.expect_failed().await.contains("closed"));
    ann.whisper(&bob, "sorry").await;
    bob.expect_text(&ann, "sorry").await;
}

#[actix_rt::test]
async fn an_interrupted_file_stays_a_part_and_is_reported_as_failed() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    let path = ann.write("big", b"");
    // Too large to be whole before it is cut, but not for the disk.
    let disk = rustix::fs::statvfs(path.parent().unwrap()).unwrap();
    let size = (disk.f_bavail * disk.f_frsize / 2).min(8_000_000_000);
    std::fs::File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
    ann.send_file(&bob, &path).await;
    let (id, _) = bob.expect_offer().await;
    bob.send(Command::Take(id)).await;
    bob.expect("progress", |event| matches!(event, Event::FileProgress { .. })).await;
    ann.send(Command::Quit).await;
    ann.rest().await;
    let reason = bob.expect_failed().await;
    assert!(reason.contains(".part"), "{reason}");
    let left: Vec<_> =
        std::fs::read_dir(bob.downloads()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(
        left.len() == 1 && left[0].extension().is_some_and(|extension| extension == "part"),
        "{left:?}"
    );
}

#[actix_rt::test]
async fn a_file_that_shrinks_is_whole_for_neither_side() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    let path = ann.write("log", &content(20_000_000));
    ann.send_file(&bob, &path).await;
    let (id, _) = bob.expect_offer().await;
    // The sender has filled the sockets and waits; the rest is not there when it goes on.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(19_000_000).unwrap();
    bob.send(Command::Take(id)).await;
    assert!(ann.expect_failed().await.contains("shorter"));
    assert!(bob.expect_failed().await.contains(".part"));
    ann.whisper(&bob, "again?").await;
    bob.expect_text(&ann, "again?").await;
}

#[actix_rt::test]
async fn only_regular_files_are_sent() {
    let room = FakeRoom::open().await;
    let (mut ann, bob) = pair(&room).await;
    let pipe = ann.folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    for (path, why) in [
        (pipe, "a pipe"),
        (ann.folder.path().to_owned(), "a folder"),
        ("/dev/zero".into(), "a device"),
        (ann.folder.path().join("gone"), "cannot read"),
    ] {
        ann.send_file(&bob, &path).await;
        ann.expect_error(why).await;
    }
}

#[actix_rt::test]
async fn a_small_file_can_be_taken_after_its_sender_left() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    ann.send_file(&bob, &ann.write("note.txt", b"see you")).await;
    ann.expect_sent().await;
    ann.send(Command::Finish).await;
    ann.rest().await;
    // Two connections report it, so the order is open.
    let (mut offer, mut closed) = (None, false);
    while offer.is_none() || !closed {
        match bob.next().await {
            Event::FileOffered { id, .. } => offer = Some(id),
            Event::PrivateClosed { .. } => closed = true,
            _ => {}
        }
    }
    bob.send(Command::Take(offer.unwrap())).await;
    let path = bob.expect_received().await;
    assert_eq!(std::fs::read(&path).unwrap(), b"see you");
    assert_eq!(path.extension().unwrap(), "txt");
}

#[actix_rt::test]
async fn transfers_are_listed_with_waiting_ones_and_offers() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    for _ in 0..2 {
        ann.send_file(&bob, &ann.write("big", &content(20_000_000))).await;
    }
    let (id, _) = bob.expect_offer().await;
    for (person, count) in [(&mut ann, 2), (&mut bob, 1)] {
        person.send(Command::ListTransfers).await;
        let listed =
            person.expect("a list", |event| matches!(event, Event::Transfers { .. })).await;
        let Event::Transfers { transfers } = listed else { unreachable!() };
        assert_eq!(transfers.len(), count);
    }
    for wrong in [TransferId(99), TransferId(0)] {
        bob.send(Command::Take(wrong)).await;
        bob.expect_error("no file is offered").await;
    }
    bob.send(Command::Take(id)).await;
    bob.expect_received().await;
    bob.expect_offer().await;
}

#[actix_rt::test]
async fn received_files_after_a_refused_one_are_offered() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    for text in ["one", "two", "three"] {
        ann.send_file(&bob, &ann.write(text, text.as_bytes())).await;
        ann.expect_sent().await;
    }
    for _ in 0..2 {
        let (id, _) = bob.expect_offer().await;
        bob.send(Command::Refuse(id)).await;
        assert!(bob.expect_failed().await.contains("refused"));
    }
    let (id, size) = bob.expect_offer().await;
    assert_eq!(size, 5);
    bob.send(Command::Take(id)).await;
    assert_eq!(std::fs::read(bob.expect_received().await).unwrap(), b"three");
}

#[actix_rt::test]
async fn files_that_need_the_user_are_refused_when_unattended_and_the_next_continues() {
    let room = FakeRoom::open().await;
    let bob = Person::join_with("bob", &room, |settings| {
        settings.accept_private = Policy::Always;
        settings.accept_files = Policy::Always;
        std::fs::write(&settings.downloads, "not a folder").unwrap();
    });
    let mut bob = bob.await;
    let mut ann = Person::join("ann", &room).await;
    ann.meet(&bob).await;
    for text in ["one", "two"] {
        ann.send_file(&bob, &ann.write(text, text.as_bytes())).await;
    }
    for _ in 0..2 {
        assert!(bob.expect_failed().await.contains("cannot be taken"));
    }
}
