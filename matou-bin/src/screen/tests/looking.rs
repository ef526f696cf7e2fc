//! Viewing: scrolling, searching, the mouse, copy mode, and no needless drawing.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use matou_actors::client::{Command, Direction, Event, TransferId};

use crate::screen::state::event::{UiEffect, UiEvent};
use crate::screen::testing::test_screen::{TestScreen, name};

const SIZE: (u16, u16) = (80, 24);

#[test]
fn search_scrolls_to_its_match_and_escape_returns() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.says("alice", "the needle");
    for n in 0..200 {
        scene.says("carol", &format!("hay {n}"));
    }
    scene.ctrl('s').types("NEEDLE");
    assert!(scene.shows("the needle") && !scene.shows("hay 199"));
    scene.key(KeyCode::Esc);
    assert!(scene.shows("hay 199"));
    scene.ctrl('s').types("nothing like it");
    assert!(scene.shows("not found"));
}

#[test]
fn a_search_that_ends_at_the_end_has_seen_it() {
    let mut scene = TestScreen::signed_in(SIZE);
    for n in 0..100 {
        scene.says("carol", &format!("hay {n}"));
    }
    scene.key(KeyCode::PageUp).says("carol", "the needle");
    assert!(scene.shows("room +1"));
    scene.ctrl('s').types("needle").key(KeyCode::Enter);
    assert!(scene.shows("the needle") && !scene.shows("room +1"), "{}", scene.screen());
}

#[test]
fn the_help_page_has_an_end_and_other_keys_close_it() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.key(KeyCode::F(1));
    for _ in 0..100 {
        scene.wheel(false);
    }
    let end = scene.screen();
    scene.key(KeyCode::End);
    assert_eq!(scene.screen(), end);
    scene.wheel(true);
    assert_ne!(scene.screen(), end, "it goes back at once");
    scene.key(KeyCode::End).update(UiEvent::Resize(80, 50));
    let screen = scene.screen();
    let last = screen.lines().nth(48).unwrap();
    assert_ne!(last.trim_matches('"').trim(), "", "{screen}");
    for code in [KeyCode::Tab, KeyCode::Left, KeyCode::Backspace, KeyCode::Char('x')] {
        scene.key(code);
        assert!(!scene.shows("any other key closes"), "{code:?}");
        scene.key(KeyCode::F(1));
        assert!(scene.shows("any other key closes"));
    }
}

#[test]
fn messages_while_scrolled_back_are_counted_and_do_not_scroll() {
    let mut scene = TestScreen::signed_in(SIZE);
    for n in 0..100 {
        scene.says("carol", &format!("hay {n}"));
    }
    scene.key(KeyCode::PageUp);
    let before = scene.screen().lines().nth(3).unwrap().to_owned();
    scene.says("carol", "new one").says("carol", "bob: new two");
    assert_eq!(scene.screen().lines().nth(3), Some(before.as_str()));
    assert!(scene.shows("2 new below"));
    scene.key(KeyCode::End);
    assert!(scene.shows("new one") && scene.shows("unread") && !scene.shows("new below"));
    scene.key(KeyCode::Home);
    assert!(scene.shows("hay 0 "));
}

#[test]
fn the_status_line_repeats_no_reason_that_was_just_shown() {
    let mut scene = TestScreen::signed_in((200, 24));
    scene.chat(Event::Disconnected { reason: "no route".into() });
    scene.chat(Event::Reconnecting { attempt: 1, delay_ms: 500, reason: "no route".into() });
    assert!(scene.shows("attempt 1 in 1 s"), "{}", scene.screen());
    assert_eq!(scene.screen().matches("no route").count(), 1, "{}", scene.screen());
    scene.chat(Event::Reconnecting { attempt: 2, delay_ms: 500, reason: "timed out".into() });
    assert!(scene.shows("retry now (timed out)"), "{}", scene.screen());
}

#[test]
fn the_countdown_to_the_next_attempt_counts() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.chat(Event::Disconnected { reason: "gone".into() });
    let reason = "connection refused".to_owned();
    scene.chat(Event::Reconnecting { attempt: 2, delay_ms: 5000, reason });
    assert!(scene.shows("attempt 2 in 5 s"));
    assert!(scene.app.idle_for() <= std::time::Duration::from_secs(1));
    scene.wait(3);
    assert!(scene.shows("attempt 2 in 2 s"));
    scene.wait(3);
    assert!(scene.shows("attempt 2 now"));
}

