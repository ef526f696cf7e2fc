//! A shard, with a real connection.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use actix::prelude::Actor;

use super::probe::Probe;
use super::{id, uplinks};
use crate::server::connection::security::Security;
use crate::server::connection::socket::Accepted;
use crate::server::messages::{Accept, ToRegistry};
use crate::server::settings::Limits;
use crate::server::shard::actor::Shard;
use crate::server::shard::liveness::LivenessSweep;

#[actix::test]
#[cfg(target_os = "linux")]
async fn a_client_that_shows_no_sign_of_life_is_gone() {
    let (mut registry, listener) = (Probe::start(), Probe::start());
    let (room, written) = (Probe::start(), Probe::start());
    let uplinks = uplinks(&registry, &room, &listener, Security::default());
    let meters = uplinks.meters.clone();
    let sweep = LivenessSweep::new(Duration::from_millis(5), Duration::from_millis(300));
    let shard = Shard::new(0, uplinks, written.recipient(), Limits::default(), None);
    let shard = shard.with_sweep(sweep).start();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    // Nothing asks it before the time is over, so it is as good as unplugged.
    let client = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    let (stream, peer) = socket.accept().unwrap();
    shard
        .send(Accept { id: id(1), accepted: Accepted::of(stream), peer, hold: Duration::ZERO })
        .await
        .unwrap();
    let orders = tokio::time::timeout(Duration::from_secs(30), registry.next()).await.unwrap();
    assert!(matches!(orders, ToRegistry::Leave { id: gone, .. } if gone == id(1)), "{orders:?}");
    assert_eq!(meters.snapshot().ends["timed_out"], 1);
    drop(client);
}
