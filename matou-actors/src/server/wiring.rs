//! Creates the actors and lets each know those that it speaks to.

use std::sync::Arc;
use std::time::Instant;

use actix::prelude::{Actor, Addr, Arbiter, AsyncContext, Context, Recipient};
use slog::Logger;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::bans::Bans;
use super::broker::Broker;
use super::connection::Uplinks;
use super::directory::Directory;
use super::fanout::Fanout;
use super::listener::Listener;
use super::meters::Meters;
use super::registry::Registry;
use super::reload::{Reloadable, admission_limits, motd_lines, request_limits};
use super::requests::Requests;
use super::room::Room;
use super::settings::{ServerSettings, SettingError};
use super::shard::Shard;
use super::vital::Vital;

/// The actors of a server that runs.
#[derive(Clone, Debug)]
pub(crate) struct Actors {
    pub(crate) listener: Addr<Listener>,
    pub(crate) registry: Addr<Registry>,
    pub(crate) room: Addr<Room>,
    pub(crate) broker: Addr<Broker>,
    pub(crate) shards: Vec<Addr<Shard>>,
    pub(crate) meters: Arc<Meters>,
}

impl Actors {
    /// Starts them: the hub (listener, registry, room, broker) on the calling thread, which is
    /// also the first shard's, the other shards on `arbiters`.
    pub(crate) fn start(
        settings: &ServerSettings,
        sockets: Vec<TcpListener>,
        bans: Bans,
        arbiters: &[Arbiter],
        failed: &mpsc::UnboundedSender<&'static str>,
        logger: &Logger,
    ) -> Result<Self, SettingError> {
        let motd_name = settings.motd_name()?;
        let vital = |name| Some(Vital::new(name, failed));
        let meters = Arc::new(Meters::new(arbiters.len() + 1));
        // The actors know each other in a circle (room to shard to connection to room), so the
        // contexts, and with them the addresses, are made before the actors.
        let (listener, room) = (Context::<Listener>::new(), Context::<Room>::new());
        let (registry, broker) = (Context::<Registry>::new(), Context::<Broker>::new());
        let uplinks = Uplinks {
            registry: registry.address().recipient(),
            room: room.address().recipient(),
            listener: listener.address().recipient(),
            meters: Arc::clone(&meters),
            logger: logger.clone(),
        };
        let homes = std::iter::once(Arbiter::current()).chain(arbiters.iter().map(Arbiter::handle));
        let shards: Vec<Addr<Shard>> = homes
            .enumerate()
            .map(|(index, home)| {
                let (uplinks, written) = (uplinks.clone(), room.address().recipient());
                let (limits, vital) = (settings.limits.clone(), vital("shard"));
                Shard::start_in_arbiter(&home, move |_| {
                    Shard::new(index, uplinks, written, limits, vital)
                })
            })
            .collect();

        let mut fanout = Fanout::new(shards.len(), settings.room.replay_roster);
        fanout.set_motd(&motd_name, &motd_lines(&settings.room.motd));
        let directory = Directory::new(Some(&motd_name));
        let room = room.run(Room {
            fanout,
            motd_name,
            shards: recipients(&shards),
            clock: Instant::now,
            gathering: None,
            meters: Arc::clone(&meters),
            draining: Vec::new(),
            _vital: vital("room"),
        });
        let broker = broker.run(Broker {
            requests: Requests::new(request_limits(&settings.private)),
            room: room.clone().recipient(),
            clock: Instant::now,
            meters: Arc::clone(&meters),
            logger: logger.clone(),
            _vital: vital("broker"),
        });
        let registry = registry.run(Registry {
            directory,
            room: room.clone().recipient(),
            broker: broker.clone().recipient(),
            shards: recipients(&shards),
            answers: Vec::new(),
            meters: Arc::clone(&meters),
            logger: logger.clone(),
            _vital: vital("registry"),
        });
        let listener = listener.run(Listener::new(
            sockets,
            recipients(&shards),
            admission_limits(&settings.limits),
            bans,
            Arc::clone(&meters),
            logger.clone(),
            vital("listener"),
        ));
        Ok(Self { listener, registry, room, broker, shards, meters })
    }

    pub(crate) fn reloadable(&self) -> Reloadable {
        Reloadable {
            listener: self.listener.clone().recipient(),
            room: self.room.clone().recipient(),
            broker: self.broker.clone().recipient(),
            shards: recipients(&self.shards),
        }
    }
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
