//! At a terminal without a screen: the client asks for a name, and again; the server ends with it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Stdio;

use harness::lines::Lines;
use harness::server::Server;
use harness::terminal::Terminal;
use harness::wire::{Peer, conotif, msg, msgbc};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

/// Runs a client with `mode` at a terminal: it has no name, is given one that is none, one that is
/// taken, and one that is free.
fn asks_until_a_name_is_accepted(mode: &str, connected: &str) {
    let server = Server::start();
    let _peer = Peer::join(server.address, "Taken", &[]);
    let home = tempfile::tempdir().unwrap();
    let size = PtySize { rows: 24, cols: 200, pixel_width: 0, pixel_height: 0 };
    let terminal = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_matou-bin"));
    command.env_clear();
    command.env("HOME", home.path());
    command.env("TERM", "xterm-256color");
    command.args(["client", mode, "--server", &server.address.to_string()]);
    let mut child = terminal.slave.spawn_command(command).unwrap();
    drop(terminal.slave);
    let mut lines = Lines::new("terminal", terminal.master.try_clone_reader().unwrap());
    let mut keys = terminal.master.take_writer().unwrap();
    let asked = |lines: &mut Lines| {
        lines.wait("a question", |line| line.contains("Enter your name").then_some(()));
    };
    asked(&mut lines);
    keys.write_all(b"not a name\n").unwrap();
    asked(&mut lines);
    keys.write_all(b"taken\n").unwrap();
    lines.wait("a refusal", |line| line.contains("refused").then_some(()));
    asked(&mut lines);
    keys.write_all(b"Free\n").unwrap();
    lines.wait("the connection", |line| line.contains(connected).then_some(()));
    keys.write_all(b"/quit\n").unwrap();
    assert!(child.wait().unwrap().success());
    let escapes = lines.seen.iter().any(|line| line.contains('\u{1b}'));
    assert!(!escapes, "{:?}", lines.seen);
}

#[test]
fn plain_prompts_until_a_name_is_accepted() {
    asks_until_a_name_is_accepted("--plain", "as Free");
}

