//! A lost server.

use super::{Client, joined, message, name, sent};
use crate::client::api::event::Event;
use crate::client::link::action::{ConnectionAttempt, LinkAction, LinkWake};
use crate::client::messages::{ConnectionCommand, LinkEvent};
use crate::protocol::{ClientFrame, ServerFrame};

#[test]
fn frames_and_ends_of_an_old_connection_change_nothing() {
    let mut client = Client::signed_in();
    client.generation = 0;
    client.frame(message("bob", "hello"));
    client.lost();
    client.link.unwritten(0, 5);
    assert!(client.actions().is_empty() && client.link.is_joined());
    assert_eq!(client.link.outstanding(), (0, 0));
}

#[test]
fn a_lost_server_is_tried_again_and_the_name_taken_back() {
    let mut client = Client::signed_in();
    let actions = client.lost_after_a_minute();
    let [
        LinkAction::Report(LinkEvent::Emit(Event::Disconnected { .. })),
        LinkAction::Report(LinkEvent::Lost),
        LinkAction::Report(LinkEvent::Emit(Event::Reconnecting { attempt: 1, delay_ms, .. })),
        LinkAction::Wake(delay, retry @ LinkWake::Retry(_)),
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!(u128::from(*delay_ms), delay.as_millis());
    assert!((500..=2000).contains(delay_ms), "{delay_ms}");
    client.wake(*retry);
    assert!(matches!(
        client.actions()[..],
        [LinkAction::Connect(ConnectionAttempt { generation: 2, .. })]
    ));
    client.generation = 2;
    client.reached();
    assert_eq!(sent(client.actions()), [ClientFrame::Join((&name("ann")).into()).into()]);
    client.frame(ServerFrame::JoinAnswer { accepted: false });
    let held = client.events();
    assert!(
        matches!(&held[..], [Event::Reconnecting { reason, .. }]
        if reason == "the name ann is still taken"),
        "{held:?}"
    );
}

#[test]
fn an_attempt_that_the_user_made_earlier_takes_the_place_of_the_next_one() {
    let mut client = Client::signed_in();
    client.lost();
    let [(_, retry)] = client.wakes()[..] else { panic!("no next attempt") };
    client.link.reconnect();
    assert!(matches!(
        client.actions()[..],
        [LinkAction::Connect(ConnectionAttempt { generation: 2, .. })]
    ));
    client.wake(retry);
    assert!(client.actions().is_empty(), "one attempt is enough");
}

#[test]
fn a_user_disconnected_by_an_operator_does_not_reconnect_by_itself() {
    for (speaker, stays_away) in [("Server", true), ("bob", false)] {
        let mut client = Client::signed_in();
        client.frame(joined("bob"));
        client.frame(message(speaker, "You were disconnected by an operator: spam"));
        client.actions();
        client.lost();
        assert_eq!(client.wakes().is_empty(), stays_away, "{speaker}");
    }
}

#[test]
fn a_server_that_breaks_the_protocol_is_left() {
    let mut client = Client::signed_in();
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    let actions = client.actions();
    assert!(matches!(actions[0], LinkAction::Command(ConnectionCommand::HangUp)), "{actions:?}");
    client.frame(message("bob", "hello"));
    assert!(client.actions().is_empty(), "what came behind it is ignored");
}
