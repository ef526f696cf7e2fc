//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::bare;
use crate::error::{BenchError, Outcome};
use crate::process;
use crate::scenario::{self, Plan, Scenario};
use crate::server::{Brand, Server};

/// Measures Matou against the kernel's own limit and against other servers.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run one scenario against some servers, interleaved.
    Load(Load),
    /// Be the bare fan-out server.
    Bare {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
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
        Action::Load(load) => run_load(&load),
        Action::Bare { listen } => bare::serve(listen),
    }
}

fn run_load(load: &Load) -> Outcome<()> {
    let plan = Plan {
        warmup: Duration::from_secs(1),
        measure: Duration::from_secs_f64(load.seconds),
        clients: load.clients,
        rate: load.rate,
    };
    for _ in 0..load.rounds {
        for brand in &load.servers {
            let figures = load
                .server(*brand)
                .and_then(|mut server| scenario::run(load.scenario, &mut server, plan));
            match figures {
                Ok(figures) => println!("{:12} {figures}", brand.title()),
                Err(BenchError::Missing(what)) => {
                    println!("{:12} skipped: no {what}", brand.title())
                }
                Err(error) => println!("{:12} failed: {error}", brand.title()),
            }
        }
    }
    Ok(())
}

impl Load {
    fn server(&self, brand: Brand) -> Outcome<Server> {
        match (self.address, self.pid) {
            (Some(address), Some(pid)) => Ok(Server::running(brand, address, pid)),
            _ => Server::start(brand),
        }
    }
}
