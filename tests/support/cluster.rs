//! Several real servers with one room, on real NATS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::nats::Nats;
use crate::harness::server::Server;
use crate::harness::{matou, until};

/// NATS servers and the nodes of one room; the nodes end first.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) nats: Nats,
}

/// A server of the room.
pub(crate) struct Node {
    pub(crate) server: Server,
    folder: TempDir,
}

impl Cluster {
    /// This many NATS servers and nodes, which serve clients. Without NATS the test reports that it
    /// is skipped.
    pub(crate) fn start(nats: usize, nodes: usize) -> Option<Self> {
        let nats = Nats::start(nats)?;
        let mut cluster = Self { nodes: Vec::new(), nats };
        for _ in 0..nodes {
            let node = cluster.launch();
            cluster.nodes.push(node);
        }
        cluster.nodes.iter_mut().for_each(Node::serves);
        cluster.is_whole();
        Some(cluster)
    }

    /// One more node, which serves clients.
    pub(crate) fn one_more(&mut self) -> &mut Node {
        let addresses = self.nats.addresses();
        self.one_more_at(&addresses)
    }

    /// One more node, which knows these NATS servers, and serves clients.
    pub(crate) fn one_more_at(&mut self, nats: &str) -> &mut Node {
        let mut node = Node::start(nats, &format!("node{}", self.nodes.len()));
        node.serves();
        self.nodes.push(node);
        self.nodes.last_mut().unwrap()
    }

    /// A node that may not serve clients yet.
    fn launch(&self) -> Node {
        Node::start(&self.nats.addresses(), &format!("node{}", self.nodes.len()))
    }

    /// Starts a node that has ended on the same address again.
    pub(crate) fn start_again(&mut self, number: usize) {
        let address = self.nodes[number].address().to_string();
        let mut node = Node::listen(&address, &self.nats.addresses(), &format!("node{number}"));
        node.serves();
        self.nodes[number] = node;
    }

    /// Waits until every node knows of all.
    fn is_whole(&self) {
        for node in &self.nodes {
            until("all nodes are known", || {
                node.status()["nodes"].as_array().unwrap().len() == self.nodes.len()
            });
        }
    }

    /// Where the nodes listen.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::address).collect()
    }
}

impl Node {
    /// A node of that name, before it has reached NATS.
    pub(crate) fn start(nats: &str, name: &str) -> Self {
        Self::listen("127.0.0.1:0", nats, name)
    }

    /// As [`Node::start`], on that address.
    pub(crate) fn listen(address: &str, nats: &str, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("admin");
        let settings = [
            ("CLUSTER__NATS", nats),
            ("CLUSTER__ROOM", "room"),
            ("CLUSTER__NODE", name),
            ("ADMIN__SOCKET", socket.to_str().unwrap()),
            ("METRICS__LISTEN", "127.0.0.1:0"),
            ("LOG__LEVEL", "info"),
            ("PRIVATE__REQUESTS_PER_MINUTE", "0"),
            ("LIMITS__MESSAGES_PER_SECOND", "0"),
            ("LIMITS__BYTES_PER_SECOND", "0"),
            ("LIMITS__ROOM_BYTES_PER_SECOND", "0"),
        ];
        Self { server: Server::with(address, &settings), folder }
    }

    /// Waits until it serves clients.
    pub(crate) fn serves(&mut self) {
        self.server.logged("this node serves clients");
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Where its metrics are.
    pub(crate) fn metrics(&self) -> SocketAddr {
        let seen = self.server.log.seen.iter().map(|line| serde_json::from_str(line).unwrap());
        let line: Value =
            seen.into_iter().find(|line: &Value| line["message"] == "metrics").unwrap();
        line["address"].as_str().unwrap().parse().unwrap()
    }

    /// What `admin cluster status` says.
    pub(crate) fn status(&self) -> Value {
        self.admin(&["cluster", "status"])["cluster"].clone()
    }

    /// What the server answers an operator.
    pub(crate) fn admin(&self, arguments: &[&str]) -> Value {
        let mut command = matou(Path::new(env!("CARGO_TARGET_TMPDIR")));
        command.args(["admin", "--json", "--socket"]).arg(self.socket());
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("admin")
    }
}

impl Drop for Node {
    /// What it logged, if the test has failed.
    fn drop(&mut self) {
        if std::thread::panicking() {
            // One that is frozen would not end.
            let _ = self.server.process.0.kill();
            let address = self.address();
            let lines = self.server.log.rest();
            let lines = lines.iter().filter(|line| !line.contains("\"peer\":"));
            let lines: Vec<_> = lines.map(String::as_str).collect();
            eprintln!("{address}:\n  {}", lines.join("\n  "));
        }
    }
}
