//! What keys and events lead to: commands, tabs, questions.

use crossterm::event::{KeyCode, MouseButton, MouseEvent, MouseEventKind};
use matou_actors::client::{Command, Direction, Event, RequestState, TransferId, TransferInfo};

use crate::screen::event::{Effect, Listing, UiEvent};
use crate::screen::settings::{ChatLog, Notify, ScreenSettings};
use crate::screen::stage::{Stage, address, name, text};

const SIZE: (u16, u16) = (80, 24);

fn started(id: u64) -> Event {
    Event::FileStarted(TransferInfo {
        id: TransferId(id),
        direction: Direction::Outgoing,
        with: name("alice"),
        bytes: 0,
        size: 1000,
        path: Some("/tmp/x".into()),
    })
}

#[test]
fn a_name_is_asked_for_until_the_server_takes_it() {
    let mut scene = Stage::new(SIZE, None, ScreenSettings::default());
    scene.enters("no name");
    assert!(scene.shows("That is no name"));
    assert_eq!(scene.sent(), []);
    for _ in 0..10 {
        scene.key(KeyCode::Backspace);
    }
    scene.enters("bob");
    assert_eq!(scene.sent(), [Command::SignIn(name("bob"))]);
    scene.chat(Event::Refused { username: name("bob") });
    assert!(scene.shows("bob is taken"));
    scene.enters("bobby");
    assert_eq!(scene.sent(), [Command::SignIn(name("bobby"))]);
    scene.chat(Event::Connected { server: "s".into(), username: name("bobby") });
    scene.enters("hello");
    assert_eq!(scene.sent(), [Command::Say(text("hello"))]);
}

#[test]
fn a_name_that_was_configured_and_refused_is_asked_for_again() {
    let mut scene = Stage::new(SIZE, Some("bob"), ScreenSettings::default());
    scene.chat(Event::Refused { username: name("bob") });
    scene.enters("ben");
    assert_eq!(scene.sent(), [Command::SignIn(name("ben"))]);
}

#[test]
fn text_goes_to_whom_the_tab_belongs() {
    let mut scene = Stage::signed_in(SIZE);
    scene.enters("to all").enters("/query alice").enters("to one").alt('1').enters("all again");
    let tell = Command::Tell { to: name("alice"), text: text("to one") };
    assert_eq!(
        scene.sent(),
        [
            Command::Say(text("to all")),
            Command::Open(name("alice")),
            tell,
            Command::Say(text("all again"))
        ]
    );
    scene.enters("/transfers").enters("nobody here");
    assert_eq!(scene.sent(), [Command::ListTransfers]);
    assert!(scene.shows("only commands work") && scene.shows("nobody here"));
}

#[test]
fn a_wrong_command_is_an_error_and_stays_to_be_mended() {
    let mut scene = Stage::signed_in(SIZE);
    scene.enters("/mgs alice secret");
    assert!(scene.shows("did you mean /msg"));
    assert!(scene.shows("› /mgs alice secret"));
    assert_eq!(scene.sent(), []);
}

#[test]
fn requests_are_answered_by_one_key_each_in_turn() {
    let mut scene = Stage::signed_in(SIZE);
    for who in ["alice", "carol", "dave"] {
        scene.chat(Event::PrivateRequest { from: name(who) });
    }
    assert!(scene.shows("alice asks for a private talk (+2)"));
    scene.alt('y').alt('z').alt('n');
    assert_eq!(scene.sent(), [Command::Accept(name("alice")), Command::Decline(name("dave"))]);
    scene.alt('1').enters("/accept carol");
    assert_eq!(scene.sent(), [Command::Accept(name("carol"))]);
    scene.alt('y');
    assert_eq!(scene.sent(), []);
    assert!(scene.shows("Nobody waits for an answer"));
}

#[test]
fn nobody_is_asked_about_somebody_who_has_left() {
    let mut scene = Stage::signed_in(SIZE);
    scene.chat(Event::PrivateRequest { from: name("alice") });
    assert!(scene.shows("alice asks for a private talk") && scene.shows("alice?"));
    scene.chat(Event::Left { username: name("alice") });
    assert!(!scene.shows("Alt-Y") && scene.shows("(alice)"));
}

#[test]
fn an_offer_shows_who_where_how_big_and_what_is_free() {
    let mut scene = Stage::signed_in((100, 24));
    let (id, size, free) = (TransferId(7), 5_000_000, Some(1_000_000));
    scene.chat(Event::FileOffered { id, from: name("alice"), size, address: address(), free });
    assert!(scene.shows("alice offers file #7, 5.0 MB, but only 1.0 MB free, from 192.168.1.7"));
    scene.alt('y');
    assert_eq!(scene.sent(), [Command::Take(TransferId(7))]);
}

