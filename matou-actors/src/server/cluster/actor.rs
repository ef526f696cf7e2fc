//! The actor of a node: performs what [`Node`] decides, through NATS, and hands room and registry
//! what all nodes have decided.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::fut::wrap_future;
use actix::prelude::{
    Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, MessageResult, Recipient,
    StreamHandler,
};
use bytes::Bytes;
use slog::{Logger, crit, info, warn};
use tokio::sync::oneshot;

use crate::server::cluster::held::Held;
use crate::server::cluster::nats::{Fetched, NatsStream, Start, republished};
use crate::server::cluster::node::Node;
use crate::server::cluster::outcome::ActorMessages;
use crate::server::cluster::output::NodeOutput;
use crate::server::cluster::proposed::record;
use crate::server::cluster::record::{Record, decode};
use crate::server::cluster::replica::Effect;
use crate::server::cluster::steps::{Content, NodeMessage};
use crate::server::ids::Epoch;
use crate::server::lifecycle::critical::CriticalActor;
use crate::server::messages::{FromNode, NodeEvent, ReportCluster, ToNode, ToRegistry};
use crate::server::metrics::meters::Meters;
use crate::server::room::actor::time_of_day;
use crate::server::room::roster::Present;
use crate::server::settings::{ClusterSettings, HistorySettings};

/// How often the node looks at the time.
const TICK: Duration = Duration::from_millis(100);
/// After how long NATS is tried again at the start.
const CONNECT_AGAIN: Duration = Duration::from_secs(1);
/// After how long a message that was not acknowledged is published again.
const PUBLISH_AGAIN: Duration = Duration::from_millis(250);
/// After this many failures in a row another NATS server is used: this one may be frozen, which its
/// connection shows late.
const FAILURES_TO_LEAVE: u32 = 2;

/// Where the node's decisions go.
pub(crate) struct NodeLinks {
    pub(crate) room: Recipient<FromNode>,
    pub(crate) registry: Recipient<ToRegistry>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) logger: Logger,
    pub(crate) critical: Option<CriticalActor>,
}

/// A server's part of a cluster.
pub(crate) struct NodeActor {
    pub(super) settings: ClusterSettings,
    history: HistorySettings,
    pub(super) links: NodeLinks,
    pub(super) connection: Option<(NatsStream, Node)>,
    /// Proposals from before there is a connection.
    early: Vec<Record>,
    generation: u64,
    /// Steps and frames that arrived before what they follow from.
    pub(super) held: Held<Option<async_nats::Subject>>,
    stopped: Option<oneshot::Sender<()>>,
    is_stopping: bool,
    /// How often in a row NATS has not acknowledged.
    failures: u32,
    pub(super) version: String,
}

/// Something was received over NATS.
enum NatsMessage {
    Live(async_nats::Message),
    FromNode(async_nats::Message),
}

impl NodeActor {
    pub(crate) fn new(
        settings: &ClusterSettings,
        history: &HistorySettings,
        links: NodeLinks,
    ) -> Self {
        let mut settings = settings.clone();
        if settings.node.is_empty() {
            settings.node = rustix::system::uname().nodename().to_string_lossy().into_owned();
        }
        Self {
            settings,
            history: history.clone(),
            links,
            connection: None,
            early: Vec::new(),
            generation: 0,
            held: Held::default(),
            stopped: None,
            is_stopping: false,
            failures: 0,
            version: String::new(),
        }
    }

    fn connect(&mut self, ctx: &mut Context<Self>) {
        let (settings, history) = (self.settings.clone(), self.history.clone());
        let logger = self.links.logger.clone();
        let opening = async move { NatsStream::open(&settings, &history, &logger).await };
        ctx.spawn(wrap_future(opening).map(|opened, actor: &mut Self, ctx| match opened {
            Ok(start) => actor.begin(start, ctx),
            Err(reason) => {
                warn!(actor.links.logger, "cannot use NATS"; "servers" => &actor.settings.nats,
                    "reason" => reason, "next" => "no client is served before that works");
                ctx.run_later(CONNECT_AGAIN, Self::connect);
            }
        }));
    }

