//! The program as a shell sees it: exit codes, words on standard error, signals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

#[path = "command_line/configuration.rs"]
mod configuration;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use harness::server::Server;
use harness::wire::{Peer, msgbc};
use nix::sys::signal::Signal;

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let home = tempfile::tempdir().unwrap();
    let mut command = harness::matou(home.path());
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    (status.code().unwrap(), text)
}

#[test]
fn help_shows_the_exit_codes() {
    for arguments in [&["--help"][..], &["server", "--help"], &["client", "--help"]] {
        let (code, text) = run(arguments, &[]);
        assert_eq!(code, 0);
        assert!(text.contains("Exit codes"), "{text}");
    }
    for role in ["server", "admin", "servers", "identity", "manual", "completions"] {
        let (_, text) = run(&[role, "--help"], &[]);
        assert!(
            text.contains("Exit codes") && !text.contains("refused the name"),
            "{role}: {text}"
        );
    }
    assert_eq!(run(&["--version"], &[]).0, 0);
}

#[test]
fn an_invalid_command_line_is_exit_code_2() {
    for arguments in [
        &[][..],
        &["serve"],
        &["server", "--port", "1"],
        &["server", "-v", "-q"],
        &["client", "--plain", "--json"],
        &["client", "--accept-files", "maybe"],
        &["client", "--username", "a b"],
        &["server", "--listen", "nowhere"],
    ] {
        assert_eq!(run(arguments, &[]).0, 2, "{arguments:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_exit_code_1() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["client", "--help"],
        &["manual"],
        &["completions", "fish"],
        &["server", "--check-config"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let status = harness::matou(home.path()).args(arguments).stdout(full).status().unwrap();
        assert_eq!(status.code(), Some(1), "{arguments:?}");
    }
}

#[test]
fn a_port_in_use_is_exit_code_1_with_advice() {
    let server = Server::start();
    let address = server.address.to_string();
    let (code, said) = run(&["server", "--listen", &address], &[]);
    assert_eq!(code, 1);
    assert!(said.contains(&address) && said.contains("in use"), "{said}");
    assert!(said.contains("--listen"), "{said}");
}

#[test]
fn a_missing_name_without_a_terminal_is_exit_code_2() {
    for mode in ["--plain", "--json"] {
        let (code, said) = run(&["client", mode], &[]);
        assert_eq!(code, 2);
        assert!(said.contains("--username"), "{said}");
    }
}

#[test]
fn a_client_that_never_reaches_its_server_is_exit_code_1() {
    // A port that was free a moment ago, and on which nothing listens.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = free.to_string();
    let (code, said) = run(&["client", "--username", "Ada", "--server", &address], &[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&address), "{said}");
}

#[test]
fn a_refused_name_in_plain_without_a_terminal_is_exit_code_3() {
    let server = Server::start();
    let _peer = Peer::join(server.address, "Ada", &[]);
    let address = server.address.to_string();
    let (code, said) = run(&["client", "--plain", "--username", "Ada", "--server", &address], &[]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("--username"), "{said}");
}

#[test]
fn sigterm_and_sigint_flush_close_and_exit_0_in_5_seconds() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = Server::start();
        let mut reader = Peer::join(server.address, "Reader", &[]);
        let mut writer = Peer::join(server.address, "Writer", &["Reader"]);
        reader.expect(&harness::wire::conotif("Writer"));
        writer.send(&harness::wire::msg("last words"));
        writer.expect(&msgbc("Writer", "last words"));
        let start = Instant::now();
        server.process.signal(signal);
        reader.expect(&msgbc("Writer", "last words"));
        // The one closed later may still receive that the other one left.
        reader.rest();
        writer.rest();
        assert_eq!(server.process.exit().code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert!(server.log.rest().last().unwrap().contains("stopped"));
    }
}

#[test]
fn sigterm_ends_a_server_whose_clients_do_not_read_in_5_seconds() {
    let server_settings = [
        ("LIMITS__MESSAGES_PER_SECOND", "0"),
        ("LIMITS__BYTES_PER_SECOND", "0"),
        ("LIMITS__ROOM_BYTES_PER_SECOND", "0"),
    ];
    let mut server = Server::with("127.0.0.1:0", &server_settings);
    let _stuck = Peer::join(server.address, "Stuck", &[]);
    let mut writer = Peer::join(server.address, "Writer", &["Stuck"]);
    let text = "x".repeat(512);
    for _ in 0..2_000 {
        writer.send(&harness::wire::msg(&text));
        writer.expect(&msgbc("Writer", &text));
    }
    let start = Instant::now();
    server.process.signal(Signal::SIGTERM);
    assert_eq!(server.process.exit().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_closed_output_ends_the_client_with_exit_code_0() {
    let server = Server::start();
    let home = tempfile::tempdir().unwrap();
    let mut command = harness::matou(home.path());
    command.args(["client", "--plain", "--username", "Ada", "--server"]);
    command.arg(server.address.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = harness::Process(command.spawn().unwrap());
    let mut out = harness::lines::Lines::new("client", process.0.stdout.take().unwrap());
    out.wait("connected", |line| line.contains("connected").then_some(()));
    drop(out); // Its thread ends, and with it the pipe, at the next line.
    let mut input = process.0.stdin.take().unwrap();
    let start = Instant::now();
    while process.0.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < harness::DEADLINE, "the client goes on without a reader");
        let _ = input.write_all(b"is anybody there?\n");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(process.exit().code(), Some(0));
}

#[test]
fn an_idle_client_leaves_at_once_when_its_reader_is_gone() {
    for mode in ["--plain", "--json"] {
        let server = Server::start();
        let mut watcher = Peer::join(server.address, "Watcher", &[]);
        let home = tempfile::tempdir().unwrap();
        let mut command = harness::matou(home.path());
        command.args(["client", mode, "--username", "Ada", "--server"]);
        command.arg(server.address.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = harness::Process(command.spawn().unwrap());
        watcher.expect(&harness::wire::conotif("Ada"));
        let out = BufReader::new(process.0.stdout.take().unwrap());
        let (closed, is_closed) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let here = out.lines().any(|line| line.is_ok_and(|line| line.contains("Watcher")));
            // The pipe is closed by now.
            closed.send(here)
        });
        assert!(is_closed.recv_timeout(harness::DEADLINE).unwrap());
        watcher.expect(&harness::wire::disconotif("Ada"));
        assert_eq!(process.exit().code(), Some(0));
    }
}

#[test]
fn closed_is_the_last_line_after_every_signal_and_unsent_texts_are_reported() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // A server that takes connections and says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let mut ada = harness::client::Client::start(address, "Ada", &[]);
        let _connection = silent.accept().unwrap();
        ada.say("/msg Bea the key is under the mat");
        ada.say("to everybody");
        ada.say("/help open");
        ada.any("notice");
        ada.process.signal(signal);
        let (events, code) = ada.ended();
        assert_eq!(code, 0, "{signal}");
        assert_eq!(events.last().unwrap()["event"], "closed", "{signal}: {events:?}");
        let unsent = events.iter().find(|event| event["event"] == "undelivered");
        assert_eq!(unsent.unwrap()["texts"][0], "the key is under the mat", "{signal}");
        let is_said = |event: &&serde_json::Value| event["code"] == "not_sent";
        assert!(events.iter().any(|event| is_said(&event)), "{signal}: {events:?}");
    }
}

