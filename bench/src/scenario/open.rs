//! Messages at a fixed rate, whatever the server makes of them: how long each takes to everybody.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::meter::Meter;
use super::{Figures, JOIN_LIMIT, Plan, figures};
use crate::clock::{Clock, nanos};
use crate::dialect::Dialect;
use crate::error::{BenchError, Outcome};
use crate::pool::{Orders, Pool, Watch};
use crate::server::Server;
use crate::stamp::{SEQUENCE_SPAN, SendTimes, Stamp};

const CLIENTS: usize = 2_000;
const RATE: f64 = 50.0;
/// How long deliveries may still come in after the last message; more is a server too slow.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// Nanoseconds of messages that may be on their way before a trial is given up.
const MOST_BEHIND: f64 = 3e9;

/// 2,000 clients, 50 messages a second, each from another client.
pub(super) fn run<D: Dialect>(
    mut pool: Pool<D>,
    clock: Clock,
    server: &Server,
    plan: Plan,
) -> Outcome<Figures> {
    pool.join(plan.clients.unwrap_or(CLIENTS), server.brand().wave(), JOIN_LIMIT)?;
    let mut metronome = Metronome::new(clock, plan.rate.unwrap_or(RATE))?;
    metronome.play(&mut pool, plan.warmup)?;
    metronome.forget();
    let meter = Meter::start(server, pool.deliveries())?;
    metronome.play(&mut pool, plan.measure)?;
    let mut figures = Figures::default();
    meter.stop(server, pool.deliveries(), &mut figures)?;
    metronome.drain(&mut pool)?;
    figures.latencies(&metronome.histogram);
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
    histogram: Histogram<u64>,
    late: Late,
}

/// Deliveries that took too long, and how many may.
#[derive(Clone, Copy, Debug)]
struct Late {
    /// Nanoseconds after which one is late.
    after: u64,
    count: u64,
    allowed: f64,
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
            late: Late { after: u64::MAX, count: 0, allowed: f64::MAX },
        })
    }

    /// Ends [`play`](Self::play) as soon as more than `allowed` deliveries took longer than
    /// `most`.
    pub(super) fn insist(&mut self, most: Duration, allowed: f64) {
        self.late = Late { after: nanos(most), count: 0, allowed };
    }

    /// Whether more deliveries were late than may be.
    pub(super) fn too_late(&self) -> bool {
        self.late.count as f64 > self.late.allowed
    }

    /// Sends for a time.
    pub(super) fn play<D: Dialect>(&mut self, pool: &mut Pool<D>, time: Duration) -> Outcome<()> {
        let start = self.clock.now();
        let end = start + nanos(time);
        let mut due = start as f64;
        loop {
            let now = self.clock.now();
            if now >= end || self.too_late() {
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
            pool.poll(wait, &mut self.listener())?;
            if pool.gone() > 0 {
                let gone = pool.gone();
                return Err(BenchError::Invalid(format!("the server closed {gone} clients")));
            }
            let behind = self.expected::<D>(pool).saturating_sub(pool.deliveries());
            if behind as f64 * self.interval > MOST_BEHIND * pool.len() as f64 {
                return Err(BenchError::Invalid("the server falls behind by seconds".into()));
            }
        }
    }

    /// Messages sent so far.
    pub(super) fn sent(&self) -> u32 {
        self.sent
    }

    /// Forgets the times measured so far.
    pub(super) fn forget(&mut self) {
        self.histogram.clear();
    }

    /// The 99th percentile of the times measured, in milliseconds.
    pub(super) fn p99_ms(&self) -> f64 {
        self.histogram.value_at_quantile(0.99) as f64 / 1e6
    }

    /// Waits for what is still on its way, and makes sure that everything came.
    pub(super) fn drain<D: Dialect>(&mut self, pool: &mut Pool<D>) -> Outcome<()> {
        let all = self.expected::<D>(pool);
        let mut listener = self.listener();
        let what = "delivering everything";
        pool.until(DRAIN_LIMIT, what, &mut listener, |pool| pool.deliveries() >= all)?;
        if pool.deliveries() != all {
            let found = pool.deliveries();
            return Err(BenchError::Invalid(format!("{found} deliveries instead of {all}")));
        }
        Ok(())
    }

    fn listener(&mut self) -> Listener<'_> {
        Listener { times: &self.times, histogram: &mut self.histogram, late: &mut self.late }
    }

    /// Deliveries of everything sent so far.
    fn expected<D: Dialect>(&self, pool: &Pool<D>) -> u64 {
        let clients = u64::try_from(pool.len()).unwrap_or(u64::MAX);
        u64::from(self.sent) * (clients - u64::from(!D::ECHOES))
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
    late: &'a mut Late,
}

impl Watch for Listener<'_> {
    #[inline]
    fn delivery(&mut self, _: usize, text: &[u8], now: u64, _: &mut Orders) {
        if let Some(stamp) = Stamp::decode(text) {
            let took = self.times.since(stamp.sequence, now);
            self.histogram.saturating_record(took);
            self.late.count += u64::from(took > self.late.after);
        }
    }
}
