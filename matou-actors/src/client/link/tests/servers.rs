//! The choice among several servers.

use std::time::Duration;

use slog::{Discard, Logger, o};

use super::{Client, REASON, message, name, say, sent};
use crate::client::api::event::{ErrorCode, Event};
use crate::client::api::server_name::ServerName;
use crate::client::api::settings::ClientSettings;
use crate::client::link::action::{ConnectionAttempt, LinkAction};
use crate::client::link::server_link::ServerLink;
use crate::client::messages::{ConnectionCommand, LinkEvent};
use crate::protocol::v2::SignInRefusal;
use crate::protocol::{ClientFrame, ServerFrame, v2};

#[test]
fn another_server_can_be_used_until_the_user_has_a_name() {
    let mut client = Client::start(None);
    client.actions();
    client.reached();
    client.actions();
    client.link.use_servers(vec![ServerName::parse("boat:8").unwrap()]);
    let actions = client.actions();
    let [
        LinkAction::Command(ConnectionCommand::HangUp),
        LinkAction::Connect(ConnectionAttempt { generation: 2, server, .. }),
        ..,
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!(server.to_string(), "boat:8");
    client.link.down(1, REASON.into(), true, client.now);
    assert!(client.actions().is_empty(), "the end of the first connection changes nothing");

    let mut client = Client::signed_in();
    client.link.use_servers(vec![ServerName::parse("boat:8").unwrap()]);
    let events = client.events();
    assert!(matches!(&events[..], [Event::Error { code: ErrorCode::Server, .. }]), "{events:?}");
    assert!(client.link.is_joined());
}

#[test]
fn without_a_server_it_waits_for_the_user_to_choose_one() {
    let settings = ClientSettings { username: Some(name("ann")), ..ClientSettings::default() };
    let logger = Logger::root(Discard, o!());
    let mut link = ServerLink::new(&settings, logger, fastrand::Rng::with_seed(1));
    link.start(vec![]);
    assert!(link.take_actions().is_empty());
    link.use_servers(vec![ServerName::parse("ship:7").unwrap()]);
    let actions = link.take_actions();
    assert!(
        matches!(actions[0], LinkAction::Connect(ConnectionAttempt { generation: 1, .. })),
        "{actions:?}"
    );
}

#[test]
fn the_next_server_is_tried_at_once_and_all_of_them_again_after_a_while() {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    assert_eq!(client.connecting_to().as_deref(), Some("ship:7"));
    client.lost();
    let actions = client.actions();
    let [
        LinkAction::Report(LinkEvent::Emit(Event::Failover { from, server, reason })),
        LinkAction::Connect(ConnectionAttempt {
            generation: 2, server: at, last_sequence: 0, ..
        }),
        ..,
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!((from.as_str(), server.as_str(), reason.as_str()), ("ship:7", "boat:8", REASON));
    assert_eq!(at.to_string(), "boat:8");
    client.generation = 2;
    client.lost();
    let [(delay, retry)] = client.wakes()[..] else { panic!("no next round") };
    assert!(delay >= Duration::from_millis(500), "{delay:?}");
    client.wake(retry);
    assert_eq!(client.connecting_to().as_deref(), Some("ship:7"));
}

#[test]
fn a_lost_server_is_replaced_at_once_with_name_and_last_event() {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    client.actions();
    client.signs_in();
    client.frame(v2::ServerFrame::Said {
        sequence: 9,
        time: v2::UnixMillis(0),
        username: name("ann"),
        text: say("hi"),
        flags: 0,
    });
    client.actions();
    let actions = client.lost_after_a_minute();
    let [
        LinkAction::Report(LinkEvent::Emit(Event::Disconnected { .. })),
        LinkAction::Report(LinkEvent::Lost),
        LinkAction::Report(LinkEvent::Emit(Event::Failover { .. })),
        LinkAction::Connect(ConnectionAttempt { generation: 2, server, last_sequence: 9, .. }),
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!(server.to_string(), "boat:8");
    client.generation = 2;
    client.reached();
    assert_eq!(sent(client.actions()), [ClientFrame::Join((&name("ann")).into()).into()]);
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    let connected = Event::Connected { server: "boat:8".into(), username: name("ann") };
    assert_eq!(client.events(), [connected]);
}

#[test]
fn servers_that_accept_the_user_and_fail_at_once_are_not_tried_without_end() {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    client.actions();
    client.signs_in();
    client.lost();
    assert_eq!(client.connecting_to().as_deref(), Some("boat:8"));
    client.signs_in();
    client.lost();
    assert_eq!(client.connecting_to(), None, "not at once");
}

#[test]
fn a_server_with_another_key_is_left_for_one_that_is_known_and_not_tried_again() {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    client.actions();
    client.link.down(1, "another key".into(), false, client.now);
    assert_eq!(client.connecting_to().as_deref(), Some("boat:8"));
    client.lost();
    let [(_, retry)] = client.wakes()[..] else { panic!("no next round") };
    client.wake(retry);
    assert_eq!(client.connecting_to().as_deref(), Some("boat:8"));
    client.link.down(3, "another key, too".into(), false, client.now);
    let events = client.events();
    assert!(matches!(&events[..], [Event::Disconnected { .. }]), "{events:?}");
    client.link.reconnect();
    assert!(client.connecting_to().is_some(), "the user wants it");
}

#[test]
fn a_wrong_password_and_a_disconnection_by_an_operator_hold_for_all_servers_of_the_room() {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    client.actions();
    client.reached();
    let reason = SignInRefusal::Password;
    client.frame(v2::ServerFrame::Refused { reason, text: v2::Text::default() });
    assert_eq!(client.connecting_to(), None);

    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    client.actions();
    client.signs_in();
    client.frame(message("Server", "You were disconnected by an operator: spam"));
    client.lost();
    assert_eq!(client.connecting_to(), None);
}

#[test]
fn without_reconnecting_every_server_is_tried_until_one_has_accepted_the_user() {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    client.link.reconnect = false;
    client.actions();
    client.lost();
    assert_eq!(client.connecting_to().as_deref(), Some("boat:8"));
    client.signs_in();
    client.now += Duration::from_secs(60);
    client.lost();
    let events = client.events();
    assert!(matches!(&events[..], [Event::Disconnected { .. }]), "{events:?}");
}
