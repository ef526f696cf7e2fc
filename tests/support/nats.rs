//! Real `nats-server` processes with `JetStream`, as one cluster of NATS.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::network::Network;
use crate::harness::{Process, http, skipped, until};

/// Where one server runs.
pub(crate) struct Site<'a> {
    pub(crate) address: IpAddr,
    /// The network in which its process is; none is that of the test.
    pub(crate) network: Option<&'a Network>,
}

/// NATS servers, each with a store that outlives its process.
pub(crate) struct Nats {
    pub(crate) servers: Vec<NatsServer>,
    folder: TempDir,
}

/// One of them.
pub(crate) struct NatsServer {
    /// None while it is killed.
    process: Option<Process>,
    clients: SocketAddr,
    monitor: SocketAddr,
    configuration: PathBuf,
}

/// An address of this machine that nothing else uses: a port that is free there once stays free.
fn own_address() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(100);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let first = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(first < 250, "no addresses are left");
    Ipv4Addr::new(127, first, high, low.clamp(1, 254)).into()
}

impl Nats {
    /// This many servers on loopback. Without NATS the test reports that it is skipped.
    pub(crate) fn start(count: usize) -> Option<Self> {
        let sites = (0..count).map(|_| Site { address: own_address(), network: None });
        Self::start_at(&sites.collect::<Vec<_>>())
    }

    /// One server at each site.
    pub(crate) fn start_at(sites: &[Site<'_>]) -> Option<Self> {
        if Command::new("nats-server").arg("--version").output().is_err() {
            skipped("nats-server is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let ports: Vec<_> = sites.iter().map(free_ports).collect();
        let routes: Vec<_> =
            ports.iter().map(|[_, route, _]| format!("\"nats://{route}\"")).collect();
        let mut servers = Vec::new();
        for (number, [clients, route, monitor]) in ports.into_iter().enumerate() {
            let store = folder.path().join(format!("store{number}"));
            let mut text = format!(
                "server_name: nats{number}\nlisten: \"{clients}\"\nhttp: \"{monitor}\"\n\
                 jetstream {{ store_dir: \"{}\" }}\n",
                store.display()
            );
            if sites.len() > 1 {
                let all = routes.join(", ");
                let routes = format!("listen: \"{route}\", routes: [{all}]");
                text.extend(["cluster { name: test, ", &routes, " }\n"]);
            }
            let configuration = folder.path().join(format!("nats{number}.conf"));
            fs::write(&configuration, text).unwrap();
            servers.push(NatsServer { process: None, clients, monitor, configuration });
        }
        for (server, site) in servers.iter_mut().zip(sites) {
            server.start_in(site.network);
        }
        let nats = Self { servers, folder };
        nats.ready();
        Some(nats)
    }

    /// Waits until every server that runs has what it needs.
    pub(crate) fn ready(&self) {
        for server in self.servers.iter().filter(|server| server.process.is_some()) {
            until("NATS is ready", || {
                http::get(server.monitor, "/healthz").is_ok_and(|(_, body)| body.contains("ok"))
            });
        }
    }

    /// The addresses for `cluster.nats`.
    pub(crate) fn addresses(&self) -> String {
        let all: Vec<_> = self.servers.iter().map(NatsServer::address).collect();
        all.join(",")
    }

    /// Where the servers keep what they store.
    pub(crate) fn stores(&self) -> &Path {
        self.folder.path()
    }

    /// The number of the server that leads the only stream, as `asked` sees it.
    pub(crate) fn leader(&self, asked: usize) -> usize {
        let mut leader = None;
        until("the stream has a leader", || {
            let Ok((_, body)) = http::get(self.servers[asked].monitor, "/jsz?streams=1") else {
                return false;
            };
            let report: Value = serde_json::from_str(&body).unwrap_or_default();
            let stream = &report["account_details"][0]["stream_detail"][0];
            leader = stream["cluster"]["leader"]
                .as_str()
                .and_then(|name| name.strip_prefix("nats")?.parse().ok());
            leader.is_some()
        });
        leader.unwrap()
    }

    /// Ends all of them without a word.
    pub(crate) fn kill_all(&mut self) {
        self.servers.iter_mut().for_each(NatsServer::kill);
    }

    /// Starts all that are killed, on the same addresses.
    pub(crate) fn start_again(&mut self) {
        for server in self.servers.iter_mut().filter(|server| server.process.is_none()) {
            server.start_in(None);
        }
        self.ready();
    }

    /// Deletes what the servers have stored; they have to be killed.
    pub(crate) fn forget(&self) {
        for number in 0..self.servers.len() {
            fs::remove_dir_all(self.folder.path().join(format!("store{number}"))).unwrap();
        }
    }
}

impl NatsServer {
    /// Its address for `cluster.nats`.
    pub(crate) fn address(&self) -> String {
        format!("nats://{}", self.clients)
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        // SIGKILL.
        self.process = None;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.as_ref().unwrap().signal(signal);
    }

    fn start_in(&mut self, network: Option<&Network>) {
        let mut command = Command::new("nats-server");
        command.arg("--config").arg(&self.configuration);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = match network {
            Some(network) => network.within(move || command.spawn().unwrap()),
            None => command.spawn().unwrap(),
        };
        self.process = Some(Process(process));
    }
}

/// Three ports that are free at a site.
fn free_ports(site: &Site<'_>) -> [SocketAddr; 3] {
    let address = site.address;
    let find = move || {
        let held = [(); 3].map(|()| TcpListener::bind((address, 0)).unwrap());
        held.map(|listener| listener.local_addr().unwrap())
    };
    match site.network {
        Some(network) => network.within(find),
        None => find(),
    }
}
