//! A user whom a hostile peer attacks.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::server::Server;
use crate::hostile::Hostile;

pub(crate) const ALWAYS: [&str; 4] = ["--accept-private", "always", "--accept-files", "always"];

/// Ada, whom Eve attacks.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) ada: Client,
    pub(crate) eve: Eve,
}

/// The hostile peer.
pub(crate) struct Eve(pub(crate) Hostile);

impl Scene {
    pub(crate) fn open() -> Self {
        // One address is at work here.
        let server = Server::with("127.0.0.1:0", &[("NAMES__KEEP_DAYS", "0")]);
        let ada = Client::join_with(server.address, "Ada", &ALWAYS);
        let mut eve = Eve::join(&server, "Eve");
        eve.opens();
        Self { server, ada, eve }
    }

    /// The session is over.
    pub(crate) fn closes(&mut self) {
        self.eve.cuts();
        self.ada.any("private_closed");
        self.ada.forget();
    }

    /// Another Eve, with another key, once the one before has been thrown out.
    pub(crate) fn another(&mut self, name: &str) {
        self.another_joins(name);
        self.eve.opens();
    }

    pub(crate) fn another_joins(&mut self, name: &str) {
        self.eve = Eve::join(&self.server, name);
    }

    pub(crate) fn failed(&mut self) -> Value {
        self.ada.any("file_failed")
    }

    pub(crate) fn received(&mut self) -> PathBuf {
        self.ada.any("file_received")["path"].as_str().unwrap().into()
    }

    pub(crate) fn downloads(&self) -> PathBuf {
        self.ada.downloads()
    }
}

impl Eve {
    pub(crate) fn join(server: &Server, name: &str) -> Self {
        let arguments = json!({ "server": server.address.to_string(), "name": name });
        let mut program = Hostile::start("peer", &arguments);
        program.report("joined");
        Self(program)
    }

    pub(crate) fn opens(&mut self) {
        self.asks(["matou-message/2", "matou-file/2"]);
        self.0.report("opened");
    }

    /// Asks for a session, and names these protocols on its two connections.
    pub(crate) fn asks(&mut self, alpns: [&str; 2]) {
        self.0.command("ask", &json!({ "name": "Ada", "alpns": alpns }));
    }

    pub(crate) fn tells(&mut self, number: i64, text: &str) {
        self.0.command("tell", &json!({ "number": number, "text": text }));
    }

    pub(crate) fn offers(&mut self, transfer: i64, name: &str, size: usize) {
        let offer = json!({ "transfer": transfer, "name": name, "size": size, "files": 1 });
        self.0.command("offer", &offer);
    }

    pub(crate) fn offers_folder(&mut self, transfer: i64, name: &str, size: usize, files: i64) {
        self.0.command(
            "offer",
            &json!({
                "transfer": transfer, "kind": 1, "name": name, "size": size, "files": files,
            }),
        );
    }

    /// Offers a file, which is accepted; returns how much of it is present.
    pub(crate) fn is_taken(&mut self, transfer: i64, name: &str, size: usize) -> i64 {
        self.offers(transfer, name, size);
        let take = self.0.report("take");
        assert_eq!(take[0], transfer);
        take[1].as_i64().unwrap()
    }

    pub(crate) fn begins(&mut self, transfer: i64, path: &str, size: usize, offset: i64) {
        let entry = json!({ "transfer": transfer, "path": path, "size": size, "offset": offset });
        self.0.command("entry", &entry);
    }

    pub(crate) fn data(&mut self, transfer: i64, bytes: &str) {
        self.0.command("data", &json!({ "transfer": transfer, "bytes": bytes }));
    }

    pub(crate) fn ends(&mut self, transfer: i64, of: &str) {
        self.0.command("end", &json!({ "transfer": transfer, "of": of }));
    }

    pub(crate) fn cuts(&mut self) {
        self.0.command("cut", &Value::Null);
    }
}

/// Everything in a folder: links are listed, not followed.
pub(crate) fn all(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(all(&entry.path()));
        }
        found.push(entry.path());
    }
    found
}
