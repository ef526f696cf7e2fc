//! Separate networks, joined by a line of a certain speed.
//!
//! They have no names: the kernel removes each with the last thread and process in it, however the
//! test ends.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};

use nix::sched::{CloneFlags, unshare};

use crate::harness;

/// The near end of a line.
pub(crate) const NEAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// Two networks and the line between them.
pub(crate) struct Line {
    pub(crate) near: Network,
    pub(crate) far: Network,
}

/// Two computers in one network, with a third one in the middle that isolates them from each other.
pub(crate) struct Lan {
    pub(crate) middle: Network,
    pub(crate) computers: [Network; 2],
}

/// A network namespace, and the thread that lives in it.
pub(crate) struct Network {
    jobs: Sender<Box<dyn FnOnce() + Send>>,
    path: String,
}

impl Line {
    /// A line that delivers `rate`, such as `10mbit`, to its far end. Where that cannot be set up
    /// the test reports that it is skipped.
    pub(crate) fn of(rate: &'static str) -> Option<Self> {
        let make = || {
            let line = Self::make(&[NEAR, FAR].map(|address| format!("{address}/24")))?;
            line.near.runs(&format!(
                "tc qdisc add dev near root tbf rate {rate} burst 16kb latency 400ms"
            ))?;
            Ok(line)
        };
        make().map_err(|why: String| harness::skipped(&why)).ok()
    }

    /// A fast line with these addresses at its near and its far end. Where that cannot be made the
    /// test says that it is skipped.
    pub(crate) fn between(addresses: [&str; 2]) -> Option<Self> {
        let addresses = addresses.map(str::to_owned);
        Self::make(&addresses).map_err(|why| harness::skipped(&why)).ok()
    }

    fn make([near_address, far_address]: &[String; 2]) -> Result<Self, String> {
        let (near, far) = (Network::new()?, Network::new()?);
        near.runs(&format!("ip link add near type veth peer name far netns {}", far.path))?;
        near.connect("near", near_address)?;
        far.connect("far", far_address)?;
        Ok(Self { near, far })
    }
}

impl Lan {
    /// The address of the one in the middle.
    pub(crate) const MIDDLE: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

    /// Where that cannot be made the test says that it is skipped.
    pub(crate) fn new() -> Option<Self> {
        let make = || {
            let (middle, computers) = (Network::new()?, [Network::new()?, Network::new()?]);
            let address = Self::MIDDLE;
            let mut set_up = format!(
                "link add lan type bridge\naddress add {address}/24 dev lan\nlink set lan up\n"
            );
            for (number, computer) in (2..).zip(&computers) {
                let path = computer.path();
                let _ = write!(
                    set_up,
                    "link add port{number} type veth peer name lan netns {path}\n\
                     link set port{number} master lan up\n\
                     link set port{number} type bridge_slave isolated on\n"
                );
            }
            middle.batch("ip -batch -", &set_up)?;
            for (number, computer) in (2..).zip(&computers) {
                computer.connect("lan", &format!("192.168.1.{number}/24"))?;
            }
            Ok(Self { middle, computers })
        };
        make().map_err(|why: String| harness::skipped(&why)).ok()
    }
}

impl Network {
    /// A network with these addresses and no way out. Where that cannot be made the test says that
    /// it is skipped.
    pub(crate) fn with(addresses: &'static [&'static str]) -> Option<Self> {
        let make = || {
            let network = Self::new()?;
            network.within(|| {
                addresses.iter().try_for_each(|it| run(&format!("ip address add {it} dev lo")))
            })?;
            Ok(network)
        };
        make().map_err(|why: String| harness::skipped(&why)).ok()
    }

    /// Its name for `ip`.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// A network with nothing but its loopback interface.
    pub(crate) fn new() -> Result<Self, String> {
        let (jobs, coming) = channel::<Box<dyn FnOnce() + Send>>();
        let (ready, is_ready) = channel();
        std::thread::spawn(move || {
            let entered = unshare(CloneFlags::CLONE_NEWNET)
                .map_err(|error| format!("no network can be made here: {error}"))
                .and_then(|()| run("ip link set lo up"));
            let thread = std::fs::read_link("/proc/thread-self").unwrap();
            let path = format!("/proc/{}/ns/net", thread.display());
            ready.send(entered.map(|()| path)).unwrap();
            for job in coming {
                job();
            }
        });
        Ok(Self { path: is_ready.recv().unwrap()?, jobs })
    }

    /// Runs `command`, words with single spaces between, in this network.
    pub(crate) fn runs(&self, command: &str) -> Result<(), String> {
        let command = command.to_owned();
        self.within(move || run(&command))
    }

    /// Runs `command` with `input` in this network: what it wrote.
    pub(crate) fn batch(&self, command: &str, input: &str) -> Result<String, String> {
        let (command, input) = (command.to_owned(), input.to_owned());
        self.within(move || feed(&command, &input))
    }

    /// Assigns the interface its address, which can be used at once, and switches it on.
    pub(crate) fn connect(&self, interface: &str, address: &str) -> Result<(), String> {
        let at_once = if address.contains(':') { " nodad" } else { "" };
        self.runs(&format!("ip address add {address} dev {interface}{at_once}"))?;
        self.runs(&format!("ip link set {interface} up"))
    }

    /// Does `job` in this network: sockets that it makes and processes that it starts stay here.
    pub(crate) fn within<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = channel();
        let job = move || {
            let _ = done.send(catch_unwind(AssertUnwindSafe(job)));
        };
        self.jobs.send(Box::new(job)).unwrap();
        result.recv().unwrap().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

fn run(command: &str) -> Result<(), String> {
    feed(command, "").map(drop)
}

fn feed(command: &str, input: &str) -> Result<String, String> {
    let mut words = command.split(' ');
    let mut process = Command::new(words.next().unwrap());
    process.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = process.spawn().and_then(|mut process| {
        process.stdin.take().unwrap().write_all(input.as_bytes())?;
        process.wait_with_output()
    });
    let output = output.map_err(|error| format!("{command}: {error}"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    let written = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(written).ok_or(format!("{command}: {error}"))
}
