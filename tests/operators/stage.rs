//! A server with an operators' socket, in its own folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::http;
use crate::harness::matou;
use crate::harness::server::Server;
use crate::harness::wire::Peer;

pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
}

impl Stage {
    pub(crate) fn start() -> Self {
        Self::with("", &[])
    }

    /// A server with an operators' socket and `more` in its file.
    pub(crate) fn with(more: &str, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_settings(folder.path(), more);
        let mut command = matou(Path::new(env!("CARGO_TARGET_TMPDIR")));
        command.args(["server", "--listen", "127.0.0.1:0", "--config"]);
        command.arg(folder.path().join("server.toml")).envs(environment.iter().copied());
        command.current_dir(folder.path());
        Self { server: Server::launch(command, &[("LOG__LEVEL", "info")]), folder }
    }

    pub(crate) fn join(&self, name: &str, present: &[&str]) -> Peer {
        Peer::join(self.server.address, name, present)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("admin")
    }

    pub(crate) fn admin(&self, arguments: &[&str]) -> Output {
        let mut command = matou(Path::new(env!("CARGO_TARGET_TMPDIR")));
        command.arg("admin").arg("--socket").arg(self.socket()).args(arguments);
        command.output().unwrap()
    }

    pub(crate) fn asked(&self, arguments: &[&str]) -> String {
        let output = self.admin(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn asked_json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(arguments);
        serde_json::from_str(&self.asked(&all)).unwrap()
    }
}

pub(crate) fn write_settings(folder: &Path, more: &str) {
    let text = format!("[admin]\nsocket = \"admin\"\nbans = \"bans.json\"\n{more}\n");
    std::fs::write(folder.join("server.toml"), text).unwrap();
}

/// What `GET path` answers: the status line and the body.
pub(crate) fn get(address: SocketAddr, path: &str) -> (String, String) {
    http::get(address, path).unwrap()
}
