//! The public side of the client: signing in, the room, reconnecting, signing out.

mod client_support;

use client_support::{FakeRoom, Person, name, text};
use matou_actors::client::{Command, Event};
use matou_actors::protocol::{ClientFrame, ServerFrame};

#[actix_rt::test]
async fn present_users_are_reported_after_connected_and_marked() {
    let room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let mut bob = Person::start("Bob", room.address, |_| {});
    let server = room.address.to_string();
    assert_eq!(bob.next().await, Event::Connected { server, username: name("Bob") });
    assert_eq!(bob.next().await, Event::Joined { username: name("ann"), present: true });
    assert_eq!(ann.next().await, Event::Joined { username: name("Bob"), present: false });
    bob.send(Command::Say(text("hello"))).await;
    for person in [&mut ann, &mut bob] {
        let said = Event::Message { from: name("Bob"), text: text("hello"), action: false };
        assert_eq!(person.next().await, said);
    }
    bob.send(Command::ListPresent).await;
    assert_eq!(bob.next().await, Event::Present { usernames: vec![name("ann"), name("Bob")] });
    bob.send(Command::Quit).await;
    assert_eq!(ann.next().await, Event::Left { username: name("Bob") });
    assert_eq!(bob.rest().await.last(), Some(&Event::Closed));
}

#[actix_rt::test]
async fn a_refused_name_waits_for_another_one() {
    let room = FakeRoom::open().await;
    let _ann = Person::join("ann", &room).await;
    let mut other = Person::start("ANN", room.address, |_| {});
    assert_eq!(other.next().await, Event::Refused { username: name("ANN"), reason: None });
    other.send(Command::SignIn(name("eve"))).await;
    other
        .expect(
            "connected",
            |event| matches!(event, Event::Connected { username, .. } if *username == name("eve")),
        )
        .await;
}

#[actix_rt::test]
async fn messages_typed_before_the_sign_in_are_sent_after_it_and_finish_waits() {
    let room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let bob = Person::start("bob", room.address, |_| {});
    for words in ["one", "two", "three"] {
        bob.send(Command::Say(text(words))).await;
    }
    drop(bob.handle);
    for words in ["one", "two", "three"] {
        ann.expect(
            words,
            |event| matches!(event, Event::Message { text, .. } if text.as_str() == words),
        )
        .await;
    }
    ann.expect("left", |event| matches!(event, Event::Left { .. })).await;
}

#[actix_rt::test]
async fn disco_follows_typed_messages() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    for number in 0..1000 {
        ann.send(Command::Say(text(&format!("line {number}")))).await;
    }
    ann.send(Command::Quit).await;
    room.saw("the last line", |frame| *frame == ClientFrame::Say(text("line 999"))).await;
    room.saw("DISCO", |frame| *frame == ClientFrame::Leave).await;
    let events = ann.rest().await;
    assert!(!events.iter().any(|event| matches!(event, Event::Disconnected { .. })));
    assert!(ann.handle.send(Command::Quit).await.is_err(), "a closed client takes no commands");
}

#[actix_rt::test]
async fn the_own_name_is_taken_back_while_the_old_connection_holds_it() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    room.hold(&ann.name);
    room.drop_everybody();
    ann.expect("disconnected", |event| matches!(event, Event::Disconnected { .. })).await;
    let lost = ann.next().await;
    assert!(
        matches!(lost, Event::Reconnecting { attempt: 1, delay_ms: 500..=30_000, .. }),
        "{lost:?}"
    );
    let held = ann.next().await;
    assert!(
        matches!(&held, Event::Reconnecting { attempt: 2, reason, .. } if reason.contains("ann")),
        "{held:?}"
    );
    room.release();
    ann.send(Command::Reconnect).await;
    assert!(matches!(ann.next().await, Event::Connected { .. }), "and never Refused");
    room.saw("the last COREQ", |frame| matches!(frame, ClientFrame::Join(_))).await;
}

#[actix_rt::test]
async fn an_unreachable_server_is_an_error_and_is_tried_again() {
    let room = FakeRoom::open().await;
    let address = room.address;
    room.close();
    let mut ann = Person::start("ann", address, |_| {});
    ann.expect_error("cannot reach").await;
    ann.expect("reconnecting", |event| matches!(event, Event::Reconnecting { attempt: 1, .. }))
        .await;
    let _room = FakeRoom::open_at(address).await;
    ann.send(Command::Reconnect).await;
    ann.expect("connected", |event| matches!(event, Event::Connected { .. })).await;
}

