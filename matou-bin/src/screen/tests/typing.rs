//! The line that is typed: completion, pastes, history.

use crossterm::event::KeyCode;
use matou_actors::client::{Command, Direction, Event, TransferId};

use super::started;
use crate::screen::state::event::{Listing, UiEffect, UiEvent};
use crate::screen::testing::test_screen::{TestScreen, name, text};

const SIZE: (u16, u16) = (80, 24);

#[test]
fn tab_completes_commands_names_and_paths() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.types("al").key(KeyCode::Tab);
    assert!(scene.shows("room › alice: "));
    scene.ctrl('u').types("/ms").key(KeyCode::Tab).types("ca").key(KeyCode::Tab);
    assert!(scene.shows("› /msg carol "));
    scene.ctrl('u').types("/send alice ~/pi").key(KeyCode::Tab);
    assert_eq!(scene.effects.last(), Some(&UiEffect::List("/home/me/".into())));
    let names = vec![("pictures".into(), true), ("pie.txt".into(), false)];
    scene.update(UiEvent::Listed(Listing { folder: "/home/me/".into(), names }));
    assert!(scene.shows("/send alice ~/pictures/"));
    scene.key(KeyCode::Tab);
    assert!(scene.shows("/send alice ~/pie.txt"));
    scene.key(KeyCode::BackTab);
    assert!(scene.shows("/send alice ~/pictures/"));
}

#[test]
fn a_late_listing_changes_nothing() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.types("/send alice ~/pi").key(KeyCode::Tab).ctrl('u').types("hello");
    let names = vec![("pictures".into(), true)];
    scene.update(UiEvent::Listed(Listing { folder: "/home/me/".into(), names }));
    assert!(scene.shows("› hello "));
}

#[test]
fn several_pasted_lines_are_asked_about() {
    let mut scene = TestScreen::signed_in(SIZE);
    let paste = || UiEvent::Paste("one\r\n/quit\n\nthree\n".into());
    scene.update(paste());
    assert!(scene.shows("Send 4 lines?"));
    scene.key(KeyCode::Esc);
    assert_eq!(scene.sent(), []);
    scene.update(paste()).reads().key(KeyCode::Enter);
    let lines = ["one", "/quit", " ", "three"].map(|line| Command::Say(text(line)));
    assert_eq!(scene.sent(), lines, "what is pasted is said, never run");
    scene.update(UiEvent::Paste("just one".into()));
    assert!(scene.shows("› just one"));
}

#[test]
fn an_edited_paste_keeps_its_blank_lines_and_tabs() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.update(UiEvent::Paste("if a\n\n\tb\n".into())).reads();
    scene.key(KeyCode::Tab).reads().key(KeyCode::Enter).key(KeyCode::Enter);
    let lines = ["if a", " ", "    b"].map(|line| Command::Say(text(line)));
    assert_eq!(scene.sent(), lines);
}

#[test]
fn a_paste_can_be_sent_as_a_file_that_is_removed_afterwards() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('2').update(UiEvent::Paste("a\nb".into()));
    scene.key(KeyCode::BackTab).reads().key(KeyCode::Enter);
    let to = name("alice");
    assert_eq!(
        scene.effects.last(),
        Some(&UiEffect::StorePaste { to: to.clone(), text: "a\nb".into() })
    );
    scene.update(UiEvent::Stored(to.clone(), Ok("/tmp/x".into())));
    let path = std::path::PathBuf::from("/tmp/x");
    assert_eq!(
        scene.sent(),
        [Command::Send { to: to.clone(), path: path.clone(), or: Vec::new(), several: Vec::new() }]
    );
    let id = TransferId(1);
    scene.chat(started(1)).chat(Event::FileSent {
        id,
        to,
        size: 3,
        path: path.clone(),
        received: false,
    });
    assert_eq!(scene.effects.last(), Some(&UiEffect::RemovePaste(path)));
}

#[test]
fn in_a_private_tab_a_command_without_a_name_means_its_peer() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('2').enters("/send notes.txt").enters("/msg so it is");
    let (to, path, or) = (name("alice"), "notes.txt".into(), Vec::new());
    let tell = Command::Tell { to: to.clone(), text: text("so it is") };
    assert_eq!(scene.sent(), [Command::Send { to, path, or, several: Vec::new() }, tell]);
    assert!(!scene.shows("in their tab"), "{}", scene.screen());
}

#[test]
fn output_in_another_tab_is_announced_where_the_command_was_typed() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('1').enters("/msg alice psst");
    assert!(scene.shows("Your message for alice is in their tab."), "{}", scene.screen());
    scene.enters("/send alice notes.txt");
    assert!(scene.shows("Your file for alice is in their tab."), "{}", scene.screen());
}

#[test]
fn half_typed_room_input_is_in_the_history_of_the_next_run() {
    for (typed, kept) in [("half a sent", true), ("/msg alice psst", false), ("  ", false)] {
        let mut scene = TestScreen::signed_in(SIZE);
        scene.types(typed).ctrl('c');
        let remember = UiEffect::Remember(typed.into());
        assert_eq!(scene.effects.contains(&remember), kept, "{typed}");
    }
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('2').types("half a secret").ctrl('c');
    assert!(!scene.effects.iter().any(|effect| matches!(effect, UiEffect::Remember(_))));
}

