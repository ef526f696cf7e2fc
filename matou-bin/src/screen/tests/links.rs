//! Links as announced to the terminal: whole, where they stand, and no longer than that.

use crossterm::event::KeyCode;
use matou_actors::client::Event;

use super::recorder::Recorder;
use crate::screen::config::settings::ScreenSettings;
use crate::screen::testing::test_screen::TestScreen;

const LONG: &str = "https://files.example/a/path/that/is/wider/than/forty;x=1&y=2";

/// The text of each piece with its link, as `text -> id address`.
fn pieces(scene: &TestScreen) -> Vec<String> {
    let terminal = scene.terminal();
    let cells = terminal.backend().buffer();
    let links = scene.links();
    let piece = |piece: &crate::screen::text::links::LinkPiece| {
        let text: String = piece.columns.clone().map(|x| cells[(x, piece.y)].symbol()).collect();
        format!("{text} -> {} {}", piece.link.id, piece.link.address.as_str())
    };
    links.pieces().iter().map(piece).collect()
}

#[test]
fn every_piece_of_a_broken_link_leads_to_all_of_it() {
    let mut scene = TestScreen::signed_in((40, 12));
    scene.says("alice", LONG);
    let (first, rest) = LONG.split_at(27);
    let expected = [first, rest].map(|piece| format!("{piece} -> 2.0 {LONG}"));
    assert_eq!(pieces(&scene), expected);
}

#[test]
fn links_in_one_message_have_different_ids() {
    let mut scene = TestScreen::signed_in((200, 24));
    scene.says("alice", "日本 http://a.example/é, (http://b.example) and http://a.example/é!");
    assert_eq!(
        pieces(&scene),
        [
            "http://a.example/é -> 2.0 http://a.example/%C3%A9",
            "http://b.example -> 2.1 http://b.example",
            "http://a.example/é -> 2.2 http://a.example/%C3%A9",
        ]
    );
}

#[test]
fn a_row_is_broken_before_a_link_rather_than_in_it() {
    let mut scene = TestScreen::signed_in((40, 12));
    let link = "https://files.example/minutes/2026-11";
    scene.says("alice", &format!("see {link}")).says("carol", link);
    assert_eq!(pieces(&scene), [format!("{link} -> 2.0 {link}"), format!("{link} -> 3.0 {link}")]);
}

#[test]
fn text_over_the_messages_has_no_links() {
    let mut scene = TestScreen::signed_in((80, 12));
    scene.says("alice", "http://a.example/");
    assert_eq!(pieces(&scene).len(), 1);
    scene.key(KeyCode::F(1));
    assert_eq!(pieces(&scene), [""; 0]);
}

#[test]
fn links_can_be_switched_off() {
    let settings = ScreenSettings { links: false, ..ScreenSettings::default() };
    let mut scene = TestScreen::new((80, 12), Some("bob"), settings);
    scene.sign_in().says("alice", "http://a.example/");
    assert_eq!(pieces(&scene), [""; 0]);
}

/// What an emulator understood.
#[derive(Default)]
struct Emulator {
    /// The link that is open.
    begun: Option<String>,
    /// Every link, as `id=ID;ADDRESS`.
    links: Vec<String>,
    /// Sequences for something else.
    others: usize,
}

impl vt100::Callbacks for Emulator {
    fn unhandled_osc(&mut self, _: &mut vt100::Screen, params: &[&[u8]]) {
        let params: Vec<_> = params.iter().map(|p| String::from_utf8_lossy(p)).collect();
        if params.first().is_none_or(|kind| kind != "8") {
            self.others += 1;
            return;
        }
        let target = params[1..].join(";");
        self.links.extend(self.begun.take());
        self.begun = (target != ";").then_some(target);
    }
}

fn emulated(bytes: &str) -> Emulator {
    let mut parser = vt100::Parser::new_with_callbacks(24, 80, 0, Emulator::default());
    parser.process(bytes.as_bytes());
    std::mem::take(parser.callbacks_mut())
}

#[test]
fn each_link_is_announced_once() {
    let mut scene = TestScreen::signed_in((40, 12));
    scene.says("alice", LONG);
    let mut recorder = Recorder::new(&scene);
    let bytes = recorder.draw(&scene);
    let opened = format!("\u{1b}]8;id=2.0;{LONG}\u{1b}\\");
    assert_eq!(bytes.matches(&opened).count(), 1, "{bytes:?}");
    assert_eq!(bytes.matches("\u{1b}]8;;\u{1b}\\").count(), 1);
    // The mark that made the cells be drawn goes with the next frame.
    recorder.draw(&scene);
    scene.types("x");
    assert!(
        !recorder.draw(&scene).contains("\u{1b}]"),
        "what has not changed is not announced again"
    );
}

#[test]
fn cells_with_a_changed_link_are_redrawn() {
    let mut scene = TestScreen::signed_in((80, 24));
    let mut recorder = Recorder::new(&scene);
    let mut links = |scene: &TestScreen| emulated(&recorder.draw(scene)).links;
    scene.says("alice", "http://a.example/");
    assert_eq!(links(&scene).len(), 1);
    // One row further up stands the same text: the same cells lead to another message's link.
    scene.says("alice", "http://a.example/");
    assert_eq!(links(&scene), ["id=2.0;http://a.example/", "id=3.0;http://a.example/"]);
    scene.app.links = false;
    let bytes = recorder.draw(&scene);
    assert!(emulated(&bytes).links.is_empty());
    assert_eq!(bytes.matches("http://a.example/").count(), 2, "drawn again as mere text");
}

/// What the address means, byte by byte as RFC 3986 has it.
fn percent_decoded(address: &str) -> String {
    let mut parts = address.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        let (byte, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(byte, 16).unwrap());
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn messages_cannot_end_or_begin_a_link_sequence() {
    for hostile in [
        "http://a.example/\u{1b}\\\u{1b}]0;title\u{7}",
        "http://a.example/\u{9c}x",
        "http://a.example/;id=2;http://b.example/",
        "http://a.example/\\x1b\\",
        "http://a.example/\u{202e}/b\u{2066}\u{200b}",
        "http://a.example/\u{2028}\u{e0041}\u{301}\u{301}",
        "http://\u{1b}]8;;http://b.example/\u{1b}\\a.example/",
    ] {
        let mut scene = TestScreen::signed_in((80, 24));
        // Outside text other than messages may contain control characters.
        scene.chat(Event::Notice { message: hostile.into() });
        let bytes = Recorder::new(&scene).draw(&scene);
        let emulator = emulated(&bytes);
        assert_eq!(emulator.others, 0, "{hostile:?}: {bytes:?}");
        assert!(emulator.begun.is_none(), "{hostile:?}: {bytes:?}");
        for target in emulator.links {
            let address = target.split_once(';').unwrap().1;
            let shown = crate::sanitize::sanitize(hostile);
            let said = percent_decoded(address);
            assert!(shown.contains(&said) || hostile.contains(&said), "{hostile:?}: {address}");
        }
    }
}
