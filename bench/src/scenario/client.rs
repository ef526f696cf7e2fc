//! Matou's own client: what it costs while nothing happens, and whether it keeps up.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::open::Metronome;
use super::{Figures, JOIN_LIMIT, Plan};
use crate::clock::Clock;
use crate::dialect::Dialect;
use crate::error::{BenchError, Context, Outcome};
use crate::pool::{Ignore, Pool};
use crate::process;
use crate::server::{Brand, Server};

const SENDERS: usize = 20;
const RATE: f64 = 5_000.0;
const IDLE: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(20);

/// A client in `--json` mode in a room with 5,000 messages a second.
pub(super) fn run<D: Dialect>(
    mut pool: Pool<D>,
    clock: Clock,
    server: &Server,
    plan: Plan,
) -> Outcome<Figures> {
    if server.brand() != Brand::Matou {
        return Err(BenchError::Invalid("only Matou has this client".into()));
    }
    let client = JsonClient::start(server)?;
    pool.join(SENDERS, server.brand().wave(), JOIN_LIMIT)?;
    wait_for(&client.others, u64::try_from(SENDERS).unwrap_or(0))?;
    let idle = client.cpu()?;
    let start = Instant::now();
    while start.elapsed() < IDLE {
        pool.poll(Duration::from_millis(100), &mut Ignore)?;
    }
    let idle = client.cpu()? - idle;
    let mut metronome = Metronome::new(clock, plan.rate.unwrap_or(RATE))?;
    let (start, cpu) = (Instant::now(), client.cpu()?);
    metronome.play(&mut pool, plan.measure)?;
    metronome.drain(&mut pool)?;
    let (sent, drained) = (u64::from(metronome.sent()), Instant::now());
    wait_for(&client.messages, sent)?;
    let mut figures = Figures::default();
    figures.set("idle_cpu_ms_per_s", idle * 1e3 / IDLE.as_secs_f64());
    figures.set("client_cores", (client.cpu()? - cpu) / start.elapsed().as_secs_f64());
    figures.set("messages", sent as f64);
    figures.set("behind_ms", drained.elapsed().as_secs_f64() * 1e3);
    figures.set("client_peak_mb", process::memory(client.child.id())?.peak as f64 / 1e6);
    Ok(figures)
}

/// The program, and how many events of each kind it has reported.
struct JsonClient {
    child: Child,
    messages: Arc<AtomicU64>,
    others: Arc<AtomicU64>,
}

impl JsonClient {
    fn start(server: &Server) -> Outcome<Self> {
        let mut command = Command::new(Brand::Matou.program()?);
        command.args(["client", "--json", "--username", "watcher", "--server"]);
        command.arg(server.addresses().first().map(ToString::to_string).unwrap_or_default());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("start the client")?;
        let output = child.stdout.take();
        let (messages, others) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counters = (Arc::clone(&messages), Arc::clone(&others));
        std::thread::spawn(move || output.map(|output| count(output, &counters.0, &counters.1)));
        let client = Self { child, messages, others };
        // Connected, and so in the room before anybody speaks.
        wait_for(&client.others, 1)?;
        Ok(client)
    }

    fn cpu(&self) -> Outcome<f64> {
        Ok(process::cpu(self.child.id())?.as_secs_f64())
    }
}

impl Drop for JsonClient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until so many events were reported.
fn wait_for(counter: &AtomicU64, least: u64) -> Outcome<()> {
    let start = Instant::now();
    while counter.load(Ordering::Relaxed) < least {
        if start.elapsed() > LIMIT {
            let found = counter.load(Ordering::Relaxed);
            return Err(BenchError::Invalid(format!("{found} events instead of {least}")));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

fn count(output: impl Read, messages: &AtomicU64, others: &AtomicU64) {
    let mut lines = BufReader::with_capacity(64 * 1024, output);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let message = line.starts_with(br#"{"event":"message""#);
        let counter = if message { messages } else { others };
        counter.fetch_add(1, Ordering::Relaxed);
        line.clear();
    }
}