#[test]
fn json_prompts_until_a_name_is_accepted() {
    asks_until_a_name_is_accepted("--json", r#""username":"Free""#);
}

#[test]
fn a_server_ends_with_the_terminal_that_it_was_started_in() {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["server", "--listen", "127.0.0.1:0"];
    let variables = [("HOME", home.path().to_str().unwrap())];
    let mut terminal =
        Terminal::run((120, 24), env!("CARGO_BIN_EXE_matou-bin"), &arguments, &variables);
    terminal.shows("listening");
    terminal.hang_up();
    assert!(terminal.exit().success());
}

#[test]
fn a_server_whose_terminal_is_closed_before_it_has_finished_starting_ends_too() {
    let home = tempfile::tempdir().unwrap();
    // A service manager that reads nothing: the server waits for it after it has begun to listen.
    let path = home.path().join("manager");
    let manager = UnixDatagram::bind(&path).unwrap();
    while fill(&path) > 0 {}
    let arguments = ["server", "--listen", "127.0.0.1:0"];
    let variables =
        [("HOME", home.path().to_str().unwrap()), ("NOTIFY_SOCKET", path.to_str().unwrap())];
    let mut terminal =
        Terminal::run((120, 24), env!("CARGO_BIN_EXE_matou-bin"), &arguments, &variables);
    terminal.shows("listening");
    terminal.hang_up();
    manager.set_read_timeout(Some(harness::DEADLINE)).unwrap();
    let mut datagram = [0; 64];
    loop {
        let count = manager.recv(&mut datagram).unwrap();
        if datagram[..count].starts_with(b"READY=1") {
            break;
        }
    }
    assert!(terminal.exit().success());
}

/// Sends to the socket at `path` until it is full; returns how much it took.
fn fill(path: &Path) -> usize {
    let socket = UnixDatagram::unbound().unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut sent = 0;
    loop {
        match socket.send_to(b"full", path) {
            Ok(_) => sent += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return sent,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn no_text_of_another_user_begins_a_row_of_a_plain_terminal() {
    const COLUMNS: u16 = 80;
    let server = Server::start();
    let mut peer = Peer::join(server.address, "Bob", &[]);
    let home = tempfile::tempdir().unwrap();
    let size = PtySize { rows: 24, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
    let terminal = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_matou-bin"));
    command.env_clear();
    command.env("HOME", home.path());
    command.args(["client", "--plain", "--username", "Ada", "--server"]);
    command.arg(server.address.to_string());
    let mut child = terminal.slave.spawn_command(command).unwrap();
    drop(terminal.slave);
    let mut lines = Lines::new("terminal", terminal.master.try_clone_reader().unwrap());
    let mut keys = terminal.master.take_writer().unwrap();
    peer.expect(&conotif("Ada"));
    let imitations =
        ["* private session with Cy opened", "[Cy to Ada] come", "? Cy offers file #1"];
    for imitation in imitations {
        // A row is full when `HH:MM:SS <Bob> ` and this many columns are.
        let fill = usize::from(COLUMNS) - 15;
        for before in [" ".repeat(fill), format!("{}x", " ".repeat(fill - 1)), "x".repeat(fill)] {
            peer.send(&msg(&format!("{before}{imitation}")));
            peer.send(&msg(&format!("{before}19:20:01 {imitation}")));
        }
    }
    peer.send(&msg("the end"));
    lines.wait("the last message", |line| line.contains("the end").then_some(()));
    keys.write_all(b"/quit\n").unwrap();
    assert!(child.wait().unwrap().success());
    let rows: Vec<_> = lines.seen.iter().filter(|row| !row.trim_end().is_empty()).collect();
    assert!(rows.iter().filter(|row| row.starts_with("         ")).count() >= imitations.len());
    for row in rows {
        let of_program = row.as_bytes().first().is_some_and(u8::is_ascii_digit)
            && row.get(9..).is_some_and(|text| text.starts_with(['*', '<', '!']));
        let typed = row.starts_with("/quit");
        assert!(of_program || typed || row.starts_with("         "), "{row:?}");
        assert!(row.trim_end().chars().count() <= usize::from(COLUMNS), "{row:?}");
        assert!(!row.contains("19:20:01 "), "{row:?}");
    }
}

#[test]
fn plain_sends_pasted_code_as_it_stands_and_no_path_of_a_file() {
    let server = Server::start();
    let mut peer = Peer::join(server.address, "Bob", &[]);
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a b");
    std::fs::write(&path, "content").unwrap();
    let mut command = harness::matou(home.path());
    command.args(["client", "--plain", "--username", "Ada", "--server"]);
    command.arg(server.address.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = harness::Process(command.spawn().unwrap());
    peer.expect(&conotif("Ada"));
    let mut lines = Lines::new("Ada", process.0.stdout.take().unwrap());
    let mut input = process.0.stdin.take().unwrap();
    let path = path.to_str().unwrap();
    let uri = format!("file://{}", path.replace(' ', "%20"));
    for typed in [path, &format!("'{path}'"), &uri, "\"~/a b\"", "~/a b"] {
        writeln!(input, "{typed}").unwrap();
        // In quotes a tilde is not a home folder, and there is no such file.
        let is_text = typed.starts_with('"');
        if is_text {
            peer.expect(&msgbc("Ada", typed));
            continue;
        }
        let hint = format!("/send NAME {typed}");
        lines.wait("a refusal", |line| line.contains(&hint).then_some(()));
    }
    write!(input, "see '{path}'\nfn a() {{\n\n\tb();\n}}\n\n").unwrap();
    drop(input);
    let code = ["fn a() {", " ", "    b();", "}"];
    for said in [format!("see '{path}'").as_str()].into_iter().chain(code) {
        peer.expect(&msgbc("Ada", said));
    }
    assert_eq!(process.exit().code(), Some(0));
}
