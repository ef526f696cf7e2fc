//! Who is here, as the hub follows it.

use super::{Client, joined, message, name};
use crate::client::api::event::Event;
use crate::client::link::view::ServerView;
use crate::client::messages::ServerCommand;
use crate::protocol::ServerFrame;

/// What the hub knows once it has all reports.
fn follow(view: &mut ServerView, client: &mut Client) {
    client.actions();
    view.update(Some(client.link.standing()), client.link.take_roster_changes());
}

fn finds(view: &ServerView, who: &str) -> Option<String> {
    view.roster().find(&name(who).folded()).map(ToString::to_string)
}

#[test]
fn the_hub_knows_who_is_here_as_the_link_does() {
    let (mut view, mut client) = (ServerView::new(), Client::signed_in());
    follow(&mut view, &mut client);
    assert_eq!((view.me(), view.is_joined(), view.is_ready()), (Some(&name("ann")), true, true));
    assert!(view.roster().may_be_here(&name("bob").folded()), "it was not said who is here");
    client.frame(joined("Bob"));
    client.frame(message("eve", "hello"));
    follow(&mut view, &mut client);
    assert_eq!(finds(&view, "bob").as_deref(), Some("Bob"));
    assert_eq!(finds(&view, "EVE").as_deref(), Some("eve"), "heard, if not announced");
    client.frame(ServerFrame::Left(name("bob")));
    follow(&mut view, &mut client);
    assert_eq!(finds(&view, "bob"), None);
    assert!(!view.roster().may_be_here(&name("bob").folded()));
    client.lost();
    follow(&mut view, &mut client);
    assert_eq!((finds(&view, "eve"), view.is_joined()), (None, false));
    assert_eq!(view.me(), Some(&name("ann")), "private sessions outlive the server");
}

#[test]
fn what_everyone_says_is_no_change_of_who_is_here() {
    let mut client = Client::signed_in();
    client.frame(joined("bob"));
    client.frame(message("eve", "hello"));
    client.link.take_roster_changes();
    for from in ["bob", "eve", "ann"] {
        client.frame(message(from, "hello"));
    }
    assert_eq!(client.link.take_roster_changes(), []);
}

#[test]
fn those_present_are_listed_by_name() {
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
