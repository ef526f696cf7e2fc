//! Runs the real binary: servers on port 0, clients in `--json`, sockets that speak bytes.
//!
//! Every wait has a deadline and says what it waited for; every process is killed on drop.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod client;
pub(crate) mod http;
pub(crate) mod lines;
pub(crate) mod server;
pub(crate) mod terminal;
pub(crate) mod user;
pub(crate) mod wire;

use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// How long anything may take: generous, since it only matters when something is broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The test programs in which servers and proxies of revision 1, written for the test, are between
/// the clients: these do not encrypt.
const PLAIN: [&str; 8] = [
    "faults_clients",
    "faults_files",
    "faults_server",
    "hostile",
    "original",
    "private",
    "reconnect",
    "screen_terminal",
];

/// The binary without this environment's settings, with its own home folder.
pub(crate) fn matou(home: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_matou-bin"));
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_str().unwrap();
    // Cargo adds a hash to the name.
    if PLAIN
        .iter()
        .any(|plain| program.strip_prefix(plain).is_some_and(|hash| hash.starts_with('-')))
    {
        command.env("MATOU_CLIENT__CLIENT__ENCRYPTION", "off");
    }
    command
}

/// Reports that a test, or this part of one, is skipped: past the capture of `cargo test`, which
/// shows no output of passing tests.
pub(crate) fn skipped(why: &str) {
    use std::io::Write as _;
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Without a standard error there is no reader.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// Waits for something that no event reports.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < DEADLINE, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A process that does not outlive the test.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Sends `signal`.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = nix::unistd::Pid::from_raw(self.0.id().try_into().unwrap());
        nix::sys::signal::kill(id, signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < DEADLINE, "the process did not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
