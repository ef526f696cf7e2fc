//! Who is here, as the hub sees it.

use super::{Client, joined, message, name};
use crate::client::api::event::Event;
use crate::client::link::view::ServerView;
use crate::client::messages::ServerCommand;
use crate::protocol::ServerFrame;

/// Reports everything to the hub.
fn report(view: &mut ServerView, client: &mut Client) {
    client.actions();
    view.update(Some(client.link.standing()), client.link.changed_roster());
}

fn finds(view: &ServerView, who: &str) -> Option<String> {
    view.roster().find(&name(who).folded()).map(ToString::to_string)
}

#[test]
fn the_hub_sees_the_roster_of_the_link() {
    let (mut view, mut client) = (ServerView::new(), Client::signed_in());
    report(&mut view, &mut client);
    assert_eq!((view.me(), view.is_joined(), view.is_ready()), (Some(&name("ann")), true, true));
    assert!(
        view.roster().may_be_here(&name("bob").folded()),
        "the server has not announced those present"
    );
    client.frame(joined("Bob"));
    client.frame(message("eve", "hello"));
    report(&mut view, &mut client);
    assert_eq!(finds(&view, "bob").as_deref(), Some("Bob"));
    assert_eq!(finds(&view, "EVE").as_deref(), Some("eve"), "has spoken, if not announced");
    client.frame(ServerFrame::Left(name("bob")));
    report(&mut view, &mut client);
    assert_eq!(finds(&view, "bob"), None);
    assert!(!view.roster().may_be_here(&name("bob").folded()));
    client.lost();
    report(&mut view, &mut client);
    assert_eq!((finds(&view, "eve"), view.is_joined()), (None, false));
    assert_eq!(view.me(), Some(&name("ann")), "private sessions outlive the server");
}

#[test]
fn messages_of_known_users_do_not_change_the_roster() {
    let mut client = Client::signed_in();
    client.frame(joined("bob"));
    client.frame(message("eve", "hello"));
    assert!(client.link.changed_roster().is_some());
    for from in ["bob", "eve", "ann"] {
        client.frame(message(from, "hello"));
    }
    assert!(client.link.changed_roster().is_none());
}

#[test]
fn present_users_are_listed_by_name() {
    let mut client = Client::signed_in();
    for who in ["Zoe", "bob"] {
        client.frame(joined(who));
    }
    client.actions();
    let (room, _) = tokio::sync::oneshot::channel();
    client.link.run(ServerCommand::ListPresent, room);
    let usernames = ["ann", "bob", "Zoe"].map(name).to_vec();
    assert_eq!(client.events(), [Event::Present { usernames }]);
}
