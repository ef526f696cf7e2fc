//! What a file does to the messages of the connection next to it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::Ground;
use super::mover::{self, Mover};
use crate::clock::{Clock, nanos};
use crate::error::{BenchError, Context, Outcome};
use crate::scenario::{Figures, latency_histogram};
use crate::stamp::MESSAGE_BYTES;

/// Between two messages.
const INTERVAL: Duration = Duration::from_millis(1);
const IDLE: Duration = Duration::from_secs(2);

/// The time that 64 bytes take from one thread to another on a connection of their own, first with
/// nothing else going on, then while a file moves.
pub(super) fn during_a_file(mover: Mover, ground: &Ground) -> Outcome<Figures> {
    let mut talk = Beside::new()?;
    let copy = File::create(ground.copy(0)).context("make the copy")?;
    talk.during(|| mover::pair(mover, &ground.source(), &copy, ground.size()))?;
    std::fs::remove_file(ground.copy(0)).context("remove the copy")?;
    Ok(talk.figures())
}

/// The times of messages without and beside something else.
pub(super) struct Beside {
    idle: Histogram<u64>,
    busy: Histogram<u64>,
}

impl Beside {
    /// Measures them with nothing else going on.
    pub(super) fn new() -> Outcome<Self> {
        let talk = Talk::start()?;
        thread::sleep(IDLE);
        Ok(Self { idle: talk.stop()?, busy: latency_histogram()? })
    }

    /// Measures them while `work` goes on, and adds that to what was measured so before.
    pub(super) fn during(&mut self, work: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
        let talk = Talk::start()?;
        work()?;
        let added = self.busy.add(talk.stop()?);
        added.map_err(|error| BenchError::Invalid(error.to_string()))
    }

    pub(super) fn figures(&self) -> Figures {
        let micros = |histogram: &Histogram<u64>, quantile| {
            histogram.value_at_quantile(quantile) as f64 / 1e3
        };
        let mut figures = Figures::default();
        figures.set("idle_p50_us", micros(&self.idle, 0.5));
        figures.set("idle_p99_us", micros(&self.idle, 0.99));
        figures.set("p50_us", micros(&self.busy, 0.5));
        figures.set("p99_us", micros(&self.busy, 0.99));
        figures.set("p99_ratio", micros(&self.busy, 0.99) / micros(&self.idle, 0.99));
        figures.set("messages", self.busy.len() as f64);
        figures
    }
}

/// One thread that sends a message each millisecond, and one that receives them.
struct Talk {
    over: Arc<AtomicBool>,
    sending: JoinHandle<Outcome<()>>,
    receiving: JoinHandle<Outcome<Histogram<u64>>>,
}

impl Talk {
    fn start() -> Outcome<Self> {
        let (sender, receiver) = mover::connection()?;
        let (clock, over) = (Clock::start(), Arc::new(AtomicBool::new(false)));
        let until = Arc::clone(&over);
        Ok(Self {
            over,
            sending: thread::spawn(move || send(&sender, clock, &until)),
            receiving: thread::spawn(move || receive(&receiver, clock)),
        })
    }

    fn stop(self) -> Outcome<Histogram<u64>> {
        self.over.store(true, Ordering::Relaxed);
        let failed = || BenchError::Invalid("a thread failed".into());
        self.sending.join().map_err(|_| failed())??;
        self.receiving.join().map_err(|_| failed())?
    }
}

fn send(mut socket: &TcpStream, clock: Clock, over: &AtomicBool) -> Outcome<()> {
    let mut message = [0; MESSAGE_BYTES];
    while !over.load(Ordering::Relaxed) {
        for (byte, time) in message.iter_mut().zip(clock.now().to_le_bytes()) {
            *byte = time;
        }
        socket.write_all(&message).context("send a message")?;
        thread::sleep(INTERVAL);
    }
    socket.shutdown(std::net::Shutdown::Write).context("end the talk")
}

fn receive(mut socket: &TcpStream, clock: Clock) -> Outcome<Histogram<u64>> {
    let mut histogram = latency_histogram()?;
    let mut message = [0; MESSAGE_BYTES];
    while socket.read_exact(&mut message).is_ok() {
        let sent = message.first_chunk().map_or(0, |time| u64::from_le_bytes(*time));
        histogram.saturating_record(clock.now().saturating_sub(sent).min(nanos(IDLE * 10)));
    }
    Ok(histogram)
}