#[actix_rt::test]
async fn an_unreachable_server_is_reported_each_time_when_reconnecting_is_off() {
    let room = FakeRoom::open().await;
    let address = room.address;
    room.close();
    let mut ann = Person::start("ann", address, |settings| settings.reconnect = false);
    for _ in 0..2 {
        let Event::Disconnected { reason } = ann.next().await else { panic!("in silence") };
        assert!(reason.contains("cannot reach"), "{reason}");
        ann.send(Command::SignIn(name("ann"))).await;
        ann.expect(
            "what to do",
            |event| matches!(event, Event::Notice { message } if message.contains("/reconnect")),
        )
        .await;
        ann.send(Command::Reconnect).await;
    }
}

#[actix_rt::test]
async fn a_server_that_breaks_the_protocol_is_left() {
    let room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let message = ServerFrame::Message { from: name("bob"), text: text("last words") };
    room.inject(&ann.name, &message);
    room.inject_bytes(&ann.name, &[0, 0, 0, 3][..]);
    ann.expect("last words", |event| matches!(event, Event::Message { .. })).await;
    let Event::Disconnected { reason } = ann.next().await else { panic!("still connected") };
    assert!(reason.contains("breaks the protocol"), "{reason}");
}

#[actix_rt::test]
async fn ignored_people_are_not_shown() {
    let room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    ann.send(Command::Ignore(name("BOB"))).await;
    ann.expect("notice", |event| matches!(event, Event::Notice { .. })).await;
    for (from, words) in [("bob", "one"), ("eve", "two")] {
        room.inject(&ann.name, &ServerFrame::Message { from: name(from), text: text(words) });
    }
    assert_eq!(
        ann.next().await,
        Event::Message { from: name("eve"), text: text("two"), action: false }
    );
    ann.send(Command::Unignore(name("bob"))).await;
    ann.expect("notice", |event| matches!(event, Event::Notice { .. })).await;
    room.inject(&ann.name, &ServerFrame::Message { from: name("bob"), text: text("three") });
    assert_eq!(
        ann.next().await,
        Event::Message { from: name("bob"), text: text("three"), action: false }
    );
}

#[actix_rt::test]
async fn no_one_ignores_themselves() {
    let room = FakeRoom::open().await;
    let early = "ann, who is not known yet";
    let mut ann = Person::start("ann", room.address, |settings| settings.username = None);
    ann.send(Command::Ignore(name("ann"))).await;
    ann.expect(early, |event| matches!(event, Event::Notice { .. })).await;
    ann.send(Command::SignIn(name("ann"))).await;
    ann.expect("connected", |event| matches!(event, Event::Connected { .. })).await;
    ann.send(Command::Ignore(name("ANN"))).await;
    ann.expect_error("is you").await;
    ann.send(Command::Say(text("heard"))).await;
    let received = Event::Message { from: name("ann"), text: text("heard"), action: false };
    ann.expect("the own words", |event| *event == received).await;
}

#[actix_rt::test]
async fn a_slow_reader_of_events_loses_nothing_and_can_quit() {
    const MESSAGES: usize = 20_000;
    let room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    for number in 0..MESSAGES {
        let text = text(&format!("{number}"));
        room.inject(&ann.name, &ServerFrame::Message { from: name("bob"), text });
    }
    ann.send(Command::ListPresent).await;
    let mut expected = 0;
    while expected < MESSAGES {
        if let Event::Message { text, .. } = ann.next().await {
            assert_eq!(text.as_str(), expected.to_string());
            expected += 1;
        }
    }
    for _ in 0..MESSAGES {
        room.inject(&ann.name, &ServerFrame::Message { from: name("bob"), text: text("more") });
    }
    ann.send(Command::Quit).await;
    ann.rest().await;
}

#[actix_rt::test]
async fn a_message_without_a_server_is_an_error() {
    let room = FakeRoom::open().await;
    let mut ann = Person::join_with("ann", &room, |settings| settings.reconnect = false).await;
    room.drop_everybody();
    ann.expect("disconnected", |event| matches!(event, Event::Disconnected { .. })).await;
    ann.send(Command::Say(text("lost?"))).await;
    ann.expect_error("not connected").await;
    ann.send(Command::Finish).await;
    assert_eq!(ann.rest().await, [Event::Closed]);
}
