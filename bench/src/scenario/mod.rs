//! What is measured, and how one scenario is run against one server.

mod busy;
mod figures;
mod open;

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub(crate) use figures::Figures;

use crate::clock::Clock;
use crate::dialect::{Dialect, Irc, Matou, Mqtt, Nats, Redis};
use crate::error::Outcome;
use crate::pool::Pool;
use crate::server::{Brand, Server};

/// How long clients may take to join: ngircd needs 20 s for 2,000.
const JOIN_LIMIT: Duration = Duration::from_secs(60);

/// One question that a run answers with figures.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// 20 of 200 clients keep 16 messages in the air each: deliveries/s and CPU of a delivery.
    Busy,
    /// 2,000 clients, 50 messages/s: how long a message takes to each.
    Big,
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

/// Runs a scenario against a server that runs.
pub(crate) fn run(
    scenario: Scenario,
    brand: Brand,
    server: &Server,
    plan: Plan,
) -> Outcome<Figures> {
    match brand {
        Brand::Bare | Brand::Matou => run_as(Matou, scenario, server, plan),
        Brand::Redis => run_as(Redis, scenario, server, plan),
        Brand::Nats => run_as(Nats, scenario, server, plan),
        Brand::Ngircd | Brand::Inspircd => run_as(Irc, scenario, server, plan),
        Brand::Mosquitto => run_as(Mqtt, scenario, server, plan),
    }
}

fn run_as<D: Dialect>(
    dialect: D,
    scenario: Scenario,
    server: &Server,
    plan: Plan,
) -> Outcome<Figures> {
    let clock = Clock::start();
    let pool = Pool::new(dialect, clock, server.address())?;
    match scenario {
        Scenario::Busy => busy::run(pool, clock, server, plan),
        Scenario::Big => open::run(pool, clock, server, plan),
    }
}
