//! A server that says nothing any more.

use std::net::SocketAddr;

use super::{Client, joined};
use crate::client::api::event::{KeyStanding, LinkSecurity};
use crate::client::link::action::{LinkAction, LinkWake};
use crate::client::messages::ConnectionCommand;
use crate::protocol::{ServerFrame, v2};

/// A client of two servers of revision 2, in the room.
fn watching() -> (Client, LinkWake) {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    let at = |text: &str| text.parse::<SocketAddr>().unwrap();
    let fingerprint = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".to_owned();
    let security = LinkSecurity::Encrypted { fingerprint, key: KeyStanding::Known };
    client.link.up(at("192.0.2.5:40000"), at("192.0.2.1:7"), security);
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    let wakes = client.wakes();
    let quiet = wakes.iter().find(|(_, wake)| matches!(wake, LinkWake::Quiet { .. }));
    let quiet = quiet.unwrap_or_else(|| panic!("{wakes:?}")).1;
    client.frame(joined("ann"));
    client.frame(v2::ServerFrame::HistoryEnd { oldest: 1 });
    client.actions();
    (client, quiet)
}

fn asks_something(client: &mut Client) -> bool {
    let actions = client.actions();
    let recall =
        |it: &LinkAction| matches!(it, LinkAction::Command(ConnectionCommand::Recall { .. }));
    actions.iter().any(recall)
}

#[test]
fn a_replaceable_server_that_says_nothing_is_asked_something_and_left_if_it_does_not_answer() {
    let (mut client, quiet) = watching();
    client.wake(quiet);
    assert!(!asks_something(&mut client), "it spoke a moment ago");
    client.wake(quiet);
    assert!(asks_something(&mut client));
    client.wake(quiet);
    assert_eq!(client.connecting_to().as_deref(), Some("boat:8"));
}

#[test]
fn the_answer_to_a_liveness_probe_is_not_shown() {
    let (mut client, quiet) = watching();
    for _ in 0..3 {
        client.wake(quiet);
        client.wake(quiet);
        assert!(asks_something(&mut client));
        client.frame(v2::ServerFrame::HistoryEnd { oldest: 1 });
        assert!(client.events().is_empty());
    }
    assert!(client.link.is_joined());
}

#[test]
fn an_only_server_may_say_nothing_for_ever() {
    let mut client = Client::start(Some("ann"));
    client.reached();
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    let wakes = client.wakes();
    assert!(!wakes.iter().any(|(_, wake)| matches!(wake, LinkWake::Quiet { .. })), "{wakes:?}");
}
