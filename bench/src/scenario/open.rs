//! Messages at a fixed rate, whatever the server makes of them: how long each takes to everybody.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{Figures, JOIN_LIMIT, Plan, figures};
use crate::clock::{Clock, nanos};
use crate::dialect::Dialect;
use crate::error::{BenchError, Outcome};
use crate::pool::{Orders, Pool, Watch};
use crate::process;
use crate::server::Server;
use crate::stamp::{SEQUENCE_SPAN, SendTimes, Stamp};

const CLIENTS: usize = 2_000;
const RATE: f64 = 50.0;
/// How long deliveries may still come in after the last message; more is a server too slow.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// 2,000 clients, 50 messages a second, each from another client.
pub(super) fn run<D: Dialect>(
    mut pool: Pool<D>,
    clock: Clock,
    server: &Server,
    plan: Plan,
) -> Outcome<Figures> {
    pool.join(plan.clients.unwrap_or(CLIENTS), JOIN_LIMIT)?;
    let mut metronome = Metronome::new(clock, plan.rate.unwrap_or(RATE))?;
    metronome.play(&mut pool, plan.warmup)?;
    metronome.histogram.clear();
    let (start, cpu) = (Instant::now(), process::cpu(server.pid())?);
    let (own_cpu, before) = (process::cpu(std::process::id())?, pool.deliveries());
    metronome.play(&mut pool, plan.measure)?;
    let deliveries = pool.deliveries() - before;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = (process::cpu(server.pid())? - cpu).as_secs_f64();
    let own_cpu = (process::cpu(std::process::id())? - own_cpu).as_secs_f64();
    metronome.drain(&mut pool)?;
    let mut figures = Figures::default();
    figures.latencies(&metronome.histogram);
    figures.set("deliveries_per_s", deliveries as f64 / seconds);
    figures.set("cpu_s_per_million", cpu * 1e6 / deliveries as f64);
    figures.set("server_cores", cpu / seconds);
    figures.set("generator_cores", own_cpu / seconds);
    figures.set("memory_mb", process::memory(server.pid())?.resident as f64 / 1e6);
    Ok(figures)
}

/// Sends at a rate and measures every delivery, from the time its message was due.
#[derive(Debug)]
pub(super) struct Metronome {
    clock: Clock,
    /// Nanoseconds from one message to the next.
    interval: f64,
    sent: u32,
    sender: usize,
    times: SendTimes,
    pub(super) histogram: Histogram<u64>,
}

impl Metronome {
    /// One that sends so many messages a second.
    pub(super) fn new(clock: Clock, rate: f64) -> Outcome<Self> {
        Ok(Self {
            clock,
            interval: 1e9 / rate,
            sent: 0,
            sender: 0,
            times: SendTimes::new(),
            histogram: figures::latency_histogram()?,
        })
    }

    /// Sends for a time.
    pub(super) fn play<D: Dialect>(&mut self, pool: &mut Pool<D>, time: Duration) -> Outcome<()> {
        let start = self.clock.now();
        let end = start + nanos(time);
        let mut due = start as f64;
        loop {
            let now = self.clock.now();
            if now >= end {
                return Ok(());
            }
            // No more than a few at once, so that reading does not wait for a flood of sending.
            for _ in 0..64 {
                if due > now as f64 {
                    break;
                }
                self.send(pool, Duration::from_secs_f64(due / 1e9));
                due += self.interval;
            }
            let wait = Duration::from_secs_f64((due - now as f64).max(0.0) / 1e9);
            // The kernel rounds up to a millisecond: the last one is spent polling.
            let wait = wait.saturating_sub(Duration::from_millis(1)).min(Duration::from_millis(10));
            pool.poll(wait, &mut Listener { times: &self.times, histogram: &mut self.histogram })?;
            if pool.gone() > 0 {
                let gone = pool.gone();
                return Err(BenchError::Invalid(format!("the server closed {gone} clients")));
            }
        }
    }

    /// Waits for what is still on its way, and makes sure that everything came.
    pub(super) fn drain<D: Dialect>(&mut self, pool: &mut Pool<D>) -> Outcome<()> {
        let clients = u64::try_from(pool.len()).unwrap_or(u64::MAX) - u64::from(!D::ECHOES);
        let all = u64::from(self.sent) * clients;
        let mut listener = Listener { times: &self.times, histogram: &mut self.histogram };
        let what = "delivering everything";
        pool.until(DRAIN_LIMIT, what, &mut listener, |pool| pool.deliveries() >= all)?;
        if pool.deliveries() != all {
            let found = pool.deliveries();
            return Err(BenchError::Invalid(format!("{found} deliveries instead of {all}")));
        }
        Ok(())
    }

    fn send<D: Dialect>(&mut self, pool: &mut Pool<D>, due: Duration) {
        let sequence = self.sent % SEQUENCE_SPAN;
        self.times.set(sequence, nanos(due));
        self.sent += 1;
        let sender = u32::try_from(self.sender).unwrap_or(0);
        pool.send(self.sender, Stamp { sequence, sender });
        self.sender = (self.sender + 1) % pool.len();
    }
}

/// Records how long each delivery took.
#[derive(Debug)]
struct Listener<'a> {
    times: &'a SendTimes,
    histogram: &'a mut Histogram<u64>,
}

impl Watch for Listener<'_> {
    #[inline]
    fn delivery(&mut self, _: usize, text: &[u8], now: u64, _: &mut Orders) {
        if let Some(stamp) = Stamp::decode(text) {
            self.histogram.saturating_record(self.times.since(stamp.sequence, now));
        }
    }
}
