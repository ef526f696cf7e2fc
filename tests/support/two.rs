//! Two real clients whose private connections go through proxies.

use std::path::{Path, PathBuf};

use super::interposer::Interposer;
use super::proxy::Faults;
use super::scene::{Scene, descriptors};
use crate::harness::client::Client;
use crate::harness::until;

/// Ada asks, Bea accepts everything, and their connections go through proxies.
pub(crate) struct Two {
    /// Who asks.
    pub(crate) ada: Client,
    /// Who accepts.
    pub(crate) bea: Client,
    between: Interposer,
    scene: Scene,
}

impl Two {
    /// Both have joined.
    pub(crate) fn meet() -> Self {
        Self::meet_with(&[])
    }

    /// Both have joined, Bea with more arguments.
    pub(crate) fn meet_with(arguments: &[&str]) -> Self {
        let scene = Scene::with(&[
            ("PRIVATE__REQUESTS_PER_MINUTE", "0"),
            ("LIMITS__MESSAGES_PER_SECOND", "0"),
        ]);
        let between = Interposer::start(scene.server.address);
        let mut ada = Client::join_with(scene.server.address, "Ada", &["--accept-files", "always"]);
        let always = ["--accept-private", "always", "--accept-files", "always"];
        let bea = Client::join_with(between.address, "Bea", &[&always, arguments].concat());
        ada.wait("joined", |event| event["username"] == "Bea");
        Self { ada, bea, between, scene }
    }

    /// A third user, who has joined, and whose connections meet no faults.
    pub(crate) fn third(&mut self, name: &str) -> Client {
        let third = Client::join(self.scene.server.address, name);
        self.bea.wait("joined", |event| event["username"] == name);
        third
    }

    /// What Ada sends next (down) or Bea (up) meets these faults. No session may be open: it is cut.
    pub(crate) fn faults(&mut self, messages: Faults, files: Faults) {
        self.between.set(messages, files);
        self.ada.forget();
        self.bea.forget();
    }

    /// Both clients report, with a reason, that the session is over.
    pub(crate) fn session_is_over(&mut self) {
        for client in [&mut self.ada, &mut self.bea] {
            let event = client.any("private_closed");
            assert!(event["reason"].as_str().is_some_and(|why| !why.is_empty()), "{event}");
        }
    }

    /// Ada closes the session.
    pub(crate) fn close(&mut self) {
        self.ada.say("/close Bea");
        self.session_is_over();
    }

    /// Ada and Bea say `text` to each other, in a new session if there is none.
    pub(crate) fn talk(&mut self, text: &str) {
        self.ada.say(&format!("/msg Bea {text}"));
        self.bea.wait_for_private("Ada", "Bea", text);
        self.bea.say(&format!("/msg Ada re {text}"));
        self.ada.wait_for_private("Bea", "Ada", &format!("re {text}"));
    }

    /// A session without faults works, and so does the room; both end cleanly, with nothing left
    /// open except what was open before.
    pub(crate) fn end(mut self) {
        self.faults(Faults::NONE, Faults::NONE);
        self.talk("in a session without faults");
        self.close();
        self.ada.say("in the room");
        self.bea.wait_for_message("Ada", "in the room");
        for client in [&mut self.ada, &mut self.bea] {
            let process = client.process.0.id();
            // Standard streams, event loop, signals, the server: far fewer than the sessions.
            until("a client's descriptors are closed", || descriptors(process) < 25);
            client.say("/quit");
            assert_eq!(client.ended().1, 0);
        }
        self.scene.end();
    }
}

/// A file of `size` bytes in the home of `client`.
pub(crate) fn file(client: &Client, size: usize) -> PathBuf {
    let path = client.home.path().join("source");
    let content: Vec<u8> = (0..size).map(|at| (at % 251).to_le_bytes()[0]).collect();
    std::fs::write(&path, content).unwrap();
    path
}

/// Received files that look whole.
pub(crate) fn whole_files(client: &Client) -> Vec<PathBuf> {
    let Ok(folder) = std::fs::read_dir(client.downloads()) else { return Vec::new() };
    let paths = folder.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_none_or(|extension| extension != "part")).collect()
}

/// Types `/send`.
pub(crate) fn send(client: &mut Client, to: &str, path: &Path) {
    client.say(&format!("/send {to} {}", path.display()));
}

/// The reason that `event` gives.
pub(crate) fn reason(event: &serde_json::Value) -> &str {
    let reason = event["reason"].as_str().unwrap();
    assert!(!reason.is_empty(), "{event}");
    reason
}
