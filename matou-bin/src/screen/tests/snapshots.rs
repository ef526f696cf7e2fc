//! Pictures of whole screens as text, for the main states and sizes.

use matou_actors::client::{Direction, Event, RequestState, TransferId};

use crate::screen::config::settings::ScreenSettings;
use crate::screen::state::event::UiEvent;
use crate::screen::testing::test_screen::{TestScreen, name};

const SIZES: [(u16, u16); 3] = [(40, 10), (80, 24), (200, 60)];

/// Takes a snapshot of what `play` leads to, at every size.
fn at_every_size(state: &str, play: impl Fn(&mut TestScreen)) {
    for size in SIZES {
        let mut scene = TestScreen::signed_in(size);
        play(&mut scene);
        let label = format!("{state}_{}x{}", size.0, size.1);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(label, scene.screen());
        });
    }
}

fn some_talk(scene: &mut TestScreen) {
    scene.says("alice", "good morning everybody");
    scene.wait(60).says(
        "carol",
        "hello! has anybody seen the minutes of the last meeting? I looked \
        everywhere and could not find them, not even on the old server",
    );
    scene.wait(30).says(
        "alice",
        "they are at https://intranet.example/minutes/2026/11/20/final-version.html",
    );
    scene.enters("carol: see above").says("bob", "carol: see above");
    scene.wait(100).says("carol", "bob: thank you");
    scene.says("猫", "おはようございます");
    scene.says("Élodie", "bonjour 👩\u{200d}👩\u{200d}👧 👍🏽");
}

#[test]
fn public_talk() {
    at_every_size("public_talk", some_talk);
}

#[test]
fn private_talk() {
    at_every_size("private_talk", |scene| {
        some_talk(scene);
        scene.enters("/open alice");
        scene.chat(Event::PrivateState { with: name("alice"), state: RequestState::Asked });
        scene.enters("are you there?");
        scene.opens("alice").whispers("bob", "alice", "are you there?");
        scene.wait(20).whispers("alice", "bob", "yes, nobody else hears us");
        scene.types("splendid");
    });
}

#[test]
fn messages_that_wait_for_a_session() {
    at_every_size("waiting", |scene| {
        scene.enters("/open alice");
        scene.chat(Event::PrivateState { with: name("alice"), state: RequestState::Asked });
        scene.enters("first").enters("second");
    });
}

#[test]
fn a_request_and_an_offer_are_asked_one_after_the_other() {
    at_every_size("request", |scene| {
        some_talk(scene);
        scene.chat(Event::PrivateRequest { from: name("carol") });
        scene.offers(3);
    });
    at_every_size("offer", |scene| {
        scene.opens("alice");
        scene.offers(3);
        scene.alt('2');
    });
}

#[test]
fn transfers() {
    at_every_size("transfers", |scene| {
        scene.opens("alice");
        scene.moves(1, Direction::Outgoing, 0, 0);
        scene.moves(2, Direction::Incoming, 250_000_000, 12_500_000);
        scene.moves(3, Direction::Outgoing, 699_999_999, 3_000_000);
        scene.moves(4, Direction::Incoming, 1000, 1000);
        let path = "/home/me/Downloads/alice-2026-11-23.iso".into();
        let (id, from, size) = (TransferId(4), name("alice"), 700_000_000);
        scene.chat(Event::FileReceived { id, from, size, path });
        scene.moves(5, Direction::Incoming, 1000, 1000);
        let reason = "alice closed the connection; 1.0 kB are kept in file5.iso.part".into();
        let (id, direction, with) = (TransferId(5), Direction::Incoming, name("alice"));
        scene.chat(Event::FileFailed { id, direction, with, path: None, refused: false, reason });
        scene.offers(6);
        scene.enters("/transfers");
    });
}

#[test]
fn the_server_is_lost() {
    at_every_size("lost", |scene| {
        some_talk(scene);
        let reason = "the server closed the connection".to_owned();
        scene.chat(Event::Disconnected { reason });
        let reason = "connection refused".to_owned();
        scene.chat(Event::Reconnecting { attempt: 3, delay_ms: 4200, reason });
        scene.wait(1);
    });
}

#[test]
fn unread_lines_tabs_joins_and_leaves() {
    at_every_size("unread", |scene| {
        some_talk(scene);
        scene.opens("carol").alt('2');
        for n in 0..12 {
            scene.chat(Event::Joined { username: name(&format!("guest{n}")), present: false });
        }
        for n in 0..3 {
            scene.chat(Event::Left { username: name(&format!("guest{n}")) });
        }
        scene.wait(86_400).says("alice", "the next day").says("alice", "Bob, are you there?");
        scene.alt('1').whispers("carol", "bob", "psst");
    });
}

#[test]
fn help_sign_in_paste_and_search() {
    at_every_size("help", |scene| {
        scene.enters("/help");
    });
    for size in SIZES {
        let mut scene = TestScreen::new(size, None, ScreenSettings::default());
        scene.chat(Event::NameNeeded { server: "chat.example:6286".into() }).enters("b_b");
        let label = format!("sign_in_{}x{}", size.0, size.1);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(label, scene.screen());
        });
    }
    at_every_size("paste", |scene| {
        scene.opens("alice").alt('2');
        scene.update(UiEvent::Paste("one\ntwo\nthree\n".into()));
    });
    at_every_size("search", |scene| {
        some_talk(scene);
        scene.ctrl('s').types("MINUTES");
    });
}

#[test]
fn several_lines_are_typed() {
    at_every_size("typing", |scene| {
        some_talk(scene);
        let words =
            "a long line with 日本語 and more words than fit into one row of a small screen";
        scene.types(words);
        scene.update(UiEvent::Key(crossterm::event::KeyEvent::new(
            crossterm::event::KeyCode::Enter,
            crossterm::event::KeyModifiers::ALT,
        )));
        scene.types("and a second one");
    });
}

#[test]
fn a_terminal_that_is_too_small_shows_a_message() {
    for size in [(39, 10), (40, 9), (3, 2), (1, 1)] {
        let scene = TestScreen::signed_in(size);
        let shown = scene.screen();
        assert!(size.0 < 5 || shown.contains("Terminal too small"), "{shown}");
    }
}
