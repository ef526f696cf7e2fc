//! What is sent of typed and pasted input, and what never goes to the wrong recipient.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use matou_actors::client::{Command, Event};

use crate::screen::state::event::UiEvent;
use crate::screen::testing::test_screen::{TestScreen, text};

const SIZE: (u16, u16) = (80, 24);

fn lines() -> UiEvent {
    UiEvent::Paste("one\ntwo".into())
}

/// Presses Alt with a key that is not a letter.
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
    scene.reads().key(KeyCode::Enter);
    assert_eq!(scene.sent().len(), 2);
    scene.alt('w').reads().alt('y');
    assert!(scene.shows("[2 alice]") && scene.sent().is_empty(), "a combination ends no talk");
}

#[test]
fn an_offline_paste_stays_open() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.chat(Event::Disconnected { reason: "gone".into() });
    scene.update(lines()).reads().key(KeyCode::Enter);
    assert_eq!(scene.sent(), []);
    assert!(scene.shows("Not connected") && scene.shows("Send 2 lines?"), "{}", scene.screen());
    scene.sign_in().key(KeyCode::Enter);
    assert_eq!(scene.sent(), [Command::Say(text("one")), Command::Say(text("two"))]);
}

#[test]
fn letters_never_answer_the_paste_prompt_and_are_kept() {
    for typed in ["why", "hey", "fyne", "y"] {
        let mut scene = TestScreen::signed_in(SIZE);
        scene.opens("alice").alt('2').update(lines()).reads();
        scene.types(typed).key(KeyCode::Enter);
        assert_eq!(scene.effects, [], "{typed}");
        assert!(scene.shows(&format!("› {typed}")) && scene.shows("Send 2 lines?"), "{typed}");
        scene.key(KeyCode::Esc);
        assert!(scene.shows(&format!("› {typed}")), "{}", scene.screen());
        assert_eq!(scene.effects, []);
    }
}

#[test]
fn one_pasted_line_of_many_messages_is_asked_about() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.update(UiEvent::Paste("x".repeat(9_000))).reads();
    assert!(scene.shows("Send 1 line as 18 messages?"), "{}", scene.screen());
    scene.key(KeyCode::Esc);
    assert_eq!(scene.sent(), []);
}

#[test]
fn a_paste_too_large_for_the_room_names_the_only_key_that_works() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.update(UiEvent::Paste("x".repeat(200_000))).reads();
    scene.types("a").key(KeyCode::Tab).key(KeyCode::Enter);
    assert!(scene.shows("Press Esc to cancel the paste"), "{}", scene.screen());
    assert!(!scene.shows("Tab"), "{}", scene.screen());
    scene.key(KeyCode::Esc);
    assert!(scene.shows("› a") && !scene.shows("pasted"), "{}", scene.screen());
    assert_eq!(scene.sent(), []);
}

#[test]
fn letters_never_close_a_session() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('2').alt('w').reads().types("yes");
    assert_eq!(scene.sent(), []);
    assert!(scene.shows("[2 alice]") && scene.shows("› yes"), "{}", scene.screen());
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
