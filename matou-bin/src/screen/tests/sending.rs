//! What is sent of what was typed and pasted, and what never goes to the wrong ones.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use matou_actors::client::{Command, Event};

use crate::screen::state::event::UiEvent;
use crate::screen::testing::test_screen::{TestScreen, text};

const SIZE: (u16, u16) = (80, 24);

fn lines() -> UiEvent {
    UiEvent::Paste("one\ntwo".into())
}

/// Presses a key with Alt that is no letter.
fn alt_enter(scene: &mut TestScreen) {
    scene.update(UiEvent::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT)));
}

#[test]
fn key_combinations_do_not_answer_the_paste_prompt() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('2').update(lines());
    scene.alt('y').ctrl('y').alt('n').ctrl('n').ctrl('f').alt('e');
    alt_enter(&mut scene);
    assert!(scene.shows("Send 2 lines?"), "{}", scene.screen());
    assert_eq!(scene.effects, []);
    scene.key(KeyCode::Char('y'));
    assert_eq!(scene.sent().len(), 2);
    scene.alt('w').alt('y');
    assert!(scene.shows("[2 alice]") && scene.sent().is_empty(), "a combination ends no talk");
}

#[test]
fn an_offline_paste_stays_open() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.chat(Event::Disconnected { reason: "gone".into() });
    scene.update(lines()).key(KeyCode::Char('y'));
    assert_eq!(scene.sent(), []);
    assert!(scene.shows("Not connected") && scene.shows("Send 2 lines?"), "{}", scene.screen());
    scene.sign_in().key(KeyCode::Char('y'));
    assert_eq!(scene.sent(), [Command::Say(text("one")), Command::Say(text("two"))]);
}

#[test]
fn a_command_in_a_later_line_is_not_sent() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.types("hello");
    alt_enter(&mut scene);
    scene.types("/msg ann secret").key(KeyCode::Enter);
    assert_eq!(scene.sent(), []);
    assert!(scene.shows("/msg ann secret") && scene.shows("Nothing sent"));
    scene.ctrl('a').types("/").key(KeyCode::Enter);
    let said = ["hello", "/msg ann secret"].map(|line| Command::Say(text(line)));
    assert_eq!(scene.sent(), said);
}
