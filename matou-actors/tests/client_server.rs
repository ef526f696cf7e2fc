//! Clients at a real server.
#![allow(clippy::unwrap_used)] // A test may fail where it likes.

mod client_support;
mod support;

use client_support::{Person, text};
use matou_actors::client::{Command, Event, Policy};
use support::Server;

async fn join(who: &str, server: &Server, policy: Policy) -> Person {
    let mut person = Person::start(who, server.address, |settings| {
        settings.accept_private = policy;
        settings.accept_files = policy;
    });
    person.expect("connected", |event| matches!(event, Event::Connected { .. })).await;
    person
}

#[actix_rt::test]
async fn three_clients_chat_and_two_talk_in_private_and_exchange_files() {
    let server = Server::start();
    let mut eve = join("eve", &server, Policy::Ask).await;
    let mut bob = join("bob", &server, Policy::Always).await;
    let mut ann = join("ann", &server, Policy::Always).await;
    ann.meet(&bob).await;
    bob.meet(&ann).await;
    ann.send(Command::Say(text("hello"))).await;
    for person in [&mut ann, &mut bob, &mut eve] {
        person
            .expect(
                "hello",
                |event| matches!(event, Event::Message { text, .. } if text.as_str() == "hello"),
            )
            .await;
    }
    let content: Vec<u8> = (0..5_000_000_u32).map(|at| at.to_le_bytes()[at as usize % 3]).collect();
    for (from, to) in [(&ann, &bob), (&bob, &ann)] {
        from.whisper(to, "look at this").await;
        from.send_file(to, &from.write("file", &content)).await;
    }
    for person in [&mut ann, &mut bob] {
        let own = person.name.clone();
        let (mut said, mut file) = (false, None);
        while !said || file.is_none() {
            match person.next().await {
                Event::PrivateMessage { from, .. } if from != own => said = true,
                Event::FileReceived { path, .. } => file = Some(path),
                Event::FileFailed { reason, .. } => panic!("{reason}"),
                _ => {}
            }
        }
        assert!(std::fs::read(file.unwrap()).unwrap() == content);
    }
    ann.send(Command::Finish).await;
    ann.rest().await;
    bob.expect_closed().await;
    eve.expect("left", |event| *event == Event::Left { username: ann.name.clone() }).await;
    eve.send(Command::ListTransfers).await;
    let none = Event::Transfers { transfers: Vec::new() };
    eve.expect("nothing private", |event| *event == none).await;
}

#[actix_rt::test]
async fn a_session_can_be_closed_and_opened_again_many_times() {
    let server = Server::with(|settings| settings.private.requests_per_minute = 0);
    let mut bob = join("bob", &server, Policy::Always).await;
    let mut ann = join("ann", &server, Policy::Always).await;
    ann.meet(&bob).await;
    for round in 0..20 {
        let words = format!("round {round}");
        ann.whisper(&bob, &words).await;
        bob.expect_text(&ann, &words).await;
        ann.send(Command::Close(bob.name.clone())).await;
        ann.expect_closed().await;
        bob.expect_closed().await;
    }
}
