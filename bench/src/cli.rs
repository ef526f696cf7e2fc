//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::bare;
use crate::error::{BenchError, Outcome};
use crate::files::{self, Extent};
use crate::process;
use crate::report;
use crate::scenario::{self, Plan, Scenario};
use crate::server::{Brand, Server};
use crate::session::Session;
use crate::suite::{self, Task};

const RESULTS: &str = "docs/performance.json";
const DOCUMENT: &str = "docs/PERFORMANCE.md";

/// Measures Matou against the kernel's own limit and against other servers.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run everything, three times each, and write the results down.
    All(Suite),
    /// An impression within a minute.
    Quick(Suite),
    /// The smallest scenario, for correctness: every delivery counted, every order compared.
    Smoke,
    /// Run one scenario against some servers, interleaved.
    Load(Load),
    /// Run the file scenarios only.
    Files {
        /// MiB of the file.
        #[arg(long, default_value_t = 2048)]
        mebibytes: u64,
        /// Runs of each.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        #[command(flatten)]
        options: Suite,
    },
    /// Run the scenarios of encrypted files and folders.
    Encrypted {
        /// MiB of the file.
        #[arg(long, default_value_t = 1024)]
        mebibytes: u64,
        /// Runs of each.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Write the tables and pictures of earlier results into the document.
    Report {
        /// The results.
        #[arg(long, default_value = RESULTS)]
        results: PathBuf,
        /// The document, with a marked place for each table.
        #[arg(long, default_value = DOCUMENT)]
        document: PathBuf,
    },
    /// Be the bare fan-out server.
    Bare {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Speak revision 2, encrypted.
        #[arg(long)]
        encrypted: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Suite {
    /// Where the results go; only to the terminal without it.
    #[arg(long)]
    results: Option<PathBuf>,
    /// Seconds for which a run is repeated that other processes disturbed.
    #[arg(long, default_value_t = 0)]
    patience: u64,
    /// Only these scenarios, separated by commas; earlier results of the others are kept.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Scenario>,
}

#[derive(Debug, clap::Args)]
struct Load {
    /// What to measure.
    scenario: Scenario,
    /// The servers, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "bare,matou")]
    servers: Vec<Brand>,
    /// Runs of each.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Clients instead of the scenario's own number.
    #[arg(long)]
    clients: Option<usize>,
    /// Messages a second instead of the scenario's own number.
    #[arg(long)]
    rate: Option<f64>,
    /// Measure a server that runs here already instead of starting it.
    #[arg(long, requires = "pid")]
    address: Option<SocketAddr>,
    /// The process of that server.
    #[arg(long, requires = "address")]
    pid: Option<u32>,
}

/// Does what the command line asks for.
pub(crate) fn run() -> Outcome<()> {
    process::raise_open_files();
    match Arguments::parse().action {
        Action::All(suite) => run_suite(
            suite::all(),
            Extent { mebibytes: 2048, rounds: 3, patience: suite.patience() },
            &suite,
        ),
        Action::Quick(suite) => run_suite(
            suite::quick(),
            Extent { mebibytes: 256, rounds: 1, patience: suite.patience() },
            &suite,
        ),
        Action::Files { mebibytes, rounds, options } => run_suite(
            Vec::new(),
            Extent { mebibytes, rounds, patience: options.patience() },
            &options,
        ),
        Action::Encrypted { mebibytes, rounds } => {
            process::pin(process::Cores::All);
            let mut session = Session::begin();
            files::run_encrypted(&mut session, mebibytes, rounds)?;
            suite::insist(&session)
        }
        Action::Smoke => {
            let mut session = Session::begin();
            suite::run(&suite::smoke(), &mut session, None, Duration::ZERO)?;
            suite::insist(&session)
        }
        Action::Load(load) => run_load(&load),
        Action::Report { results, document } => report::write(&Session::load(&results)?, &document),
        Action::Bare { listen, encrypted } => bare::serve(listen, encrypted),
    }
}

fn run_suite(tasks: Vec<Task>, files: Extent, options: &Suite) -> Outcome<()> {
    let wanted = |task: &Task| options.only.is_empty() || options.only.contains(&task.scenario);
    let tasks: Vec<Task> = tasks.into_iter().filter(wanted).collect();
    let with_files = options.only.is_empty();
    let mut session = Session::begin();
    if let Some(file) = options.results.as_ref().filter(|file| file.exists()) {
        let again: Vec<String> = tasks.iter().map(|task| suite::name(task.scenario)).collect();
        session.keep(Session::load(file)?, |scenario| {
            let files_again = with_files && scenario.starts_with("files");
            !files_again && !again.iter().any(|name| name == scenario)
        });
    }
    suite::run(&tasks, &mut session, options.results.as_deref(), options.patience())?;
    if with_files {
        files::run(&mut session, files, options.results.as_deref())?;
    }
    println!("\n{}", report::text(&session));
    Ok(())
}

fn run_load(load: &Load) -> Outcome<()> {
    let plan = Plan { clients: load.clients, rate: load.rate, ..Plan::seconds(load.seconds) };
    let mut failures = 0;
    for _ in 0..load.rounds {
        for brand in &load.servers {
            let server = load.server(*brand);
            let run = server.and_then(|mut server| scenario::run(load.scenario, &mut server, plan));
            match run {
                Ok(figures) => println!("{:12} {figures}", brand.title()),
                Err(error @ BenchError::Missing(_)) => {
                    println!("{:12} left out: {error}", brand.title());
                }
                Err(error) => {
                    failures += 1;
                    println!("{:12} failed: {error}", brand.title());
                }
            }
        }
    }
    match failures {
        0 => Ok(()),
        failures => Err(BenchError::Invalid(format!("{failures} runs failed"))),
    }
}

impl Suite {
    fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

impl Load {
    fn server(&self, brand: Brand) -> Outcome<Server> {
        match (self.address, self.pid) {
            (Some(address), Some(pid)) => Ok(Server::running(brand, address, pid)),
            _ => Server::start(brand),
        }
    }
}
