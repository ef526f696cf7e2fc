//! What must be neither lost nor reported when something else ends.
#![allow(clippy::unwrap_used)] // A test may fail where it likes.

mod client_support;

use std::net::TcpListener;
use std::time::Duration;

use client_support::{FakeRoom, Person, pair, text};
use matou_actors::client::{Command, Event};
use matou_actors::protocol::ServerFrame;

/// More than the buffers of two sockets hold.
const BIG: usize = 20_000_000;

fn content(of: u8, size: usize) -> Vec<u8> {
    (0..size).map(|at| of ^ u8::try_from(at % 251).unwrap()).collect()
}

#[actix_rt::test]
async fn refusing_a_file_does_not_cut_the_own_one() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    ann.send_file(&bob, &ann.write("a", &content(1, BIG))).await;
    bob.send_file(&ann, &bob.write("b", &content(2, BIG))).await;
    let (refused, _) = ann.expect_offer().await;
    let (wanted, _) = bob.expect_offer().await;
    ann.send(Command::Refuse(refused)).await;
    ann.expect_failed().await;
    bob.send(Command::Take(wanted)).await;
    let path = bob.expect_received().await;
    assert!(std::fs::read(path).unwrap() == content(1, BIG));
    ann.expect_sent().await;
    assert!(bob.expect_failed().await.contains("refused"));
}

#[actix_rt::test]
async fn files_that_cross_and_are_both_refused_are_offered_again() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    ann.send_file(&bob, &ann.write("a", &content(1, BIG))).await;
    bob.send_file(&ann, &bob.write("b", &content(2, BIG))).await;
    for person in [&mut ann, &mut bob] {
        let (id, _) = person.expect_offer().await;
        person.send(Command::Refuse(id)).await;
    }
    // Neither own file is taken, and so both would keep the other side from learning of it.
    for person in [&mut ann, &mut bob] {
        let offered_or_refused = |event: &Event| match event {
            Event::FileOffered { .. } => true,
            Event::FileFailed { reason, .. } => reason.contains("the other side"),
            _ => false,
        };
        person.expect("theirs again, or that the own one was refused", offered_or_refused).await;
        person.send(Command::Quit).await;
        person.rest().await;
    }
}

#[actix_rt::test]
async fn cancelling_the_own_file_does_not_cut_theirs() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    ann.send_file(&bob, &ann.write("a", &content(1, BIG))).await;
    let event = ann.expect("the own file", |event| matches!(event, Event::FileStarted(_))).await;
    let Event::FileStarted(own) = event else { unreachable!() };
    bob.expect_offer().await;
    bob.send_file(&ann, &bob.write("b", &content(2, BIG))).await;
    let (theirs, _) = ann.expect_offer().await;
    ann.send(Command::Cancel(own.id)).await;
    assert!(ann.expect_failed().await.contains("cancelled"));
    ann.send(Command::Take(theirs)).await;
    let path = ann.expect_received().await;
    assert!(std::fs::read(path).unwrap() == content(2, BIG));
    // Now that nothing comes in any more, bob reads it as well.
    bob.expect_failed().await;
}

#[actix_rt::test]
async fn a_file_that_is_here_survives_the_failure_of_the_own_one() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    bob.send_file(&ann, &bob.write("b", &content(2, BIG))).await;
    ann.expect_offer().await;
    ann.send_file(&bob, &ann.write("a", &content(1, 10_000))).await;
    ann.expect_sent().await;
    let (offer, _) = bob.expect_offer().await;
    ann.send(Command::Quit).await;
    ann.rest().await;
    bob.expect_failed().await;
    bob.send(Command::Take(offer)).await;
    let path = bob.expect_received().await;
    assert!(std::fs::read(path).unwrap() == content(1, 10_000));
}

#[actix_rt::test]
async fn items_waiting_for_a_session_are_reported_when_the_user_leaves() {
    let room = FakeRoom::open().await;
    let bob = Person::join("bob", &room).await;
    let mut ann = Person::join("ann", &room).await;
    ann.meet(&bob).await;
    ann.whisper(&bob, "one").await;
    ann.whisper(&bob, "two").await;
    ann.send(Command::Quit).await;
    let undelivered = ann.rest().await.into_iter().find_map(|event| match event {
        Event::Undelivered { texts, .. } => Some(texts),
        _ => None,
    });
    assert_eq!(undelivered, Some(vec![text("one"), text("two")]));
}

#[actix_rt::test]
async fn a_server_that_does_not_answer_is_left() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap();
    let mut ann = Person::start("ann", address, |settings| {
        settings.answer_timeout = Duration::from_millis(50);
    });
    ann.expect_error("does not answer").await;
    ann.expect("another attempt", |event| matches!(event, Event::Reconnecting { .. })).await;
}

#[actix_rt::test]
async fn the_next_user_of_a_released_name_has_to_ask() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    room.inject(&ann.name, &ServerFrame::Left(bob.name.clone()));
    ann.expect("left", |event| matches!(event, Event::Left { .. })).await;
    room.inject(&ann.name, &ServerFrame::PrivateRequested { from: bob.name.clone() });
    ann.expect("the question", |event| matches!(event, Event::PrivateRequest { .. })).await;
    ann.whisper(&bob, "to the one I know").await;
    bob.expect_text(&ann, "to the one I know").await;
}

#[actix_rt::test]
async fn a_peer_is_not_reported_as_gone_when_the_own_link_was_lost() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    room.drop_everybody();
    ann.expect("connected again", |event| matches!(event, Event::Connected { .. })).await;
    let path = ann.write("a", &content(1, BIG));
    ann.send_file(&bob, &path).await;
    let (offer, _) = bob.expect_offer().await;
    bob.send(Command::Refuse(offer)).await;
    ann.expect_failed().await;
    ann.send_file(&bob, &path).await;
    let reason = ann.expect_failed().await;
    assert!(reason.contains("bob or you left"), "{reason}");
}

#[actix_rt::test]
async fn a_request_that_ends_beside_an_open_session_is_reported() {
    let room = FakeRoom::open().await;
    let (mut ann, bob) = pair(&room).await;
    room.inject(&ann.name, &ServerFrame::Left(bob.name.clone()));
    room.inject(&ann.name, &ServerFrame::PrivateRequested { from: bob.name.clone() });
    ann.expect("the question", |event| matches!(event, Event::PrivateRequest { .. })).await;
    room.close();
    let over = |event: &Event| match event {
        Event::PrivateRequestOver { from, reason } => {
            *from == bob.name && reason.contains("connection to the server was lost")
        }
        _ => false,
    };
    ann.expect("that the request is over", over).await;
}

#[actix_rt::test]
async fn a_request_is_announced_again_when_the_session_beside_it_is_closed() {
    let room = FakeRoom::open().await;
    let (mut ann, bob) = pair(&room).await;
    let asks = |event: &Event| matches!(event, Event::PrivateRequest { .. });
    room.inject(&ann.name, &ServerFrame::Left(bob.name.clone()));
    room.inject(&ann.name, &ServerFrame::PrivateRequested { from: bob.name.clone() });
    ann.expect("the question", asks).await;
    ann.send(Command::Close(bob.name.clone())).await;
    ann.expect("the end", |event| matches!(event, Event::PrivateClosed { .. })).await;
    ann.expect("the question again", asks).await;
}
