//! The pictures in docs/: screens as they are drawn, not as they are remembered.

use matou_actors::client::{Direction, Event, KeyStanding, LinkSecurity, MessageId, TransferId};

use matou_bin::screen_testing::{TestScreen, name, text};

use crate::svg::{Paper, picture};

const SIZE: (u16, u16) = (96, 26);
const DARK: Paper = Paper { text: "#d6deeb", ground: "#161b24" };
const LIGHT: Paper = Paper { text: "#1e2430", ground: "#fbfbfb" };
const BLACK: Paper = Paper { text: "#ffffff", ground: "#000000" };

/// The name of each picture's file, and the picture as SVG.
pub(crate) fn pictures() -> Vec<(String, String)> {
    let dark = "dark";
    let all = [
        ("screen.svg", talk(dark), DARK),
        ("screen-light.svg", talk("light"), LIGHT),
        ("screen-high-contrast.svg", talk("high-contrast"), BLACK),
        ("screen-private.svg", private(), DARK),
        ("screen-transfers.svg", transfers(), DARK),
    ];
    let drawn = all.into_iter().map(|(name, screen, paper)| {
        (name.to_owned(), picture(screen.terminal().backend().buffer(), paper))
    });
    drawn.collect()
}

fn screen(theme: &str) -> TestScreen {
    let mut screen = TestScreen::themed(SIZE, "bob", theme);
    let fingerprint = "SHA256:VR/G6Bt3zQFreNJdzd54IDYdHku73uX9ZwG/pKdETJc".to_owned();
    let security = LinkSecurity::Encrypted { fingerprint, key: KeyStanding::New };
    screen.chat(Event::Security { server: "chat.example:6286".into(), security });
    screen.sign_in();
    for who in ["Ivan", "mei", "olu", "sofia", "Yusuf"] {
        screen.chat(Event::Joined { username: name(who), present: true });
    }
    screen
}

fn talk(theme: &str) -> TestScreen {
    let mut screen = screen(theme);
    screen.opens("sofia");
    screen.says("alice", "good morning! the pictures of the boat are ready");
    screen.wait(120).says("mei", "already? that was quick");
    screen.says("Élodie", "bravo 👏 quelqu'un a l'horaire des marées ?");
    screen.wait(90).says("olu", "https://tides.example/2026/11/23/high-water.html");
    screen.says("猫", "おはようございます、今日の会議は何時ですか");
    screen.wait(60).says("bob", "mei: at ten, in the usual place");
    screen.chat(Event::Left { username: name("dave") });
    for who in ["guest1", "guest2", "guest3"] {
        screen.chat(Event::Joined { username: name(who), present: false });
    }
    screen.wait(240).says("alice", "bob: shall I send them to you directly? it is one archive");
    screen.says("Ivan", "a name with \u{202e}tricks\u{202c} in it stays what it is");
    screen.whispers("sofia", "bob", "psst");
    screen.chat(Event::PrivateRequest { from: name("alice") });
    screen.types("alice: yes, ple");
    screen
}

fn private() -> TestScreen {
    let mut screen = screen("dark");
    let address = std::net::IpAddr::from([192, 0, 2, 7]);
    let fingerprint = "SHA256:kJ3fBoyPSPzA5nzvkYyZ0G7ePxfA8b0mIVpgm1cLwXs".to_owned();
    screen.chat(Event::PrivateOpened {
        with: name("alice"),
        address,
        security: LinkSecurity::Encrypted { fingerprint, key: KeyStanding::New },
    });
    screen.alt('2');
    screen.whispers("alice", "bob", "nobody else hears us here: this goes straight to you");
    let (id, said) = (MessageId(1), text("good. send me the pictures?"));
    screen.wait(30).chat(Event::PrivateMessage {
        action: false,
        id: Some(id),
        from: name("bob"),
        to: name("alice"),
        text: said,
    });
    screen.chat(Event::Delivered { to: name("alice"), ids: vec![id] });
    screen.wait(40).whispers("alice", "bob", "on their way");
    screen.chat(Event::FileOffered {
        id: TransferId(3),
        from: name("alice"),
        name: Some("pictures of the boat".into()),
        entries: Some(48),
        size: Some(312_345_678),
        address,
        free: Some(50_000_000_000),
    });
    screen.says("mei", "has bob left?");
    screen
}

fn transfers() -> TestScreen {
    let mut screen = screen("dark");
    screen.opens("alice");
    screen.moves(1, Direction::Incoming, 350, 1);
    let (id, from, size) = (TransferId(1), name("alice"), 700_000_000);
    screen.chat(Event::FileReceived {
        id,
        from,
        size,
        path: "/home/bob/Downloads/alice-2026-11-23-120112.zip".into(),
    });
    screen.moves(2, Direction::Incoming, 412_000_000, 38_500_000);
    screen.moves(3, Direction::Outgoing, 96_000_000, 11_200_000);
    screen.moves(4, Direction::Outgoing, 0, 0);
    screen.offers(5);
    screen.enters("/transfers").alt('z');
    screen
}
