//! What operators do to clients: finding, listing and disconnecting them.

use std::time::Duration;

use actix::prelude::Addr;
use futures::future::try_join_all;

use super::wire::{ClientReport, NameReport};
use crate::protocol::{ClaimedName, Username};
use crate::server::accept::bans::Ban;
use crate::server::lifecycle::wiring::Actors;
use crate::server::messages::{
    CloseFrom, ConnectionOrder, Find, FindKey, ForgetName, FoundMember, LastMessage, ListClients,
    ListNames, ToConnection,
};
use crate::server::reason::Reason;
use crate::server::registry::bound_names::Binding;
use crate::server::shard::actor::Shard;
use crate::trust::Fingerprint;

/// How long each part of a request may take: less than all of it, so that the answer can say which
/// part it was.
pub(super) const PART_WITHIN: Duration = Duration::from_secs(8);

/// Whom an operator means.
pub(super) enum Whom {
    Name(ClaimedName),
    Key(Fingerprint),
}

/// Where the user of that name is, or those with that key are: one at least.
pub(super) async fn find(actors: &Actors, whom: &Whom) -> Result<Vec<FoundMember>, String> {
    let (found, described) = match whom {
        Whom::Name(name) => {
            let found = actors.registry.send(Find(name.clone())).await.map_err(stopping)?;
            (found.into_iter().collect(), format!("is called {}", name.as_str().escape_debug()))
        }
        Whom::Key(key) => {
            let found = actors.registry.send(FindKey(*key)).await.map_err(stopping)?;
            (found, format!("has the key {key}"))
        }
    };
    if found.is_empty() {
        return Err(format!("no user here {described}; `clients` lists them"));
    }
    Ok(found)
}

/// The names that belong to keys, in order.
pub(super) async fn names(actors: &Actors) -> Result<Vec<NameReport>, String> {
    let names = actors.registry.send(ListNames).await.map_err(stopping)?;
    let mut names: Vec<NameReport> = names.into_iter().map(name_report).collect();
    names.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(names)
}

/// Releases `name`.
pub(super) async fn forget(actors: &Actors, name: Username) -> Result<NameReport, String> {
    let forgotten = actors.registry.send(ForgetName(name.clone())).await.map_err(stopping)?;
    let unknown = || format!("{name} belongs to no key; `names` lists the names that do");
    forgotten.map(name_report).ok_or_else(unknown)
}

fn name_report(Binding { name, key, first_use, last_use }: Binding) -> NameReport {
    let (name, fingerprint) = (name.to_string(), Fingerprint::of(&key));
    NameReport { name, fingerprint, first_use, last_use }
}

/// Says `last_message` to a user, and disconnects them.
pub(super) async fn close(
    actors: &Actors,
    found: &FoundMember,
    last_message: LastMessage,
    reason: Reason,
) -> Result<(), String> {
    let shard = actors.shards.get(found.route.shard).ok_or("there is no such shard")?;
    for order in [ConnectionOrder::SendLast(last_message), ConnectionOrder::Close(reason)] {
        let order = ToConnection { id: found.route.id, order };
        shard.send(order).await.map_err(stopping)?;
    }
    Ok(())
}

/// Disconnects all clients that `ban` concerns; returns how many.
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
        let found = if let Some(key) = ban.key {
            actors.registry.send(FindKey(key)).await.map_err(stopping)?
        } else if let Some(name) = &ban.name {
            let found = actors.registry.send(Find(ClaimedName::from(name))).await;
            found.map_err(stopping)?.into_iter().collect()
        } else {
            Vec::new()
        };
        for found in &found {
            close(actors, found, last_message.clone(), Reason::Banned).await?;
        }
        Ok(found.len())
    };
    match tokio::time::timeout(PART_WITHIN, closing).await {
        Ok(closed) => closed,
        Err(_) => Err(format!(
            "{ban} is banned, but not everyone affected may be disconnected: an event loop does not respond; if this persists, restart the server"
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
