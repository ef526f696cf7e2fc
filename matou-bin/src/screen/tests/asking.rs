//! Requests of others, and private tabs.

use crossterm::event::KeyCode;
use matou_actors::client::{Command, Event, RequestState, TransferId};

use crate::screen::config::settings::Notify;
use crate::screen::state::event::{UiEffect, UiEvent};
use crate::screen::testing::test_screen::{TestScreen, address, name, text};

const SIZE: (u16, u16) = (80, 24);

#[test]
fn requests_are_answered_by_one_key_each_in_turn() {
    let mut scene = TestScreen::signed_in(SIZE);
    for who in ["alice", "carol", "dave"] {
        scene.chat(Event::PrivateRequest { from: name(who) });
    }
    assert!(scene.shows("alice requests a private session; a file may follow (+2)"));
    scene.reads().alt('y').alt('z').reads().alt('n');
    assert_eq!(scene.sent(), [Command::Accept(name("alice")), Command::Decline(name("dave"))]);
    scene.alt('1').enters("/accept carol");
    assert_eq!(scene.sent(), [Command::Accept(name("carol"))]);
    scene.alt('y');
    assert_eq!(scene.sent(), []);
    assert!(scene.shows("No pending request"));
}

#[test]
fn a_question_that_slips_under_the_finger_takes_no_answer() {
    let mut scene = TestScreen::signed_in(SIZE);
    for who in ["alice", "carol"] {
        scene.chat(Event::PrivateRequest { from: name(who) });
    }
    scene.reads().chat(Event::Left { username: name("alice") });
    scene.alt('y').alt('n');
    assert_eq!(scene.sent(), []);
    assert!(scene.shows("The question has just changed"), "{}", scene.screen());
    scene.reads().alt('y');
    assert_eq!(scene.sent(), [Command::Accept(name("carol"))]);
}

#[test]
fn escape_before_a_sentence_answers_nothing() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.chat(Event::PrivateRequest { from: name("alice") }).reads();
    scene.key(KeyCode::Esc).types("yes, tomorrow");
    assert_eq!(scene.sent(), []);
    assert!(scene.shows("› yes, tomorrow"), "{}", scene.screen());
}

#[test]
fn names_are_the_same_in_every_case() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.chat(Event::PrivateRequest { from: name("alice") }).enters("/decline ALICE");
    assert!(
        !scene.shows("alice requests a private session; a file may follow Alt-Y")
            && !scene.shows("Alt-Y")
    );
    scene.enters("/ignore CAROL");
    assert!(scene.shows("× carol"), "{}", scene.screen());
    scene
        .enters("/query Dave")
        .chat(Event::PrivateState { with: name("DAVE"), state: RequestState::Asked });
    scene.alt('1');
    assert_eq!(
        scene.app.roster_names().filter(|who| who.folded() == name("dave").folded()).count(),
        1
    );
}

#[test]
fn a_user_who_left_is_not_asked_about() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.chat(Event::PrivateRequest { from: name("alice") });
    assert!(scene.shows("alice requests a private session") && scene.shows("alice?"));
    scene.chat(Event::Left { username: name("alice") });
    assert!(!scene.shows("Alt-Y") && scene.shows("(alice)"));
}

#[test]
fn a_request_outlives_the_session_beside_it_and_ends_by_itself() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").chat(Event::PrivateRequest { from: name("alice") });
    let closed = || Event::PrivateClosed { with: name("alice"), reason: "it broke".into() };
    scene.chat(closed()).chat(Event::PrivateRequest { from: name("alice") });
    assert!(scene.shows("alice requests a private session") && scene.shows("Alt-Y"));
    scene.chat(closed());
    assert!(!scene.shows("Alt-Y"), "{}", scene.screen());
    scene.alt('2');
    for words in ["Private session with alice closed: it", "No private session with alice: it"] {
        assert!(scene.shows(words), "{words}: {}", scene.screen());
    }
}

#[test]
fn closing_a_tab_declines_a_request_beside_the_session() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").chat(Event::PrivateRequest { from: name("alice") });
    scene.alt('2').sent();
    scene.alt('w').reads().key(KeyCode::Enter);
    assert_eq!(scene.sent(), [Command::Decline(name("alice")), Command::Close(name("alice"))]);
    assert!(!scene.shows("Alt-Y"), "{}", scene.screen());
}

#[test]
fn a_request_that_ended_beside_a_session_is_not_asked_about() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").chat(Event::PrivateRequest { from: name("alice") });
    assert!(scene.shows("alice requests a private session"));
    let reason = "the connection to the server was lost".into();
    scene.chat(Event::PrivateRequestOver { from: name("alice"), reason });
    assert!(!scene.shows("Alt-Y"), "{}", scene.screen());
}

#[test]
fn an_offer_shows_sender_address_size_and_free_space() {
    let mut scene = TestScreen::signed_in((100, 24));
    let (id, size, free) = (TransferId(7), Some(5_000_000), Some(1_000_000));
    scene.chat(Event::FileOffered {
        id,
        from: name("alice"),
        name: None,
        entries: None,
        size,
        address: address(),
        free,
    });
    assert!(scene.shows("alice offers file #7, 5.0 MB, but only 1.0 MB free, from 192.168.1.7"));
    scene.reads().alt('y');
    assert_eq!(scene.sent(), [Command::Take(TransferId(7))]);
}

