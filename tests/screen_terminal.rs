//! The screen in a real terminal: what it shows there, and that it restores it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

#[path = "screen_terminal/leaving.rs"]
mod leaving;
#[path = "screen_terminal/screen.rs"]
mod screen;
#[path = "screen_terminal/typing.rs"]
mod typing;

use std::thread;
use std::time::{Duration, Instant};

use harness::DEADLINE;
use harness::server::Server;
use harness::terminal::Terminal;
use harness::wire::{Peer, coreq, cores, disconotif, msg, pvcoestasrc, pvcoreq};
use screen::{MATOU, READ_TIME, SIZE, Screen, environment, untouched};

#[test]
fn history_is_kept_between_runs_and_private_text_is_not() {
    let server = Server::start();
    let mut other = harness::client::Client::join(server.address, "ada");
    let mut bob = Screen::join(&server, "bob");
    bob.terminal.types("public words\r");
    other.wait_for_message("bob", "public words");
    bob.terminal.types("/msg ada secret words\r");
    bob.terminal.shows("2 ada…");
    bob.terminal.types("/quit\r");
    bob.terminal.exit();
    let path = bob.home.path().join(".local/state/matou/history");
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept, "public words\n/quit\n");
    let address = server.address.to_string();
    let arguments = ["client", "--server", &address, "--username", "bob"];
    let again = Terminal::run(SIZE, MATOU, &arguments, &environment(&bob.home, &[]));
    let mut again = again;
    again.shows("as bob.");
    again.types("\x1b[A\x1b[A");
    again.input_is("room › public words");
}

#[test]
fn a_link_of_the_state_folder_is_followed_and_one_of_the_history_is_refused() {
    let server = Server::start();
    let address = server.address.to_string();
    let home = tempfile::tempdir().unwrap();
    let (kept, state) = (home.path().join("kept"), home.path().join(".local/state"));
    std::fs::create_dir_all(&state).unwrap();
    std::fs::create_dir(&kept).unwrap();
    std::os::unix::fs::symlink(&kept, state.join("matou")).unwrap();
    let run = |name| {
        let arguments = ["client", "--server", &address, "--username", name];
        let mut terminal = Terminal::run(SIZE, MATOU, &arguments, &environment(&home, &[]));
        terminal.shows(&format!("as {name}."));
        terminal.types("/who\r");
        terminal.shows("1 here:");
        let seen = terminal.shows("1 here:");
        terminal.types("/quit\r");
        assert!(terminal.exit().success());
        seen
    };
    run("bob");
    let history = kept.join("history");
    assert_eq!(std::fs::read_to_string(&history).unwrap(), "/who\n/quit\n");
    let other = home.path().join("other");
    std::fs::rename(&history, &other).unwrap();
    std::os::unix::fs::symlink(&other, &history).unwrap();
    assert!(run("ben").contains("it is a symbolic link"));
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "/who\n/quit\n", "not written to");
}

#[test]
fn a_name_is_asked_for_and_asked_for_again_when_it_is_taken() {
    let server = Server::start();
    let _ada = harness::client::Client::join(server.address, "ada");
    let mut screen = Screen::start(&server, "", &[]);
    screen.terminal.shows("Your name on");
    screen.terminal.types("ada\r");
    screen.terminal.shows("ada is in use");
    screen.terminal.types("bea\r");
    screen.terminal.shows("as bea.");
    screen.terminal.types("\x03");
    assert!(screen.terminal.exit().success());
    assert_eq!(screen.terminal.modes(), untouched());
}

#[test]
fn another_server_can_be_named_where_the_first_one_is_not_reached() {
    let server = Server::start();
    let none = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = tempfile::tempdir().unwrap();
    let arguments = ["client", "--server", &none.to_string()];
    let mut terminal = Terminal::run(SIZE, MATOU, &arguments, &environment(&home, &[]));
    terminal.shows("Not connected");
    assert!(!terminal.shows("Connecting to").contains("Your name"), "no name is asked for yet");
    terminal.types(&format!("{}\r", server.address));
    terminal.shows(&format!("Your name on {}", server.address));
    terminal.types("bea\r");
    terminal.shows("as bea.");
}

#[test]
fn copy_mode_survives_a_resize() {
    let server = Server::start();
    let bob = &mut Screen::join(&server, "bob").terminal;
    bob.types("\x1bl");
    bob.puts_out("press any key to return", 1);
    bob.resize(100, 30);
    bob.puts_out("press any key to return", 2);
    assert!(!bob.shows("press any key to return").contains("room"), "nothing is drawn over it");
    bob.types("x");
    bob.input_is("room ›");
}