#[test]
fn an_idle_screen_is_not_redrawn() {
    let mut scene = TestScreen::signed_in(SIZE);
    assert!(scene.app.take_dirty());
    scene.wait(10);
    assert!(!scene.app.take_dirty());
    assert_eq!(scene.app.idle_for().as_secs(), 50, "until the clock shows the next minute");
    scene.wait(50);
    assert!(scene.app.take_dirty());
}

#[test]
fn the_mouse_switches_tabs_scrolls_and_answers() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice");
    scene.chat(Event::PrivateRequest { from: name("carol") });
    let mouse = |scene: &mut TestScreen, kind, at: (u16, u16)| {
        let modifiers = KeyModifiers::NONE;
        scene.update(UiEvent::Mouse(MouseEvent { kind, column: at.0, row: at.1, modifiers }));
    };
    let click = MouseEventKind::Down(MouseButton::Left);
    mouse(&mut scene, click, (11, 0));
    assert!(scene.shows("[2 alice]"), "{}", scene.screen());
    let accept = scene.screen().lines().nth(21).unwrap().find("Alt-Y").unwrap();
    scene.reads();
    mouse(&mut scene, click, (u16::try_from(accept).unwrap(), 21));
    assert_eq!(scene.sent(), [Command::Accept(name("carol"))]);
    scene.alt('1');
    for n in 0..100 {
        scene.says("carol", &format!("hay {n}"));
    }
    mouse(&mut scene, MouseEventKind::ScrollUp, (5, 5));
    assert!(!scene.shows("hay 99"));
    mouse(&mut scene, MouseEventKind::ScrollDown, (5, 5));
    assert!(scene.shows("hay 99"));
    mouse(&mut scene, click, (70, 5));
    assert!(scene.shows("requests a private session"), "{}", scene.screen());
    assert_eq!(scene.sent(), [], "a click alone requests no session");
}

#[test]
fn the_user_list_is_never_scrolled_past_its_end() {
    let mut scene = TestScreen::signed_in(SIZE);
    for n in 0..60 {
        scene.chat(Event::Joined { username: name(&format!("n{n}")), present: true });
    }
    for _ in 0..5 {
        scene.update(UiEvent::Key(KeyEvent::new(KeyCode::PageDown, KeyModifiers::ALT)));
    }
    assert!(scene.shows("猫"), "{}", scene.screen());
    for n in 0..60 {
        scene.chat(Event::Left { username: name(&format!("n{n}")) });
    }
    for who in ["alice", "carol", "猫"] {
        assert!(scene.shows(who), "{who}: {}", scene.screen());
    }
}

#[test]
fn a_click_on_how_many_more_there_are_opens_no_tab() {
    let mut scene = TestScreen::signed_in(SIZE);
    for n in 0..60 {
        scene.chat(Event::Joined { username: name(&format!("n{n}")), present: true });
    }
    let screen = scene.screen();
    let row = screen.lines().position(|row| row.contains("more")).unwrap();
    let row = u16::try_from(row).unwrap();
    scene.click(70, row);
    assert_eq!(scene.app.tabs.len(), 2);
    scene.click(70, row - 1);
    assert_eq!(scene.app.tabs.len(), 3);
}

#[test]
fn a_file_offered_while_the_list_is_open_can_be_taken_at_once() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("/transfers").sent();
    scene.offers(1).reads().offers(2).key(KeyCode::Enter);
    assert_eq!(scene.sent(), [Command::Take(TransferId(1))], "what comes moves nothing");
}

#[test]
fn a_click_selects_the_transfer_that_it_is_on() {
    let mut scene = TestScreen::signed_in((80, 12));
    for id in 1..=9 {
        scene.moves(id, Direction::Incoming, 1, 1);
    }
    scene.enters("/transfers");
    for _ in 0..8 {
        scene.key(KeyCode::Down);
    }
    // Drawn from row 1 on, each in two rows, the hint below them.
    let shown = |scene: &TestScreen, row: u16| {
        let screen = scene.screen();
        let line = screen.lines().nth(row.into()).unwrap_or("");
        line.split(['#', ' ']).find_map(|word| word.parse().ok()).map(TransferId)
    };
    let first = shown(&scene, 1);
    assert!(first.is_some() && shown(&scene, 3).is_some(), "{}", scene.screen());
    scene.click(5, 4);
    assert_eq!(scene.app.transfers.selected, shown(&scene, 3));
    scene.click(5, 1);
    assert_eq!(scene.app.transfers.selected, first);
    let hint = scene.screen().lines().position(|row| row.contains("Up and Down select")).unwrap();
    scene.click(5, u16::try_from(hint).unwrap());
    assert_eq!(scene.app.transfers.selected, first, "the hint is no transfer");
}