#[test]
fn messages_wait_for_the_session_and_are_shown_when_it_fails() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.enters("/msg alice one").enters("/msg alice two").alt('2');
    assert!(scene.shows("not sent yet and 1 more: one"));
    scene.opens("alice").whispers("bob", "alice", "one");
    assert!(scene.shows("not sent yet: two"));
    let (to, texts, reason) = (name("alice"), vec![text("two")], "alice left".to_owned());
    scene.chat(Event::Undelivered { to, texts, reason: reason.clone() });
    scene.chat(Event::PrivateClosed { with: name("alice"), reason });
    assert_eq!(scene.screen().matches("two").count(), 1, "{}", scene.screen());
    assert!(scene.shows("Not delivered (alice left): two"));
}

#[test]
fn undelivered_messages_are_shown_in_the_active_tab_only() {
    let mut scene = TestScreen::signed_in((120, 24));
    let undelivered = |to: &str| Event::Undelivered {
        to: name(to),
        texts: vec![text("hello?")],
        reason: "nobody here is called so".into(),
    };
    scene.enters("/msg nemo hello?").chat(undelivered("nemo"));
    assert!(scene.shows("Not delivered to nemo (nobody here is called so): hello?"));
    assert!(!scene.shows("2 nemo") && !scene.shows("(nemo)"), "no tab is opened");
    scene.enters("/msg alice hello?").chat(undelivered("alice"));
    assert!(scene.shows("Not delivered to alice"));
    scene.alt('2');
    assert!(!scene.shows("hello?"), "{}", scene.screen());
}

#[test]
fn alt_a_selects_urgent_tabs_first() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").opens("carol").alt('2');
    scene.says("dave", "to all").whispers("carol", "bob", "to you");
    assert!(scene.shows("1 room +1") && scene.shows("3 carol !1"));
    scene.alt('a');
    assert!(scene.shows("[3 carol]"));
    scene.alt('a');
    assert!(scene.shows("[1 room]"));
    scene.alt('a');
    assert!(scene.shows("No unread messages"));
}

#[test]
fn closing_a_tab_ends_its_session_after_a_question() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('2').alt('w').key(KeyCode::Char('n'));
    assert_eq!(scene.sent(), []);
    scene.alt('w').reads().key(KeyCode::Enter);
    assert_eq!(scene.sent(), [Command::Close(name("alice"))]);
    assert!(!scene.shows("2 alice"));
    scene.chat(Event::PrivateClosed { with: name("alice"), reason: "you closed it".into() });
    assert!(!scene.shows("2 alice"), "the end of a closed tab does not open it again");
    scene.alt('1').alt('w');
    assert!(scene.shows("Only private tabs can be closed"));
}

#[test]
fn the_user_is_notified_only_without_focus() {
    let mut scene = TestScreen::signed_in(SIZE);
    let calls = |scene: &mut TestScreen| {
        let effects = std::mem::take(&mut scene.effects);
        effects.iter().filter(|effect| matches!(effect, UiEffect::Notify(..))).count()
    };
    scene.update(UiEvent::Focus(true)).says("alice", "bob!");
    assert_eq!(calls(&mut scene), 0);
    scene.update(UiEvent::Focus(false)).says("alice", "nobody");
    assert_eq!(calls(&mut scene), 0);
    scene.says("alice", "bob\u{202e}!");
    let text = "alice: bob<U+202E>!".to_owned();
    assert_eq!(scene.effects.last(), Some(&UiEffect::Notify(Notify::Bell, text)));
    scene.wait(10).whispers("alice", "bob", "psst");
    assert_eq!(calls(&mut scene), 2);
}

#[test]
fn tabs_opened_by_others_are_bounded() {
    let mut scene = TestScreen::signed_in(SIZE);
    for n in 0..500 {
        scene.chat(Event::PrivateRequest { from: name(&format!("n{n}")) });
        scene
            .chat(Event::PrivateState { with: name(&format!("n{n}")), state: RequestState::Asked });
    }
    assert!(scene.app.tabs.len() <= 62);
    assert!(scene.app.prompts.count() <= 100);
}

#[test]
fn a_session_is_open_although_its_tab_had_to_go() {
    let mut scene = TestScreen::signed_in(SIZE);
    let names: Vec<_> = (0..70).map(|n| format!("n{n}")).collect();
    for who in &names {
        scene.opens(who);
    }
    assert!(scene.app.peer_tab(&name("n0")).is_none() && scene.app.peer_tab(&name("n1")).is_none());
    scene.chat(Event::PrivateClosed { with: name("n1"), reason: "they left".into() });
    for (who, question) in [("n0", true), ("n1", false)] {
        let index = scene.app.ensure_tab(&name(who));
        scene.app.show(index);
        scene.alt('w');
        assert_eq!(
            scene.shows(&format!("Close the private session with {who}?")),
            question,
            "{who}"
        );
        scene.key(KeyCode::Esc);
    }
}

#[test]
fn another_session_for_files_does_not_hide_that_one_is_open() {
    let mut scene = TestScreen::signed_in(SIZE);
    scene.opens("alice").alt('2');
    for state in [RequestState::Asked, RequestState::Connecting] {
        scene.chat(Event::PrivateState { with: name("alice"), state });
    }
    scene.enters("still open");
    assert!(!scene.shows("waits"));
    scene.chat(Event::PrivateRequest { from: name("alice") }).reads().alt('n').enters("and now");
    assert!(!scene.shows("waits"));
}

#[test]
fn private_messages_never_go_to_the_room() {
    let mut scene = TestScreen::signed_in(SIZE);
    let names: Vec<_> =
        ('a'..='z').flat_map(|a| ('a'..='c').map(move |b| format!("{a}{b}"))).collect();
    for who in &names {
        scene.chat(Event::PrivateRequest { from: name(who) });
    }
    for who in &names {
        scene.opens(who).whispers(who, "bob", "psst");
    }
    scene.alt('1');
    assert!(!scene.shows("psst"), "{}", scene.screen());
}