#[test]
fn words_wait_until_the_session_is_open_and_are_told_when_it_never_is() {
    let mut scene = Stage::signed_in(SIZE);
    scene.enters("/msg alice one").enters("/msg alice two").alt('2');
    assert!(scene.shows("waits and 1 more: one"));
    scene.opens("alice").whispers("bob", "alice", "one");
    assert!(scene.shows("waits: two"));
    let (to, texts, reason) = (name("alice"), vec![text("two")], "alice left".to_owned());
    scene.chat(Event::Undelivered { to, texts, reason: reason.clone() });
    scene.chat(Event::PrivateClosed { with: name("alice"), reason });
    assert_eq!(scene.screen().matches("two").count(), 1, "{}", scene.screen());
    assert!(scene.shows("Not delivered (alice left): two"));
}

#[test]
fn what_is_not_delivered_is_told_where_the_user_looks_and_nowhere_else() {
    let mut scene = Stage::signed_in((120, 24));
    let undelivered = |to: &str| Event::Undelivered {
        to: name(to),
        texts: vec![text("hello?")],
        reason: "nobody here is called so".into(),
    };
    scene.enters("/msg nemo hello?").chat(undelivered("nemo"));
    assert!(scene.shows("Not delivered to nemo (nobody here is called so): hello?"));
    assert!(!scene.shows("2 nemo") && !scene.shows("(nemo)"), "nobody gets a tab");
    scene.enters("/msg alice hello?").chat(undelivered("alice"));
    assert!(scene.shows("Not delivered to alice"));
    scene.alt('2');
    assert!(!scene.shows("hello?"), "{}", scene.screen());
}

#[test]
fn tab_completes_commands_names_and_paths() {
    let mut scene = Stage::signed_in(SIZE);
    scene.types("al").key(KeyCode::Tab);
    assert!(scene.shows("room › alice: "));
    scene.ctrl('u').types("/ms").key(KeyCode::Tab).types("ca").key(KeyCode::Tab);
    assert!(scene.shows("› /msg carol "));
    scene.ctrl('u').types("/send alice ~/pi").key(KeyCode::Tab);
    assert_eq!(scene.effects.last(), Some(&Effect::List("/home/me/".into())));
    let names = vec![("pictures".into(), true), ("pie.txt".into(), false)];
    scene.update(UiEvent::Listed(Listing { folder: "/home/me/".into(), names }));
    assert!(scene.shows("/send alice ~/pictures/"));
    scene.key(KeyCode::Tab);
    assert!(scene.shows("/send alice ~/pie.txt"));
    scene.key(KeyCode::BackTab);
    assert!(scene.shows("/send alice ~/pictures/"));
}

#[test]
fn a_listing_that_comes_too_late_changes_nothing() {
    let mut scene = Stage::signed_in(SIZE);
    scene.types("/send alice ~/pi").key(KeyCode::Tab).ctrl('u').types("hello");
    let names = vec![("pictures".into(), true)];
    scene.update(UiEvent::Listed(Listing { folder: "/home/me/".into(), names }));
    assert!(scene.shows("› hello "));
}

#[test]
fn several_pasted_lines_are_asked_about() {
    let mut scene = Stage::signed_in(SIZE);
    let paste = || UiEvent::Paste("one\r\n/quit\n\nthree\n".into());
    scene.update(paste());
    assert!(scene.shows("Send 3 lines?"));
    scene.key(KeyCode::Char('n'));
    assert_eq!(scene.sent(), []);
    scene.update(paste()).key(KeyCode::Char('y'));
    let lines = ["one", "/quit", "three"].map(|line| Command::Say(text(line)));
    assert_eq!(scene.sent(), lines, "what is pasted is said, never run");
    scene.update(UiEvent::Paste("just one".into()));
    assert!(scene.shows("› just one"));
}

#[test]
fn a_paste_can_be_sent_as_a_file_that_is_removed_afterwards() {
    let mut scene = Stage::signed_in(SIZE);
    scene.opens("alice").alt('2').update(UiEvent::Paste("a\nb".into()));
    scene.key(KeyCode::Char('f'));
    let to = name("alice");
    assert_eq!(
        scene.effects.last(),
        Some(&Effect::StorePaste { to: to.clone(), text: "a\nb".into() })
    );
    scene.update(UiEvent::Stored(to.clone(), Ok("/tmp/x".into())));
    let path = std::path::PathBuf::from("/tmp/x");
    assert_eq!(scene.sent(), [Command::Send { to: to.clone(), path: path.clone() }]);
    let id = TransferId(1);
    scene.chat(started(1)).chat(Event::FileSent { id, to, size: 3, path: path.clone() });
    assert_eq!(scene.effects.last(), Some(&Effect::RemovePaste(path)));
}

