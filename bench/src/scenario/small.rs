//! The short scenarios: two clients alone, a storm of joins, idle clients, start, correctness.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::busy::Room;
use super::meter::Meter;
use super::{Figures, JOIN_LIMIT, Plan, figures};
use crate::clock::Clock;
use crate::dialect::Dialect;
use crate::error::{BenchError, Outcome};
use crate::pool::{Ignore, Orders, Pool, Watch};
use crate::server::{Brand, Server};
use crate::stamp::{SEQUENCE_SPAN, Stamp};

const STORM: usize = 2_000;
const IDLE: usize = 10_000;
const SMOKE: usize = 30;
/// Until a server has done whatever it does after its last client.
const SETTLE: Duration = Duration::from_secs(1);

/// One sends, the other answers for it: the time from one to the other when no one else is there.
pub(super) fn alone<D: Dialect>(
    mut pool: Pool<D>,
    clock: Clock,
    server: &Server,
    plan: Plan,
) -> Outcome<Figures> {
    pool.join(2, server.brand().wave(), JOIN_LIMIT)?;
    let mut pair =
        Pair { sent_at: clock.now(), sequence: 0, histogram: figures::latency_histogram()? };
    pool.send(0, Stamp { sequence: 0, sender: 0 });
    play(&mut pool, &mut pair, plan.warmup)?;
    pair.histogram.clear();
    let meter = Meter::start(server, pool.deliveries())?;
    play(&mut pool, &mut pair, plan.measure)?;
    let mut figures = Figures::default();
    meter.stop(server, pool.deliveries(), &mut figures)?;
    figures.latencies(&pair.histogram);
    Ok(figures)
}

/// 2,000 clients connect and ask for their names at once.
pub(super) fn joins<D: Dialect>(
    mut pool: Pool<D>,
    server: &Server,
    plan: Plan,
) -> Outcome<Figures> {
    let count = plan.clients.unwrap_or(STORM);
    let meter = Meter::start(server, 0)?;
    let times = pool.join(count, count, JOIN_LIMIT)?;
    let mut figures = Figures::default();
    meter.stop(server, 0, &mut figures)?;
    figures.set("accepted_s", times.accepted.as_secs_f64());
    figures.set("announced_s", times.announced.as_secs_f64());
    Ok(figures)
}

/// What 10,000 clients cost in memory that have joined and say nothing; 2,000 on IRC, whose
/// servers need minutes for more.
pub(super) fn idle<D: Dialect>(mut pool: Pool<D>, server: &Server, plan: Plan) -> Outcome<Figures> {
    let irc = matches!(server.brand(), Brand::Ngircd | Brand::Inspircd);
    let count = plan.clients.unwrap_or(if irc { 2_000 } else { IDLE });
    std::thread::sleep(SETTLE);
    let empty = server.memory()?;
    pool.join(count, server.brand().wave(), JOIN_LIMIT)?;
    play(&mut pool, &mut Ignore, SETTLE)?;
    let full = server.memory()?;
    let each = |before: u64, after: u64| after.saturating_sub(before) as f64 / count as f64;
    let mut figures = Figures::default();
    figures.set("clients", count as f64);
    figures.set("resident_bytes_per_client", each(empty.resident, full.resident));
    figures.set("anonymous_bytes_per_client", each(empty.anonymous, full.anonymous));
    figures.set("empty_mb", empty.resident as f64 / 1e6);
    figures.set("peak_mb", full.peak as f64 / 1e6);
    Ok(figures)
}

/// A small busy room in which every delivery is counted and every order compared.
pub(super) fn smoke<D: Dialect>(
    mut pool: Pool<D>,
    clock: Clock,
    server: &Server,
    plan: Plan,
) -> Outcome<Figures> {
    let clients = plan.clients.unwrap_or(SMOKE);
    pool.join(clients, server.brand().wave(), JOIN_LIMIT)?;
    let mut room = Room::new(D::ECHOES)?;
    room.watch_order(clients);
    room.begin(&mut pool, clock);
    play(&mut pool, &mut room, plan.measure)?;
    room.finish(&mut pool, clients)?;
    if D::ANNOUNCES && D::ECHOES {
        room.check_order()?;
    }
    let mut figures = Figures::default();
    figures.set("deliveries", pool.deliveries() as f64);
    Ok(figures)
}

fn play<D: Dialect>(pool: &mut Pool<D>, watch: &mut impl Watch, time: Duration) -> Outcome<()> {
    let start = Instant::now();
    while start.elapsed() < time {
        pool.poll(Duration::from_millis(10), watch)?;
        if pool.gone() > 0 {
            return Err(BenchError::Invalid(format!("the server closed {} clients", pool.gone())));
        }
    }
    Ok(())
}

/// Sends the next message when the last one has reached the other client.
struct Pair {
    sent_at: u64,
    sequence: u32,
    histogram: Histogram<u64>,
}

impl Watch for Pair {
    fn delivery(&mut self, client: usize, _: &[u8], now: u64, orders: &mut Orders) {
        if client == 1 {
            self.histogram.saturating_record(now.saturating_sub(self.sent_at));
            self.sequence = (self.sequence + 1) % SEQUENCE_SPAN;
            self.sent_at = now;
            orders.send(0, Stamp { sequence: self.sequence, sender: 0 });
        }
    }
}