    fn begin(&mut self, start: Start, ctx: &mut Context<Self>) {
        let Start { log, replica, until, live, version } = start;
        self.version = version;
        let members = replica.members().map(|resident| Present {
            id: resident.member,
            name: resident.name.clone(),
            key: resident.key.map(Into::into),
        });
        let members: Vec<Present> = members.collect();
        for Present { id, name, key } in members.clone() {
            let joined = NodeEvent::Joined { member: id, name, key, replaces: None };
            self.links.registry.do_send(ToRegistry::Node(joined)); // Once, at the start.
        }
        self.links.room.do_send(FromNode::Begin {
            next: replica.events(),
            members,
            topic: replica.topic().cloned(),
        });
        ctx.add_stream(futures::StreamExt::map(live, NatsMessage::Live));
        let now = Instant::now();
        let mut node = Node::new(new_epoch(), &self.settings.node, replica, until, now);
        for record in std::mem::take(&mut self.early) {
            node.propose(record, now);
        }
        self.connection = Some((log, node));
        self.listen(ctx);
        self.perform(ctx);
        ctx.run_interval(TICK, |actor, ctx| {
            let (now, at) = (Instant::now(), time_of_day().0);
            if let Some((_, node)) = &mut actor.connection {
                node.tick(at, now);
            }
            actor.held.expire(now);
            actor.perform(ctx);
        });
    }

    /// Listens to what other nodes send to this epoch.
    fn listen(&mut self, ctx: &mut Context<Self>) {
        let Some((log, node)) = &self.connection else { return };
        let (log, epoch) = (log.clone(), node.epoch());
        let subscribing = async move { log.inbox(epoch).await };
        ctx.spawn(wrap_future(subscribing).map(|inbox, actor: &mut Self, ctx| match inbox {
            Ok(inbox) => {
                ctx.add_stream(futures::StreamExt::map(inbox, NatsMessage::FromNode));
            }
            Err(reason) => {
                warn!(actor.links.logger, "cannot listen to the other nodes"; "reason" => reason);
                ctx.run_later(CONNECT_AGAIN, Self::listen);
            }
        }));
    }

    fn perform(&mut self, ctx: &mut Context<Self>) {
        while let Some((log, node)) = &mut self.connection
            && let Some(output) = node.output()
        {
            match output {
                NodeOutput::Publish { epoch, number, payload } => {
                    let log = log.clone();
                    Self::publish(log, epoch, number, payload, ctx);
                }
                NodeOutput::Fetch { from, until } => {
                    let log = log.clone();
                    let fetching = async move { log.fetch(from, until).await };
                    ctx.spawn(wrap_future(fetching).map(|fetched, actor: &mut Self, ctx| {
                        actor.fetched(fetched);
                        actor.perform(ctx);
                    }));
                }
                NodeOutput::Changes(changes) => {
                    let own = node.epoch();
                    self.hand_on(changes, own);
                }
                NodeOutput::Roster(roster, parts) => {
                    let log = log.clone();
                    // The next one is due before long.
                    ctx.spawn(wrap_future(async move {
                        let _ = log.publish_roster(*roster, parts).await;
                    }));
                }
                NodeOutput::Serving(serving) => self.serving(serving),
                NodeOutput::Expelled => {
                    node.begin_again(new_epoch(), Instant::now());
                    self.generation += 1;
                    self.held.clear();
                    self.links.room.do_send(FromNode::Expelled);
                    self.links.registry.do_send(ToRegistry::Node(NodeEvent::Expelled));
                    self.listen(ctx);
                }
                NodeOutput::Stopped => {
                    if let Some(stopped) = self.stopped.take() {
                        let _ = stopped.send(());
                    }
                }
                NodeOutput::Fatal(fatal) => {
                    crit!(self.links.logger, "this node cannot go on"; "reason" => %fatal,
                        "next" => "start the server again; it reads the stream anew");
                    if let Some(critical) = &self.links.critical {
                        critical.fail();
                    }
                }
            }
        }
        self.deliver_held(ctx);
        self.measure();
    }

    fn publish(
        log: NatsStream,
        epoch: Epoch,
        number: u64,
        payload: Bytes,
        ctx: &mut Context<Self>,
    ) {
        let since = Instant::now();
        let publishing = async move { log.publish(epoch, number, payload).await };
        ctx.spawn(wrap_future(publishing).map(move |published, actor: &mut Self, ctx| {
            let Some((log, node)) = &mut actor.connection else { return };
            match published {
                Ok(position) => {
                    actor.failures = 0;
                    node.acknowledged(epoch, number, position, Instant::now());
                    let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
                    actor.links.meters.cluster.published.add(1);
                    actor.links.meters.cluster.publish_micros.add(micros);
                    actor.perform(ctx);
                }
                Err(reason) => {
                    warn!(actor.links.logger, "not acknowledged by NATS"; "reason" => reason,
                        "next" => "it is published again");
                    actor.failures += 1;
                    if actor.failures.is_multiple_of(FAILURES_TO_LEAVE) {
                        let log = log.clone();
                        ctx.spawn(wrap_future(async move { log.use_another_server().await }));
                    }
                    ctx.run_later(PUBLISH_AGAIN, move |actor, ctx| {
                        if let Some((_, node)) = &mut actor.connection {
                            node.publish_failed(epoch, number);
                        }
                        actor.perform(ctx);
                    });
                }
            }
        }));
    }