#[test]
fn lines_arriving_as_keys_at_once_are_handled_like_a_paste() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.arrives_at_once("one\ntwo\nthree");
    assert_eq!(scene.sent(), []);
    scene.app.take_dirty();
    scene.wait(1);
    assert!(scene.app.take_dirty(), "the question is drawn");
    assert!(scene.shows("Send 3 lines?"), "{}", scene.screen());
    scene.key(KeyCode::Esc);
    assert_eq!(scene.sent(), []);
    scene.arrives_at_once("one line\n");
    scene.wait(1);
    assert_eq!(scene.sent(), [Command::Say(text("one line"))]);
}

#[test]
fn a_paste_right_after_an_enter_is_not_sent_with_the_line_before_it() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.arrives_at_once("hello\n").update(UiEvent::Paste("a secret".into()));
    scene.wait(1);
    assert_eq!(scene.sent(), [Command::Say(text("hello"))]);
    assert!(scene.shows("a secret"), "it is in the line: {}", scene.screen());
}

#[test]
fn a_line_whose_enter_waits_is_sent_before_the_screen_is_left() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.arrives_at_once("good night\n").ctrl('c');
    assert_eq!(scene.sent().first(), Some(&Command::Say(text("good night"))));
}

#[test]
fn partial_pastes_are_kept_when_the_screen_closes() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.arrives_at_once("one\ntwo").ctrl('c');
    assert!(scene.effects.contains(&UiEffect::Remember("one\\ntwo".into())), "{:?}", scene.effects);
    let mut scene = TestScreen::signed_in(SIZE);
    scene.moves(1, Direction::Outgoing, 10, 1).arrives_at_once("one\ntwo").ctrl('c');
    scene.key(KeyCode::Esc);
    assert!(scene.shows("one") && scene.shows("two"), "{}", scene.screen());
    assert!(!scene.sent().iter().any(|sent| matches!(sent, Command::Say(_))));
}

/// The disk answers that a line is the path of this file, or of none.
fn looked_up(scene: &mut TestScreen, found: Option<&str>) {
    let Some(UiEffect::FindFile { line, .. }) = scene.effects.last() else {
        panic!("{:?}", scene.effects)
    };
    let line = line.clone();
    scene.effects.clear();
    scene.update(UiEvent::FileFound(line, found.map(Into::into)));
}

#[test]
fn a_dropped_file_opens_a_question_and_its_path_is_not_sent() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('2').update(UiEvent::Paste("'/tmp/a b.txt'".into()));
    scene.key(KeyCode::Enter);
    looked_up(&mut scene, Some("/tmp/a b.txt"));
    assert!(scene.shows("That is a file. Send a b.txt to alice"), "{}", scene.screen());
    scene.reads().key(KeyCode::Enter);
    let (to, path, or) = (name("alice"), "/tmp/a b.txt".into(), Vec::new());
    assert_eq!(scene.sent(), [Command::Send { to, path, or, several: Vec::new() }]);
}

#[test]
fn several_dropped_files_become_a_command_and_their_paths_are_not_sent() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('2').update(UiEvent::Paste("'/tmp/a b' /tmp/c".into()));
    scene.key(KeyCode::Enter);
    looked_up(&mut scene, Some("/tmp/a b"));
    assert_eq!(scene.sent(), []);
    assert!(scene.shows("/send '/tmp/a b' /tmp/c"), "{}", scene.screen());
    scene.key(KeyCode::Enter);
    let (to, path, or) = (name("alice"), "'/tmp/a b' /tmp/c".into(), Vec::new());
    let several = vec!["/tmp/a b".into(), "/tmp/c".into()];
    assert_eq!(scene.sent(), [Command::Send { to, path, or, several }]);
}

#[test]
fn a_file_dropped_on_the_room_needs_a_name() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("file:///tmp/a%20b");
    looked_up(&mut scene, Some("/tmp/a b"));
    assert!(scene.shows("which can only be sent to one person"), "{}", scene.screen());
    scene.reads().key(KeyCode::Enter).types("alice");
    assert!(scene.shows("› /send alice file:///tmp/a%20b"), "{}", scene.screen());
    assert_eq!(scene.sent(), []);
}

#[test]
fn the_path_of_a_file_can_be_sent_as_text_and_esc_keeps_it() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("/etc/hosts");
    looked_up(&mut scene, Some("/etc/hosts"));
    scene.key(KeyCode::Esc);
    assert!(scene.shows("› /etc/hosts"), "{}", scene.screen());
    scene.key(KeyCode::Enter);
    looked_up(&mut scene, Some("/etc/hosts"));
    scene.reads().key(KeyCode::Tab).reads().key(KeyCode::Enter);
    assert_eq!(scene.sent(), [Command::Say(text("/etc/hosts"))]);
}

