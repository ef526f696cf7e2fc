//! The highest rate of messages that 2,000 clients still get within 100 ms, 99 times of 100.

use std::time::Duration;

use super::open::Metronome;
use super::{Figures, JOIN_LIMIT, Plan};
use crate::clock::Clock;
use crate::dialect::Dialect;
use crate::error::{BenchError, Outcome};
use crate::pool::Pool;
use crate::server::{Brand, Server};

const CLIENTS: usize = 2_000;
const MOST_P99: Duration = Duration::from_millis(100);
/// From one rate to the next while they are kept.
const STEP: f64 = std::f64::consts::SQRT_2;
/// Halvings of the gap between a rate that was kept and one that was not: 2^(1/16) is 4 %.
const BISECTIONS: u32 = 3;
const WARMUP: Duration = Duration::from_millis(500);
const TRIAL: Duration = Duration::from_secs(2);

/// Raises the rate until the server cannot keep it, then halves the gap a few times.
pub(super) fn run<D: Dialect + Copy>(
    dialect: D,
    clock: Clock,
    server: &mut Server,
    plan: Plan,
) -> Outcome<Figures> {
    let clients = plan.clients.unwrap_or(CLIENTS);
    let mut search = Search { dialect, clock, server, clients, pool: None };
    let mut kept: Option<(f64, f64)> = None;
    let mut rate = plan.rate.unwrap_or(first_rate(search.server.brand()));
    let mut lost = loop {
        match search.trial(rate)? {
            Some(p99) => kept = Some((rate, p99)),
            None => break rate,
        }
        rate *= STEP;
    };
    // The first rate was too high already: look below it.
    while kept.is_none() && lost > 1.0 {
        match search.trial(lost / STEP)? {
            Some(p99) => kept = Some((lost / STEP, p99)),
            None => lost /= STEP,
        }
    }
    let (mut rate, mut p99) = kept.ok_or_else(|| BenchError::Invalid("no rate is kept".into()))?;
    for _ in 0..BISECTIONS {
        let middle = (rate * lost).sqrt();
        match search.trial(middle)? {
            Some(better) => (rate, p99) = (middle, better),
            None => lost = middle,
        }
    }
    let mut figures = Figures::default();
    figures.set("messages_per_s", rate);
    figures.set("p99_ms", p99);
    Ok(figures)
}

/// Where to begin: what each about keeps on two cores, so that few trials find the limit.
fn first_rate(brand: Brand) -> f64 {
    match brand {
        Brand::Bare
        | Brand::BareEncrypted
        | Brand::Matou
        | Brand::MatouEncrypted
        | Brand::MatouCluster => 6_400.0,
        Brand::Redis => 800.0,
        Brand::Ngircd | Brand::Inspircd => 250.0,
        Brand::Nats | Brand::NatsAll => 50.0,
        Brand::Mosquitto => 25.0,
    }
}

struct Search<'a, D> {
    dialect: D,
    clock: Clock,
    server: &'a mut Server,
    clients: usize,
    /// The clients, as long as nothing went wrong with them.
    pool: Option<Pool<D>>,
}

impl<D: Dialect + Copy> Search<'_, D> {
    /// The 99th percentile in milliseconds at a rate; `None` when it is too high or the server
    /// falls behind.
    fn trial(&mut self, rate: f64) -> Outcome<Option<f64>> {
        let mut pool = match self.pool.take() {
            Some(pool) => pool,
            None => self.fresh_pool()?,
        };
        match attempt(&mut pool, self.clock, rate) {
            Ok(p99) => {
                self.pool = Some(pool);
                Ok(p99)
            }
            Err(BenchError::Invalid(_) | BenchError::Deadline { .. }) => {
                drop(pool);
                self.server.restart()?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn fresh_pool(&self) -> Outcome<Pool<D>> {
        let mut pool = Pool::new(self.dialect, self.clock, self.server.addresses())?;
        pool.join(self.clients, self.server.brand().wave(), JOIN_LIMIT)?;
        Ok(pool)
    }
}

/// `None` as soon as the rate is known to be too high: what is on its way then is little enough to
/// wait for, and the clients can stay.
fn attempt<D: Dialect>(pool: &mut Pool<D>, clock: Clock, rate: f64) -> Outcome<Option<f64>> {
    pool.reset_counts();
    let mut metronome = Metronome::new(clock, rate)?;
    metronome.play(pool, WARMUP)?;
    metronome.forget();
    let deliveries = rate * TRIAL.as_secs_f64() * pool.len() as f64;
    metronome.insist(MOST_P99, deliveries / 100.0);
    metronome.play(pool, TRIAL)?;
    metronome.drain(pool)?;
    let p99 = metronome.p99_ms();
    Ok(Some(p99).filter(|p99| !metronome.too_late() && *p99 < MOST_P99.as_secs_f64() * 1e3))
}
