//! The busy room: as many deliveries as the server can make.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::meter::Meter;
use super::{Figures, JOIN_LIMIT, Plan, figures};
use crate::clock::Clock;
use crate::dialect::Dialect;
use crate::error::{BenchError, Outcome};
use crate::pool::{Orders, Pool, Watch};
use crate::server::Server;
use crate::stamp::{SEQUENCE_SPAN, SendTimes, Stamp};

const CLIENTS: usize = 200;
const SENDERS: usize = 20;
const OUTSTANDING: u32 = 16;
/// Odd and far from a power of two, so that every earlier message still shows in a digest.
const DIGEST_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// 20 of 200 clients send; each sends its next message when one of its own is back, so that
/// always 16 of each are on their way. When the measurement begins, so many more clients that
/// have read until then stop to read.
pub(super) fn run<D: Dialect>(
    mut pool: Pool<D>,
    clock: Clock,
    server: &Server,
    plan: Plan,
    stuck: usize,
) -> Outcome<Figures> {
    let clients = plan.clients.unwrap_or(CLIENTS);
    pool.join(clients + stuck, server.brand().wave(), JOIN_LIMIT)?;
    let mut room = Room::new(D::ECHOES)?;
    room.begin(&mut pool, clock);
    poll_for(&mut pool, &mut room, plan.warmup)?;
    pool.stop_reading(clients)?;
    room.histogram.clear();
    let meter = Meter::start(server, pool.deliveries())?;
    poll_for(&mut pool, &mut room, plan.measure)?;
    let mut figures = Figures::default();
    meter.stop(server, pool.deliveries(), &mut figures)?;
    figures.latencies(&room.histogram);
    room.finish(&mut pool, clients)?;
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

/// Answers each sender's own message with its next one.
#[derive(Debug)]
pub(super) struct Room {
    echoes: bool,
    /// A digest of the order in which each client got the messages, if that is to be checked.
    orders: Vec<u64>,
    open: bool,
    sent: u32,
    times: SendTimes,
    histogram: Histogram<u64>,
}

impl Room {
    /// A room in which senders hear their own messages, or do not.
    pub(super) fn new(echoes: bool) -> Outcome<Self> {
        let (times, histogram) = (SendTimes::new(), figures::latency_histogram()?);
        Ok(Self { echoes, orders: Vec::new(), open: true, sent: 0, times, histogram })
    }

    /// Remembers from now on in which order each of so many clients gets the messages.
    pub(super) fn watch_order(&mut self, clients: usize) {
        self.orders = vec![0; clients];
    }

    /// Makes sure that all clients got the same messages in the same order.
    pub(super) fn check_order(&self) -> Outcome<()> {
        let mut digests = self.orders.iter();
        let first = digests.next();
        match digests.position(|digest| Some(digest) != first) {
            Some(place) => Err(BenchError::Invalid(format!(
                "client {} got the messages in another order than client 0",
                place + 1
            ))),
            None => Ok(()),
        }
    }

    /// Has every sender send its first messages.
    pub(super) fn begin<D: Dialect>(&mut self, pool: &mut Pool<D>, clock: Clock) {
        for sender in 0..SENDERS {
            for _ in 0..OUTSTANDING {
                let stamp = self.next(sender, clock.now());
                pool.send(sender, stamp);
            }
        }
    }

    /// Lets no client send any more, waits for what is on its way to the first so many clients, and
    /// makes sure that each of them got each message exactly once.
    pub(super) fn finish<D: Dialect>(&mut self, pool: &mut Pool<D>, clients: usize) -> Outcome<()> {
        self.open = false;
        let sent = u64::from(self.sent);
        let readers = u64::try_from(clients).unwrap_or(u64::MAX);
        let all = sent * (readers - u64::from(!D::ECHOES));
        let found = |pool: &Pool<D>| pool.each().take(clients).sum::<u64>();
        pool.until(DRAIN_LIMIT, "counting every delivery", self, |pool| found(pool) >= all)?;
        let listeners = pool.each().take(clients).skip(SENDERS);
        match listeners.into_iter().find(|each| *each != sent) {
            _ if found(pool) != all => {
                Err(BenchError::Invalid(format!("{} deliveries instead of {all}", found(pool))))
            }
            Some(each) => Err(BenchError::Invalid(format!("{each} of {sent} messages came"))),
            None => Ok(()),
        }
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
        if client >= SENDERS && self.orders.is_empty() {
            return;
        }
        let Some(stamp) = Stamp::decode(text) else { return };
        if let Some(digest) = self.orders.get_mut(client) {
            *digest = digest.wrapping_mul(DIGEST_FACTOR) ^ u64::from(stamp.sequence);
        }
        if client >= SENDERS {
            return;
        }
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
