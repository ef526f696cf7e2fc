//! What operators do to clients: finding, listing and disconnecting them.

use std::time::Duration;

use actix::prelude::Addr;
use futures::future::try_join_all;

use super::wire::ClientReport;
use crate::protocol::ClaimedName;
use crate::server::accept::bans::Ban;
use crate::server::lifecycle::wiring::Actors;
use crate::server::messages::{
    CloseFrom, Find, Found, LastMessage, ListClients, Order, ToConnection,
};
use crate::server::reason::Reason;
use crate::server::shard::actor::Shard;

/// How long each part of a request may take: less than all of it, so that the answer can say which
/// part it was.
pub(super) const PART_WITHIN: Duration = Duration::from_secs(8);

/// Where the user of that name is.
pub(super) async fn find(actors: &Actors, name: &ClaimedName) -> Result<Found, String> {
    let found = actors.registry.send(Find(name.clone())).await.map_err(stopping)?;
    let shown = name.as_str().escape_debug();
    found.ok_or_else(|| format!("no user here is called {shown}; `clients` lists them"))
}

/// Says `last_message` to a user, and disconnects them.
pub(super) async fn close(
    actors: &Actors,
    found: &Found,
    last_message: LastMessage,
    reason: Reason,
) -> Result<(), String> {
    let shard = actors.shards.get(found.route.shard).ok_or("there is no such shard")?;
    for order in [Order::SendLast(last_message), Order::Close(reason)] {
        let order = ToConnection { id: found.route.id, order };
        shard.send(order).await.map_err(stopping)?;
    }
    Ok(())
}

/// Disconnects everybody whom `ban` concerns; how many those are.
pub(super) async fn close_banned(
    actors: &Actors,
    ban: &Ban,
    last_message: LastMessage,
) -> Result<usize, String> {
    let closing = async {
        if let Some(network) = ban.network {
            let from = |shard: &Addr<Shard>| {
                shard.send(CloseFrom { network, last_message: last_message.clone() })
            };
            let closed = try_join_all(actors.shards.iter().map(from)).await.map_err(stopping)?;
            return Ok(closed.into_iter().sum());
        }
        let claimed = ban.name.as_ref().map(ClaimedName::from);
        let Some(claimed) = claimed else { return Ok(0) };
        match actors.registry.send(Find(claimed)).await.map_err(stopping)? {
            Some(found) => close(actors, &found, last_message, Reason::Banned).await.map(|()| 1),
            None => Ok(0),
        }
    };
    match tokio::time::timeout(PART_WITHIN, closing).await {
        Ok(closed) => closed,
        Err(_) => Err(format!(
            "{ban} is banned, but not everybody that concerns may be disconnected: an event loop \
             does not answer; if that lasts, restart the server"
        )),
    }
}

pub(super) async fn clients(actors: &Actors) -> Result<Vec<ClientReport>, String> {
    let mut clients = Vec::new();
    for shard in &actors.shards {
        clients.extend(shard.send(ListClients).await.map_err(stopping)?);
    }
    clients.sort_by_key(|client| (std::cmp::Reverse(client.age_seconds), client.address));
    Ok(clients)
}

/// The answer when an actor has ended already.
pub(super) fn stopping(_: impl std::fmt::Debug) -> String {
    "the server is stopping".into()
}
