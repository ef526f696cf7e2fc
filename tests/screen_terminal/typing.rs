//! Typed and pasted text goes where it was meant to go, and none of it is lost.

use std::thread;

use crate::harness::client::Client;
use crate::harness::server::Server;
use crate::harness::terminal::Terminal;
use crate::screen::{MATOU, READ_TIME, SIZE, Screen, environment};

/// Bob's screen with the tab of a private session with Ada.
fn talking(server: &Server) -> (Client, Screen) {
    let mut ada = Client::join(server.address, "ada");
    let mut bob = Screen::join(server, "bob");
    bob.terminal.types("/open ada\r");
    ada.any("private_request");
    ada.say("/accept bob");
    bob.terminal.shows("Private session with ada");
    (ada, bob)
}

#[test]
fn in_a_private_tab_text_and_commands_without_a_name_go_to_its_peer() {
    let server = Server::start();
    let (mut ada, mut bob) = talking(&server);
    let path = bob.home.path().join("my file");
    std::fs::write(&path, "content").unwrap();
    bob.terminal.types("just text\r");
    ada.wait_for_private("bob", "ada", "just text");
    bob.terminal.types("/msg and a command\r");
    ada.wait_for_private("bob", "ada", "and a command");
    bob.terminal.types(&format!("/send {}\r", path.display()));
    let offer = ada.any("file_offered");
    assert_eq!((&offer["from"], &offer["size"]), (&"bob".into(), &7.into()));
    bob.terminal.types("/help send\r");
    // After the place where the line is wrapped.
    bob.terminal.shows("left out in a private tab");
}

#[test]
fn a_file_waits_for_its_receiver_until_they_take_it() {
    let server = Server::start();
    let (mut ada, mut bob) = talking(&server);
    let path = bob.home.path().join("large");
    // More than the buffers on the way take.
    std::fs::File::create(&path).unwrap().set_len(200_000_000).unwrap();
    bob.terminal.types(&format!("/send {}\r", path.display()));
    let offer = ada.any("file_offered");
    bob.terminal.types("/transfers\r");
    bob.terminal.shows("200.0 MB, waiting for ada");
    ada.say(&format!("/take {}", offer["id"]));
    ada.any("file_received");
    bob.terminal.shows("200.0 MB, complete");
}

#[test]
fn half_typed_input_at_ctrl_c_is_in_the_history_of_the_next_run() {
    let server = Server::start();
    let mut bob = Screen::join(&server, "bob");
    bob.terminal.types("half a thought");
    bob.terminal.input_is("room › half a thought");
    bob.terminal.types("\x03");
    assert!(bob.terminal.exit().success());
    let address = server.address.to_string();
    let arguments = ["client", "--server", &address, "--username", "ben"];
    let mut again = Terminal::run(SIZE, MATOU, &arguments, &environment(&bob.home, &[]));
    again.shows("as ben.");
    again.types("\x1b[A");
    again.input_is("room › half a thought");
}

#[test]
fn a_paste_that_is_too_large_for_messages_is_sent_as_a_file() {
    let server = Server::start();
    let (mut ada, mut bob) = talking(&server);
    let text = "a line of some length\n".repeat(10_000);
    let paste = format!("\x1b[200~{}\x1b[201~", text.replace('\n', "\r"));
    bob.terminal.types("\x1b1");
    bob.terminal.shows("[1 room]");
    bob.terminal.types(&paste);
    bob.terminal.shows("a private tab can send it");
    thread::sleep(READ_TIME);
    bob.terminal.types("\r");
    bob.terminal.shows("Press Esc to cancel the paste");
    bob.terminal.types("\x1b");
    // Another key right after Escape would be one with Alt.
    bob.terminal.shows("Nothing sent.");
    bob.terminal.types("\x1b2");
    bob.terminal.shows("[2 ada]");
    bob.terminal.types(&paste);
    bob.terminal.shows("too much to send as messages");
    thread::sleep(READ_TIME);
    bob.terminal.types("\r");
    let offer = ada.any("file_offered");
    ada.say(&format!("/take {}", offer["id"]));
    let received = ada.any("file_received");
    let received = std::fs::read_to_string(received["path"].as_str().unwrap()).unwrap();
    assert_eq!(received.trim_end(), text.trim_end());
    bob.terminal.types("done\r");
    ada.wait("private_message", |event| {
        assert_eq!(event["text"], "done", "nothing of the paste was said");
        true
    });
}
