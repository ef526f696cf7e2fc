//! What the server counts about itself, for its operators.
//!
//! Counting costs one relaxed addition for each read, each write and each batch, on numbers that
//! only one event loop touches; nothing is counted for each delivery of each frame.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::protocol::{Kind, PerKind};
use crate::server::accept::admission::Refusal;
use crate::server::metrics::snapshot::{Counts, Snapshot};
use crate::server::reason::Reason;
use crate::server::room::rates::Limit;

/// The counts of one server.
#[derive(Debug)]
pub(crate) struct Meters {
    started: Instant,
    pub(crate) connections: Count,
    pub(crate) users: Count,
    pub(crate) accepted: Count,
    pub(crate) delayed_connections: Count,
    pub(crate) joins: Count,
    pub(crate) names_refused: Count,
    refusals: [Count; Refusal::ALL.len()],
    ends: [Count; Reason::LABELS.len()],
    throttled: [Count; Limit::ALL.len()],
    pub(crate) private: PrivateMeters,
    pub(crate) cluster: ClusterMeters,
    shards: Vec<Arc<ShardMeters>>,
    hub_frames_out: PerKind<Count>,
    latency: OnceLock<metrics::Histogram>,
}

/// The counts of one event loop. Only that one writes them, so that none waits for another.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct ShardMeters {
    pub(crate) bytes_in: Count,
    pub(crate) bytes_out: Count,
    pub(crate) queue_high_water: Count,
    pub(crate) batches: Count,
    /// Connection actors that are alive.
    pub(crate) actors: Count,
    frames_in: PerKind<Count>,
    frames_out: PerKind<Count>,
}

/// What the broker has seen.
#[derive(Debug, Default)]
pub(crate) struct PrivateMeters {
    pub(crate) awaiting_answer: Count,
    pub(crate) awaiting_ports: Count,
    pub(crate) requested: Count,
    pub(crate) accepted: Count,
    pub(crate) established: Count,
    pub(crate) ignored: Count,
}

/// What the node of a cluster has seen.
#[derive(Debug, Default)]
pub(crate) struct ClusterMeters {
    /// Nodes that are alive; 0 without a cluster.
    pub(crate) nodes: Count,
    /// 1 while clients may be served.
    pub(crate) serving: Count,
    /// Messages that are known to be in the stream and not read.
    pub(crate) lag: Count,
    pub(crate) published: Count,
    /// Microseconds from publishing to acknowledgement, in total.
    pub(crate) publish_micros: Count,
}

/// A number that many may read.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Meters {
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            started: Instant::now(),
            connections: Count::default(),
            users: Count::default(),
            accepted: Count::default(),
            delayed_connections: Count::default(),
            joins: Count::default(),
            names_refused: Count::default(),
            refusals: Default::default(),
            ends: std::array::from_fn(|_| Count::default()),
            throttled: Default::default(),
            private: PrivateMeters::default(),
            cluster: ClusterMeters::default(),
            shards: (0..shards).map(|_| Arc::default()).collect(),
            hub_frames_out: PerKind::default(),
            latency: OnceLock::new(),
        }
    }

    /// The counts of the shard with that index; counts that are never read when there is no such shard.
    pub(crate) fn shard(&self, index: usize) -> Arc<ShardMeters> {
        self.shards.get(index).cloned().unwrap_or_default()
    }

    pub(crate) fn refused(&self, refusal: Refusal, times: u64) {
        let place = Refusal::ALL.iter().position(|&other| other == refusal);
        if let Some(count) = place.and_then(|place| self.refusals.get(place)) {
            count.add(times);
        }
    }

    pub(crate) fn ended(&self, reason: &Reason) {
        let place = Reason::LABELS.iter().position(|&label| label == reason.label());
        if let Some(count) = place.and_then(|place| self.ends.get(place)) {
            count.add(1);
        }
    }

    /// A run of messages has to wait for a rate.
    pub(crate) fn throttled(&self, limit: Limit) {
        let place = Limit::ALL.iter().position(|&other| other == limit);
        if let Some(count) = place.and_then(|place| self.throttled.get(place)) {
            count.add(1);
        }
    }

    /// Frames for single clients that room or broker hand out.
    pub(crate) fn hub_sent(&self, kind: Kind, frames: u64) {
        self.hub_frames_out.of(kind).add(frames);
    }

    /// Where to put the seconds from publishing to written of each batch; only the first counts.
    pub(crate) fn set_latency(&self, histogram: metrics::Histogram) {
        let _ = self.latency.set(histogram);
    }

    /// A batch was written that holds something said `elapsed` ago.
    pub(crate) fn written_after(&self, elapsed: Duration) {
        if let Some(histogram) = self.latency.get() {
            histogram.record(elapsed.as_secs_f64());
        }
    }

    /// All counts, each as it is at some moment of the call.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let sum = |of: &dyn Fn(&ShardMeters) -> u64| self.shards.iter().map(|s| of(s)).sum::<u64>();
        let frames = |of: &dyn Fn(&ShardMeters) -> &PerKind<Count>,
                      hub: Option<&PerKind<Count>>| {
            let counted = Kind::ALL.iter().map(|kind| {
                let at = |counts: &PerKind<Count>| counts.of(*kind).value();
                (kind.name().into(), sum(&|shard| at(of(shard))) + hub.map_or(0, at))
            });
            counted.filter(|&(_, frames)| frames > 0).collect::<Counts>()
        };
        let labelled = |counts: &[Count], labels: &[&'static str]| {
            let labels = labels.iter().map(|&label| label.into());
            labels.zip(counts.iter().map(Count::value)).collect::<Counts>()
        };
        Snapshot {
            uptime_seconds: self.started.elapsed().as_secs(),
            connections: self.connections.value(),
            connection_actors: sum(&|shard| shard.actors.value()),
            users: self.users.value(),
            accepted: self.accepted.value(),
            delayed_connections: self.delayed_connections.value(),
            joins: self.joins.value(),
            names_refused: self.names_refused.value(),
            refusals: labelled(&self.refusals, &Refusal::ALL.map(Refusal::label)),
            ends: labelled(&self.ends, &Reason::LABELS),
            throttled: labelled(&self.throttled, &Limit::ALL.map(Limit::label)),
            frames_in: frames(&|shard| &shard.frames_in, None),
            frames_out: frames(&|shard| &shard.frames_out, Some(&self.hub_frames_out)),
            bytes_in: sum(&|shard| shard.bytes_in.value()),
            bytes_out: sum(&|shard| shard.bytes_out.value()),
            batches: sum(&|shard| shard.batches.value()),
            queue_high_water_bytes: self
                .shards
                .iter()
                .map(|shard| shard.queue_high_water.value())
                .max()
                .unwrap_or_default(),
            private: self.private.labelled(),
            private_pending: self.private.pending(),
            cluster: self.cluster.labelled(),
        }
    }
}

