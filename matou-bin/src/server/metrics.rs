//! Exports the server's counters as Prometheus metrics.

use std::sync::Arc;
use std::time::Duration;

use matou_actors::server::{Counts, Monitor, Snapshot};
use metrics::{
    SharedString, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::exit::Failure;

const FANOUT: &str = "matou_fanout_seconds";
/// Upper bounds of the histogram buckets in seconds.
const BUCKETS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// How often recorded latencies are aggregated when nothing scrapes them.
const UPKEEP: Duration = Duration::from_secs(5);

/// The metrics of one server.
#[derive(Clone)]
pub(super) struct Exporter {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
    monitor: Monitor,
}

impl Exporter {
    /// Starts recording the latencies of the monitored server.
    pub(super) fn new(monitor: Monitor) -> Result<Self, Failure> {
        let builder = PrometheusBuilder::new()
            .set_buckets(&BUCKETS)
            .map_err(|error| Failure::Runtime(format!("cannot record metrics: {error}")))?;
        let recorder = builder.build_recorder();
        with_local_recorder(&recorder, || {
            describe();
            monitor.record_latency(histogram!(FANOUT));
        });
        let handle = recorder.handle();
        Ok(Self { recorder: Arc::new(recorder), handle, monitor })
    }

    /// All metrics in the Prometheus text format.
    pub(super) fn render(&self) -> String {
        with_local_recorder(&*self.recorder, || publish(&self.monitor.snapshot()));
        self.handle.run_upkeep();
        self.handle.render()
    }

    /// Checks the health of the server; the error describes the problem.
    pub(super) async fn check(&self) -> Result<(), String> {
        if !self.monitor.is_serving() {
            return Err("not ready: this server is cut off from the others of its cluster".into());
        }
        self.monitor.check().await.map_err(|error| error.to_string())
    }

    /// Aggregates recorded latencies regularly, until the runtime ends.
    pub(super) async fn upkeep(self) {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            self.handle.run_upkeep();
        }
    }
}

fn publish(counts: &Snapshot) {
    #[allow(clippy::cast_precision_loss, reason = "no count comes near 2^53")]
    let set = |name: &'static str, value: u64| gauge!(name).set(value as f64);
    set("matou_uptime_seconds", counts.uptime_seconds);
    set("matou_connections", counts.connections);
    set("matou_connection_actors", counts.connection_actors);
    set("matou_users", counts.users);
    for (value, &count) in &counts.private_pending {
        let value = SharedString::from(value.clone().into_owned());
        #[allow(clippy::cast_precision_loss, reason = "no count comes near 2^53")]
        gauge!("matou_private_requests_pending", "awaiting" => value).set(count as f64);
    }
    for (label, &value) in &counts.cluster {
        let name = match &**label {
            "nodes" => "matou_cluster_nodes",
            "serving" => "matou_cluster_serving",
            "lag" => "matou_cluster_lag_messages",
            _ => continue,
        };
        set(name, value);
    }
    if let Some(&published) = counts.cluster.get("published") {
        counter!("matou_cluster_published_total").absolute(published);
    }
    if let Some(&micros) = counts.cluster.get("publish_micros") {
        #[allow(clippy::cast_precision_loss, reason = "no count comes near 2^53")]
        gauge!("matou_cluster_publish_seconds_total").set(micros as f64 / 1e6);
    }
    set("matou_queue_high_water_bytes", counts.queue_high_water_bytes);
    counter!("matou_accepted_total").absolute(counts.accepted);
    counter!("matou_delayed_connections_total").absolute(counts.delayed_connections);
    counter!("matou_joins_total").absolute(counts.joins);
    counter!("matou_names_refused_total").absolute(counts.names_refused);
    counter!("matou_received_bytes_total").absolute(counts.bytes_in);
    counter!("matou_sent_bytes_total").absolute(counts.bytes_out);
    counter!("matou_batches_total").absolute(counts.batches);
    let ended = |label: &str| counts.ends.get(label).copied().unwrap_or_default();
    let slow = ended("queue_overflow") + ended("stalled") + ended("lagging");
    counter!("matou_slow_disconnects_total").absolute(slow);
    labelled("matou_refusals_total", "reason", &counts.refusals);
    labelled("matou_ends_total", "reason", &counts.ends);
    labelled("matou_throttled_total", "limit", &counts.throttled);
    labelled("matou_frames_received_total", "type", &counts.frames_in);
    labelled("matou_frames_sent_total", "type", &counts.frames_out);
    labelled("matou_private_steps_total", "step", &counts.private);
}

fn labelled(name: &'static str, label: &'static str, counts: &Counts) {
    for (value, &count) in counts {
        let value = SharedString::from(value.clone().into_owned());
        counter!(name, label => value).absolute(count);
    }
}

fn describe() {
    describe_gauge!("matou_uptime_seconds", Unit::Seconds, "Seconds since the start.");
    describe_gauge!("matou_connections", "Connections, including those that have not joined.");
    describe_gauge!("matou_connection_actors", "Live connection actors.");
    describe_gauge!("matou_users", "Users in the room.");
    describe_gauge!(
        "matou_private_requests_pending",
        "Pending private requests, by what they await."
    );
    describe_gauge!(
        "matou_queue_high_water_bytes",
        Unit::Bytes,
        "The largest number of bytes queued for one client."
    );
    describe_gauge!("matou_cluster_nodes", "Nodes of the cluster that are there.");
    describe_gauge!("matou_cluster_serving", "1 while this node serves clients.");
    describe_gauge!(
        "matou_cluster_lag_messages",
        "Messages of the room's stream that this node has not read yet."
    );
    describe_counter!("matou_cluster_published_total", "Messages published to the room's stream.");
    describe_gauge!(
        "matou_cluster_publish_seconds_total",
        Unit::Seconds,
        "Time from publishing to acknowledgement, of all messages together."
    );
    describe_counter!("matou_accepted_total", "Connections accepted.");
    describe_counter!(
        "matou_delayed_connections_total",
        "Connections delayed because their address connects too often."
    );
    describe_counter!("matou_joins_total", "Names accepted.");
    describe_counter!("matou_names_refused_total", "Names refused.");
    describe_counter!("matou_refusals_total", "Connections refused, by reason.");
    describe_counter!("matou_ends_total", "Connections closed, by reason.");
    describe_counter!(
        "matou_slow_disconnects_total",
        "Clients disconnected for reading too slowly."
    );
    describe_counter!(
        "matou_throttled_total",
        "Runs of messages delayed because their address or the room is above its rate."
    );
    describe_counter!("matou_frames_received_total", "Frames from clients, by type.");
    describe_counter!("matou_frames_sent_total", "Frames queued for clients, by type.");
    describe_counter!("matou_received_bytes_total", Unit::Bytes, "Bytes read from clients.");
    describe_counter!("matou_sent_bytes_total", Unit::Bytes, "Bytes written to clients.");
    describe_counter!("matou_batches_total", "Batches handed to the event loops.");
    describe_counter!("matou_private_steps_total", "Steps of private requests, by outcome.");
    describe_histogram!(
        FANOUT,
        Unit::Seconds,
        "Time from reading the oldest message of a batch to having offered it to every socket \
         of an event loop."
    );
}
