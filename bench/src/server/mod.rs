//! The servers that are compared: how each is started with the limits out of the way.

mod cluster;
mod config;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::error::{BenchError, Context, Outcome};
use crate::process::{self, Cores, Memory};

const START_LIMIT: Duration = Duration::from_secs(20);

/// A server of the comparison.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub(crate) enum Brand {
    Bare,
    /// The same with encrypted clients of revision 2.
    BareEncrypted,
    Matou,
    /// Matou with encrypted clients of revision 2.
    MatouEncrypted,
    /// Three nodes of Matou and their NATS server.
    MatouCluster,
    Redis,
    Nats,
    /// NATS, which is made for several cores, with all of them.
    NatsAll,
    Ngircd,
    Inspircd,
    Mosquitto,
}

impl Brand {
    /// All of them, in the order of the tables.
    pub(crate) fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// The name in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare fan-out",
            Self::BareEncrypted => "bare fan-out, encrypted",
            Self::Matou => "Matou",
            Self::MatouEncrypted => "Matou, encrypted",
            Self::MatouCluster => "Matou, 3 nodes",
            Self::Redis => "Redis",
            Self::Nats => "NATS",
            Self::NatsAll => "NATS, all cores",
            Self::Ngircd => "ngircd",
            Self::Inspircd => "InspIRCd",
            Self::Mosquitto => "Mosquitto",
        }
    }

    /// The program, or which one is missing.
    pub(crate) fn program(self) -> Outcome<PathBuf> {
        match self {
            Self::Bare | Self::BareEncrypted => {
                std::env::current_exe().context("find this program")
            }
            Self::Matou | Self::MatouEncrypted | Self::MatouCluster => matou(),
            Self::Redis => installed("redis-server"),
            Self::Nats | Self::NatsAll => installed("nats-server"),
            Self::Ngircd => installed("ngircd"),
            Self::Inspircd => installed("inspircd"),
            Self::Mosquitto => installed("mosquitto"),
        }
    }

    /// Clients that may connect at once without overrunning the listener's queue, from which the
    /// kernel recovers in steps of seconds.
    pub(crate) fn wave(self) -> usize {
        match self {
            Self::Ngircd => 8,
            Self::Mosquitto => 64,
            _ => 500,
        }
    }

    /// What the program says its version is; for the record only.
    pub(crate) fn version(self) -> String {
        let argument = if self == Self::Mosquitto { "-h" } else { "--version" };
        let said = self.program().ok().and_then(|program| {
            let output = Command::new(program).arg(argument).output().ok()?;
            let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.push_str(&String::from_utf8_lossy(&output.stderr));
            Some(text.lines().next()?.trim().chars().take(60).collect())
        });
        said.unwrap_or_else(|| "unknown".into())
    }
}

impl fmt::Display for Brand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// A server that was started here, or one that runs already; the former ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    brand: Brand,
    addresses: Vec<SocketAddr>,
    pids: Vec<u32>,
    children: Vec<Child>,
    started_in: Duration,
    _folder: Option<TempDir>,
}

impl Server {
    /// Starts a server on the first core and waits until it takes connections.
    pub(crate) fn start(brand: Brand) -> Outcome<Self> {
        let program = brand.program()?;
        let folder = tempfile::Builder::new().prefix("matou-bench").tempdir();
        let folder = folder.context("make a folder for the server")?;
        if brand == Brand::MatouCluster {
            process::pin(Cores::First);
            let start = Instant::now();
            let started = cluster::start(&program, folder.path());
            process::pin(Cores::Second);
            let (children, addresses) = started?;
            let (pids, started_in) = (children.iter().map(Child::id).collect(), start.elapsed());
            let kept = Some(folder);
            return Ok(Self { brand, addresses, pids, children, started_in, _folder: kept });
        }
        let address = free_address()?;
        let mut command = config::command(brand, &program, address, folder.path())?;
        let log = std::fs::File::create(folder.path().join("log")).context("open a log")?;
        command.stdin(Stdio::null()).stdout(log.try_clone().context("open a log")?).stderr(log);
        process::pin(if brand == Brand::NatsAll { Cores::All } else { Cores::First });
        let start = Instant::now();
        let child = command.spawn().context(format!("start {}", program.display()));
        process::pin(Cores::Second);
        let mut child = child?;
        let pid = child.id();
        let started_in = match wait_for(&mut child, address, start) {
            Ok(started_in) => started_in,
            Err(error) => {
                let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                stop(&mut child);
                let last: Vec<&str> = log.lines().rev().take(3).collect();
                return Err(BenchError::Invalid(format!("{brand}: {error}: {}", last.join(" / "))));
            }
        };
        let (addresses, pids, children) = (vec![address], vec![pid], vec![child]);
        Ok(Self { brand, addresses, pids, children, started_in, _folder: Some(folder) })
    }

