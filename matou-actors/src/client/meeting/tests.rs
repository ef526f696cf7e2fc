//! Two sides on loopback, and strangers that connect to their ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::greeting::{read, write};
use super::{MeetingPlan, MeetingPorts, MeetingSide, Met, News, ServerAt, Surroundings, meet};
use crate::protocol::PortPair;
use crate::protocol::v2::{
    Candidate, CandidateKind, Candidates, ClientFrame, Endpoint, PrivatePort, ServerFrame,
    SessionId, Ticket,
};
use crate::trust::{Alpn, ExpectedKey, Fingerprint, Identity, server_config};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LIMIT: Duration = Duration::from_secs(10);

fn identity() -> Arc<Identity> {
    Arc::new(Identity::generate().unwrap())
}

fn side(asked: bool, own: &Arc<Identity>, peer: &Identity, session: u8) -> MeetingSide {
    let (identity, session) = (Arc::clone(own), SessionId([session; 16]));
    MeetingSide { session, asked, identity, peer_key: peer.public_key() }
}

fn ports() -> MeetingPorts {
    MeetingPorts::bind(Some(LOCALHOST), None).unwrap()
}

fn at(ports: PortPair) -> Option<Candidates> {
    let kind = CandidateKind::SeenByServer;
    Candidates::new(vec![Candidate { address: LOCALHOST, ports, kind }])
}

async fn one(
    side: MeetingSide,
    own: MeetingPorts,
    peer: Option<Candidates>,
    limit: Duration,
) -> Result<Met, String> {
    let around = Surroundings { networks: Vec::new(), server: LOCALHOST, outside: None };
    let (_news, news) = watch::channel(News { offered: peer, ..News::default() });
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    let plan = MeetingPlan { side, ports: own, around, server: None, limit, logger };
    meet(plan, news).await.0
}

/// Sends a byte each way on both connections.
async fn talk(mut ada: Met, mut bea: Met) {
    for (ours, theirs) in [(&mut ada.messages, &mut bea.messages), (&mut ada.files, &mut bea.files)]
    {
        ours.stream.write_all(b"a").await.unwrap();
        ours.stream.flush().await.unwrap();
        assert_eq!(theirs.stream.read_u8().await.unwrap(), b'a');
        theirs.stream.write_all(b"b").await.unwrap();
        theirs.stream.flush().await.unwrap();
        assert_eq!(ours.stream.read_u8().await.unwrap(), b'b');
    }
}

/// Has two meet who know each other's addresses, and talk.
async fn meet_both_ways(
    ada: &Arc<Identity>,
    bea: &Arc<Identity>,
    at_ada: MeetingPorts,
    at_bea: MeetingPorts,
) {
    let (to_ada, to_bea) = (at(at_ada.ports), at(at_bea.ports));
    let (one_end, other) = tokio::join!(
        one(side(true, ada, bea, 1), at_ada, to_bea, LIMIT),
        one(side(false, bea, ada, 1), at_bea, to_ada, LIMIT)
    );
    talk(one_end.unwrap(), other.unwrap()).await;
}

#[actix_rt::test]
async fn two_that_both_dial_agree_on_one_connection_of_each_kind() {
    let (ada, bea) = (identity(), identity());
    let (at_ada, at_bea) = (ports(), ports());
    meet_both_ways(&ada, &bea, at_ada, at_bea).await;
}

#[actix_rt::test]
async fn one_reachable_side_is_enough() {
    for asked in [true, false] {
        let (ada, bea) = (identity(), identity());
        let (at_ada, at_bea) = (ports(), ports());
        let to_bea = at(at_bea.ports);
        let (one_end, other) = tokio::join!(
            one(side(asked, &ada, &bea, 1), at_ada, to_bea, LIMIT),
            one(side(!asked, &bea, &ada, 1), at_bea, None, LIMIT)
        );
        talk(one_end.unwrap(), other.unwrap()).await;
    }
}

#[actix_rt::test]
async fn strangers_that_connect_first_do_not_keep_the_peer_out() {
    let (ada, bea) = (identity(), identity());
    let (at_ada, at_bea) = (ports(), ports());
    let mut strangers = Vec::new();
    for port in [at_bea.ports.message, at_bea.ports.file, at_ada.ports.message] {
        for number in 0..40 {
            let mut stranger =
                TcpStream::connect(SocketAddr::new(LOCALHOST, port.get())).await.unwrap();
            match number % 3 {
                0 => {}
                1 => stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap(),
                // The beginning of a handshake.
                _ => stranger.write_all(&[22, 3, 1, 2, 0, 1, 0]).await.unwrap(),
            }
            strangers.push(stranger);
        }
    }
    meet_both_ways(&ada, &bea, at_ada, at_bea).await;
}

