//! Creates the actors and passes each the addresses that it sends to.

use std::sync::Arc;
use std::time::Instant;

use actix::prelude::{Actor, Addr, Arbiter, AsyncContext, Context, Recipient};
use slog::Logger;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::protocol::MessageText;
use crate::server::accept::admission::AdmissionLimits;
use crate::server::accept::bans::Bans;
use crate::server::accept::listener::Listener;
use crate::server::broker::actor::Broker;
use crate::server::broker::meetings::Meetings;
use crate::server::broker::requests::{RequestLimits, Requests};
use crate::server::cluster::actor::{NodeActor, NodeLinks};
use crate::server::connection::context::Uplinks;
use crate::server::connection::security::Security;
use crate::server::ids::ConnectionId;
use crate::server::lifecycle::critical::CriticalActor;
use crate::server::lifecycle::reload::{Reloadable, motd_lines};
use crate::server::log_limiter::LogLimiters;
use crate::server::messages::ToNode;
use crate::server::metrics::meters::Meters;
use crate::server::registry::access::Access;
use crate::server::registry::actor::{LOG_EVERY, Registry};
use crate::server::registry::bound_names::BoundNames;
use crate::server::registry::directory::Directory;
use crate::server::registry::shared::SharedRoom;
use crate::server::room::actor::{Room, time_of_day};
use crate::server::room::fanout::Fanout;
use crate::server::room::history::HistoryLimits;
use crate::server::room::history_file::{HistoryWriter, Saved};
use crate::server::room::rates::RoomRates;
use crate::server::room::saving::Saving;
use crate::server::room::sequencer::SharedSequencer;
use crate::server::room::shaper::Shaper;
use crate::server::settings::{ServerSettings, SettingError};
use crate::server::shard::actor::Shard;
use crate::server::store::writer::StoreWriter;

/// The actors of a server that runs.
#[derive(Clone, Debug)]
pub(crate) struct Actors {
    pub(crate) listener: Addr<Listener>,
    pub(crate) registry: Addr<Registry>,
    pub(crate) room: Addr<Room>,
    pub(crate) broker: Addr<Broker>,
    pub(crate) shards: Vec<Addr<Shard>>,
    /// There if other servers share the room.
    pub(crate) node: Option<Addr<NodeActor>>,
    pub(crate) meters: Arc<Meters>,
}

/// What the server has read from files other than its settings.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) access: Access,
    pub(crate) bans: Bans,
    pub(crate) names: BoundNames,
    pub(crate) topic: Option<MessageText>,
    pub(crate) writer: Option<StoreWriter>,
    pub(crate) history: Option<(Saved, HistoryWriter)>,
}

