//! The user's own messages, their echo, and the history.

use super::{Client, error, message, name, say, sent};
use crate::client::api::event::{ErrorCode, Event};
use crate::client::link::action::{ConnectionAttempt, LinkAction};
use crate::client::messages::{ConnectionCommand, LinkEvent};
use crate::protocol::{ClientFrame, v2};

#[test]
fn messages_without_an_echo_are_counted() {
    let mut client = Client::signed_in();
    for text in ["one", "two", "three"] {
        assert!(client.says(text));
    }
    assert_eq!(sent(client.actions()).len(), 3);
    client.frame(message("ann", "one"));
    client.link.not_said(1);
    assert_eq!(client.link.outstanding(), (1, 0));
    client.actions();
    client.lost();
    let lines = client.events();
    assert!(
        lines
            .iter()
            .any(|event| matches!(event, Event::Error { code: ErrorCode::NotSent, message }
        if message.starts_with("1 message may not have reached the room"))),
        "{lines:?}"
    );
    assert!(!client.says("four"));
    let offline = "not connected to the server, so your message was not sent; /reconnect";
    assert_eq!(client.events(), [error(offline)]);
}

#[test]
fn leaving_says_goodbye_and_closes_after_it() {
    let mut client = Client::signed_in();
    client.link.leave();
    let actions = client.actions();
    let [
        LinkAction::Command(ConnectionCommand::Send(v2::ClientFrame::Revision1(
            ClientFrame::Leave,
        ))),
        LinkAction::Command(ConnectionCommand::Close),
    ] = actions[..]
    else {
        panic!("{actions:?}")
    };
    client.link.unwritten(1, 40);
    assert_eq!(client.link.outstanding(), (0, 40));
    assert!(!client.link.is_closed());
    client.lost();
    assert!(client.link.is_closed() && client.actions().is_empty(), "nothing is tried again");
}

#[test]
fn leaving_before_the_server_is_reached_waits_for_nothing() {
    let mut client = Client::start(Some("ann"));
    client.actions();
    client.link.leave();
    let actions = client.actions();
    assert!(matches!(actions[..], [LinkAction::Command(ConnectionCommand::HangUp)]), "{actions:?}");
    assert!(client.link.is_closed());
}

#[test]
fn missed_messages_are_requested_and_not_counted_as_new() {
    let welcome = |sequence| v2::ServerFrame::Welcome {
        username: name("ann"),
        now: v2::UnixMillis(0),
        sequence,
        server: v2::Text::default(),
        topic: v2::Text::default(),
        present: 0,
    };
    let joined = |sequence| v2::ServerFrame::Joined {
        sequence,
        time: v2::UnixMillis(0),
        username: name("ann"),
        member: v2::MemberRevision::Revision1,
    };
    let mut client = Client::start(Some("ann"));
    client.reached();
    client.frame(welcome(4));
    client.frame(joined(5));
    client.actions();
    client.lost();
    client.link.reconnect();
    let actions = client.actions();
    let asks = |action: &LinkAction| {
        matches!(action, LinkAction::Connect(ConnectionAttempt { last_sequence: 5, .. }))
    };
    assert!(actions.iter().any(asks), "{actions:?}");
    client.generation = 2;
    client.reached();
    client.frame(welcome(7));
    client.actions();
    client.frame(v2::ServerFrame::Said {
        sequence: 6,
        time: v2::UnixMillis(1000),
        username: name("ann"),
        text: say("hi"),
        flags: 1 | 2,
    });
    let shown = client.actions();
    assert!(
        matches!(
            &shown[..],
            [LinkAction::Report(LinkEvent::Emit(Event::HistoryMessage { missed: true, message }))]
                if message.action
        ),
        "{shown:?}"
    );
    client.frame(v2::ServerFrame::HistoryEnd { oldest: 1 });
    assert_eq!(client.events(), [Event::HistoryEnd { messages: 1, more: true }]);
    client.frame(joined(8));
    client.actions();
    client.link.fetch_history();
    let asked = client.actions();
    let recall = ConnectionCommand::Recall { before: 5, count: 100 };
    assert!(
        matches!(&asked[..], [LinkAction::Command(command)] if format!("{command:?}") == format!("{recall:?}")),
        "{asked:?}"
    );
}
