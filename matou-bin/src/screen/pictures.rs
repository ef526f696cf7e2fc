//! The pictures in docs/: screens as they are drawn, not as they are remembered.

use matou_actors::client::{Direction, Event, TransferId};

use super::settings::ScreenSettings;
use super::stage::{Stage, name};
use super::svg::{Paper, picture};
use super::theme::ThemeName;

const SIZE: (u16, u16) = (96, 26);
const DARK: Paper = Paper { text: "#d6deeb", ground: "#161b24" };
const LIGHT: Paper = Paper { text: "#1e2430", ground: "#fbfbfb" };
const BLACK: Paper = Paper { text: "#ffffff", ground: "#000000" };

/// The name of each picture's file, and the picture as SVG.
pub fn pictures() -> Vec<(String, String)> {
    let dark = ThemeName::Dark;
    let all = [
        ("screen.svg", talk(dark), DARK),
        ("screen-light.svg", talk(ThemeName::Light), LIGHT),
        ("screen-high-contrast.svg", talk(ThemeName::HighContrast), BLACK),
        ("screen-private.svg", private(), DARK),
        ("screen-transfers.svg", transfers(), DARK),
    ];
    let drawn = all.into_iter().map(|(name, stage, paper)| {
        (name.to_owned(), picture(stage.terminal().backend().buffer(), paper))
    });
    drawn.collect()
}

fn stage(theme: ThemeName) -> Stage {
    let settings = ScreenSettings { theme, ..ScreenSettings::default() };
    let mut stage = Stage::new(SIZE, Some("bob"), settings);
    stage.sign_in();
    for who in ["Ivan", "mei", "olu", "sofia", "Yusuf"] {
        stage.chat(Event::Joined { username: name(who), present: true });
    }
    stage
}

fn talk(theme: ThemeName) -> Stage {
    let mut stage = stage(theme);
    stage.opens("sofia");
    stage.says("alice", "good morning! the pictures of the boat are ready");
    stage.wait(120).says("mei", "already? that was quick");
    stage.says("Élodie", "bravo 👏 quelqu'un a l'horaire des marées ?");
    stage.wait(90).says("olu", "https://tides.example/2026/11/23/high-water.html");
    stage.says("猫", "おはようございます、今日の会議は何時ですか");
    stage.wait(60).says("bob", "mei: at ten, in the usual place");
    stage.chat(Event::Left { username: name("dave") });
    for who in ["guest1", "guest2", "guest3"] {
        stage.chat(Event::Joined { username: name(who), present: false });
    }
    stage.wait(240).says("alice", "bob: shall I send them to you directly? it is one archive");
    stage.says("Ivan", "a name with \u{202e}tricks\u{202c} in it stays what it is");
    stage.whispers("sofia", "bob", "psst");
    stage.chat(Event::PrivateRequest { from: name("alice") });
    stage.types("alice: yes, ple");
    stage
}

fn private() -> Stage {
    let mut stage = stage(ThemeName::Dark);
    stage.opens("alice").alt('2');
    stage.whispers("alice", "bob", "nobody else hears us here: this goes straight to you");
    stage.wait(30).whispers("bob", "alice", "good. send me the pictures?");
    stage.wait(40).whispers("alice", "bob", "on their way");
    stage.offers(3);
    stage.says("mei", "has bob left?");
    stage
}

fn transfers() -> Stage {
    let mut stage = stage(ThemeName::Dark);
    stage.opens("alice");
    stage.moves(1, Direction::Incoming, 350, 1);
    let (id, from, size) = (TransferId(1), name("alice"), 700_000_000);
    stage.chat(Event::FileReceived {
        id,
        from,
        size,
        path: "/home/bob/Downloads/alice-2026-11-23-120112.zip".into(),
    });
    stage.moves(2, Direction::Incoming, 412_000_000, 38_500_000);
    stage.moves(3, Direction::Outgoing, 96_000_000, 11_200_000);
    stage.moves(4, Direction::Outgoing, 0, 0);
    stage.offers(5);
    stage.enters("/transfers").alt('z');
    stage
}