#[test]
fn half_a_key_does_not_stop_the_screen() {
    let server = Server::start();
    let mut other = harness::client::Client::join(server.address, "ada");
    let mut screen = Screen::join(&server, "bob");
    screen.terminal.types("\x1b[1;");
    other.say("still there?");
    screen.terminal.shows("still there?");
    // The other half: Ctrl-Right.
    screen.terminal.types("5Cyes\r");
    other.wait("message", |event| event["text"] == "yes");
}

#[test]
fn a_file_dropped_on_the_terminal_is_sent_and_its_path_is_not() {
    let server = Server::start();
    let mut other = harness::client::Client::join(server.address, "ada");
    let mut screen = Screen::join(&server, "bob");
    let path = screen.home.path().join("my file.txt");
    std::fs::write(&path, "content").unwrap();
    screen.terminal.types("/open ada\r");
    other.wait("private_request", |_| true);
    other.say("/accept bob");
    screen.terminal.shows("Private session with ada");
    screen.terminal.types(&format!("\x1b[200~'{}'\x1b[201~", path.display()));
    screen.terminal.types("\r");
    screen.terminal.shows("That is a file. Send my file.txt to ada");
    thread::sleep(READ_TIME);
    screen.terminal.types("\r");
    let offer = other.any("file_offered");
    assert_eq!(offer["size"], 7);
    screen.terminal.types("done\r");
    assert_eq!(other.any("private_message")["text"], "done", "the path was not said");
}

#[test]
fn more_than_one_read_takes_is_typed_without_waiting_for_another_key() {
    let server = Server::start();
    let mut other = harness::client::Client::join(server.address, "ada");
    let mut screen = Screen::join(&server, "bob");
    let line = format!("{}end", "x".repeat(497));
    screen.terminal.types(&format!("{line}\r").repeat(6));
    // It arrives as a paste does.
    screen.terminal.shows("Send 6 lines?");
    thread::sleep(READ_TIME);
    screen.terminal.types("\r");
    for _ in 0..6 {
        other.wait("message", |event| event["text"] == line.as_str());
    }
}

#[test]
fn text_from_others_never_reaches_the_terminal_unescaped() {
    let server = Server::start();
    let mut other = harness::client::Client::join(server.address, "ada");
    let screen = Screen::join(&server, "bob");
    other.say("a\u{202e}b\u{200b}c\u{2066}d end");
    screen.terminal.shows("a<U+202E>b<U+200B>c<U+2066>d end");
    let bytes = String::from_utf8_lossy(&screen.terminal.bytes()).into_owned();
    assert!(!bytes.contains(['\u{202e}', '\u{200b}', '\u{2066}']));
    assert!(!bytes.contains("\u{1b}]"), "no title is ever set");
}

#[test]
fn a_link_that_is_wider_than_the_pane_reaches_the_terminal_whole() {
    let server = Server::start();
    let mut other = harness::client::Client::join(server.address, "ada");
    let screens = [
        ("b1", "TERM", "xterm-256color", true),
        ("b2", "TERM", "linux", false),
        ("b3", "MATOU_CLIENT__SCREEN__LINKS", "false", false),
    ]
    .map(|(user, name, value, told)| {
        let screen = Screen::start_in((40, 12), &server, user, &[(name, value)]);
        screen.terminal.shows(&format!(" {user} · "));
        (screen, told)
    });
    let (first, rest) = ("https://files.example/a/path/", "wider/than/a/pane;id=1&x=2");
    other.say(&format!("{first}{rest}"));
    for (screen, told) in screens {
        screen.terminal.wait("both pieces", |screen| {
            let rows: Vec<_> = screen.contents().lines().map(str::to_owned).collect();
            let pair = |rows: &[String]| rows[0].ends_with(first) && rows[1].trim() == rest;
            rows.windows(2).any(pair)
        });
        let bytes = String::from_utf8_lossy(&screen.terminal.bytes()).into_owned();
        assert_eq!(bytes.contains("\u{1b}]"), told, "{bytes:?}");
        let mut pieces = Vec::new();
        for linked in bytes.split("\u{1b}]8;id=").skip(1) {
            let (target, linked) = linked.split_once("\u{1b}\\").unwrap();
            assert_eq!(target.split_once(';').unwrap().1, format!("{first}{rest}"));
            let (linked, _) = linked.split_once("\u{1b}]8;;\u{1b}\\").expect("an end");
            pieces.extend([first, rest].into_iter().filter(|piece| linked.contains(piece)));
        }
        assert!(!told || (pieces.contains(&first) && pieces.contains(&rest)), "{bytes:?}");
    }
}

