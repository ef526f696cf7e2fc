//! Typing in a private session, as the other side learns of it and as it is shown.

use crossterm::event::KeyCode;
use matou_actors::client::{Command, Event, LinkSecurity};

use crate::screen::config::settings::ScreenSettings;
use crate::screen::testing::test_screen::{TestScreen, address, name, text};

const SIZE: (u16, u16) = (100, 24);

/// The notices sent to alice since the last call.
fn announced(scene: &mut TestScreen) -> Vec<bool> {
    let typing = std::mem::take(&mut scene.typing).into_iter();
    typing.filter_map(|(to, active)| (to == name("alice")).then_some(active)).collect()
}

fn with_alice() -> TestScreen {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('2');
    scene
}

#[test]
fn typing_is_announced_now_and_then_and_no_more_once_the_line_is_empty() {
    let mut scene = with_alice();
    scene.types("hel");
    assert_eq!(announced(&mut scene), [true]);
    scene.wait(4).types("lo");
    assert_eq!(announced(&mut scene), [true]);
    scene.key(KeyCode::PageUp);
    scene.wait(4).key(KeyCode::PageUp);
    assert!(announced(&mut scene).is_empty(), "reading is not typing");
    for _ in 0..5 {
        scene.key(KeyCode::Backspace);
    }
    assert_eq!(announced(&mut scene), [true, false]);
    scene.types("hi").key(KeyCode::Enter);
    assert_eq!(scene.sent(), [Command::Tell { to: name("alice"), text: text("hi") }]);
    assert_eq!(announced(&mut scene), [true, false]);
}

#[test]
fn typing_is_not_announced_for_commands_the_room_plain_sessions_or_when_off() {
    let mut scene = with_alice();
    scene.types("/whois alice");
    assert!(announced(&mut scene).is_empty());
    scene.alt('1').types("hello");
    assert!(announced(&mut scene).is_empty());
    let mut plain = TestScreen::signed_in(SIZE);
    let security = LinkSecurity::Plain;
    plain.chat(Event::PrivateOpened { with: name("alice"), address: address(), security });
    plain.alt('2').types("hello");
    assert!(announced(&mut plain).is_empty());
    let settings = ScreenSettings { typing: false, ..ScreenSettings::default() };
    let mut quiet = TestScreen::new(SIZE, Some("bob"), settings);
    quiet.sign_in().opens("alice").alt('2').types("hello");
    assert!(announced(&mut quiet).is_empty());
}

#[test]
fn the_typing_notice_ends_with_a_stop_a_message_or_silence() {
    let typing = |active| Event::Typing { from: name("alice"), active };
    let mut scene = with_alice();
    scene.chat(typing(true));
    assert!(scene.shows("alice is typing…"), "{}", scene.screen());
    scene.chat(typing(false));
    assert!(!scene.shows("is typing"));
    scene.chat(typing(true)).whispers("alice", "bob", "there");
    assert!(!scene.shows("is typing"));
    scene.chat(typing(true)).wait(5);
    assert!(scene.shows("is typing"));
    scene.wait(2);
    assert!(!scene.shows("is typing"));
    scene.chat(typing(true)).alt('1');
    assert!(!scene.shows("is typing"), "it is said where it is read");
}
