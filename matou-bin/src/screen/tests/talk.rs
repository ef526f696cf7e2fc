//! Signing in, talking, leaving, and what is stored.

use crossterm::event::KeyCode;
use matou_actors::client::{Command, ErrorCode, Event, Password, ServerName};

use super::started;
use crate::screen::config::settings::{ChatLog, ScreenSettings};
use crate::screen::state::event::UiEffect;
use crate::screen::testing::test_screen::{TestScreen, name, text};

const SIZE: (u16, u16) = (80, 24);

#[test]
fn a_name_is_asked_for_until_the_server_takes_it() {
    let mut scene = TestScreen::new(SIZE, None, ScreenSettings::default());
    assert!(scene.shows("Connecting to chat.example:6286…"), "{}", scene.screen());
    scene.chat(Event::NameNeeded { server: "chat.example:6286".into() }).enters("no name");
    assert!(scene.shows("Invalid name"));
    assert_eq!(scene.sent(), []);
    for _ in 0..10 {
        scene.key(KeyCode::Backspace);
    }
    scene.enters("bob");
    assert_eq!(scene.sent(), [Command::SignIn(name("bob"))]);
    scene.chat(Event::Refused { username: name("bob"), reason: None });
    assert!(scene.shows("bob is in use"));
    scene.enters("bobby");
    assert_eq!(scene.sent(), [Command::SignIn(name("bobby"))]);
    scene.chat(Event::Connected { server: "s".into(), username: name("bobby") });
    scene.enters("hello");
    assert_eq!(scene.sent(), [Command::Say(text("hello"))]);
}

#[test]
fn a_refused_name_is_shown_with_the_reason_of_the_server() {
    let mut scene = TestScreen::new(SIZE, None, ScreenSettings::default());
    let reason = Some("ship refused you: the name belongs to another key".into());
    scene.chat(Event::Refused { username: name("bob"), reason });
    assert!(scene.shows("belongs to another key"), "{}", scene.screen());
    assert!(!scene.shows("in use"), "{}", scene.screen());
}

#[test]
fn an_action_stands_behind_a_star_and_a_message_that_looks_like_one_does_not() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.says("Ada", "* waves");
    assert!(scene.shows("Ada │ * waves"), "{}", scene.screen());
    scene.chat(Event::Message { from: name("Ada"), text: text("waves"), action: true });
    assert!(scene.shows("  * │ Ada waves"), "{}", scene.screen());
}

#[test]
fn a_password_is_asked_for_and_not_shown() {
    let mut scene = TestScreen::new(SIZE, None, ScreenSettings::default());
    scene.chat(Event::NameNeeded { server: "ship:6286".into() }).enters("bob").sent();
    scene.chat(Event::PasswordNeeded { server: "ship:6286".into(), wrong: false });
    scene.chat(Event::Disconnected { reason: "ship:6286 asks for a password".into() });
    assert!(scene.shows("The password of ship:6286?"), "{}", scene.screen());
    scene.types("sésame");
    assert!(scene.shows("› ••••••") && !scene.shows("same"), "{}", scene.screen());
    scene.key(KeyCode::Enter);
    let password = Password::new("sésame".to_owned().into());
    assert_eq!(scene.sent(), [Command::UsePassword(password)]);
    scene.chat(Event::PasswordNeeded { server: "ship:6286".into(), wrong: true });
    assert!(scene.shows("That password is wrong."), "{}", scene.screen());
    scene.enters("other");
    assert_eq!(scene.sent().len(), 1);
    scene.chat(Event::Connected { server: "ship:6286".into(), username: name("bob") });
    scene.enters("hello");
    assert_eq!(scene.sent(), [Command::Say(text("hello"))]);
}

