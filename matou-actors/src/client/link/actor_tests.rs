use actix::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::actor::Link;
use crate::client::api::server_name::ServerName;
use crate::client::connection::outbox::{Outbox, Pace};
use crate::client::messages::{LinkEvent, LinkReport};
use crate::client::probe::{Reports, probe};
use crate::protocol::{ClientFrame, Encode, ServerFrame};

fn link(address: &str) -> (Addr<Link>, Outbox, Reports<LinkReport>) {
    let (hub, reports) = probe();
    let outbox = Outbox::new(1000, Pace::Progress);
    let server = ServerName::parse(address).unwrap();
    let link = Link { generation: 7, server, outbox: outbox.clone(), hub };
    (link.start(), outbox, reports)
}

#[actix_rt::test]
async fn a_link_reports_its_life_in_order_and_writes_all_before_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_link, outbox, mut reports) = link(&address.to_string());
    let (mut server, _) = listener.accept().await.unwrap();
    let LinkReport { generation: 7, event: LinkEvent::Up { server: at, .. } } =
        reports.next().await
    else {
        panic!("not up")
    };
    assert_eq!(at, address);

    let mut bytes = bytes::BytesMut::new();
    ServerFrame::JoinAnswer { accepted: true }.encode(&mut bytes);
    server.write_all(&bytes).await.unwrap();
    let LinkEvent::Frames(frames) = reports.next().await.event else { panic!("no frames") };
    assert_eq!(frames, [ServerFrame::JoinAnswer { accepted: true }]);

    outbox.push(&ClientFrame::Leave).unwrap();
    outbox.close();
    let mut written = Vec::new();
    server.read_to_end(&mut written).await.unwrap();
    assert_eq!(written, [0, 0, 0, 5]);
    drop(server);
    let LinkEvent::Down { reason, .. } = reports.next().await.event else { panic!("not down") };
    assert!(reason.contains("closed the connection"), "{reason}");
}

#[actix_rt::test]
async fn a_server_that_is_not_there_is_reported_by_name() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let (_link, _outbox, mut reports) = link(&free);
    let LinkEvent::Down { reason, .. } = reports.next().await.event else { panic!("not down") };
    assert!(reason.contains(&format!("cannot reach {free}")), "{reason}");
}
