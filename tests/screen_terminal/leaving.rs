//! The terminal is restored, however the client ends or stops.

use std::thread;

use nix::sys::signal::Signal;

use crate::harness::client::Client;
use crate::harness::server::Server;
use crate::harness::terminal::Terminal;
use crate::screen::{MATOU, READ_TIME, SIZE, Screen, environment, untouched};

#[test]
fn a_session_from_start_to_quit_leaves_the_terminal_as_it_was() {
    let server = Server::start();
    let mut other = Client::join(server.address, "ada");
    let mut bob = Screen::join(&server, "bob");
    let terminal = &mut bob.terminal;
    let modes = terminal.modes();
    assert_ne!(modes, untouched());

    terminal.types("hallo\x01\x1b[C\x1b[3~e\x05!");
    terminal.input_is("room › hello!");
    terminal.types("\r");
    other.wait_for_message("bob", "hello!");
    terminal.types("ad\t");
    terminal.input_is("room › ada:");
    terminal.types("日本 👩\u{200d}👩\u{200d}👧\r");
    other.wait_for_message("bob", "ada: 日本 👩\u{200d}👩\u{200d}👧");

    terminal.types("/op\tad\t\r");
    terminal.shows("[2 ada…]");
    other.any("private_request");
    other.say("/accept bob");
    terminal.shows("Private session with ada");
    terminal.types("psst\r");
    other.wait("private_message", |event| event["text"] == "psst");
    terminal.types("\x1b1");
    terminal.shows("[1 room]");

    terminal.types("\x1b[200~one\rtwo\rthree\r\x1b[201~");
    terminal.shows("Send 3 lines?");
    thread::sleep(READ_TIME);
    terminal.types("\r");
    for line in ["one", "two", "three"] {
        other.wait_for_message("bob", line);
    }
    terminal.types("\x1b[200~just one\x1b[201~");
    terminal.input_is("room › just one");
    terminal.types("\x15");

    terminal.resize(40, 10);
    terminal.wait("narrow tabs", |screen| screen.contents().starts_with("[1 room] 2 ada"));
    terminal.resize(30, 5);
    terminal.shows("Terminal too small");
    terminal.resize(120, 40);
    terminal.wait("wide roster", |screen| screen.contents().contains("› bob"));

    terminal.types("/quit\r");
    assert!(terminal.exit().success());
    assert_eq!(terminal.modes(), untouched());
    other.wait("left", |event| event["username"] == "bob");
}

#[test]
fn the_shell_gets_its_terminal_back_and_gives_it_again() {
    let server = Server::start();
    let home = tempfile::tempdir().unwrap();
    let mut terminal =
        Terminal::run(SIZE, "/bin/sh", &["-i"], &environment(&home, &[("PS1", "shell> ")]));
    terminal.shows("shell>");
    let before = terminal.modes();
    terminal.types(&format!("{MATOU} client --username bob --server {}\r", server.address));
    terminal.shows("as bob.");
    terminal.types("a draft");
    terminal.input_is("room › a draft");
    for _ in 0..3 {
        terminal.types("\x1a");
        terminal.wait("shell", |screen| {
            !screen.alternate_screen() && screen.contents().trim_end().ends_with("shell>")
        });
        assert_eq!(terminal.modes(), before);
        terminal.types("fg\r");
        terminal.input_is("room › a draft");
    }
    terminal.types("\x15/quit\r");
    // Until the shell prompts again, input is still the client's.
    terminal.wait("shell", |screen| {
        !screen.alternate_screen() && screen.contents().trim_end().ends_with("shell>")
    });
    terminal.types("exit\r");
    terminal.exit();
    assert_eq!(terminal.modes(), before);
}

