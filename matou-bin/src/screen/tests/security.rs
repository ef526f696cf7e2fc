//! What the screen says of how the connection to the server is protected.

use matou_actors::client::{Event, KeyStanding, LinkSecurity};

use crate::screen::config::settings::ScreenSettings;
use crate::screen::testing::test_screen::TestScreen;

const FINGERPRINT: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

fn reached(size: (u16, u16), security: LinkSecurity) -> TestScreen {
    let mut scene = TestScreen::new(size, Some("bob"), ScreenSettings::default());
    scene.chat(Event::Security { server: "chat.example:6286".into(), security });
    scene.sign_in();
    scene
}

#[test]
fn the_first_connection_shows_the_key_and_what_to_do_with_it() {
    let fingerprint = FINGERPRINT.to_owned();
    let new = LinkSecurity::Encrypted { fingerprint, key: KeyStanding::New };
    let scene = reached((100, 24), new);
    for words in ["First connection to", FINGERPRINT, "operator", " encrypted · "] {
        assert!(scene.shows(words), "{words}: {}", scene.screen());
    }
}

#[test]
fn an_encrypted_connection_is_marked_even_on_a_narrow_screen() {
    for size in [(40, 10), (80, 24)] {
        let known = LinkSecurity::Encrypted {
            fingerprint: FINGERPRINT.to_owned(),
            key: KeyStanding::Known,
        };
        let scene = reached(size, known);
        let status = scene.screen();
        assert!(status.lines().any(|line| line.contains(" encrypted · bob")), "{status}");
    }
}

#[test]
fn a_connection_that_is_not_encrypted_is_marked_even_on_a_narrow_screen() {
    for size in [(40, 10), (80, 24)] {
        let scene = reached(size, LinkSecurity::Plain);
        assert!(scene.shows("NOT ENCRYPTED"), "{}", scene.screen());
    }
}
