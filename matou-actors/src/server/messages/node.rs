//! To the node of a cluster.

use actix::prelude::Message;
use bytes::Bytes;
use tokio::sync::oneshot;

use super::steps::RemoteStep;
use crate::protocol::{FoldedName, Username};
use crate::server::admin::wire::ClusterReport;
use crate::server::ids::MemberId;
use crate::server::registry::directory::Member;
use crate::server::room::sequencer::Proposal;

/// To the node of a cluster.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum ToNode {
    /// Room: these are proposed, in this order. `generation` counts how often the node was
    /// expelled: earlier proposals are void.
    Propose { generation: u64, proposals: Vec<Proposal> },
    /// Room: messages are to be forgotten on all nodes.
    Purge(Option<FoldedName>),
    /// Registry: a step of a local member towards a member elsewhere, who has that name.
    Step { from: Member, to: MemberId, name: Username, step: RemoteStep },
    /// Broker: a frame about `from` for a member elsewhere.
    Deliver { from: MemberId, to: MemberId, frame: Bytes },
    /// The server stops: let the members leave; answered when all nodes know.
    Stop(oneshot::Sender<()>),
}

/// Of the node: how the cluster is.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "ClusterReport")]
pub(crate) struct ReportCluster;
