//! A connection between probes, with a real socket.

use std::cell::RefCell;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::Addr;

use super::probe::Probe;
use super::{id, name, uplinks};
use crate::server::connection::actor::Connection;
use crate::server::connection::context::ShardContext;
use crate::server::connection::output::Output;
use crate::server::connection::security::Security;
use crate::server::connection::socket::Accepted;
use crate::server::messages::{ConnectionOrder, Lifecycle, Publish, ToRegistry};
use crate::server::room::batch::Welcome;
use crate::server::room::event::Dialect;
use crate::server::settings::Limits;
use crate::trust::{Alpn, ExpectedKey, Identity, server_config};

struct Fixture {
    connection: Addr<Connection>,
    output: Rc<RefCell<Output>>,
    _client: TcpStream,
    registry: Probe<ToRegistry>,
    _room: Probe<Publish>,
    listener: Probe<Lifecycle>,
    _shard: Probe<Lifecycle>,
}

impl Fixture {
    fn start() -> Self {
        Self::with(&Limits::default(), Duration::ZERO, &[])
    }

    /// A connection over which the client has said something already.
    fn with(limits: &Limits, hold: Duration, said: &[u8]) -> Self {
        Self::secured(Security::default(), limits, hold, said)
    }

    fn secured(security: Security, limits: &Limits, hold: Duration, said: &[u8]) -> Self {
        let (registry, room) = (Probe::start(), Probe::start());
        let (listener, shard) = (Probe::start(), Probe::start());
        let uplinks = uplinks(&registry, &room, &listener, security);
        let common = Rc::new(ShardContext::new(0, uplinks, shard.recipient(), limits.clone()));
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
        let (stream, peer) = socket.accept().unwrap();
        if !said.is_empty() {
            client.write_all(said).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            assert_eq!(stream.peek(&mut [0]).unwrap(), 1);
        }
        let (connection, output) =
            Connection::start(common, id(1), Accepted::of(stream), peer, hold).unwrap();
        Self { connection, output, _client: client, registry, _room: room, listener, _shard: shard }
    }
}

#[actix::test]
async fn the_time_to_join_begins_when_a_connection_is_no_longer_delayed() {
    let limits = Limits { join_seconds: 1, ..Limits::default() };
    let mut fixture = Fixture::with(&limits, Duration::from_secs(5), b"\0\0\0\0\0\0\0\x05alice");
    // From now on time passes whenever there is nothing to do.
    tokio::time::pause();
    let orders = fixture.registry.next().await;
    assert!(matches!(orders, ToRegistry::Join(_)), "{orders:?}");
}

#[actix::test]
async fn a_handshake_that_stalls_ends_long_before_the_time_to_join() {
    let identity = Identity::generate().unwrap();
    let config = server_config(&identity, ExpectedKey::Any, Alpn::Server).unwrap();
    let security = Security { config: Some(Arc::new(config)), ..Security::default() };
    let began = tokio::time::Instant::now();
    // The head of a record of 256 bytes, and no more.
    let hello = b"\x16\x03\x01\x01\x00";
    let mut fixture = Fixture::secured(security, &Limits::default(), Duration::ZERO, hello);
    tokio::time::pause();
    let left = fixture.registry.next().await;
    assert!(matches!(left, ToRegistry::Leave { .. }), "{left:?}");
    // It begins in real time.
    let took = began.elapsed().as_secs();
    assert!((10..60).contains(&took), "{took} s");
}

#[actix::test]
async fn a_panic_during_a_write_releases_the_place_of_a_member() {
    let mut fixture = Fixture::start();
    let welcome = Welcome {
        dialect: Dialect::V1,
        parts: Vec::new(),
        start: 0,
        announced: 0,
        past: (0, false),
        said: 0,
    };
    fixture.output.borrow_mut().welcome(welcome);
    fixture.connection.send(ConnectionOrder::Welcome { name: name("alice") }).await.unwrap();
    // As it is while a write is under way.
    std::mem::forget(fixture.output.borrow_mut());
    fixture.connection.do_send(ConnectionOrder::Panic);
    let ended =
        tokio::time::timeout(Duration::from_secs(30), fixture.listener.next()).await.unwrap();
    assert!(matches!(ended, Lifecycle::Ended { joined: true, .. }), "{ended:?}");
}