    /// A server that another program started, for instance under a profiler.
    pub(crate) fn running(brand: Brand, address: SocketAddr, pid: u32) -> Self {
        process::pin(Cores::Second);
        let (addresses, pids, children) = (vec![address], vec![pid], Vec::new());
        Self { brand, addresses, pids, children, started_in: Duration::ZERO, _folder: None }
    }

    /// Ends the server and starts it anew; false for one that another program started.
    pub(crate) fn restart(&mut self) -> Outcome<bool> {
        if self.children.is_empty() {
            return Ok(false);
        }
        self.children.iter_mut().for_each(stop);
        *self = Self::start(self.brand)?;
        Ok(true)
    }

    /// What it is.
    pub(crate) fn brand(&self) -> Brand {
        self.brand
    }

    /// Where it listens; clients are spread over all of them.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Its processes.
    pub(crate) fn pids(&self) -> &[u32] {
        &self.pids
    }

    /// What all its processes have in memory now.
    pub(crate) fn memory(&self) -> Outcome<Memory> {
        let mut all = Memory { resident: 0, peak: 0, anonymous: 0 };
        for &pid in &self.pids {
            let one = process::memory(pid)?;
            all.resident += one.resident;
            all.peak += one.peak;
            all.anonymous += one.anonymous;
        }
        Ok(all)
    }

    /// How long it took from its start to its first accepted connection.
    pub(crate) fn started_in(&self) -> Duration {
        self.started_in
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.children.iter_mut().for_each(stop);
    }
}

fn stop(child: &mut Child) {
    // Nothing else to be done about a process that cannot be killed.
    let _ = child.kill();
    let _ = child.wait();
}

fn wait_for(child: &mut Child, address: SocketAddr, start: Instant) -> Outcome<Duration> {
    loop {
        if TcpStream::connect(address).is_ok() {
            return Ok(start.elapsed());
        }
        if let Some(status) = child.try_wait().context("wait for the server")? {
            return Err(BenchError::Invalid(format!("it ended with {status}")));
        }
        if start.elapsed() > START_LIMIT {
            let seconds = START_LIMIT.as_secs();
            return Err(BenchError::Deadline { what: "listening".into(), seconds });
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// A loopback address that is free at this moment.
fn free_address() -> Outcome<SocketAddr> {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    probe.local_addr().context("find a free port")
}

/// Where a program is, or that it is missing.
pub(crate) fn installed(name: &str) -> Outcome<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    let mut folders = std::env::split_paths(&path).chain(system);
    folders
        .find_map(|folder| Some(folder.join(name)).filter(|file| file.is_file()))
        .ok_or_else(|| BenchError::Missing(name.to_owned()))
}

/// The Matou next to this program, or the one that `MATOU` names.
fn matou() -> Outcome<PathBuf> {
    if let Some(named) = std::env::var_os("MATOU") {
        return Ok(named.into());
    }
    let this = std::env::current_exe().context("find this program")?;
    let beside = this.parent().unwrap_or(Path::new(".")).join("matou-bin");
    if beside.is_file() {
        return Ok(beside);
    }
    Err(BenchError::Missing(format!(
        "{} (build it with `cargo build --release -p matou-bin`, or name it in MATOU)",
        beside.display()
    )))
}
