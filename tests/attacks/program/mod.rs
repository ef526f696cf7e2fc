//! A program that attacks real servers and clients from a process of its own: the test program,
//! started again with a role. It shares no code with Matou: TLS is that of `rustls`, and the bytes
//! of all frames are written here as PROTOCOL.md describes them.
//!
//! It takes commands on standard input and reports on standard output, each a line of JSON.

mod crowd;
mod frames;
mod link;
mod middle;
mod peer;
mod server;

use std::io::{BufRead as _, Write as _};

use serde_json::Value;

/// The variables that make a process of the test program play a role.
pub(crate) const ROLE: &str = "MATOU_HOSTILE_ROLE";
pub(crate) const ARGUMENTS: &str = "MATOU_HOSTILE_ARGUMENTS";

/// Plays the role that the environment names, if it names one.
pub(crate) fn run() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let arguments: Value = serde_json::from_str(&std::env::var(ARGUMENTS).unwrap()).unwrap();
    match &*role {
        "crowd" => crowd::run(&arguments),
        "middle" => middle::run(&arguments),
        "peer" => peer::run(&arguments),
        "server" => server::run(&arguments),
        _ => panic!("{role}: no such role"),
    }
    std::process::exit(0);
}

fn report(kind: &str, details: &Value) {
    let report = serde_json::json!({ "report": kind, "details": details });
    let mut out = std::io::stdout().lock();
    // A separate line, even if the test runner has written before it.
    writeln!(out, "\n{report}").unwrap();
    out.flush().unwrap();
}

/// The commands to come, each a word and its arguments.
fn commands() -> impl Iterator<Item = (String, Value)> {
    std::io::stdin().lock().lines().map_while(Result::ok).map(|line| {
        let mut command: Value = serde_json::from_str(&line).unwrap();
        let arguments = command["arguments"].take();
        (command["command"].as_str().unwrap().to_owned(), arguments)
    })
}
