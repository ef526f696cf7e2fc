//! Makes an actor panic, for the tests of what follows.

use super::clients::{Whom, find};
use super::wire::Response;
use crate::protocol::ClaimedName;
use crate::server::lifecycle::wiring::Actors;
use crate::server::messages::{ConnectionOrder, FoundMember, Panic, ToConnection};

/// Nothing is sent back by an actor that panics, so nothing is waited for.
pub(super) async fn panic_actor(actors: &Actors, actor: &str) -> Result<Response, String> {
    // None can flood: for tests, one at a time.
    match actor {
        "listener" => actors.listener.do_send(Panic),
        "registry" => actors.registry.do_send(Panic),
        "room" => actors.room.do_send(Panic),
        "broker" => actors.broker.do_send(Panic),
        "shard" => actors.shards.iter().take(1).for_each(|shard| shard.do_send(Panic)),
        other => {
            let name = other.strip_prefix("session ").and_then(ClaimedName::unchecked);
            let name = name.ok_or_else(|| format!("there is no actor {other:?}"))?;
            for FoundMember { route, .. } in find(actors, &Whom::Name(name)).await? {
                let order = ToConnection { id: route.id, order: ConnectionOrder::Panic };
                let shard = actors.shards.get(route.shard).ok_or("there is no such shard")?;
                shard.do_send(order);
            }
        }
    }
    Ok(Response::Panicking)
}
