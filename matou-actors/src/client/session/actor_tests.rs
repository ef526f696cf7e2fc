use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::actor::{Role, Session};
use crate::client::ids::SessionId;
use crate::client::messages::{HangUp, SessionEvent, SessionReport, WatchFiles, WatchFrom};
use crate::client::probe::{Reports, probe};
use crate::protocol::{MessageText, PeerFrame, PortPair};
use crate::transfer::Downloads;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn start(role: Role) -> (Addr<Session>, Reports<SessionReport>) {
    let (hub, reports) = probe();
    let session = Session {
        id: SessionId(3),
        role,
        connect_timeout: Duration::from_secs(5),
        downloads: Arc::new(Downloads::new(".".into(), 0)),
        hub,
        logger: slog::Logger::root(slog::Discard, slog::o!()),
        files: None,
        watch: None,
    };
    (session.start(), reports)
}

/// A session that listens, its two connections, and what it reports from then on.
async fn listening() -> (Addr<Session>, TcpStream, TcpStream, Reports<SessionReport>) {
    let role = Role::Listen { address: LOCALHOST, ports: None, peer: LOCALHOST };
    let (session, mut reports) = start(role);
    let SessionEvent::PortsOpen(ports) = reports.next().await.event else { panic!("no ports") };
    let messages = TcpStream::connect((LOCALHOST, ports.message.get())).await.unwrap();
    let files = TcpStream::connect((LOCALHOST, ports.file.get())).await.unwrap();
    let up = reports.next().await;
    assert!(matches!(up, SessionReport { session: SessionId(3), event: SessionEvent::Up { .. } }));
    (session, messages, files, reports)
}

#[actix_rt::test]
async fn talk_ends_by_itself_while_files_are_still_watched() {
    let (session, mut messages, mut files, mut reports) = listening().await;
    let (text, close) = ([0, 0, 0, 13, 0, 0, 0, 2, b'h', b'i'], [0, 0, 0, 15]);
    messages.write_all(&[&text[..], &close].concat()).await.unwrap();
    let SessionEvent::Frames(frames) = reports.next().await.event else { panic!("no frames") };
    assert_eq!(frames, [PeerFrame::Message(MessageText::parse("hi").unwrap())]);
    let SessionEvent::TalkDown { reason } = reports.next().await.event else { panic!("talks") };
    assert!(reason.contains("closed"), "{reason}");

    files.write_all(&[0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, 9]).await.unwrap();
    let header = reports.next().await.event;
    assert!(matches!(header, SessionEvent::Header { size: 9, .. }), "{header:?}");
    session.do_send(HangUp);
    assert!(matches!(reports.next().await.event, SessionEvent::Down { .. }));
}

#[actix_rt::test]
async fn the_header_behind_a_refused_file_is_read() {
    let (session, _messages, mut files, mut reports) = listening().await;
    let header = |size| [0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, size];
    files.write_all(&[&header(3)[..], b"one", &header(4)].concat()).await.unwrap();
    assert!(matches!(reports.next().await.event, SessionEvent::Header { size: 3, .. }));
    session.do_send(WatchFiles { from: WatchFrom::Refused(3) });
    assert!(matches!(reports.next().await.event, SessionEvent::Header { size: 4, .. }));
}

#[actix_rt::test]
async fn a_peer_that_cannot_be_reached_is_reported_by_address() {
    let free = TcpListener::bind((LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    let free = free.try_into().unwrap();
    let ports = PortPair { message: free, file: free };
    let (_session, mut reports) = start(Role::Dial { address: LOCALHOST, ports, source: None });
    let SessionEvent::Down { reason } = reports.next().await.event else { panic!("it is up") };
    assert!(reason.contains("cannot reach 127.0.0.1"), "{reason}");
}
