//! How a node and its cluster are, for operators.

use crate::server::admin::wire::{ClusterReport, NodeReport};
use crate::server::cluster::actor::NodeActor;
use crate::server::ids::Epoch;

impl NodeActor {
    pub(super) fn report(&self) -> ClusterReport {
        let mut report =
            ClusterReport { room: self.settings.room.clone(), ..ClusterReport::default() };
        let Some((_, node)) = &self.connection else { return report };
        let replica = node.replica();
        report.serving = node.is_serving();
        (report.position, report.lag) = (replica.position(), node.lag());
        report.nats.clone_from(&self.version);
        let of = |epoch: Epoch| replica.members().filter(move |it| it.node == epoch).count();
        let nodes = replica.nodes().all().map(|(epoch, liveness)| NodeReport {
            name: liveness.name.to_string(),
            epoch: format!("{:016x}", epoch.0),
            own: epoch == node.epoch(),
            missed: liveness.missed(),
            members: of(epoch),
        });
        report.nodes = nodes.collect();
        report
    }
}
