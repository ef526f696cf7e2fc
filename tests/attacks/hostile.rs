//! The hostile program as a test sees it: a process with commands and reports.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::program::{ARGUMENTS, ROLE};
use crate::harness::Process;
use crate::harness::lines::Lines;

/// A running one.
pub(crate) struct Hostile {
    process: Process,
    lines: Lines,
}

impl Hostile {
    /// This program once more, in a role.
    pub(crate) fn start(role: &str, arguments: &Value) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["hostile_program", "--exact", "--nocapture"]);
        command.env(ROLE, role).env(ARGUMENTS, arguments.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process(command.spawn().unwrap());
        let lines = Lines::new(format!("hostile {role}"), process.0.stdout.take().unwrap());
        Self { process, lines }
    }

    /// Commands it to do something, without waiting.
    pub(crate) fn command(&mut self, command: &str, arguments: &Value) {
        let line = json!({ "command": command, "arguments": arguments });
        writeln!(self.process.0.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The details of its next report of that kind.
    pub(crate) fn report(&mut self, kind: &str) -> Value {
        self.lines.wait(kind, |line| details(line, kind))
    }

    /// The details of its reports of that kind so far.
    pub(crate) fn reports(&mut self, kind: &str) -> Vec<Value> {
        // Everything it wrote before the answer to this has arrived then.
        self.lines.seen.iter().filter_map(|line| details(line, kind)).collect()
    }
}

fn details(line: &str, kind: &str) -> Option<Value> {
    let mut report: Value = serde_json::from_str(line).ok()?;
    (report["report"] == kind).then(|| report["details"].take())
}
