//! Earlier messages: where they are shown, and how more are fetched.

use crossterm::event::KeyCode;
use matou_actors::client::{Command, Event, PastMessage};
use matou_actors::protocol::MessageText;

use crate::screen::state::event::UiEffect;
use crate::screen::testing::test_screen::{TestScreen, name};

const SIZE: (u16, u16) = (80, 24);

fn message(text: &str) -> PastMessage {
    PastMessage {
        from: name("alice"),
        text: MessageText::parse(text).unwrap(),
        action: false,
        sent: "2026-01-01T12:00:00Z".parse().unwrap(),
    }
}

fn earlier(scene: &mut TestScreen, text: &str, missed: bool) {
    scene.chat(Event::HistoryMessage { message: message(text), missed });
}

/// How often more was asked for since this was called last.
fn fetched(scene: &mut TestScreen) -> usize {
    let effects = std::mem::take(&mut scene.effects);
    let asks = |effect: &&UiEffect| matches!(effect, UiEffect::Send(Command::FetchHistory));
    effects.iter().filter(asks).count()
}

#[test]
fn the_beginning_of_new_messages_is_marked() {
    let mut scene = TestScreen::signed_in(SIZE);
    earlier(&mut scene, "long ago", false);
    scene.chat(Event::HistoryEnd { messages: 1, more: false }).says("carol", "new");
    let screen = scene.screen();
    let at = |text: &str| screen.find(text).unwrap_or_else(|| panic!("{text} in\n{screen}"));
    assert!(at("long ago") < at("Earlier messages end here") && at("end here") < at("new"));
}

#[test]
fn only_missed_messages_are_unread() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.key(KeyCode::F(3));
    scene.says("alice", "x").opens("alice").alt('2');
    earlier(&mut scene, "long ago", false);
    assert!(!scene.shows("room +1"), "{}", scene.screen());
    earlier(&mut scene, "a moment ago", true);
    assert!(scene.shows("room +1"), "{}", scene.screen());
}

#[test]
fn more_is_fetched_once_at_the_top_and_the_view_stays() {
    let mut scene = TestScreen::signed_in(SIZE);
    for number in 0..100 {
        scene.says("carol", &format!("line {number}"));
    }
    scene.key(KeyCode::Home);
    assert_eq!(fetched(&mut scene), 0, "the server has nothing more");
    scene.chat(Event::HistoryEnd { messages: 0, more: true }).key(KeyCode::End);
    assert_eq!(fetched(&mut scene), 0);
    scene.key(KeyCode::Home).key(KeyCode::PageUp);
    assert_eq!(fetched(&mut scene), 1);
    let before = scene.screen();
    scene.chat(Event::History { messages: vec![message("older"), message("old")], more: true });
    assert!(!scene.shows("older"), "{}", scene.screen());
    assert!(before.contains("line 0") && scene.shows("line 0"));
    scene.key(KeyCode::PageUp);
    assert!(scene.shows("older") && scene.shows("old"), "{}", scene.screen());
    assert_eq!(fetched(&mut scene), 1);
    scene.chat(Event::History { messages: vec![], more: false }).key(KeyCode::PageUp);
    assert_eq!(fetched(&mut scene), 0);
}