impl Actors {
    /// Starts them: the hub (listener, registry, room, broker) on the calling thread, which is
    /// also the first shard's, the other shards on `arbiters`.
    pub(crate) fn start(
        settings: &ServerSettings,
        security: Security,
        sockets: Vec<TcpListener>,
        kept: Kept,
        arbiters: &[Arbiter],
        failed: &mpsc::UnboundedSender<&'static str>,
        logger: &Logger,
    ) -> Result<Self, SettingError> {
        let motd_name = settings.motd_name()?;
        let critical = |name| Some(CriticalActor::new(name, failed));
        let meters = Arc::new(Meters::new(arbiters.len() + 1));
        // The actors know each other in a circle (room to shard to connection to room), so the
        // contexts, and with them the addresses, are made before the actors.
        let (listener, room) = (Context::<Listener>::new(), Context::<Room>::new());
        let (registry, broker) = (Context::<Registry>::new(), Context::<Broker>::new());
        let uplinks = Uplinks {
            registry: registry.address().recipient(),
            broker: broker.address().recipient(),
            room: room.address().recipient(),
            recall: room.address().recipient(),
            listener: listener.address().recipient(),
            meters: Arc::clone(&meters),
            security,
            logger: logger.clone(),
        };
        let homes = std::iter::once(Arbiter::current()).chain(arbiters.iter().map(Arbiter::handle));
        let shards: Vec<Addr<Shard>> = homes
            .enumerate()
            .map(|(index, home)| {
                let (uplinks, written) = (uplinks.clone(), room.address().recipient());
                let (limits, critical) = (settings.limits.clone(), critical("shard"));
                Shard::start_in_arbiter(&home, move |_| {
                    Shard::new(index, uplinks, written, limits, critical)
                })
            })
            .collect();

        let node = settings.cluster.is_on().then(Context::<NodeActor>::new);
        let to_node: Option<Recipient<ToNode>> =
            node.as_ref().map(|node| node.address().recipient());
        let mut fanout = fanout(settings, shards.len(), kept.topic);
        let saving = kept.history.map(|(saved, writer)| {
            fanout.resume(&saved, time_of_day());
            Saving::new(writer)
        });
        fanout.set_motd(&motd_name, &motd_lines(&settings.room.motd));
        let directory = Directory::new(Some(&motd_name), kept.names);
        let room = room.run(Room {
            fanout,
            shaper: Shaper::new(RoomRates::new(&settings.limits)),
            motd_name,
            shards: recipients(&shards),
            clock: Instant::now,
            timer: None,
            saving,
            store: kept.writer.clone().filter(|_| node.is_none()),
            node: to_node.clone(),
            meters: Arc::clone(&meters),
            delays: LogLimiters::new(LOG_EVERY),
            logger: logger.clone(),
            draining: Vec::new(),
            _critical: critical("room"),
        });
        let broker = broker.run(Broker {
            requests: Requests::new(RequestLimits::new(&settings.private)),
            meetings: Meetings::default(),
            room: room.clone().recipient(),
            node: to_node.clone(),
            shards: recipients(&shards),
            clock: Instant::now,
            meters: Arc::clone(&meters),
            logger: logger.clone(),
            _critical: critical("broker"),
        });
        let registry = registry.run(Registry {
            directory,
            names_writer: kept.writer,
            access: kept.access,
            bans: kept.bans.clone(),
            refusals: LogLimiters::new(LOG_EVERY),
            room: room.clone().recipient(),
            broker: broker.clone().recipient(),
            shards: recipients(&shards),
            answers: Vec::new(),
            shared: to_node.map(|node| SharedRoom::new(node, room.clone().recipient())),
            meters: Arc::clone(&meters),
            logger: logger.clone(),
            _critical: critical("registry"),
        });
        let accepting = Listener::new(
            sockets,
            recipients(&shards),
            AdmissionLimits::new(&settings.limits),
            kept.bans,
            Arc::clone(&meters),
            logger.clone(),
            critical("listener"),
        );
        let listener = listener.run(accepting.counting_from(first_connection(node.is_some())));
        let node = node.map(|node| {
            let links = NodeLinks {
                room: room.clone().recipient(),
                registry: registry.clone().recipient(),
                meters: Arc::clone(&meters),
                logger: logger.clone(),
                critical: critical("cluster node"),
            };
            node.run(NodeActor::new(&settings.cluster, &settings.history, links))
        });
        Ok(Self { listener, registry, room, broker, shards, node, meters })
    }

    pub(crate) fn reloadable(&self) -> Reloadable {
        Reloadable {
            listener: self.listener.clone().recipient(),
            registry: self.registry.clone(),
            room: self.room.clone().recipient(),
            broker: self.broker.clone().recipient(),
            shards: recipients(&self.shards),
        }
    }
}

/// The room's log and roster, in the order of this process or of a cluster.
fn fanout(settings: &ServerSettings, shards: usize, topic: Option<MessageText>) -> Fanout {
    let replay_roster = settings.room.replay_roster;
    let mut fanout = if settings.cluster.is_on() {
        Fanout::ordered_by(Box::new(SharedSequencer::default()), shards, replay_roster)
    } else {
        Fanout::new(shards, replay_roster)
    };
    // A cluster says what it is before anything happens.
    fanout.restore_topic(topic);
    fanout.set_history(HistoryLimits::new(&settings.history, &settings.room));
    fanout
}

/// The number that connections are counted from. Members of a cluster are numbered by their
/// connections, so each process counts from another number.
fn first_connection(is_shared: bool) -> ConnectionId {
    ConnectionId(if is_shared { fastrand::u64(1..1 << 23) << 40 } else { 0 })
}

/// The same addresses for one kind of message only.
pub(crate) fn recipients<A, M>(addresses: &[Addr<A>]) -> Vec<Recipient<M>>
where
    A: Actor + actix::Handler<M>,
    A::Context: actix::dev::ToEnvelope<A, M>,
    M: actix::Message + Send + 'static,
    M::Result: Send,
{
    addresses.iter().map(|address| address.clone().recipient()).collect()
}
