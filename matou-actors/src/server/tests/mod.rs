//! The server's actors, one at a time, with probes at the addresses of all the others.

mod broker;
mod connection;
mod probe;
mod registry;
mod room;
mod set_up;
mod shard;
mod shared_registry;

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::Recipient;
use bytes::{Bytes, BytesMut};
use slog::{Discard, Logger, o};

use self::probe::Probe;
use crate::protocol::{ClaimedName, Decode, Encode, MessageText, PortPair, ServerFrame, Username};
use crate::server::accept::bans::Bans;
use crate::server::broker::requests::RequestLimits;
use crate::server::connection::context::Uplinks;
use crate::server::connection::security::Security;
use crate::server::ids::{ConnectionId, Route};
use crate::server::log_limiter::LogLimiters;
use crate::server::messages::{
    JoinRequest, Lifecycle, Publish, Relay, ToBroker, ToConnection, ToRegistry, ToRoom,
};
use crate::server::metrics::meters::Meters;
use crate::server::registry::access::{Access, PasswordCheck};
use crate::server::registry::actor::{LOG_EVERY, Registry};
use crate::server::registry::bound_names::BoundNames;
use crate::server::registry::directory::{Addresses, Directory, Location, Member};

const LOOPBACK: [u8; 4] = [127, 0, 0, 1];
const SERVER: [u8; 4] = [192, 0, 2, 1];

fn meters() -> Arc<Meters> {
    Arc::new(Meters::new(1))
}

fn id(number: u64) -> ConnectionId {
    ConnectionId(number)
}

fn route(shard: usize, number: u64) -> Route {
    Route { shard, id: id(number) }
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn text(text: &str) -> MessageText {
    MessageText::parse(text).unwrap()
}

fn claim(text: &str) -> ClaimedName {
    ClaimedName::unchecked(text).unwrap()
}

pub(in crate::server) fn ports(message: u16, file: u16) -> PortPair {
    let port = |number| NonZeroU16::new(number).unwrap();
    PortPair { message: port(message), file: port(file) }
}

/// An address on the LAN, 192.0.2.`number`.
fn addresses(number: u64) -> Addresses {
    let last = u8::try_from(number).unwrap();
    Addresses { peer: [192, 0, 2, last].into(), local: SERVER.into() }
}

fn peer(number: u64) -> SocketAddr {
    (addresses(number).peer, 50_000).into()
}

pub(in crate::server) fn member(shard: usize, number: u64, called: &str) -> Member {
    Member {
        place: Location::Here(route(shard, number)),
        name: name(called),
        addresses: addresses(number),
        key: None,
    }
}

/// A request to join from an address on the LAN.
fn join_request(number: u64, claimed: &str) -> JoinRequest {
    JoinRequest {
        route: route(0, number),
        claimed: claim(claimed),
        peer: peer(number),
        addresses: addresses(number),
        key: None,
        last_sequence: 0,
        password: PasswordCheck::Passed,
    }
}

/// An empty registry, in which the name of the server is reserved.
fn registry(
    room: &Probe<ToRoom>,
    broker: Recipient<ToBroker>,
    shards: &[Probe<ToConnection>],
) -> Registry {
    Registry {
        meters: meters(),
        directory: Directory::new(Some(&name("Server")), BoundNames::default()),
        names_writer: None,
        access: Access::default(),
        bans: Bans::default(),
        refusals: LogLimiters::new(LOG_EVERY),
        room: room.recipient(),
        broker,
        shards: shards.iter().map(Probe::recipient).collect(),
        answers: Vec::new(),
        shared: None,
        logger: Logger::root(Discard, o!()),
        _critical: None,
    }
}

/// Limits of private requests without any rate.
pub(in crate::server) fn request_limits(
    lifetime: Duration,
    pending_per_target: usize,
) -> RequestLimits {
    RequestLimits { lifetime, pending_per_target, rate: None, address_rate: None, pair_rate: None }
}

/// Where a connection reports to, with no actors behind the broker and the history.
fn uplinks(
    registry: &Probe<ToRegistry>,
    room: &Probe<Publish>,
    listener: &Probe<Lifecycle>,
    security: Security,
) -> Uplinks {
    Uplinks {
        registry: registry.recipient(),
        broker: Probe::start().recipient(),
        room: room.recipient(),
        recall: Probe::start().recipient(),
        listener: listener.recipient(),
        meters: meters(),
        security,
        logger: Logger::root(Discard, o!()),
    }
}

fn encoded(frame: &ServerFrame) -> Bytes {
    let mut out = BytesMut::new();
    frame.encode(&mut out);
    out.freeze()
}

/// The frames that the broker sent to clients of the shard with that index, in words.
fn relayed(relays: &[Relay], shard: usize) -> Vec<(u64, String)> {
    let here = relays.iter().filter(|relay| relay.to.shard == shard);
    here.map(|Relay { to, frame, .. }| (to.id.0, decoded(frame))).collect()
}

/// Orders to connections, in words that can be compared.
fn orders(orders: Vec<ToConnection>) -> Vec<(u64, String)> {
    orders.into_iter().map(|ToConnection { id, order }| (id.0, format!("{order:?}"))).collect()
}

fn decoded(bytes: &[u8]) -> String {
    match ServerFrame::decode(bytes).unwrap() {
        Some((frame, length)) if length == bytes.len() => format!("{frame:?}"),
        other => panic!("not one whole frame: {other:?}"),
    }
}
