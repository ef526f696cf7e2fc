//! A real client in `--json`, in a home of the test, so that it can be started again.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::lines::Lines;
use super::{Process, matou};

/// A client that accepts everything, in a home that outlives it; SIGKILL ends it when it is dropped.
pub(crate) struct User {
    /// The process.
    pub(crate) process: Process,
    lines: Lines,
}

impl User {
    /// A client that has joined, with more `settings` such as `("FILES__RATE", "1M")`.
    pub(crate) fn start(
        home: &Path,
        server: SocketAddr,
        name: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut command = matou(home);
        let server = server.to_string();
        command.args(["client", "--json", "--username", name, "--server", &server]);
        command.args(["--accept-private", "always", "--accept-files", "always"]);
        for (key, value) in settings {
            command.env(format!("MATOU_CLIENT__{key}"), value);
        }
        let mut process =
            Process(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        let lines = Lines::new(name, process.0.stdout.take().unwrap());
        let mut user = Self { process, lines };
        user.event("connected");
        user
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
