//! Content from others cannot act on the terminal, hide, or leave its place.

use crossterm::event::KeyCode;
use matou_actors::client::Event;
use ratatui::backend::Backend;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::recorder::Recorder;
use crate::screen::testing::test_screen::{TestScreen, name};

const HOSTILE: &[&str] = &[
    "\u{202e}gnp.exe \u{2066}isolated \u{200b}\u{feff}hidden",
    "שלום עולם 123 abc مرحبا",
    "a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}b",
    "\u{301}\u{20dd} alone",
    "\u{3164}\u{115f}\u{ffa0}\u{2800}",
    "🏴\u{e0067}\u{e0062}\u{e007f} \u{e0041}\u{e0042}",
    "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466} family 日本語 한국어",
    "๏̯͡๏ ﷽ ௵ ꧅ 𒐫 𒈙",
    "\u{2028}\u{2029}\u{fff9}\u{1d173}",
];

#[test]
fn hostile_text_is_shown_and_stays_in_its_row() {
    for size in [(40, 16), (80, 24), (200, 60)] {
        let mut scene = TestScreen::signed_in(size);
        for text in HOSTILE {
            scene.says("alice", text);
        }
        scene.says("שרה", "a name from right to left");
        scene.chat(Event::Joined { username: name("שרה"), present: false });
        let label = format!("hostile_{}x{}", size.0, size.1);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(label, scene.screen());
        });
    }
}

#[test]
fn no_cell_holds_a_control_character() {
    for text in HOSTILE {
        let mut scene = TestScreen::signed_in((60, 20));
        scene.says("alice", text).types(text);
        let reason = format!("{text}\u{1b}]0;title\u{7}");
        scene.chat(Event::Notice { message: reason.clone() });
        scene.chat(Event::Disconnected { reason });
        let mut terminal = scene.terminal();
        let area = Rect::new(0, 0, 60, 20);
        assert_eq!(terminal.backend_mut().size().unwrap(), area.as_size());
        let buffer = terminal.backend().buffer();
        for position in area.positions() {
            let symbol = buffer[position].symbol();
            assert!(!symbol.chars().any(char::is_control), "{symbol:?}");
            // Only isolates that this screen puts there itself, never those of others.
            assert!(!symbol.contains(['\u{202e}', '\u{2066}', '\u{200b}']), "{symbol:?}");
            assert!(UnicodeWidthStr::width(symbol) <= 60, "{symbol:?}");
        }
    }
}

#[test]
fn beside_letters_from_right_to_left_nothing_is_reordered() {
    let mut scene = TestScreen::signed_in((80, 24));
    scene.says("123", "שלום, 45");
    assert!(scene.shows("\u{2068}123\u{2069} │ \u{2068}שלום, 45\u{2069}"), "{}", scene.screen());
    scene.says("שרה", "bob: hi").says("alice", "שלום bob 7");
    assert!(scene.shows("\u{2068}שרה\u{2069} ! bob: hi"), "{}", scene.screen());
    let mention = "\u{2068}alice\u{2069} ! \u{2068}שלום \u{2068}bob\u{2069} 7\u{2069}";
    assert!(scene.shows(mention), "{}", scene.screen());
    for who in ["שרה", "123", "dan"] {
        scene.chat(Event::Joined { username: name(who), present: false });
    }
    assert!(scene.shows("→ \u{2068}שרה\u{2069}, 123, dan joined"), "{}", scene.screen());
    scene.chat(Event::PrivateRequest { from: name("שרה") });
    assert!(scene.shows(" \u{2068}שרה\u{2069} requests a private session"), "{}", scene.screen());
    scene.types("שלום");
    assert!(scene.shows("\u{2068}room\u{2069} › \u{2068}שלום\u{2069}"), "{}", scene.screen());
    scene.alt('2');
    assert!(
        scene.shows("/decline \u{2068}שרה\u{2069}; /allow \u{2068}שרה\u{2069} accepts"),
        "{}",
        scene.screen()
    );
}

#[test]
fn names_in_the_answer_to_who_are_shown_unchanged() {
    let mut scene = TestScreen::signed_in((80, 24));
    scene.chat(Event::Present { usernames: vec![name("Élodie"), name("猫"), name("שרה")] });
    assert!(scene.shows("3 here: Élodie, 猫, \u{2068}שרה\u{2069}."), "{}", scene.screen());
}

#[test]
fn no_isolates_remain_on_the_terminal() {
    let mut scene = TestScreen::signed_in((80, 24));
    let mut recorder = Recorder::new(&scene);
    let mut emulator = vt100::Parser::new(24, 80, 0);
    let mut same = |scene: &TestScreen| {
        emulator.process(recorder.draw(scene).as_bytes());
        let text = scene.screen();
        // Behind the row stands what wide characters cover.
        let row = |row: &str| row[1..].split('"').next().map(str::to_owned);
        let wanted = text.lines().filter_map(row);
        for (row, wanted) in emulator.screen().rows(0, 80).zip(wanted) {
            assert_eq!(row.trim_end(), wanted.trim_end());
        }
    };
    for who in ["שרה", "carol", "dave"] {
        scene.chat(Event::PrivateRequest { from: name(who) }).says(who, "שלום bob");
        same(&scene);
    }
    for _ in 0..3 {
        same(scene.alt('z'));
    }
    same(scene.alt('2').types("שלום"));
    same(scene.ctrl('u').key(KeyCode::F(1)));
    same(scene.key(KeyCode::Esc).enters("/transfers"));
}

#[test]
fn isolates_are_balanced_in_every_row() {
    let mut scene = TestScreen::signed_in((80, 24));
    for text in HOSTILE {
        scene.says("שרה", text);
    }
    for row in scene.screen().lines() {
        let count = |wanted| row.chars().filter(|c| *c == wanted).count();
        assert_eq!(count('\u{2068}'), count('\u{2069}'), "{row}");
    }
}

#[test]
fn clusters_that_a_terminal_draws_wider_leave_no_remains() {
    let mut scene = TestScreen::signed_in((80, 24));
    let mut recorder = Recorder::new(&scene);
    // This emulator draws the family in six columns instead of two.
    let mut emulator = vt100::Parser::new(24, 80, 0);
    let mut same_as_anew = |scene: &TestScreen| {
        emulator.process(recorder.draw(scene).as_bytes());
        let mut anew = vt100::Parser::new(24, 80, 0);
        anew.process(Recorder::new(scene).draw(scene).as_bytes());
        for (row, wanted) in emulator.screen().rows(0, 80).zip(anew.screen().rows(0, 80)) {
            assert_eq!(row.trim_end(), wanted.trim_end());
        }
    };
    for n in 0..4 {
        let family = "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        scene.says("alice", &format!("{family}{n} क्षि {family} กำ 🇳🇿 {}", "long ".repeat(n)));
        same_as_anew(&scene);
    }
    same_as_anew(scene.key(KeyCode::F(1)));
    same_as_anew(scene.key(KeyCode::Esc));
    same_as_anew(scene.types("x"));
    same_as_anew(scene.enters("/transfers"));
}
