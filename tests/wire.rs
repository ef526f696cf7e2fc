//! A whole session on the wire, captured packet by packet: of revision 2 nothing is readable, and
//! of revision 1 everything, which shows that the search finds what is there.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

use std::fs;
use std::net::SocketAddr;

use harness::client::{Client, meet};
use harness::server::Server;
use support::capture::{Capture, Captured};
use support::network::Line;

const ALWAYS: [&str; 4] = ["--accept-private", "always", "--accept-files", "always"];
/// The names of both users.
const USERS: [&str; 2] = ["Pademelon", "Wallaroo"];
/// Of the messages to all, as a message and as an action, and in private by both.
const TALK: [&str; 4] = ["Quokka", "Bettong", "Potoroo", "Wombat"];
/// Of a file, of a folder and of a file in it; of the file's content.
const NAMES: [&str; 3] = ["Numbat", "Bandicoot", "Dunnart"];
const CONTENT: &str = "Echidna";

/// A whole session: two join, talk, open a private session, talk there, send a file, and a folder if
/// they encrypt, and leave.
fn session(settings: &'static [(&'static str, &'static str)]) -> Option<Captured> {
    let encrypted = settings.is_empty();
    let line = Line::between(["192.168.1.1/24", "192.168.1.2/24"])?;
    // Also traffic from here to here.
    let capture = Capture::start(&line.near)?;
    let server = line.near.within(|| Server::with("0.0.0.0:0", &[]));
    let address = SocketAddr::from(([192, 168, 1, 1], server.address.port()));
    let join = |name| move || Client::join_configured(address, name, &ALWAYS, settings);
    let mut ada = line.near.within(join(USERS[0]));
    let mut bea = line.far.within(join(USERS[1]));
    meet(&mut ada, &mut bea);
    ada.say(&format!("a {}", TALK[0]));
    bea.wait_for_message(USERS[0], &format!("a {}", TALK[0]));
    bea.say(&format!("/me sees a {}", TALK[1]));
    // Revision 1 has no frame for it.
    let star = if encrypted { "" } else { "* " };
    ada.wait_for_message(USERS[1], &format!("{star}sees a {}", TALK[1]));
    let [file, folder, entry] = NAMES;
    let text = format!("{}, {file}, {folder} and {entry}", TALK[2]);
    ada.say(&format!("/msg {} {text}", USERS[1]));
    bea.wait_for_private(USERS[0], USERS[1], &text);
    bea.say(&format!("/msg {} a {}", USERS[0], TALK[3]));
    ada.wait_for_private(USERS[1], USERS[0], &format!("a {}", TALK[3]));
    let home = ada.home.path().to_owned();
    let at = |name: &str| home.join(name);
    fs::write(at(file), content()).unwrap();
    fs::create_dir(at(folder)).unwrap();
    fs::write(at(folder).join(entry), content()).unwrap();
    for name in [file, folder].into_iter().take(if encrypted { 2 } else { 1 }) {
        let command = format!("/send {} {}", USERS[1], at(name).display());
        ada.say(&command);
        bea.any("file_received");
        ada.any("file_sent");
    }
    for client in [&mut ada, &mut bea] {
        client.end_of_input();
        client.ended();
    }
    Some(capture.end())
}

fn content() -> String {
    CONTENT.repeat(10_000)
}

/// Everything that only the two may read.
fn words() -> impl Iterator<Item = &'static str> {
    USERS.into_iter().chain(TALK).chain(NAMES).chain([CONTENT])
}

#[test]
fn a_whole_session_of_revision_2_shows_no_name_no_text_no_file_and_no_name_of_a_file() {
    let Some(captured) = session(&[]) else { return };
    let size: usize = captured.streams.iter().map(Vec::len).sum();
    assert!(size > 2 * content().len(), "the files are in it: {size} bytes");
    for word in words() {
        assert!(!captured.holds(word.as_bytes()), "{word}");
    }
}

#[test]
fn the_same_session_of_revision_1_shows_all_of_it() {
    let Some(captured) = session(&[("CLIENT__ENCRYPTION", "off")]) else { return };
    for word in words() {
        assert!(captured.holds(word.as_bytes()), "{word}");
    }
    assert!(captured.holds(content().as_bytes()), "the file, over many packets");
}