#[test]
fn errors_have_codes_for_programs_and_the_readme_lists_them() {
    let server = Server::start();
    let _bea = Peer::join(server.address, "Bea", &[]);
    let mut ada = harness::client::Client::join(server.address, "Ada");
    for (line, code) in [
        ("/open Nobody", "user"),
        ("/accept Nobody", "session"),
        ("/close Nobody", "session"),
        ("/take 99", "transfer"),
        ("/cancel 99", "transfer"),
        ("/ignore Ada", "user"),
        ("/xylophone", "input"),
        ("/send Ada", "input"),
        ("/downloads /dev/null/x", "file"),
    ] {
        ada.say(line);
        let error = ada.any("error");
        assert_eq!(error["code"], code, "{line}: {error}");
        let row = format!("| `{code}` |");
        assert!(include_str!("../README.md").contains(&row), "{row}");
    }
}

#[test]
fn a_stalled_output_does_not_keep_the_client_from_exiting() {
    let unlimited = [
        ("LIMITS__MESSAGES_PER_SECOND", "0"),
        ("LIMITS__BYTES_PER_SECOND", "0"),
        ("LIMITS__ROOM_BYTES_PER_SECOND", "0"),
    ];
    let server = Server::with("127.0.0.1:0", &unlimited);
    let mut peer = Peer::join(server.address, "Peer", &[]);
    let home = tempfile::tempdir().unwrap();
    let mut command = harness::matou(home.path());
    command.args(["client", "--username", "Ada", "--server", &server.address.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = harness::Process(command.spawn().unwrap());
    peer.expect(&harness::wire::conotif("Ada"));
    // More than the pipe, the client and its connection hold together: the server gives it up.
    let text = "x".repeat(512);
    let mut sent = 0;
    loop {
        peer.send(&harness::wire::msg(&text));
        sent += 1;
        let kind = peer.take(4);
        if kind == [0, 0, 0, 6] {
            break;
        }
        assert!(sent < 200_000, "the client takes everything although its output is not read");
        peer.take(msgbc("Peer", &text).len() - 4);
    }
    let start = Instant::now();
    process.signal(Signal::SIGTERM);
    assert_eq!(process.exit().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

#[test]
fn plain_output_never_contains_escape_sequences() {
    let server = Server::start();
    let mut peer = Peer::join(server.address, "Peer", &[]);
    let home = tempfile::tempdir().unwrap();
    let mut command = harness::matou(home.path());
    command.args(["client", "--username", "Ada", "--server", &server.address.to_string(), "-vv"]);
    command.env("TERM", "xterm-256color").env("CLICOLOR_FORCE", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = harness::Process(command.spawn().unwrap());
    let mut out = harness::lines::Lines::new("client", process.0.stdout.take().unwrap());
    let mut log = harness::lines::Lines::new("log", process.0.stderr.take().unwrap());
    peer.expect(&harness::wire::conotif("Ada"));
    peer.send(&harness::wire::msg("right \u{202e}to left, \u{200b} hidden \u{2028} line"));
    out.wait("the message", |line| line.contains("<U+202E>to left").then_some(()));
    let mut input = process.0.stdin.take().unwrap();
    input.write_all(b"/help\n/\x1b[31mcommand\n\x1b]0;title\x07typed\n").unwrap();
    drop(input);
    assert_eq!(process.exit().code(), Some(0));
    let all = out.rest().join("\n") + &log.rest().join("\n");
    let hidden = |c: &char| {
        c.is_control() && *c != '\n' || matches!(c, '\u{202e}' | '\u{200b}' | '\u{2028}')
    };
    assert_eq!(all.chars().find(hidden), None, "{all}");
    assert!(all.contains("]0;titletyped"), "{all}");
}

#[test]
fn a_signal_signs_a_client_out() {
    let server = Server::start();
    let mut watcher = Peer::join(server.address, "Watcher", &[]);
    let mut ada = harness::client::Client::join(server.address, "Ada");
    watcher.expect(&harness::wire::conotif("Ada"));
    ada.process.signal(Signal::SIGTERM);
    watcher.expect(&harness::wire::disconotif("Ada"));
    assert_eq!(ada.ended().1, 0);
}