#[test]
fn leaving_asks_once_while_files_are_on_their_way() {
    let mut scene = Stage::signed_in(SIZE);
    scene.chat(started(1)).ctrl('c');
    assert!(scene.shows("1 file is on its way"));
    assert_eq!(scene.sent(), []);
    scene.key(KeyCode::Char('x'));
    assert!(!scene.shows("1 file is on its way"));
    scene.ctrl('c').ctrl('c');
    assert_eq!(scene.sent(), [Command::Quit]);
    scene.chat(Event::Closed);
    assert_eq!(scene.effects.last(), Some(&Effect::Exit(None)));
}

#[test]
fn leaving_takes_no_longer_than_its_limit() {
    let mut scene = Stage::signed_in(SIZE);
    scene.enters("/quit");
    assert_eq!(scene.sent(), [Command::Quit]);
    scene.wait(6);
    assert_eq!(scene.effects.last(), Some(&Effect::Exit(None)));
}

#[test]
fn a_client_that_closes_by_itself_ends_the_screen_with_a_reason() {
    let mut scene = Stage::signed_in(SIZE);
    scene.chat(Event::Disconnected { reason: "gone".into() }).chat(Event::Closed);
    let Some(Effect::Exit(Some(reason))) = scene.effects.last() else { panic!("no exit") };
    assert!(reason.contains("gone"));
}

#[test]
fn private_text_is_recalled_only_in_its_tab_and_never_written() {
    let mut scene = Stage::signed_in(SIZE);
    scene.opens("alice").alt('2').enters("secret").alt('1').enters("public");
    scene.enters("/msg alice hidden").enters("/who");
    let written: Vec<_> =
        scene.effects.iter().filter(|e| matches!(e, Effect::Remember(_))).collect();
    let expected = [Effect::Remember("public".into()), Effect::Remember("/who".into())];
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
    let mut scene = Stage::signed_in(SIZE);
    scene.enters("first needle").enters("other").enters("second needle");
    scene.sent();
    scene.ctrl('r').types("need");
    assert!(scene.shows("second needle"));
    scene.ctrl('r');
    assert!(scene.shows("typed before: need   first needle"));
    scene.key(KeyCode::Enter).key(KeyCode::Enter);
    assert_eq!(scene.sent(), [Command::Say(text("first needle"))]);
}

#[test]
fn search_goes_to_what_it_finds_and_escape_comes_back() {
    let mut scene = Stage::signed_in(SIZE);
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
fn what_comes_while_scrolled_back_is_counted_and_moves_nothing() {
    let mut scene = Stage::signed_in(SIZE);
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
fn alt_a_goes_to_what_concerns_the_user_first() {
    let mut scene = Stage::signed_in(SIZE);
    scene.opens("alice").opens("carol").alt('2');
    scene.says("dave", "to all").whispers("carol", "bob", "to you");
    assert!(scene.shows("1 room +1") && scene.shows("3 carol !1"));
    scene.alt('a');
    assert!(scene.shows("[3 carol]"));
    scene.alt('a');
    assert!(scene.shows("[1 room]"));
    scene.alt('a');
    assert!(scene.shows("Nothing new anywhere"));
}

#[test]
fn closing_a_tab_ends_its_session_after_a_question() {
    let mut scene = Stage::signed_in(SIZE);
    scene.opens("alice").alt('2').alt('w').key(KeyCode::Char('n'));
    assert_eq!(scene.sent(), []);
    scene.alt('w').key(KeyCode::Char('y'));
    assert_eq!(scene.sent(), [Command::Close(name("alice"))]);
    assert!(!scene.shows("2 alice"));
    scene.chat(Event::PrivateClosed { with: name("alice"), reason: "you closed it".into() });
    assert!(!scene.shows("2 alice"), "the end of a closed tab does not open it again");
    scene.alt('1').alt('w');
    assert!(scene.shows("Only private tabs can be closed"));
}

#[test]
fn the_user_is_called_for_what_concerns_them_while_they_look_elsewhere() {
    let mut scene = Stage::signed_in(SIZE);
    let calls = |scene: &mut Stage| {
        let effects = std::mem::take(&mut scene.effects);
        effects.iter().filter(|effect| matches!(effect, Effect::Notify(..))).count()
    };
    scene.update(UiEvent::Focus(true)).says("alice", "bob!");
    assert_eq!(calls(&mut scene), 0);
    scene.update(UiEvent::Focus(false)).says("alice", "nobody");
    assert_eq!(calls(&mut scene), 0);
    scene.says("alice", "bob\u{202e}!");
    let text = "alice: bob<U+202E>!".to_owned();
    assert_eq!(scene.effects.last(), Some(&Effect::Notify(Notify::Bell, text)));
    scene.wait(10).whispers("alice", "bob", "psst");
    assert_eq!(calls(&mut scene), 2);
}

#[test]
fn the_chat_log_holds_what_was_asked_for_and_nothing_else() {
    for (chat_log, expected) in [(ChatLog::Off, 0), (ChatLog::Public, 1), (ChatLog::All, 2)] {
        let settings = ScreenSettings { chat_log, ..ScreenSettings::default() };
        let mut scene = Stage::new(SIZE, Some("bob"), settings);
        scene.sign_in();
        scene.says("alice", "public").opens("alice").whispers("alice", "bob", "private");
        let logged: Vec<_> = scene
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Log { file, line } => Some((file.as_str(), line.as_str())),
                _ => None,
            })
            .collect();
        let all = [
            ("public-2026-11-23.log", "12:00:00 <alice> public"),
            ("private-alice-2026-11-23.log", "12:00:00 <alice> private"),
        ];
        assert_eq!(logged, all[..expected]);
    }
}

