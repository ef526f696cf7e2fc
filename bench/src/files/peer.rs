//! The programs that people would move a file with.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Ground;
use crate::error::{BenchError, Context, Outcome};
use crate::server::installed;

const LIMIT: Duration = Duration::from_secs(60);

/// A program, with the server that it fetches from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Rsync,
    Curl,
    Scp,
}

impl Peer {
    /// All of them, in the order of the tables.
    pub(super) const ALL: [Self; 3] = [Self::Rsync, Self::Curl, Self::Scp];

    /// The name in tables.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Rsync => "rsync daemon",
            Self::Curl => "curl from nginx",
            Self::Scp => "scp",
        }
    }

    /// Whether all that it needs is installed.
    pub(super) fn programs(self) -> Outcome<()> {
        let names: &[&str] = match self {
            Self::Rsync => &["rsync"],
            Self::Curl => &["curl", "nginx"],
            Self::Scp => &["scp", "sshd", "ssh-keygen"],
        };
        names.iter().try_for_each(|name| installed(name).map(drop))
    }

    /// Fetches the file from a server of its own; says how long that took, the server's start not
    /// included. Both have ended then.
    pub(super) fn fetch(self, ground: &Ground) -> Outcome<Duration> {
        let port = free_port()?;
        let folder = tempfile::Builder::new().prefix("matou-bench").tempdir();
        let folder = folder.context("make a folder")?;
        let (server, mut client) = match self {
            Self::Rsync => rsync(port, folder.path(), ground)?,
            Self::Curl => curl(port, folder.path(), ground)?,
            Self::Scp => scp(port, folder.path(), ground)?,
        };
        let server = Serving::start(server, port)?;
        let start = Instant::now();
        let done = client.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let took = start.elapsed();
        drop(server);
        match done.context(format!("run {}", self.title()))? {
            status if status.success() => Ok(took),
            status => Err(BenchError::Invalid(format!("it ended with {status}"))),
        }
    }
}

fn rsync(port: u16, folder: &Path, ground: &Ground) -> Outcome<(Command, Command)> {
    let text = format!(
        "use chroot = no\nuid = root\ngid = root\n[share]\npath = {}\n",
        ground.folder().display()
    );
    let mut server = Command::new(installed("rsync")?);
    server.args(["--daemon", "--no-detach", "--address=127.0.0.1", &format!("--port={port}")]);
    server.arg("--config").arg(write(folder, "rsyncd.conf", &text)?);
    let mut client = Command::new(installed("rsync")?);
    client.args(["--whole-file", "--inplace", &format!("rsync://127.0.0.1:{port}/share/source")]);
    client.arg(ground.copy(0));
    Ok((server, client))
}

fn curl(port: u16, folder: &Path, ground: &Ground) -> Outcome<(Command, Command)> {
    let text = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error;\n\
         events {{ }}\nhttp {{ access_log off; sendfile on; client_body_temp_path {0}; \
         proxy_temp_path {0}; fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};\n\
         server {{ listen 127.0.0.1:{port}; root {1}; }} }}\n",
        folder.display(),
        ground.folder().display()
    );
    let mut server = Command::new(installed("nginx")?);
    server.arg("-c").arg(write(folder, "nginx.conf", &text)?);
    let mut client = Command::new(installed("curl")?);
    client.args(["--silent", "--fail", "--output"]).arg(ground.copy(0));
    client.arg(format!("http://127.0.0.1:{port}/source"));
    Ok((server, client))
}

fn scp(port: u16, folder: &Path, ground: &Ground) -> Outcome<(Command, Command)> {
    for key in ["host", "user"] {
        let mut keygen = Command::new(installed("ssh-keygen")?);
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(key));
        keygen.status().context("make a key")?;
    }
    let text = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {0}/host\nPidFile none\nUsePAM no\n\
         AuthorizedKeysFile {0}/user.pub\nStrictModes no\nPermitRootLogin yes\n\
         Subsystem sftp internal-sftp\n",
        folder.display()
    );
    // Where sshd insists to have a folder for its unprivileged half.
    fs::create_dir_all("/run/sshd").context("make /run/sshd, which sshd needs (run as root)")?;
    let mut server = Command::new(installed("sshd")?);
    server.args(["-D", "-e", "-f"]).arg(write(folder, "sshd_config", &text)?);
    let mut client = Command::new(installed("scp")?);
    client.args(["-q", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]);
    client.args(["-o", "UserKnownHostsFile=/dev/null", "-P", &port.to_string(), "-i"]);
    client.arg(folder.join("user"));
    client.arg(format!("127.0.0.1:{}", ground.source().display())).arg(ground.copy(0));
    Ok((server, client))
}

fn write(folder: &Path, name: &str, text: &str) -> Outcome<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text).context(format!("write {name}"))?;
    Ok(path)
}

fn free_port() -> Outcome<u16> {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(probe.local_addr().context("find a free port")?.port())
}

/// A server that ends with this value; its CPU time is this process's children's from then on.
struct Serving(Child);

impl Serving {
    fn start(mut command: Command, port: u16) -> Outcome<Self> {
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut serving = Self(child.context("start the server")?);
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if serving.0.try_wait().context("wait for the server")?.is_some() {
                return Err(BenchError::Invalid("its server did not start".into()));
            }
            if start.elapsed() > LIMIT {
                let (what, seconds) = ("listening".to_owned(), LIMIT.as_secs());
                return Err(BenchError::Deadline { what, seconds });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(serving)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Asked, not killed: a server that reaps its own children adds their time to its own.
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGTERM);
        }
        let start = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) {
            if start.elapsed() > Duration::from_secs(5) {
                let _ = self.0.kill();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