#[test]
fn copy_mode_follows_a_resize() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.says("alice", "hello").alt('l').update(UiEvent::Resize(100, 30));
    let shown = scene.effects.iter().filter(|effect| matches!(effect, UiEffect::CopyMode(_)));
    assert_eq!(shown.count(), 2);
    assert!(scene.app.in_copy_mode());
}

#[test]
fn the_unread_line_stays_above_the_first_message_that_was_never_seen() {
    let mut scene = TestScreen::signed_in(SIZE);
    for n in 0..100 {
        scene.says("carol", &format!("hay {n}"));
    }
    scene.opens("alice").key(KeyCode::PageUp).says("carol", "first");
    scene.alt('2').says("carol", "second").alt('1').key(KeyCode::End);
    let screen = scene.screen();
    let at = |what: &str| screen.find(what).unwrap_or_else(|| panic!("no {what}: {screen}"));
    assert!(at("hay 99") < at("unread") && at("unread") < at("first"), "{screen}");
}

#[test]
fn copy_mode_holds_whole_lines_and_any_key_ends_it() {
    let mut scene = TestScreen::signed_in((40, 10));
    let link = format!("https://example.org/{}", "x".repeat(100));
    scene.says("alice", &link).alt('l');
    let Some(UiEffect::CopyMode(lines)) = scene.effects.last() else { panic!("not bare") };
    assert_eq!(lines.last(), Some(&format!("12:00 alice: {link}")));
    scene.says("alice", "meanwhile");
    assert!(!scene.app.take_dirty(), "nothing is drawn over the bare text");
    scene.key(KeyCode::Char('x'));
    assert_eq!(scene.effects.last(), Some(&UiEffect::EndCopyMode));
    assert!(!scene.shows("› x"));
}

#[test]
fn columns_of_names_are_as_wide_as_the_names() {
    let mut scene = TestScreen::signed_in((80, 24));
    let long = "x".repeat(200);
    scene.says("alice", &long);
    // The time, the names, the list of people and what separates them.
    let columns = |scene: &TestScreen| {
        let most = |row: &str| row.chars().filter(|c| *c == 'x').count();
        scene.screen().lines().map(most).max().unwrap()
    };
    assert_eq!(columns(&scene), 80 - 6 - "alice".len() - 3 - 2 - 11, "{}", scene.screen());
    let name = "abcdefghijklmnopqrstuvw";
    scene.chat(Event::Joined { username: self::name(name), present: false }).says(name, "hello");
    assert_eq!(columns(&scene), 80 - 6 - 10 - 3 - 2 - 17, "{}", scene.screen());
    scene.chat(Event::Left { username: self::name(name) });
    assert_eq!(columns(&scene), 80 - 6 - 13 - 3 - 2 - 11, "{}", scene.screen());
}

#[test]
fn long_names_look_different_wherever_they_are_shown() {
    let mut scene = TestScreen::signed_in((80, 24));
    let names = ["MaximilianOfTheHarbourA", "MaximilianOfTheHarbourB"];
    for who in names {
        scene.chat(Event::Joined { username: name(who), present: true }).says(who, "hello");
    }
    let count = |scene: &TestScreen, wanted: &str| {
        let screen = scene.screen();
        let words = screen.split([' ', '│', '[', ']', '(', ')', '"', '?']);
        let found: Vec<_> =
            words.filter(|word| word.starts_with(wanted)).map(String::from).collect();
        found.iter().collect::<std::collections::BTreeSet<_>>().len()
    };
    // Beside their messages, and in the list of people, which has more room.
    assert_eq!(count(&scene, "Maximi"), 4, "{}", scene.screen());
    for who in names {
        scene.chat(Event::PrivateRequest { from: name(who) });
        assert!(scene.shows(&format!(" {} requests a private", names[0])), "{}", scene.screen());
    }
    let tabs = scene.screen().lines().next().unwrap().to_owned();
    let titles: Vec<_> = tabs.split(' ').filter(|word| word.starts_with("Maximi")).collect();
    assert!(titles.len() == 2 && titles[0] != titles[1], "{tabs}");
}

#[test]
fn the_list_of_transfers_names_the_files_that_are_offered() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.offers_named(1, "cat.jpg").offers_named(2, "dog.jpg");
    scene.enters("/transfers");
    for name in ["cat.jpg", "dog.jpg"] {
        assert!(scene.shows(&format!("  {name:?}")), "{}", scene.screen());
    }
}
