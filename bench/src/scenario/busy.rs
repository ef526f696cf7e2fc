//! The busy room: as many deliveries as the server can make.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{Figures, JOIN_LIMIT, Plan, figures};
use crate::clock::Clock;
use crate::dialect::Dialect;
use crate::error::{BenchError, Outcome};
use crate::pool::{Orders, Pool, Watch};
use crate::process;
use crate::server::Server;
use crate::stamp::{SEQUENCE_SPAN, SendTimes, Stamp};

const CLIENTS: usize = 200;
const SENDERS: usize = 20;
const OUTSTANDING: u32 = 16;
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// 20 of 200 clients send; each sends its next message when one of its own is back, so that
/// always 16 of each are on their way.
pub(super) fn run<D: Dialect>(
    mut pool: Pool<D>,
    clock: Clock,
    server: &Server,
    plan: Plan,
) -> Outcome<Figures> {
    pool.join(plan.clients.unwrap_or(CLIENTS), JOIN_LIMIT)?;
    let mut room = Room::new(D::ECHOES)?;
    for sender in 0..SENDERS {
        for _ in 0..OUTSTANDING {
            let stamp = room.next(sender, clock.now());
            pool.send(sender, stamp);
        }
    }
    poll_for(&mut pool, &mut room, plan.warmup)?;
    room.histogram.clear();
    let (start, cpu) = (Instant::now(), process::cpu(server.pid())?);
    let (own_cpu, before) = (process::cpu(std::process::id())?, pool.deliveries());
    poll_for(&mut pool, &mut room, plan.measure)?;
    let deliveries = pool.deliveries() - before;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = (process::cpu(server.pid())? - cpu).as_secs_f64();
    let own_cpu = (process::cpu(std::process::id())? - own_cpu).as_secs_f64();
    room.open = false;
    let counts = Counts::of(D::ECHOES, room.sent, pool.len());
    pool.until(DRAIN_LIMIT, "counting every delivery", &mut room, |pool| {
        pool.deliveries() >= counts.all
    })?;
    counts.check(&pool)?;
    let millions = deliveries as f64 / 1e6;
    let mut figures = Figures::default();
    figures.set("deliveries_per_s", deliveries as f64 / seconds);
    figures.set("cpu_s_per_million", cpu / millions);
    figures.set("server_cores", cpu / seconds);
    figures.set("generator_cores", own_cpu / seconds);
    figures.set("memory_mb", process::memory(server.pid())?.resident as f64 / 1e6);
    figures.latencies(&room.histogram);
    Ok(figures)
}

fn poll_for<D: Dialect>(pool: &mut Pool<D>, room: &mut Room, time: Duration) -> Outcome<()> {
    let start = Instant::now();
    while start.elapsed() < time {
        pool.poll(Duration::from_millis(10), room)?;
        if pool.gone() > 0 {
            return Err(BenchError::Invalid(format!("the server closed {} clients", pool.gone())));
        }
    }
    Ok(())
}

/// How many deliveries there must be in the end.
#[derive(Clone, Copy, Debug)]
struct Counts {
    all: u64,
    listener: u64,
}

impl Counts {
    fn of(echoes: bool, sent: u32, clients: usize) -> Self {
        let listener = u64::from(sent);
        let clients = u64::try_from(clients).unwrap_or(u64::MAX);
        Self { all: listener * (clients - u64::from(!echoes)), listener }
    }

    /// Whether everybody got everything: those who never send, each message exactly once.
    fn check<D: Dialect>(self, pool: &Pool<D>) -> Outcome<()> {
        if pool.deliveries() != self.all {
            return Err(BenchError::Invalid(format!(
                "{} deliveries instead of {}",
                pool.deliveries(),
                self.all
            )));
        }
        match pool.each().skip(SENDERS).find(|each| *each != self.listener) {
            Some(other) => Err(BenchError::Invalid(format!(
                "a client got {other} messages instead of {}",
                self.listener
            ))),
            None => Ok(()),
        }
    }
}

/// Answers each sender's own message with its next one.
#[derive(Debug)]
struct Room {
    echoes: bool,
    open: bool,
    sent: u32,
    times: SendTimes,
    histogram: Histogram<u64>,
}

impl Room {
    fn new(echoes: bool) -> Outcome<Self> {
        let (times, histogram) = (SendTimes::new(), figures::latency_histogram()?);
        Ok(Self { echoes, open: true, sent: 0, times, histogram })
    }

    fn next(&mut self, sender: usize, now: u64) -> Stamp {
        let sequence = self.sent % SEQUENCE_SPAN;
        self.times.set(sequence, now);
        self.sent += 1;
        Stamp { sequence, sender: u32::try_from(sender).unwrap_or(0) }
    }

    /// Whose messages this client answers for: its own, or where the server keeps them from it,
    /// its neighbour's.
    fn answers_for(&self, client: usize) -> usize {
        if self.echoes { client } else { (client + 1) % SENDERS }
    }
}

impl Watch for Room {
    #[inline]
    fn delivery(&mut self, client: usize, text: &[u8], now: u64, orders: &mut Orders) {
        if client >= SENDERS {
            return;
        }
        let Some(stamp) = Stamp::decode(text) else { return };
        let sender = self.answers_for(client);
        if usize::try_from(stamp.sender) != Ok(sender) {
            return;
        }
        self.histogram.saturating_record(self.times.since(stamp.sequence, now));
        if self.open {
            let next = self.next(sender, now);
            orders.send(sender, next);
        }
    }
}