#[test]
fn another_server_can_be_named_before_and_after_the_first_one_is_reached() {
    let mut scene = TestScreen::new(SIZE, None, ScreenSettings::default());
    scene.chat(Event::Reconnecting { attempt: 1, delay_ms: 500, reason: "cannot reach it".into() });
    assert!(scene.shows("Not connected: cannot reach it"), "{}", scene.screen());
    scene.enters("ship:99999");
    assert!(scene.shows("has no port from 1 to"), "{}", scene.screen());
    assert_eq!(scene.sent(), []);
    for _ in 0..5 {
        scene.key(KeyCode::Backspace);
    }
    scene.enters("7");
    let server = |text| Command::UseServers(vec![ServerName::parse(text).unwrap()]);
    assert_eq!(scene.sent(), [server("ship:7")]);
    assert!(scene.shows("Connecting to ship:7…"), "{}", scene.screen());
    scene.chat(Event::NameNeeded { server: "ship:7".into() });
    assert!(scene.shows("Your name on ship:7?"), "{}", scene.screen());
    scene.enters("/server other");
    assert_eq!(scene.sent(), [server("other:6286")]);
}

#[test]
fn a_name_that_was_configured_and_refused_is_asked_for_again() {
    let mut scene = TestScreen::new(SIZE, Some("bob"), ScreenSettings::default());
    scene.chat(Event::Refused { username: name("bob"), reason: None });
    scene.enters("ben");
    assert_eq!(scene.sent(), [Command::SignIn(name("ben"))]);
}

#[test]
fn text_goes_to_the_peer_of_the_tab() {
    let mut scene = TestScreen::signed_in(SIZE);
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
fn the_server_that_was_lost_and_the_one_that_is_used_are_shown() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.chat(Event::Disconnected { reason: "gone".into() });
    let (from, server) = ("chat.example:6286".to_owned(), "boat:7".to_owned());
    scene.chat(Event::Failover { from, server: server.clone(), reason: "gone".into() });
    assert!(scene.shows("Trying boat:7 instead of chat.example:6286."), "{}", scene.screen());
    scene.chat(Event::Connected { server, username: name("bob") });
    assert!(scene.shows("Connected to boat:7 as bob."), "{}", scene.screen());

    let mut scene = TestScreen::new(SIZE, None, ScreenSettings::default());
    let (from, server) = ("ship:7".to_owned(), "boat:7".to_owned());
    scene.chat(Event::Failover { from, server, reason: "refused".into() });
    assert!(scene.shows("Trying boat:7 instead of ship:7: refused"), "{}", scene.screen());
}

#[test]
fn offline_text_stays_in_the_input() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.chat(Event::Disconnected { reason: "gone".into() }).enters("hello");
    assert!(scene.shows("› hello") && scene.shows("Not connected: kept here"));
    assert_eq!(scene.sent(), []);
    scene.chat(Event::Present { usernames: Vec::new() });
    assert!(scene.shows("Not connected: the user list is"));
    scene.sign_in().key(KeyCode::Enter);
    assert_eq!(scene.sent(), [Command::Say(text("hello"))]);
}

#[test]
fn a_line_typed_after_an_unsent_one_is_a_line_of_its_own() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.chat(Event::Disconnected { reason: "gone".into() });
    scene.enters("are you there?").enters("/reconnect");
    assert_eq!(scene.sent(), [Command::Reconnect]);
    scene.enters("one").enters("two").sign_in().key(KeyCode::Enter);
    assert_eq!(scene.sent(), [Command::Say(text("two"))]);
    for _ in 0..2 {
        scene.key(KeyCode::Up);
    }
    assert!(scene.shows("› one"), "{}", scene.screen());
}

#[test]
fn an_unsent_line_can_be_edited() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.chat(Event::Disconnected { reason: "gone".into() }).enters("hellp");
    scene.key(KeyCode::Backspace).types("o").sign_in().key(KeyCode::Enter);
    assert_eq!(scene.sent(), [Command::Say(text("hello"))]);
}