    fn fetched(&mut self, Fetched { entries, first }: Fetched) {
        let Some((_, node)) = &mut self.connection else { return };
        let now = Instant::now();
        for (position, kind, payload) in entries {
            node.received(position, kind, payload, now);
        }
        if let Some(first) = first {
            node.stream_begins(first);
        }
        node.fetched(now);
    }

    fn serving(&mut self, serving: bool) {
        self.links.meters.cluster.serving.set(usize::from(serving));
        if serving {
            info!(self.links.logger, "this node serves clients"; "node" => &self.settings.node);
        } else {
            warn!(self.links.logger, "this node is cut off from the others";
                "next" => "it serves clients again when the stream answers");
        }
        self.links.registry.do_send(ToRegistry::Node(NodeEvent::Serving(serving)));
    }

    /// Hands room and registry what happened, the room first: there the consequences for others
    /// queue after it.
    fn hand_on(&self, changes: Vec<Effect>, own: Epoch) {
        let is_end = |change: &Effect| matches!(change, Effect::Gone { node } if *node == own);
        if self.is_stopping && changes.iter().any(is_end) {
            return;
        }
        let ActorMessages { room, registry, nodes } = ActorMessages::of(changes, own);
        for (node, is_here) in nodes {
            let what = if is_here { "a node joined" } else { "a node left" };
            info!(self.links.logger, "{}", what; "epoch" => format!("{:016x}", node.0));
        }
        for message in room {
            // Cannot flood: every node has one message in flight, and the room empties its mailbox
            // before it acts.
            self.links.room.do_send(message);
        }
        for event in registry {
            // Cannot flood: each answers or follows from something that some client did.
            self.links.registry.do_send(ToRegistry::Node(event));
        }
    }

    fn propose(&mut self, record: Record) {
        match &mut self.connection {
            Some((_, node)) => node.propose(record, Instant::now()),
            None => self.early.push(record),
        }
    }

    fn measure(&self) {
        let meters = &self.links.meters.cluster;
        if let Some((_, node)) = &self.connection {
            meters.lag.set(usize::try_from(node.lag()).unwrap_or(usize::MAX));
            meters.nodes.set(node.replica().nodes().all().count().max(1));
        }
    }
}

impl Actor for NodeActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // The cluster has been asked for: that it is not there yet is to be seen.
        self.links.meters.cluster.nodes.set(1);
        self.connect(ctx);
    }
}

impl StreamHandler<NatsMessage> for NodeActor {
    fn handle(&mut self, message: NatsMessage, ctx: &mut Context<Self>) {
        let Some((_, node)) = &mut self.connection else { return };
        match message {
            NatsMessage::Live(message) => {
                if let Some((position, kind)) = republished(&message) {
                    node.received(position, kind, message.payload, Instant::now());
                }
            }
            NatsMessage::FromNode(message) => {
                let Ok(received) = decode::<NodeMessage>(&message.payload) else { return };
                self.held.push(received, message.reply, Instant::now());
            }
        }
        self.perform(ctx);
    }

    /// A subscription has ended, such as that of an earlier epoch.
    fn finished(&mut self, _: &mut Context<Self>) {}
}

impl Handler<ToNode> for NodeActor {
    type Result = ();

    fn handle(&mut self, message: ToNode, ctx: &mut Context<Self>) {
        match message {
            ToNode::Propose { generation, proposals } if generation == self.generation => {
                for proposal in proposals {
                    self.propose(record(proposal, time_of_day().0));
                }
            }
            // By members who have left.
            ToNode::Propose { .. } => {}
            ToNode::Purge(name) => self.propose(Record::Purge { name }),
            ToNode::Step { from, to, name, step } => self.step(&from, to, name, &step, ctx),
            ToNode::Deliver { from, to, frame } => {
                let content = Content::Frame { from, to, frame: frame.to_vec() };
                self.send(to, content, None, ctx);
            }
            ToNode::Stop(stopped) => {
                self.is_stopping = true;
                self.stopped = Some(stopped);
                match &mut self.connection {
                    Some((_, node)) => node.stop(time_of_day().0, Instant::now()),
                    None => drop(self.stopped.take()),
                }
            }
        }
        self.perform(ctx);
    }
}

impl Handler<ReportCluster> for NodeActor {
    type Result = MessageResult<ReportCluster>;

    fn handle(&mut self, _: ReportCluster, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.report())
    }
}

fn new_epoch() -> Epoch {
    Epoch(fastrand::u64(..))
}