#[test]
fn no_color_is_respected() {
    let server = Server::start();
    let screen = Screen::start(&server, "bob", &[("NO_COLOR", "1"), ("COLORTERM", "truecolor")]);
    screen.terminal.shows("as bob.");
    let bytes = String::from_utf8_lossy(&screen.terminal.bytes()).into_owned();
    for colour in ["\u{1b}[38;", "\u{1b}[48;", "\u{1b}[31m", "\u{1b}[34m"] {
        assert!(!bytes.contains(colour), "{colour:?}");
    }
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let server = Server::start();
    let mut screen = Screen::start(&server, "bob", &[("TERM", "dumb")]);
    screen.terminal.wait("plain lines", |screen| !screen.contents().trim().is_empty());
    screen.terminal.types("/quit\r");
    screen.terminal.exit();
    let bytes = screen.terminal.bytes();
    let own = bytes.len() - b"\x1b[0mEND-OF-OUTPUT".len();
    assert!(!bytes[..own].contains(&0x1b));
}

#[test]
fn an_idle_screen_does_not_wake_up() {
    let server = Server::start();
    let screen = Screen::join(&server, "bob");
    let id = screen.terminal.child.process_id().unwrap();
    // The first frames, and a minute that begins, may fall into a span: then the next one counts.
    let span = Duration::from_secs(1);
    let start = Instant::now();
    loop {
        let before = wake_ups(id);
        thread::sleep(span);
        if wake_ups(id) == before {
            break;
        }
        assert!(start.elapsed() < DEADLINE, "no second passes in which it does not wake");
    }
}

/// How often the threads of a process have begun to wait so far.
fn wake_ups(id: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
    // One that ends meanwhile has no status any more.
    let status = |thread: std::fs::DirEntry| {
        std::fs::read_to_string(thread.path().join("status")).unwrap_or_default()
    };
    let count = |status: String| {
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.map_or(0, |count| count.trim().parse::<u64>().unwrap())
    };
    threads.map_while(Result::ok).map(|thread| count(status(thread))).sum()
}

#[test]
fn a_key_for_a_question_that_vanished_does_not_answer_the_next_one() {
    let server = Server::start();
    let mut bob = Screen::join(&server, "bob");
    let mut cara = Peer::join(server.address, "cara", &["bob"]);
    let mut dora = Peer::join(server.address, "dora", &["bob", "cara"]);
    cara.send(&pvcoreq("bob"));
    bob.terminal.shows("cara requests a private session");
    dora.send(&pvcoreq("bob"));
    bob.terminal.shows("cara requests a private session; a file may follow (+1)");
    thread::sleep(READ_TIME);
    drop(cara);
    dora.expect(&disconotif("cara"));
    bob.terminal.shows("dora requests a private session");
    bob.terminal.types("\x1by");
    bob.terminal.shows("The question has just changed");
    dora.expect_nothing();
    thread::sleep(READ_TIME);
    bob.terminal.types("\x1by");
    dora.expect(&pvcoestasrc("bob", [127, 0, 0, 1].into()));
}

#[test]
fn two_names_that_differ_in_their_cut_part_do_not_look_the_same() {
    let server = Server::start();
    let bob = Screen::start_in((40, 10), &server, "bob", &[]);
    bob.terminal.shows("1 here");
    let name = |number| format!("MaximilianOfHereAndNowhere{number}");
    for number in [1, 2] {
        let mut peer = Peer::connect(server.address);
        peer.send(&coreq(&name(number)));
        peer.expect(&cores(true));
        peer.send(&msg(&format!("says {number}")));
        bob.terminal.shows(&format!("says {number}"));
    }
    let screen = bob.terminal.shows("says 2");
    let shown = ["says 1", "says 2"].map(|text| {
        let row = screen.lines().find(|row| row.contains(text)).unwrap();
        row.split_whitespace().nth(1).unwrap()
    });
    assert!(shown.iter().all(|name| name.starts_with("Maxi") && name.contains('…')), "{screen}");
    assert_ne!(shown[0], shown[1], "{screen}");
}
