use actix::prelude::*;
use slog::{Discard, Logger, o};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::connection::{ConnectionSetup, ServerConnection};
use crate::client::api::server_name::ServerName;
use crate::client::link::reach::{Alternatives, Trust};
use crate::client::messages::{ConnectionCommand, ConnectionEvent, ConnectionReport};
use crate::client::probe::{Reports, probe};
use crate::protocol::{ClientFrame, Encode, MessageText, ServerFrame, v2};

fn connect(address: &str) -> (Addr<ServerConnection>, Reports<ConnectionReport>) {
    let (hub, reports) = probe();
    let (server, logger) = (ServerName::parse(address).unwrap(), Logger::root(Discard, o!()));
    let connection = ServerConnection::new(ConnectionSetup {
        generation: 7,
        server,
        last_sequence: 0,
        alternatives: Alternatives::default(),
        trust: Trust::default(),
        reports: hub,
        logger,
    });
    (connection.start(), reports)
}

/// A connection that has reported its server, what it reports from then on, and the server's end.
async fn connected() -> (Addr<ServerConnection>, Reports<ConnectionReport>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connection, mut reports) = connect(&address.to_string());
    let (server, _) = listener.accept().await.unwrap();
    let ConnectionReport { generation: 7, event: ConnectionEvent::Up { server: at, .. } } =
        reports.next().await
    else {
        panic!("not up")
    };
    assert_eq!(at, address);
    (connection, reports, server)
}

#[actix_rt::test]
async fn a_connection_reports_its_life_in_order_and_writes_all_before_its_end() {
    let (connection, mut reports, mut server) = connected().await;
    let mut bytes = bytes::BytesMut::new();
    ServerFrame::JoinAnswer { accepted: true }.encode(&mut bytes);
    server.write_all(&bytes).await.unwrap();
    let ConnectionEvent::Frames(frames) = reports.next().await.event else { panic!("no frames") };
    let answer = ServerFrame::JoinAnswer { accepted: true };
    assert_eq!(frames, [v2::ServerFrame::Revision1(answer)]);

    connection.do_send(ConnectionCommand::Send(ClientFrame::Leave.into()));
    connection.do_send(ConnectionCommand::Close);
    let mut written = Vec::new();
    server.read_to_end(&mut written).await.unwrap();
    assert_eq!(written, [0, 0, 0, 5]);
    drop(server);
    let reason = loop {
        match reports.next().await.event {
            ConnectionEvent::Down { reason, .. } => break reason,
            ConnectionEvent::Unwritten(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(reason.contains("closed the connection"), "{reason}");
}

#[actix_rt::test]
async fn an_unreachable_server_is_reported_by_name() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let (_link, mut reports) = connect(&free);
    let ConnectionEvent::Down { reason, .. } = reports.next().await.event else {
        panic!("not down")
    };
    assert!(reason.contains(&format!("cannot reach {free}")), "{reason}");
}

#[actix_rt::test]
async fn a_text_that_finds_no_room_is_reported_and_the_next_one_waits_for_room() {
    let (connection, mut reports, mut server) = connected().await;
    let text = MessageText::parse(&"a".repeat(512)).unwrap();
    // More than send queue and socket take while nothing is read.
    let mut waits = Vec::new();
    for _ in 0..16_000 {
        let (room, wait) = oneshot::channel();
        connection.do_send(ConnectionCommand::Say { text: text.clone(), action: false, room });
        waits.push(wait);
    }
    let ConnectionEvent::NotSaid = reports.next().await.event else { panic!("all found room") };
    let last = waits.pop().unwrap();
    let reading = actix_rt::spawn(async move {
        let mut buffer = vec![0; 1 << 20];
        while server.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    });
    tokio::time::timeout(std::time::Duration::from_secs(10), last).await.unwrap().unwrap_err();
    reading.abort();
}