#[test]
fn the_countdown_to_the_next_attempt_counts() {
    let mut scene = Stage::signed_in(SIZE);
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
fn nothing_is_drawn_again_while_nothing_happens() {
    let mut scene = Stage::signed_in(SIZE);
    assert!(scene.app.take_dirty());
    scene.wait(10);
    assert!(!scene.app.take_dirty());
    assert_eq!(scene.app.idle_for().as_secs(), 50, "until the clock shows the next minute");
    scene.wait(50);
    assert!(scene.app.take_dirty());
}

#[test]
fn the_mouse_switches_tabs_scrolls_and_answers() {
    let mut scene = Stage::signed_in(SIZE);
    scene.opens("alice");
    scene.chat(Event::PrivateRequest { from: name("carol") });
    let mouse = |scene: &mut Stage, kind, at: (u16, u16)| {
        let modifiers = crossterm::event::KeyModifiers::NONE;
        scene.update(UiEvent::Mouse(MouseEvent { kind, column: at.0, row: at.1, modifiers }));
    };
    let click = MouseEventKind::Down(MouseButton::Left);
    mouse(&mut scene, click, (11, 0));
    assert!(scene.shows("[2 alice]"), "{}", scene.screen());
    let accept = scene.screen().lines().nth(21).unwrap().find("Alt-Y").unwrap();
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
    assert!(scene.shows("asks") && scene.shows("for a private talk"), "{}", scene.screen());
    assert_eq!(scene.sent(), [], "a click alone asks nobody");
}

#[test]
fn bare_text_holds_whole_lines_and_any_key_comes_back() {
    let mut scene = Stage::signed_in((40, 10));
    let link = format!("https://example.org/{}", "x".repeat(100));
    scene.says("alice", &link).alt('l');
    let Some(Effect::Bare(lines)) = scene.effects.last() else { panic!("not bare") };
    assert_eq!(lines.last(), Some(&format!("12:00 alice: {link}")));
    scene.says("alice", "meanwhile");
    assert!(!scene.app.take_dirty(), "nothing is drawn over the bare text");
    scene.key(KeyCode::Char('x'));
    assert_eq!(scene.effects.last(), Some(&Effect::EndBare));
    assert!(!scene.shows("› x"));
}

#[test]
fn others_can_open_only_so_many_tabs() {
    let mut scene = Stage::signed_in(SIZE);
    for n in 0..500 {
        scene.chat(Event::PrivateRequest { from: name(&format!("n{n}")) });
        scene
            .chat(Event::PrivateState { with: name(&format!("n{n}")), state: RequestState::Asked });
    }
    assert!(scene.app.tabs.len() <= 62);
    assert!(scene.app.asks.count() <= 100);
}

#[test]
fn escape_before_a_key_stands_for_alt() {
    let mut scene = Stage::signed_in(SIZE);
    scene.opens("alice").key(KeyCode::Esc).types("2");
    assert!(scene.shows("[2 alice]"));
}