#[actix_rt::test]
async fn someone_with_another_key_or_of_another_session_is_not_met() {
    const SHORT: Duration = Duration::from_secs(2);
    let (ada, bea, eve) = (identity(), identity(), identity());
    let cases = [
        // Eve pretends to be Bea.
        (side(true, &ada, &bea, 1), side(false, &eve, &ada, 1)),
        // Bea expects another user.
        (side(true, &ada, &bea, 1), side(false, &bea, &eve, 1)),
        (side(true, &ada, &bea, 1), side(false, &bea, &ada, 2)),
        // A reflection: one user on two machines, both of whom asked, or were asked.
        (side(true, &ada, &ada, 1), side(true, &ada, &ada, 1)),
        (side(false, &ada, &ada, 1), side(false, &ada, &ada, 1)),
    ];
    for (number, (one_side, other_side)) in cases.into_iter().enumerate() {
        let (at_one, at_other) = (ports(), ports());
        let (to_one, to_other) = (at(at_one.ports), at(at_other.ports));
        let (met, other) = tokio::join!(
            one(one_side, at_one, to_other, SHORT),
            one(other_side, at_other, to_one, SHORT)
        );
        assert!(met.is_err() && other.is_err(), "case {number}");
    }
}

#[actix_rt::test]
async fn the_reason_names_each_address_that_was_tried() {
    let (ada, bea) = (identity(), identity());
    let closed = ports();
    let to_bea = at(closed.ports);
    let port = closed.ports.message;
    drop(closed);
    let reason = one(side(true, &ada, &bea, 1), ports(), to_bea, Duration::from_secs(1)).await;
    let reason = reason.unwrap_err();
    assert!(reason.contains(&format!("127.0.0.1:{port} refused the connection")), "{reason}");
}

/// A server that answers two connections with where they come from; what they showed, by port.
async fn observe(listener: TcpListener, identity: Identity) -> Vec<(u16, Ticket, PrivatePort)> {
    let config = server_config(&identity, ExpectedKey::Any, Alpn::Server).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (tcp, from) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(tcp).await.unwrap();
        let frame = read(&mut stream).await.unwrap();
        let ClientFrame::Where { ticket, port } = frame else { panic!("{frame:?}") };
        let here = Endpoint::new(SocketAddr::new([203, 0, 113, 5].into(), from.port())).unwrap();
        write(&mut stream, &ServerFrame::Here { seen: here }).await.unwrap();
        seen.push((from.port(), ticket, port));
        // It stays open until the meeting is over.
        actix_rt::spawn(async move { stream.read_u8().await });
    }
    seen.sort_by_key(|(.., port)| *port == PrivatePort::Files);
    seen
}

#[actix_rt::test]
async fn the_ticket_is_shown_to_the_server_from_both_ports() {
    let (ada, bea, server) = (identity(), identity(), Identity::generate().unwrap());
    let listener = TcpListener::bind((LOCALHOST, 0)).await.unwrap();
    let (address, key) = (listener.local_addr().unwrap(), server.public_key());
    let at_ada = ports();
    let own = at_ada.ports;
    let ticket = Ticket([9; 16]);
    let news = News { ticket: Some(ticket), ..News::default() };
    let (_news, news) = watch::channel(news);
    let plan = MeetingPlan {
        side: side(true, &ada, &bea, 1),
        ports: at_ada,
        around: Surroundings { networks: Vec::new(), server: LOCALHOST, outside: None },
        server: Some(ServerAt { address, key: Fingerprint::of(&key) }),
        limit: Duration::from_secs(2),
        logger: slog::Logger::root(slog::Discard, slog::o!()),
    };
    let ((met, report), seen) = tokio::join!(meet(plan, news), observe(listener, server));
    assert!(met.is_err(), "there is no one else");
    let expected = [
        (own.message.get(), ticket, PrivatePort::Messages),
        (own.file.get(), ticket, PrivatePort::Files),
    ];
    assert_eq!(seen, expected);
    let outside = report.outside.map(SocketAddr::from);
    assert_eq!(outside, Some(SocketAddr::new([203, 0, 113, 5].into(), own.message.get())));
}
