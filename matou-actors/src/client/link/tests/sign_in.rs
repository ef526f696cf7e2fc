//! The name: asked for, refused, accepted, and in what time.

use std::time::Duration;

use super::{Client, joined, message, name, notice, sent};
use crate::client::api::event::Event;
use crate::client::link::action::{ConnectionAttempt, LinkAction};
use crate::client::messages::{ConnectionCommand, LinkEvent};
use crate::protocol::v2::SignInRefusal;
use crate::protocol::{ClientFrame, ServerFrame, v2};

#[test]
fn a_name_is_asked_for_once_the_server_is_reached() {
    let mut client = Client::start(Some("ann"));
    let actions = client.actions();
    assert!(
        matches!(actions[0], LinkAction::Connect(ConnectionAttempt { generation: 1, .. })),
        "{actions:?}"
    );
    client.reached();
    assert_eq!(sent(client.actions()), [ClientFrame::Join((&name("ann")).into()).into()]);
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    let connected = Event::Connected { server: "ship:7".into(), username: name("ann") };
    assert_eq!(client.events(), [connected]);
    assert!(client.link.is_signing_in(), "who is here is not known yet");
    client.frame(joined("bob"));
    client.frame(joined("ann"));
    let actions = client.actions();
    assert!(matches!(actions.last(), Some(LinkAction::Report(LinkEvent::Ready))), "{actions:?}");
    assert!(!client.link.is_signing_in());
}

#[test]
fn a_server_that_does_not_announce_the_arrival_is_not_waited_for_forever() {
    let mut client = Client::start(Some("ann"));
    client.reached();
    client.actions();
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    let wakes = client.wakes();
    let [(delay, wake)] = wakes[..] else { panic!("{wakes:?}") };
    assert_eq!(delay, Duration::from_secs(15), "as long as for any other answer");
    client.wake(wake);
    let actions = client.actions();
    assert!(matches!(actions[..], [LinkAction::Report(LinkEvent::Ready)]), "{actions:?}");
    assert!(!client.link.is_signing_in());
    client.wake(wake);
    assert!(client.actions().is_empty(), "once");
}

#[test]
fn a_refused_name_is_reported_and_another_one_is_asked_for() {
    let mut client = Client::start(Some("ann"));
    client.reached();
    client.frame(ServerFrame::JoinAnswer { accepted: false });
    assert_eq!(client.events(), [Event::Refused { username: name("ann"), reason: None }]);
    client.link.wish(name("eve"));
    assert_eq!(sent(client.actions()), [ClientFrame::Join((&name("eve")).into()).into()]);
}

#[test]
fn a_refusal_has_the_reason_of_the_server() {
    let mut client = Client::start(Some("ann"));
    client.reached();
    let text = v2::Text::new("you are banned").unwrap();
    client.frame(v2::ServerFrame::Refused { reason: SignInRefusal::Banned, text });
    let reason = Some("ship:7 refused you: you are banned".into());
    assert_eq!(client.events(), [Event::Refused { username: name("ann"), reason }]);
}

#[test]
fn frames_before_the_sign_in_are_ignored() {
    let mut client = Client::start(None);
    client.reached();
    assert_eq!(client.events(), [Event::NameNeeded { server: "ship:7".into() }]);
    client.frame(message("bob", "hello"));
    client.frame(joined("bob"));
    assert!(client.actions().is_empty());
}

/// What happens when the server refuses the own name for this reason after a loss.
fn refused_again(reason: SignInRefusal, text: &str) -> (Client, Vec<Event>) {
    let mut client = Client::signed_in();
    client.now += Duration::from_secs(60);
    client.lost();
    let [(_, retry)] = client.wakes()[..] else { panic!("no next attempt") };
    client.wake(retry);
    client.generation = 2;
    client.reached();
    client.actions();
    let text = v2::Text::new(text).unwrap();
    client.link.frame(2, v2::ServerFrame::Refused { reason, text }, client.now);
    let events = client.events();
    (client, events)
}

#[test]
fn a_name_that_another_key_has_now_is_not_asked_for_again() {
    let text = "ann belongs to another key; choose another name";
    let (mut client, events) = refused_again(SignInRefusal::OtherKey, text);
    let reason = Some(format!("ship:7 refused you: {text}"));
    assert_eq!(events, [Event::Refused { username: name("ann"), reason }]);
    client.link.wish(name("bob"));
    assert_eq!(sent(client.actions()), [ClientFrame::Join((&name("bob")).into()).into()]);
}

#[test]
fn a_key_that_is_no_longer_admitted_ends_the_attempts() {
    let (client, events) = refused_again(SignInRefusal::NotListed, "your key is not admitted");
    let [Event::Disconnected { reason }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(reason, "ship:7 refused you: your key is not admitted");
    assert!(client.link.is_closed());
}

#[test]
fn a_full_room_is_retried_and_the_reason_reported_once() {
    let (_, events) = refused_again(SignInRefusal::Full, "the room is full");
    let [Event::Reconnecting { reason, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(reason, "ship:7 refused you: the room is full");
}

#[test]
fn a_silent_server_is_mentioned_and_then_left() {
    let mut client = Client::start(Some("ann"));
    let [(_, reached)] = client.wakes()[..] else { panic!("not looked at later") };
    client.wake(reached);
    assert_eq!(client.events(), [notice("still waiting for ship:7 to answer")]);
    client.reached();
    let [(soon, silence), (later, answer)] = client.wakes()[..] else { panic!("no limit") };
    assert!(soon < later);
    client.wake(silence);
    assert_eq!(client.events(), [notice("still waiting for ship:7 to answer")]);
    client.wake(answer);
    let actions = client.actions();
    let LinkAction::Command(ConnectionCommand::HangUp) = actions[0] else { panic!("{actions:?}") };
    let LinkAction::Report(LinkEvent::Emit(Event::Error { message, .. })) = &actions[1] else {
        panic!("{actions:?}")
    };
    assert!(message.starts_with("ship:7 does not answer"), "{message}");
    assert!(client.link.is_closed());
}

#[test]
fn an_answer_in_time_ends_the_wait_for_it() {
    let mut client = Client::start(Some("ann"));
    client.actions();
    client.reached();
    let wakes = client.wakes();
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    client.actions();
    for (_, wake) in wakes {
        client.wake(wake);
    }
    assert!(client.actions().is_empty() && client.link.is_joined());
}