#[test]
fn the_terminal_is_taken_again_after_a_stop_that_cannot_be_caught() {
    let server = Server::start();
    let home = tempfile::tempdir().unwrap();
    let mut terminal =
        Terminal::run(SIZE, "/bin/sh", &["-i"], &environment(&home, &[("PS1", "shell> ")]));
    terminal.shows("shell>");
    terminal.types(&format!("{MATOU} client --username bob --server {}\r", server.address));
    terminal.shows("as bob.");
    let raw = terminal.modes();
    let client = terminal.foreground();
    nix::sys::signal::kill(client, Signal::SIGSTOP).unwrap();
    // Until the shell has the terminal, input is still the client's.
    terminal.wait("shell", |screen| screen.contents().trim_end().ends_with("shell>"));
    // What most shells do by themselves. The terminal is raw, so that Enter is a line feed.
    terminal.types("stty sane; echo men''ded\n");
    terminal.shows("mended");
    assert_ne!(terminal.modes(), raw);
    terminal.types("fg\r");
    terminal.wait("screen", |screen| screen.contents().trim_end().ends_with("room ›"));
    terminal.types("typed\r");
    terminal.shows("› typed");
    assert_eq!(terminal.modes(), raw);
}

#[test]
fn a_panic_is_printed_on_a_terminal_that_is_as_it_was() {
    // Each bob has another key.
    let server = Server::with("127.0.0.1:0", &[("NAMES__KEEP_DAYS", "0")]);
    for place in ["screen", "thread"] {
        let mut screen = Screen::start(&server, "bob", &[("MATOU_TEST_PANIC", place)]);
        screen.terminal.shows("as bob.");
        screen.terminal.types("\x1b[24~");
        assert!(!screen.terminal.exit().success(), "{place}");
        assert_eq!(screen.terminal.modes(), untouched(), "{place}");
        let text = screen.terminal.shows("forced by MATOU_TEST_PANIC");
        assert!(text.contains("the program failed"), "{text}");
    }
}

#[test]
fn signals_end_it_with_a_clean_terminal_and_a_reason() {
    // Each bob has another key.
    let server = Server::with("127.0.0.1:0", &[("NAMES__KEEP_DAYS", "0")]);
    let mut other = Client::join(server.address, "ada");
    for signal in
        [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGABRT]
    {
        let mut screen = Screen::join(&server, "bob");
        screen.terminal.signal(signal);
        assert!(screen.terminal.exit().success());
        assert_eq!(screen.terminal.modes(), untouched());
        screen.terminal.shows(&format!("stopped by {signal}"));
        other.wait("left", |event| event["username"] == "bob");
    }
}

#[test]
fn a_hanging_disk_blocks_neither_the_terminal_nor_signing_out() {
    let server = Server::start();
    let mut other = Client::join(server.address, "ada");
    let home = tempfile::tempdir().unwrap();
    let address = server.address.to_string();
    let arguments = ["client", "--server", &address, "--username", "bob"];
    let variables = environment(
        &home,
        &[("MATOU_CLIENT__SCREEN__CHAT_LOG", "public"), ("MATOU_TEST_HANG", "log")],
    );
    let mut bob = Terminal::run(SIZE, MATOU, &arguments, &variables);
    bob.shows("as bob.");
    other.say("for the log");
    bob.shows("for the log");
    bob.types("/quit\r");
    other.wait("left", |event| event["username"] == "bob");
    assert!(bob.exit().success());
    assert_eq!(bob.modes(), untouched());
    bob.shows("the disk is not responding");
}

#[test]
fn a_disk_that_hangs_at_the_start_can_be_interrupted() {
    let server = Server::start();
    let mut other = Client::join(server.address, "ada");
    let home = tempfile::tempdir().unwrap();
    let address = server.address.to_string();
    let arguments = ["client", "--server", &address, "--username", "bob"];
    let mut bob = Terminal::run(
        SIZE,
        MATOU,
        &arguments,
        &environment(&home, &[("MATOU_TEST_HANG", "history")]),
    );
    other.wait("joined", |event| event["username"] == "bob");
    bob.signal(Signal::SIGINT);
    assert!(!bob.exit().success());
    assert_eq!(bob.modes(), untouched());
}

#[test]
fn a_terminal_that_is_gone_ends_it() {
    let server = Server::start();
    let mut other = Client::join(server.address, "ada");
    let mut screen = Screen::join(&server, "bob");
    screen.terminal.hang_up();
    screen.terminal.exit();
    other.wait("left", |event| event["username"] == "bob");
}