impl ShardMeters {
    pub(crate) fn received(&self, kind: Kind, frames: u64) {
        self.frames_in.of(kind).bump(frames);
    }

    pub(crate) fn sent(&self, kind: Kind, frames: u64) {
        self.frames_out.of(kind).bump(frames);
    }
}

impl PrivateMeters {
    fn pending(&self) -> Counts {
        Counts::from([
            ("answer".into(), self.awaiting_answer.value()),
            ("ports".into(), self.awaiting_ports.value()),
        ])
    }

    fn labelled(&self) -> Counts {
        Counts::from([
            ("requested".into(), self.requested.value()),
            ("accepted".into(), self.accepted.value()),
            ("established".into(), self.established.value()),
            ("ignored".into(), self.ignored.value()),
        ])
    }
}

impl ClusterMeters {
    /// Nothing without a cluster.
    fn labelled(&self) -> Counts {
        let all = [
            ("nodes", &self.nodes),
            ("serving", &self.serving),
            ("lag", &self.lag),
            ("published", &self.published),
            ("publish_micros", &self.publish_micros),
        ];
        if self.nodes.value() == 0 {
            return Counts::new();
        }
        all.into_iter().map(|(label, count)| (label.into(), count.value())).collect()
    }
}

impl Count {
    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// As [`Count::add`] and cheaper, for a number that only one thread changes.
    pub(crate) fn bump(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    /// The opposite of [`Count::bump`].
    pub(crate) fn lower(&self, less: u64) {
        self.0.store(self.0.load(Relaxed).saturating_sub(less), Relaxed);
    }

    pub(crate) fn set(&self, value: usize) {
        self.0.store(u64::try_from(value).unwrap_or(u64::MAX), Relaxed);
    }

    /// Raises the number to `value` if it is smaller.
    pub(crate) fn raise(&self, value: usize) {
        self.0.fetch_max(u64::try_from(value).unwrap_or(u64::MAX), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shards_add_up_and_the_highest_water_counts() {
        let meters = Meters::new(2);
        for (index, (bytes, water)) in [(10, 7), (5, 9)].into_iter().enumerate() {
            let shard = meters.shard(index);
            shard.bytes_in.bump(bytes);
            shard.queue_high_water.raise(water);
            shard.queue_high_water.raise(1);
            shard.received(Kind::MSG, 3);
            shard.sent(Kind::MSGBC, 4);
        }
        meters.hub_sent(Kind::CORES, 1);
        let snapshot = meters.snapshot();
        assert_eq!((snapshot.bytes_in, snapshot.queue_high_water_bytes), (15, 9));
        assert_eq!(snapshot.frames_in, Counts::from([("MSG".into(), 6)]));
        let sent = Counts::from([("CORES".into(), 1), ("MSGBC".into(), 8)]);
        assert_eq!(snapshot.frames_out, sent);
    }

    #[test]
    fn refusals_and_ends_are_counted_by_reason() {
        let meters = Meters::new(1);
        meters.refused(Refusal::Descriptors, 3);
        meters.ended(&Reason::Stalled(1));
        let snapshot = meters.snapshot();
        assert_eq!((snapshot.refusals["descriptors"], snapshot.ends["stalled"]), (3, 1));
        assert_eq!(snapshot.ends.values().sum::<u64>(), 1);
    }
}
