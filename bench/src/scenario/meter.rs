//! What the processes cost while something is measured.

use std::time::Instant;

use super::Figures;
use crate::error::Outcome;
use crate::process;
use crate::server::Server;

/// CPU seconds of all processes of a server.
fn cpu(server: &Server) -> Outcome<f64> {
    server.pids().iter().map(|&pid| Ok(process::cpu(pid)?.as_secs_f64())).sum()
}

fn waited(server: &Server) -> Outcome<f64> {
    server.pids().iter().map(|&pid| Ok(process::waited(pid)?.as_secs_f64())).sum()
}

/// The costs at the start of a measurement.
#[derive(Debug)]
pub(super) struct Meter {
    start: Instant,
    server: f64,
    generator: f64,
    machine: f64,
    waited: f64,
    stolen: f64,
    deliveries: u64,
}

impl Meter {
    /// Starts, at a number of deliveries.
    pub(super) fn start(server: &Server, deliveries: u64) -> Outcome<Self> {
        Ok(Self {
            server: cpu(server)?,
            generator: process::cpu(std::process::id())?.as_secs_f64(),
            machine: process::machine_cpu()?.as_secs_f64(),
            waited: waited(server)?,
            stolen: process::stolen()?.as_secs_f64(),
            start: Instant::now(),
            deliveries,
        })
    }

    /// Ends at a number of deliveries.
    pub(super) fn stop(
        self,
        server: &Server,
        deliveries: u64,
        figures: &mut Figures,
    ) -> Outcome<()> {
        let seconds = self.start.elapsed().as_secs_f64();
        let server_cpu = cpu(server)? - self.server;
        let generator = process::cpu(std::process::id())?.as_secs_f64() - self.generator;
        let machine = process::machine_cpu()?.as_secs_f64() - self.machine;
        let deliveries = (deliveries - self.deliveries) as f64;
        if deliveries > 0.0 {
            figures.set("deliveries_per_s", deliveries / seconds);
            figures.set("cpu_s_per_million", server_cpu * 1e6 / deliveries);
        }
        figures.set("server_cpu_s", server_cpu);
        figures.set("server_cores", server_cpu / seconds);
        figures.set("generator_cores", generator / seconds);
        figures.set("other_cores", ((machine - server_cpu - generator) / seconds).max(0.0));
        let waited = waited(server)? - self.waited;
        figures.set("server_waited_ms", waited.max(0.0) * 1e3);
        figures.set("stolen_ms", (process::stolen()?.as_secs_f64() - self.stolen) * 1e3);
        figures.set("peak_mb", server.memory()?.peak as f64 / 1e6);
        Ok(())
    }
}