#[test]
fn input_that_names_no_file_is_sent_as_typed() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("\"/quoted\" words");
    assert_eq!(scene.sent(), [Command::Say(text("\"/quoted\" words"))], "no single word");
    scene.enters("'/no/such'");
    looked_up(&mut scene, None);
    assert_eq!(scene.sent(), [Command::Say(text("'/no/such'"))]);
    scene.enters("/mgs/x");
    looked_up(&mut scene, None);
    assert!(scene.shows("Unknown command /mgs/x"), "{}", scene.screen());
}

#[test]
fn a_disk_that_hangs_does_not_keep_a_line_for_ever() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("'/slow'").key(KeyCode::Enter);
    assert!(scene.shows("Checking whether that is a file"), "{}", scene.screen());
    scene.wait(3).key(KeyCode::Enter);
    assert_eq!(scene.sent(), [Command::Say(text("'/slow'"))]);
}

#[test]
fn private_text_is_recalled_only_in_its_tab_and_never_written() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('2').enters("secret").alt('1').enters("public");
    scene.enters("/msg alice hidden").enters("/who");
    let written: Vec<_> =
        scene.effects.iter().filter(|e| matches!(e, UiEffect::Remember(_))).collect();
    let expected = [UiEffect::Remember("public".into()), UiEffect::Remember("/who".into())];
    assert_eq!(written, expected.iter().collect::<Vec<_>>());
    for _ in 0..5 {
        scene.key(KeyCode::Up);
        assert!(!scene.shows("› secret"));
    }
    scene.alt('2').key(KeyCode::Up).key(KeyCode::Up).key(KeyCode::Up).key(KeyCode::Up);
    assert!(scene.shows("› secret"));
}

#[test]
fn history_is_searched_and_found_lines_can_be_sent() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("first needle").enters("other").enters("second needle");
    scene.sent();
    scene.ctrl('r').types("need");
    assert!(scene.shows("second needle"));
    scene.ctrl('r');
    assert!(scene.shows("history: need   first needle"));
    scene.key(KeyCode::Enter).key(KeyCode::Enter);
    assert_eq!(scene.sent(), [Command::Say(text("first needle"))]);
}

#[test]
fn a_search_for_nothing_finds_nothing() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("first needle").types("draft").ctrl('r').types("n").key(KeyCode::Backspace);
    scene.key(KeyCode::Enter);
    assert!(scene.shows("› draft"), "{}", scene.screen());
}

#[test]
fn a_paste_into_a_dialog_is_accepted_or_reported_as_ignored() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("first needle").enters("other").ctrl('r');
    scene.update(UiEvent::Paste("need\nmore".into()));
    assert!(scene.shows("history: need   first needle"), "{}", scene.screen());
    scene.ctrl('c').update(UiEvent::Paste("a\nb".into())).update(UiEvent::Paste("c\nd".into()));
    assert!(scene.shows("Send 2 lines?") && scene.shows("Paste ignored"));
}

#[test]
fn escape_before_a_key_stands_for_alt() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").key(KeyCode::Esc).types("2");
    assert!(scene.shows("[2 alice]"));
    scene.key(KeyCode::Esc).wait(3).types("1");
    assert!(scene.shows("[2 alice]") && scene.shows("› 1"), "not for ever");
    scene.alt('a');
    assert!(scene.shows("No unread messages"));
    scene.key(KeyCode::Esc).types("1");
    assert!(scene.shows("[1 room]"), "whatever stands in the status line");
    scene.types("/q").key(KeyCode::Tab).key(KeyCode::Esc).types("2");
    assert!(scene.shows("[1 room]"), "who dismisses a completion goes on typing");
}

#[test]
fn the_key_that_leaves_closes_what_is_open_in_front_first() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("first needle").sent();
    scene.types("draft").ctrl('r').types("need").ctrl('c');
    assert!(scene.shows("› draft"), "{}", scene.screen());
    scene.ctrl('s').types("x").ctrl('c').key(KeyCode::F(1)).ctrl('c');
    assert!(scene.shows("› draft") && !scene.shows("Matou: keys"));
    scene.update(UiEvent::Paste("a\nb".into())).ctrl('c');
    assert_eq!(scene.sent(), []);
    scene.ctrl('c');
    assert_eq!(scene.sent(), [Command::Quit]);
}

#[test]
fn private_text_is_not_kept_whatever_its_first_line_is() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('2');
    for text in ["\nsecret words", " \nsecret words"] {
        scene.update(UiEvent::Paste(text.into())).key(KeyCode::Tab).reads();
        scene.key(KeyCode::Enter).key(KeyCode::Enter);
        assert!(!scene.sent().is_empty(), "{text:?}");
    }
    let kept = scene.effects.iter().any(|effect| matches!(effect, UiEffect::Remember(_)));
    assert!(!kept, "{:?}", scene.effects);
    scene.alt('1').key(KeyCode::Up);
    assert!(!scene.shows("secret"));
}

#[test]
fn a_click_finds_its_place_in_a_long_line_at_once() {
    let mut line = crate::screen::state::input_line::InputLine::default();
    // Laid out once for each of its characters it would take minutes.
    line.insert(&"word ".repeat(6_000));
    line.click(80, 3, 100);
    line.insert("|");
    assert_eq!(line.text().find('|'), Some(80 * 100 + 3));
}