#[test]
fn a_server_that_cannot_be_reached_is_reported() {
    let gone = || Event::Disconnected { reason: "cannot reach it".into() };
    let mut scene = TestScreen::new(SIZE, Some("bob"), ScreenSettings::default());
    scene.chat(gone()).enters("hello");
    assert!(scene.shows("Not connected to chat.example:6286: cannot"), "{}", scene.screen());
    assert!(scene.shows("› hello") && scene.sent().is_empty(), "nothing is kept in silence");
    scene.wait(10);
    assert!(scene.shows("/reconnect to try again"), "{}", scene.screen());

    let mut scene = TestScreen::new(SIZE, None, ScreenSettings::default());
    scene.chat(Event::NameNeeded { server: "s:1".into() }).enters("bob").chat(gone()).sent();
    assert!(scene.shows("Not connected: cannot reach it.") && scene.shows("› bob"));
    scene.key(KeyCode::Enter);
    assert_eq!(scene.sent(), [Command::Reconnect, Command::SignIn(name("bob"))]);
}

#[test]
fn prompts_show_the_configured_keys() {
    let keys = [("quit", "f10"), ("submit", "f9"), ("tab_1", "f2")];
    let keys = keys.map(|(action, key)| (action.to_owned(), vec![key.to_owned()])).into();
    let settings = ScreenSettings { keys, ..ScreenSettings::default() };
    let mut scene = TestScreen::new(SIZE, None, settings);
    scene.chat(Event::NameNeeded { server: "s:1".into() });
    assert!(scene.shows("F9 signs in, F10 quits"), "{}", scene.screen());
    scene.types("bob").key(KeyCode::F(9)).sign_in();
    scene.types("/transfers").key(KeyCode::F(9)).types("hello").key(KeyCode::F(9));
    assert!(scene.shows("only commands work, F2 is the room"));
    scene.key(KeyCode::F(10));
    assert!(scene.shows("F10 quits now"));
}

#[test]
fn a_wrong_command_is_an_error_and_stays_in_the_input() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("/mgs alice secret");
    assert!(scene.shows("did you mean /msg"));
    assert!(scene.shows("› /mgs alice secret"));
    assert_eq!(scene.sent(), []);
}

#[test]
fn a_private_draft_is_not_restored_in_another_tab() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("said before").opens("alice").opens("carol").alt('2');
    scene.types("for alice alone").key(KeyCode::Up).alt('w').reads().key(KeyCode::Enter);
    assert!(scene.shows("[2 carol]"));
    scene.key(KeyCode::Down);
    assert!(!scene.shows("for alice alone"), "{}", scene.screen());
}

#[test]
fn leaving_asks_once_while_files_are_on_their_way() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.chat(started(1)).ctrl('c');
    assert!(scene.shows("1 transfer is running"));
    assert_eq!(scene.sent(), []);
    scene.key(KeyCode::Char('x'));
    assert!(!scene.shows("1 transfer is running"));
    scene.ctrl('c').reads().ctrl('c');
    assert_eq!(scene.sent(), [Command::Quit]);
    scene.chat(Event::Closed);
    assert_eq!(scene.effects.last(), Some(&UiEffect::Exit(None)));
}

#[test]
fn leaving_waits_for_acknowledgements() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("one").enters("two").enters("/quit").sent();
    scene.wait(4).says("bob", "one").wait(4).says("alice", "hello");
    assert_eq!(scene.effects, [], "one came back in time");
    scene.wait(2);
    assert_eq!(scene.effects.last(), Some(&UiEffect::Exit(None)), "what others say is no reason");
    assert_eq!(scene.app.last_words(false), ["1 of your messages may not have been delivered"]);
}

#[test]
fn a_busy_room_does_not_delay_leaving() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("/quit").sent();
    for _ in 0..6 {
        scene.passes(1).says("alice", "hello");
    }
    assert_eq!(scene.effects.last(), Some(&UiEffect::Exit(None)));
}

#[test]
fn leaving_at_once_reports_unacknowledged_messages() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('2').enters("psst").ctrl('c').ctrl('c');
    assert_eq!(scene.effects.last(), Some(&UiEffect::Exit(None)));
    let words = scene.app.last_words(false);
    assert!(words.concat().contains("may not have been delivered"), "{words:?}");
}

#[test]
fn text_typed_while_leaving_stays_in_the_input_line() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("/quit").sent();
    scene.enters("/msg alice psst").enters("");
    assert_eq!(scene.sent(), []);
    assert!(scene.shows("Signing out") && scene.shows("/msg alice psst"), "{}", scene.screen());
}

