//! A real client in `--json`, in a home of the test, so that it can be started again.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::lines::Lines;
use super::{Process, matou};

/// A client whose home outlives it; SIGKILL ends it when it is dropped.
pub(crate) struct User {
    /// The process.
    pub(crate) process: Process,
    /// What it writes.
    pub(crate) lines: Lines,
}

/// The client as a command, with more `settings` such as `("FILES__RATE", "1M")`.
pub(crate) fn client(home: &Path, server: &str, name: &str, settings: &[(&str, &str)]) -> Command {
    let mut command = matou(home);
    command.args(["client", "--json", "--username", name, "--server", server]);
    for (key, value) in settings {
        command.env(format!("MATOU_CLIENT__{key}"), value);
    }
    command
}

impl User {
    /// A client that accepts everything and has joined.
    pub(crate) fn start(
        home: &Path,
        server: SocketAddr,
        name: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        Self::start_at(home, &[server], name, settings)
    }

    /// The same, with several servers of one room.
    pub(crate) fn start_at(
        home: &Path,
        servers: &[SocketAddr],
        name: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
        let mut command = client(home, &servers.join(","), name, settings);
        command.args(["--accept-private", "always", "--accept-files", "always"]);
        let mut user = Self::run(command, name);
        user.event("connected");
        user
    }

    /// Whatever the command is; `name` is for the words of a failure.
    pub(crate) fn run(mut command: Command, name: &str) -> Self {
        let mut process =
            Process(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        let lines = Lines::new(name, process.0.stdout.take().unwrap());
        Self { process, lines }
    }

    /// Types a line.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.process.0.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next event of that kind.
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        self.wait(kind, |_| true)
    }

    /// The next event of that kind that is wanted.
    pub(crate) fn wait(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.lines.wait(kind, |line| {
            let event: Value = serde_json::from_str(line).unwrap();
            (event["event"] == kind && wanted(&event)).then_some(event)
        })
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }
}
