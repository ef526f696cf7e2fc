//! A real client in `--json`, driven by typed lines.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ChildStdin, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::lines::Lines;
use super::{Process, matou};

/// A running client with its own home folder.
pub(crate) struct Client {
    /// The process.
    pub(crate) process: Process,
    /// Its home; received files are in `downloads` there.
    pub(crate) home: TempDir,
    name: String,
    input: Option<ChildStdin>,
    lines: Lines,
    /// Events that no wait has taken yet.
    waiting: Vec<Value>,
}

impl Client {
    /// A client that has joined.
    pub(crate) fn join(server: SocketAddr, name: &str) -> Self {
        Self::join_with(server, name, &[])
    }

    /// A client with more arguments that has joined.
    pub(crate) fn join_with(server: SocketAddr, name: &str, arguments: &[&str]) -> Self {
        let mut client = Self::start(server, name, arguments);
        client.wait("connected", |event| event["username"] == name);
        client
    }

    /// A client with more arguments, and settings such as `("FILES__RATE", "1M")`, that has joined.
    pub(crate) fn join_configured(
        server: SocketAddr,
        name: &str,
        arguments: &[&str],
        settings: &[(&str, &str)],
    ) -> Self {
        let mut client = Self::launch(server, name, arguments, settings);
        client.wait("connected", |event| event["username"] == name);
        client
    }

    /// A client that is about to join.
    pub(crate) fn start(server: SocketAddr, name: &str, arguments: &[&str]) -> Self {
        Self::launch(server, name, arguments, &[])
    }

    fn launch(
        server: SocketAddr,
        name: &str,
        arguments: &[&str],
        settings: &[(&str, &str)],
    ) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = matou(home.path());
        command.args(["client", "--json", "--username", name, "--server", &server.to_string()]);
        command.arg("--downloads").arg(home.path().join("downloads")).args(arguments);
        command.envs(settings.iter().map(|(key, value)| (format!("MATOU_CLIENT__{key}"), value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process(command.spawn().unwrap());
        Self {
            name: name.to_owned(),
            home,
            input: process.0.stdin.take(),
            lines: Lines::new(name, process.0.stdout.take().unwrap()),
            process,
            waiting: Vec::new(),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where received files are.
    pub(crate) fn downloads(&self) -> PathBuf {
        self.home.path().join("downloads")
    }

    /// Types a line.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Ends standard input.
    pub(crate) fn end_of_input(&mut self) {
        self.input = None;
    }

    /// The first event of this kind that `wanted` takes, among those that no wait has taken.
    pub(crate) fn wait(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_for(&[kind], wanted)
    }

    /// The first event of any of these kinds that `wanted` takes, as [`Client::wait`].
    pub(crate) fn wait_for(&mut self, kinds: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
        let fits =
            |event: &Value| kinds.iter().any(|kind| event["event"] == *kind) && wanted(event);
        if let Some(at) = self.waiting.iter().position(fits) {
            return self.waiting.remove(at);
        }
        let waiting = &mut self.waiting;
        self.lines.wait(&format!("a fitting event of {kinds:?}"), |line| {
            let event: Value = serde_json::from_str(line).unwrap();
            assert!(event["time"].as_str().unwrap().ends_with('Z'), "{line}");
            if fits(&event) {
                return Some(event);
            }
            waiting.push(event);
            None
        })
    }

    /// Everything that it has written so far, except the answers to `/transfers`.
    pub(crate) fn seen(&self) -> String {
        let lines = self.lines.seen.iter();
        lines.filter(|line| !line.contains("\"transfers\"")).cloned().collect::<Vec<_>>().join("\n")
    }

    /// Forgets the events that no wait has taken.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// The first event of this kind.
    pub(crate) fn any(&mut self, kind: &str) -> Value {
        self.wait(kind, |_| true)
    }

    /// Waits for a public message.
    pub(crate) fn wait_for_message(&mut self, from: &str, text: &str) {
        self.wait("message", |event| event["from"] == from && event["text"] == text);
    }

    /// Waits for a private message, sent or received.
    pub(crate) fn wait_for_private(&mut self, from: &str, to: &str, text: &str) {
        self.wait("private_message", |event| {
            event["from"] == from && event["to"] == to && event["text"] == text
        });
    }

    /// All events to the end of the client, and its exit code.
    pub(crate) fn ended(&mut self) -> (Vec<Value>, i32) {
        let lines = self.lines.rest();
        let events = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let status = self.process.exit();
        (events, status.code().unwrap_or_else(|| panic!("{}: {status}", self.name)))
    }
}

/// Ada and Bea, who have met.
pub(crate) fn pair(server: SocketAddr) -> (Client, Client) {
    let (mut ada, mut bea) = (Client::join(server, "Ada"), Client::join(server, "Bea"));
    meet(&mut ada, &mut bea);
    (ada, bea)
}

/// Ada and Bea in a private session.
pub(crate) fn private_pair(server: SocketAddr) -> (Client, Client) {
    let (mut ada, mut bea) = (Client::join(server, "Ada"), Client::join(server, "Bea"));
    open(&mut ada, &mut bea);
    (ada, bea)
}

/// The same, and Bea saves all files.
pub(crate) fn accepting_pair(server: SocketAddr) -> (Client, Client) {
    let mut ada = Client::join(server, "Ada");
    let mut bea = Client::join_with(server, "Bea", &["--accept-files", "always"]);
    open(&mut ada, &mut bea);
    (ada, bea)
}

/// Waits until each of the two knows that the other one is present.
pub(crate) fn meet(a: &mut Client, b: &mut Client) {
    let (one, other) = (a.name.clone(), b.name.clone());
    a.wait("joined", |event| event["username"] == other.as_str());
    b.wait("joined", |event| event["username"] == one.as_str());
}

/// Waits until the two are present, and opens a private session from `a` to `b`.
pub(crate) fn open(a: &mut Client, b: &mut Client) {
    let (from, to) = (a.name.clone(), b.name.clone());
    meet(a, b);
    a.say(&format!("/open {to}"));
    b.wait("private_request", |event| event["from"] == from.as_str());
    b.say(&format!("/accept {from}"));
    a.wait("private_opened", |event| event["with"] == to.as_str());
    b.wait("private_opened", |event| event["with"] == from.as_str());
}
