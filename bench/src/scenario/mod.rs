//! What is measured, and how one scenario is run against one server.

mod busy;
mod client;
mod figures;
mod meter;
mod open;
mod rate;
mod small;

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub(crate) use figures::{Figures, latency_histogram};

use crate::clock::Clock;
use crate::dialect::{Dialect, Encrypted, Irc, Matou, Mqtt, Nats, Redis};
use crate::error::Outcome;
use crate::pool::Pool;
use crate::server::{Brand, Server};

/// How long clients may take to join: ngircd needs 20 s for 2,000.
const JOIN_LIMIT: Duration = Duration::from_secs(60);

const CROWD: usize = 2_000;
const STUCK: usize = 5;

/// One question that a run answers with figures.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// 20 of 200 clients keep 16 messages in the air each: deliveries/s and CPU of a delivery.
    Busy,
    /// The same with 2,000 clients: what ten times the clients cost.
    Crowd,
    /// The busy room, and five more clients that stop to read.
    Stuck,
    /// 2,000 clients, 50 messages/s: how long a message takes to each.
    Big,
    /// The most messages/s that 2,000 clients get with a 99th percentile under 100 ms.
    Rate,
    /// 2,000 clients join at once.
    Joins,
    /// Memory of a client that has joined and is idle.
    Idle,
    /// One sender, one receiver.
    Alone,
    /// From the start of the process to the first connection.
    Start,
    /// Matou's client in `--json` mode in a room with 5,000 messages/s.
    Client,
    /// A small busy room, every delivery counted and every order compared.
    Smoke,
}

/// Sizes and times of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Before anything is counted.
    pub(crate) warmup: Duration,
    /// While it is counted.
    pub(crate) measure: Duration,
    /// Clients, if not the scenario's own number.
    pub(crate) clients: Option<usize>,
    /// Messages a second, if not the scenario's own number.
    pub(crate) rate: Option<f64>,
}

impl Plan {
    /// The scenario's own numbers, measured for so many seconds after one of warming up.
    pub(crate) fn seconds(seconds: f64) -> Self {
        Self {
            warmup: Duration::from_secs(1),
            measure: Duration::from_secs_f64(seconds),
            clients: None,
            rate: None,
        }
    }
}

/// Runs a scenario against a server that runs; the server may be restarted.
pub(crate) fn run(scenario: Scenario, server: &mut Server, plan: Plan) -> Outcome<Figures> {
    match server.brand() {
        Brand::Bare | Brand::Matou | Brand::MatouCluster => run_as(Matou, scenario, server, plan),
        Brand::BareEncrypted | Brand::MatouEncrypted => run_as(Encrypted, scenario, server, plan),
        Brand::Redis => run_as(Redis, scenario, server, plan),
        Brand::Nats | Brand::NatsAll => run_as(Nats, scenario, server, plan),
        Brand::Ngircd | Brand::Inspircd => run_as(Irc, scenario, server, plan),
        Brand::Mosquitto => run_as(Mqtt, scenario, server, plan),
    }
}

fn run_as<D: Dialect + Copy>(
    dialect: D,
    scenario: Scenario,
    server: &mut Server,
    plan: Plan,
) -> Outcome<Figures> {
    let clock = Clock::start();
    let pool = Pool::new(dialect, clock, server.addresses())?;
    match scenario {
        Scenario::Busy => busy::run(pool, clock, server, plan, 0),
        Scenario::Crowd => {
            let clients = plan.clients.or(Some(CROWD));
            busy::run(pool, clock, server, Plan { clients, ..plan }, 0)
        }
        Scenario::Stuck => busy::run(pool, clock, server, plan, STUCK),
        Scenario::Big => open::run(pool, clock, server, plan),
        Scenario::Rate => rate::run(dialect, clock, server, plan),
        Scenario::Joins => small::joins(pool, server, plan),
        Scenario::Idle => small::idle(pool, server, plan),
        Scenario::Alone => small::alone(pool, clock, server, plan),
        Scenario::Start => {
            let mut figures = Figures::default();
            figures.set("start_ms", server.started_in().as_secs_f64() * 1e3);
            Ok(figures)
        }
        Scenario::Client => client::run(pool, clock, server, plan),
        Scenario::Smoke => small::smoke(pool, clock, server, plan),
    }
}
