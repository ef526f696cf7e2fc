//! Choosing one of several servers that were found.

use crossterm::event::KeyCode;
use matou_actors::client::{Command, ServerName};

use crate::screen::state::modal::ServerChoice;
use crate::screen::testing::test_screen::TestScreen;

const SIZE: (u16, u16) = (80, 24);

fn server(name: &str, address: &str, is_known: bool) -> ServerChoice {
    let servers = vec![ServerName::parse(address).unwrap()];
    ServerChoice { name: name.into(), address: address.into(), servers, is_known }
}

fn choosing(username: Option<&str>) -> TestScreen {
    let servers =
        vec![server("Ship", "192.0.2.1:6286", true), server("Kitchen", "192.0.2.2:7000", false)];
    TestScreen::choosing(SIZE, username, servers)
}

fn uses(address: &str) -> [Command; 1] {
    [Command::UseServers(ServerName::parse_list(address).unwrap())]
}

#[test]
fn the_selected_server_is_joined() {
    let mut scene = choosing(Some("bob"));
    assert!(scene.shows(" 1  Ship     192.0.2.1:6286  known"), "{}", scene.screen());
    assert!(scene.shows("not known yet") && scene.shows("no server chosen"));
    scene.key(KeyCode::Down).key(KeyCode::Down).key(KeyCode::Enter).wait(1);
    assert_eq!(scene.sent(), uses("192.0.2.2:7000"));
    assert!(scene.shows("Connecting to Kitchen (192.0.2.2:7000)") && !scene.shows("Join which"));
}

#[test]
fn a_server_is_joined_by_its_number_or_another_one_by_its_address() {
    let mut scene = choosing(None);
    scene.types("3").key(KeyCode::Enter).wait(1);
    assert_eq!(scene.sent(), []);
    assert!(scene.shows("There is no server 3"), "{}", scene.screen());
    scene.key(KeyCode::Backspace).types("2").key(KeyCode::Enter).wait(1);
    assert_eq!(scene.sent(), uses("192.0.2.2:7000"));
    assert!(scene.shows("Connecting to Kitchen (192.0.2.2:7000)…"), "the name is asked for next");

    let mut scene = choosing(None);
    scene.types("chat.example").key(KeyCode::Enter).wait(1);
    assert_eq!(scene.sent(), uses("chat.example:6286"));

    let mut scene = choosing(None);
    scene.types("a.example, b.example").key(KeyCode::Enter).wait(1);
    assert_eq!(scene.sent(), uses("a.example,b.example"));
    assert!(scene.shows("a.example:6286, b.example:6286"), "{}", scene.screen());
}

#[test]
fn a_list_that_does_not_fit_is_seen_where_it_is_selected() {
    let servers = (0..40).map(|number| server(&format!("s{number}"), "192.0.2.1:1", false));
    let mut scene = TestScreen::choosing((40, 10), None, servers.collect());
    assert!(scene.shows("s0 ") && !scene.shows("s30 "));
    for _ in 0..30 {
        scene.key(KeyCode::Down);
    }
    assert!(scene.shows("s30 ") && !scene.shows("s0 "), "{}", scene.screen());
}
