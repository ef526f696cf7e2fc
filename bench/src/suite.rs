//! Which scenarios are run against which servers, and the order in which they are.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;

use crate::error::{BenchError, Outcome};
use crate::quiet;
use crate::scenario::{self, Figures, Plan, Scenario};
use crate::server::{Brand, Server};
use crate::session::{Run, Session};

/// One scenario against some servers.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) scenario: Scenario,
    pub(crate) brands: Vec<Brand>,
    pub(crate) rounds: usize,
    pub(crate) plan: Plan,
}

impl Task {
    /// The same, and where a rate is searched and earlier rounds found one, a search that begins a
    /// little below it instead of far away.
    fn nearer(&self, found: Option<f64>) -> Self {
        let mut task = self.clone();
        if task.scenario == Scenario::Rate {
            task.plan.rate = found.map(|rate| rate * 0.84).or(task.plan.rate);
        }
        task
    }
}

/// Everything, for the tables: medians of three at least.
pub(crate) fn all() -> Vec<Task> {
    use Brand::{Bare, Matou, Nats, Redis};
    let everybody: Vec<Brand> = Brand::all()
        .iter()
        .copied()
        .filter(|brand| !matches!(brand, Brand::NatsAll | Brand::MatouCluster))
        .collect();
    let brokers = vec![Bare, Matou, Redis, Nats];
    // One message of fifty a second that meets a hiccup of the machine is two thirds of a percent
    // of a run: where a percentile is compared, more rounds.
    let near = vec![Bare, Matou, Redis];
    let others: Vec<Brand> =
        Brand::all().iter().copied().filter(|brand| !near.contains(brand)).collect();
    let task = |scenario, brands: &[Brand], seconds| Task {
        scenario,
        brands: brands.to_vec(),
        rounds: 3,
        plan: Plan::seconds(seconds),
    };
    vec![
        task(Scenario::Start, &everybody, 0.0),
        task(Scenario::Alone, &everybody, 2.0),
        task(Scenario::Busy, Brand::all(), 3.0),
        task(Scenario::Stuck, &brokers, 3.0),
        task(Scenario::Crowd, &brokers, 3.0),
        Task { rounds: 9, ..task(Scenario::Big, &near, 3.0) },
        task(Scenario::Big, &others, 3.0),
        task(Scenario::Joins, &everybody, 0.0),
        task(Scenario::Idle, &everybody, 0.0),
        task(Scenario::Rate, Brand::all(), 0.0),
        task(Scenario::Client, &[Matou], 5.0),
    ]
}

/// An impression within a minute: Matou between the kernel's limit and its best peer.
pub(crate) fn quick() -> Vec<Task> {
    let scenarios = [
        Scenario::Start,
        Scenario::Alone,
        Scenario::Busy,
        Scenario::Stuck,
        Scenario::Big,
        Scenario::Joins,
        Scenario::Idle,
    ];
    let task = |scenario| {
        let mut plan = Plan::seconds(1.0);
        plan.warmup = Duration::from_millis(300);
        let brands = vec![Brand::Bare, Brand::Matou, Brand::Redis];
        Task { scenario, brands, rounds: 1, plan }
    };
    scenarios.into_iter().map(task).collect()
}

/// The smallest scenario, for correctness only.
pub(crate) fn smoke() -> Vec<Task> {
    let plan = Plan { warmup: Duration::ZERO, ..Plan::seconds(0.3) };
    let brands = vec![Brand::Bare, Brand::BareEncrypted, Brand::Matou, Brand::MatouEncrypted];
    vec![Task { scenario: Scenario::Smoke, brands, rounds: 1, plan }]
}

/// Runs tasks one after the other, the servers of each interleaved, and keeps what came out in
/// `file` after every run. A run that other processes disturbed is repeated for as long as
/// `patience` lasts, which counts for each run anew.
pub(crate) fn run(
    tasks: &[Task],
    session: &mut Session,
    file: Option<&Path>,
    patience: Duration,
) -> Outcome<()> {
    let brands: BTreeSet<Brand> = tasks.iter().flat_map(|task| task.brands.clone()).collect();
    let mut present = BTreeSet::new();
    for brand in brands {
        match brand.program() {
            Ok(_) => {
                session.versions.insert(brand.title().into(), brand.version());
                present.insert(brand);
            }
            Err(error) => {
                println!("{brand} is left out: {error}");
                session.skipped.insert(brand.title().into(), error.to_string());
            }
        }
    }
    for task in tasks {
        println!("-- {}", name(task.scenario));
        let brands: Vec<Brand> =
            task.brands.iter().copied().filter(|brand| present.contains(brand)).collect();
        for round in 0..task.rounds {
            // Who begins changes, so that none always comes behind the same neighbour.
            let turn = round % brands.len().max(1);
            for brand in brands.iter().copied().cycle().skip(turn).take(brands.len()) {
                // What took its whole time without coming to an end will do so again.
                let (scenario, subject) = (name(task.scenario), brand.title());
                if session.failure(&scenario, subject).is_some() {
                    continue;
                }
                let found = session.median(&scenario, subject, "messages_per_s");
                let run = repeat_if_noisy(&task.nearer(found), brand, round, patience);
                session.runs.push(run);
                if let Some(file) = file {
                    session.save(file)?;
                }
            }
        }
    }
    Ok(())
}

/// One run against a server that is started for it.
fn once(task: &Task, brand: Brand) -> Outcome<Figures> {
    let mut server = Server::start(brand)?;
    scenario::run(task.scenario, &mut server, task.plan)
}

/// The scenario's name on the command line.
pub(crate) fn name(scenario: Scenario) -> String {
    scenario.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Fails when a run failed.
pub(crate) fn insist(session: &Session) -> Outcome<()> {
    match session.runs.iter().find_map(|run| Some((run, run.failure.as_ref()?))) {
        Some((run, why)) => Err(BenchError::Invalid(format!("{}: {why}", run.subject))),
        None => Ok(()),
    }
}

fn repeat_if_noisy(task: &Task, brand: Brand, round: usize, patience: Duration) -> Run {
    let (figures, failure) = match quiet::attempt(patience, || once(task, brand)) {
        Ok(figures) => (figures, None),
        Err(error) => (Figures::default(), Some(error.to_string())),
    };
    match &failure {
        Some(why) => println!("{:12} failed: {why}", brand.title()),
        None => println!("{:12} {figures}", brand.title()),
    }
    let (scenario, subject) = (name(task.scenario), brand.title().to_owned());
    Run { scenario, subject, round, figures, failure }
}