#[test]
fn errors_while_leaving_are_printed_after_the_screen() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene
        .chat(Event::Error { code: ErrorCode::NotSent, message: "before".into() })
        .enters("one")
        .enters("/quit");
    let (to, texts, reason) = (name("alice"), vec![text("psst")], "you signed out".to_owned());
    scene.chat(Event::Undelivered { to, texts, reason });
    scene.chat(Event::Error {
        code: ErrorCode::NotSent,
        message: "1 message did not come back".into(),
    });
    scene.chat(Event::Closed);
    assert_eq!(scene.effects.last(), Some(&UiEffect::Exit(None)));
    let expected = ["not sent to alice (you signed out): psst", "1 message did not come back"];
    assert_eq!(scene.app.last_words(true), expected);
}

#[test]
fn leaving_with_nothing_pending_prints_nothing() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("one").says("bob", "one").enters("/quit").chat(Event::Closed);
    assert_eq!(scene.app.last_words(true), Vec::<String>::new());
}

#[test]
fn leaving_takes_no_longer_than_its_limit() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("/quit");
    assert_eq!(scene.sent(), [Command::Quit]);
    scene.wait(6);
    assert_eq!(scene.effects.last(), Some(&UiEffect::Exit(None)));
}

#[test]
fn a_client_that_closes_by_itself_ends_the_screen_with_a_reason() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.chat(Event::Disconnected { reason: "gone".into() }).chat(Event::Closed);
    let Some(UiEffect::Exit(Some(reason))) = scene.effects.last() else { panic!("no exit") };
    assert!(reason.contains("gone"));
}

#[test]
fn the_chat_log_holds_only_the_configured_chats() {
    for (chat_log, expected) in [(ChatLog::Off, 0), (ChatLog::Public, 3), (ChatLog::All, 4)] {
        let settings = ScreenSettings { chat_log, ..ScreenSettings::default() };
        let mut scene = TestScreen::new(SIZE, Some("bob"), settings);
        scene.sign_in();
        scene.chat(Event::Joined { username: name("eve"), present: false });
        scene.chat(Event::Left { username: name("eve") });
        scene.says("alice", "public").opens("alice").whispers("alice", "bob", "private");
        let logged: Vec<_> = scene
            .effects
            .iter()
            .filter_map(|effect| match effect {
                UiEffect::Log { file, line } => Some((file.as_str(), line.as_str())),
                _ => None,
            })
            .collect();
        let all = [
            ("public-2026-11-23.log", "12:00:00 --> eve joined"),
            ("public-2026-11-23.log", "12:00:00 <-- eve left"),
            ("public-2026-11-23.log", "12:00:00 <alice> public"),
            ("private-alice-2026-11-23.log", "12:00:00 <alice> private"),
        ];
        assert_eq!(logged, all[..expected]);
    }
}

#[test]
fn the_topic_stands_above_the_room_where_there_are_rows_enough() {
    let topic = |topic: &str| Event::Topic { topic: topic.into(), changed: true };
    let mut scene = TestScreen::signed_in(SIZE);
    scene.chat(topic("Be kind\u{202e} here."));
    let rows: Vec<String> = scene.screen().lines().map(str::to_owned).collect();
    assert!(rows[1].starts_with("\" Be kind<U+202E> here."), "{}", scene.screen());
    assert!(scene.shows("The topic is now: Be kind"));
    scene.chat(topic(&"x".repeat(512)));
    assert!(scene.screen().lines().nth(1).is_some_and(|row| row.contains("xxx…")));
    scene.chat(topic(""));
    assert!(scene.shows("The topic was removed."));
    assert!(!scene.screen().lines().nth(1).is_some_and(|row| row.contains("xxx")));
    let mut small = TestScreen::signed_in((40, 10));
    small.chat(topic("Be kind."));
    assert!(!small.screen().lines().nth(1).is_some_and(|row| row.starts_with("\" Be kind.")));
}
