//! A real server on a free port.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::lines::Lines;
use super::{Process, matou};

/// A running server; its log is read as JSON.
pub(crate) struct Server {
    /// The process.
    pub(crate) process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it logs.
    pub(crate) log: Lines,
    /// Where it keeps names, unless the settings say otherwise.
    _folder: TempDir,
}

impl Server {
    /// A server on 127.0.0.1 with the default settings.
    pub(crate) fn start() -> Self {
        Self::with("127.0.0.1:0", &[])
    }

    /// A server on `listen`, with `settings` such as `("LIMITS__CLIENTS", "5")`.
    pub(crate) fn with(listen: &str, settings: &[(&str, &str)]) -> Self {
        // All servers of the tests have one key, as one that was started again.
        let mut command = matou(Path::new(env!("CARGO_TARGET_TMPDIR")));
        command.args(["server", "--listen", listen]);
        Self::launch(command, settings)
    }

    /// The server that `command` starts, with more `settings`. It knows no names of servers before.
    pub(crate) fn launch(mut command: Command, settings: &[(&str, &str)]) -> Self {
        command.stderr(Stdio::piped());
        command.env("MATOU_SERVER__LOG__FORMAT", "json");
        command.env("MATOU_SERVER__LOG__LEVEL", "debug");
        let folder = tempfile::tempdir().unwrap();
        command.env("MATOU_SERVER__NAMES__STORE", folder.path().join("server.redb"));
        for (key, value) in settings {
            command.env(format!("MATOU_SERVER__{key}"), value);
        }
        let mut process = Process(command.spawn().unwrap());
        let mut log = Lines::new("server log", process.0.stderr.take().unwrap());
        let address = log.wait("the line `listening`", |line| {
            let value: Value = serde_json::from_str(line).unwrap();
            let listening = value["message"] == "listening";
            listening.then(|| value["address"].as_str().unwrap().parse().unwrap())
        });
        Self { process, address, log, _folder: folder }
    }

    /// The next log line with this message.
    pub(crate) fn logged(&mut self, message: &str) -> Value {
        self.log.wait(message, |line| {
            let value: Value = serde_json::from_str(line).unwrap();
            (value["message"] == message).then_some(value)
        })
    }
}
