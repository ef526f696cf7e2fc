//! Steps and frames between nodes: sends them, and passes received ones on.

use actix::fut::wrap_future;
use actix::prelude::{ActorFutureExt as _, AsyncContext as _, Context};
use slog::warn;

use crate::protocol::Username;
use crate::server::cluster::actor::{NodeActor, NodeLinks};
use crate::server::cluster::held::ANSWER_WITHIN;
use crate::server::cluster::record::encode;
use crate::server::cluster::steps::{Content, NodeMessage};
use crate::server::ids::MemberId;
use crate::server::messages::{NodeEvent, RemoteStep, Step, ToRegistry};
use crate::server::registry::directory::Member;

impl NodeActor {
    pub(super) fn step(
        &mut self,
        from: &Member,
        to: MemberId,
        name: Username,
        step: &RemoteStep,
        ctx: &mut Context<Self>,
    ) {
        let undone = match step {
            RemoteStep::Step(Step::Ask(session)) => {
                Some(NodeEvent::Unreachable { from: from.id(), session: *session, name })
            }
            _ => None,
        };
        if let Some(content) = Content::step(from, to, step) {
            self.send(to, content, undone, ctx);
        }
    }

    /// Sends a step or frame to the node of `to`; `undone` is reported when that does not get it.
    pub(super) fn send(
        &mut self,
        to: MemberId,
        content: Content,
        undone: Option<NodeEvent>,
        ctx: &mut Context<Self>,
    ) {
        let fail = |links: &NodeLinks, undone: Option<NodeEvent>| {
            if let Some(undone) = undone {
                links.registry.do_send(ToRegistry::Node(undone));
            }
        };
        let Some((log, node)) = &self.connection else { return fail(&self.links, undone) };
        let Some(home) = node.replica().member(to).map(|resident| resident.node) else {
            return fail(&self.links, undone);
        };
        let payload = encode(&NodeMessage { position: node.replica().position(), content });
        let log = log.clone();
        let sending = async move { log.send(home, payload, ANSWER_WITHIN).await };
        ctx.spawn(wrap_future(sending).map(move |has_come, actor: &mut Self, _| {
            if !has_come {
                warn!(actor.links.logger, "another node does not answer";
                    "epoch" => format!("{:016x}", home.0));
                fail(&actor.links, undone);
            }
        }));
    }

    /// Passes on the steps and frames whose place is reached, and confirms them to their senders.
    pub(super) fn deliver_held(&mut self, ctx: &mut Context<Self>) {
        let Some((log, node)) = &self.connection else { return };
        let position = node.replica().position();
        while let Some((content, reply)) = self.held.due(position) {
            if let Some(event) = content.into_event() {
                // Cannot flood: as many as are held.
                self.links.registry.do_send(ToRegistry::Node(event));
            }
            if let Some(reply) = reply {
                let log = log.clone();
                ctx.spawn(wrap_future(async move { log.acknowledge(reply).await }));
            }
        }
    }
}
