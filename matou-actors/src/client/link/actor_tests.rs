//! The link against a server whose frames are written here; a probe is its hub.

use std::net::SocketAddr;
use std::time::Duration;

use actix::prelude::*;
use bytes::BytesMut;
use slog::{Discard, Logger, o};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::actor::LinkActor;
use super::view::SignInPhase;
use crate::client::api::event::{ErrorCode, Event};
use crate::client::api::settings::ClientSettings;
use crate::client::messages::{LinkCommand, LinkEvent, LinkReport, ServerCommand};
use crate::client::probe::{Reports, probe};
use crate::protocol::{ClientFrame, Encode, MessageText, ServerFrame, Username};

const LIMIT: Duration = Duration::from_secs(10);

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn start(server: SocketAddr, hub: Recipient<LinkReport>) -> Addr<LinkActor> {
    let settings = ClientSettings {
        servers: vec![server.into()],
        username: Some(name("ann")),
        ..ClientSettings::default()
    };
    let (logger, random) = (Logger::root(Discard, o!()), fastrand::Rng::with_seed(1));
    LinkActor::new(&settings, logger, random, hub).start()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    timeout(LIMIT, listener.accept()).await.expect("no connection").unwrap().0
}

async fn write(server: &mut TcpStream, frames: &[ServerFrame]) {
    let mut bytes = BytesMut::new();
    for frame in frames {
        frame.encode(&mut bytes);
    }
    server.write_all(&bytes).await.unwrap();
}

/// Reads the bytes of `frame`.
async fn reads(server: &mut TcpStream, frame: ClientFrame) {
    let mut expected = BytesMut::new();
    frame.encode(&mut expected);
    let mut came = vec![0; expected.len()];
    timeout(LIMIT, server.read_exact(&mut came)).await.expect("nothing came").unwrap();
    assert_eq!(came, expected);
}

/// Accepts the name, and announces its arrival.
async fn welcome(server: &mut TcpStream) {
    reads(server, ClientFrame::Join((&name("ann")).into())).await;
    let arrival = ServerFrame::Joined(name("ann"));
    write(server, &[ServerFrame::JoinAnswer { accepted: true }, arrival]).await;
}

/// Awaits the report `last`.
async fn until(
    reports: &mut Reports<LinkReport>,
    last: impl Fn(&LinkReport) -> bool,
) -> LinkReport {
    loop {
        let report = reports.next().await;
        if last(&report) {
            return report;
        }
    }
}

fn is_ready(report: &LinkReport) -> bool {
    report.events.iter().any(|event| matches!(event, LinkEvent::Ready))
}

/// A link that is in the room, its server, and what it reports from then on.
async fn joined() -> (Addr<LinkActor>, TcpListener, TcpStream, Reports<LinkReport>) {
    let ((listener, address), (hub, mut reports)) = (listen().await, probe());
    let link = start(address, hub);
    let mut server = accept(&listener).await;
    welcome(&mut server).await;
    until(&mut reports, is_ready).await;
    (link, listener, server, reports)
}

fn say(link: &Addr<LinkActor>, text: &str) -> oneshot::Receiver<()> {
    let (room, wait) = oneshot::channel();
    let command = ServerCommand::Say { text: MessageText::parse(text).unwrap(), action: false };
    link.do_send(LinkCommand::Run { command, room });
    wait
}

#[actix_rt::test]
async fn a_sign_in_is_reported_in_order_with_how_things_stand() {
    let ((listener, address), (hub, mut reports)) = (listen().await, probe());
    let _link = start(address, hub);
    let mut server = accept(&listener).await;
    welcome(&mut server).await;
    let (mut events, mut joined) = (Vec::new(), None);
    while joined.is_none() {
        let report = reports.next().await;
        joined = report.standing.filter(|standing| standing.sign_in == SignInPhase::Complete);
        events.extend(report.events);
    }
    let joined = joined.unwrap();
    assert_eq!((joined.me, joined.is_joined), (Some(name("ann")), true));
    assert_eq!(joined.route.unwrap().server, address);
    assert!(
        matches!(
            &events[..],
            [
                LinkEvent::Emit(Event::Security { .. }),
                LinkEvent::Emit(Event::Connected { .. }),
                LinkEvent::Ready,
            ]
        ),
        "{events:?}"
    );
}

#[actix_rt::test]
async fn a_text_is_sent_and_one_that_cannot_be_is_reported_and_holds_no_other_up() {
    let ((listener, address), (hub, mut reports)) = (listen().await, probe());
    let link = start(address, hub);
    let early = say(&link, "early");
    let not_sent = |report: &LinkReport| {
        report.events.iter().any(|event| {
            matches!(event, LinkEvent::Emit(Event::Error { code: ErrorCode::NotSent, .. }))
        })
    };
    until(&mut reports, not_sent).await;
    assert!(early.await.is_err());
    let mut server = accept(&listener).await;
    welcome(&mut server).await;
    until(&mut reports, is_ready).await;
    assert!(say(&link, "hello").await.is_err(), "there is room for the next one");
    reads(&mut server, ClientFrame::Say(MessageText::parse("hello").unwrap())).await;
}

#[actix_rt::test]
async fn a_lost_server_is_reported_at_once_and_reached_again_after_a_while() {
    let (_link, listener, server, mut reports) = joined().await;
    drop(server);
    let lost = until(&mut reports, |report| !report.events.is_empty()).await;
    assert!(
        matches!(
            &lost.events[..],
            [
                LinkEvent::Emit(Event::Disconnected { .. }),
                LinkEvent::Lost,
                LinkEvent::Emit(Event::Reconnecting { attempt: 1, .. }),
            ]
        ),
        "{lost:?}"
    );
    let standing = lost.standing.unwrap();
    assert!(!standing.is_joined && standing.route.is_none());
    assert_eq!(standing.sign_in, SignInPhase::Complete, "that was the first one");
    let mut server = accept(&listener).await;
    welcome(&mut server).await;
    let back = until(&mut reports, |report| {
        report.standing.as_ref().is_some_and(|standing| standing.is_joined)
    });
    assert!(back.await.standing.unwrap().generation > standing.generation);
}

#[actix_rt::test]
async fn a_frame_that_was_meant_for_an_earlier_connection_is_not_sent() {
    let (link, _listener, mut server, _reports) = joined().await;
    let ask = |who: &str| ClientFrame::RequestPrivate { to: (&name(who)).into() };
    link.do_send(LinkCommand::Send { generation: 0, frame: ask("bob").into() });
    link.do_send(LinkCommand::Send { generation: 1, frame: ask("eve").into() });
    reads(&mut server, ask("eve")).await;
}

/// A hub that answers nothing that a server brought.
struct Busy(mpsc::UnboundedSender<LinkReport>);

impl Actor for Busy {
    type Context = Context<Self>;
}

impl Handler<LinkReport> for Busy {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, report: LinkReport, _: &mut Self::Context) -> Self::Result {
        let by_server = report.by_server;
        let _ = self.0.send(report);
        Box::pin(async move {
            if by_server {
                std::future::pending::<()>().await;
            }
        })
    }
}

#[actix_rt::test]
async fn a_hub_that_is_busy_holds_up_the_server_and_not_the_user() {
    let (listener, address) = listen().await;
    let (sender, mut reports) = mpsc::unbounded_channel();
    let link = start(address, Busy(sender).start().recipient());
    let mut server = accept(&listener).await;
    welcome(&mut server).await;
    let mut next = async || timeout(LIMIT, reports.recv()).await.expect("no report").unwrap();
    while !next().await.by_server {}
    write(&mut server, &[ServerFrame::Joined(name("bob"))]).await;
    let (room, wait) = oneshot::channel();
    link.do_send(LinkCommand::Run { command: ServerCommand::ListPresent, room });
    let report = next().await;
    assert!(matches!(&report.events[..], [LinkEvent::Emit(Event::Present { .. })]), "{report:?}");
    assert!(!report.by_server && wait.await.is_err());
}

#[actix_rt::test]
async fn leaving_says_goodbye_and_is_over_once_the_server_has_closed() {
    let (link, _listener, mut server, mut reports) = joined().await;
    say(&link, "bye");
    link.do_send(LinkCommand::Leave);
    reads(&mut server, ClientFrame::Say(MessageText::parse("bye").unwrap())).await;
    reads(&mut server, ClientFrame::Leave).await;
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0, "nothing comes behind it");
    let left = |report: &LinkReport| {
        report.standing.as_ref().is_some_and(|it| it.sign_in == SignInPhase::SignedOut)
    };
    let before = reports.next().await;
    assert!(!left(&before), "{before:?}");
    drop(server);
    until(&mut reports, left).await;
}

#[actix_rt::test]
async fn a_server_that_does_not_close_is_not_waited_for_once_that_is_given_up() {
    let (link, _listener, _server, mut reports) = joined().await;
    say(&link, "bye");
    link.do_send(LinkCommand::Leave);
    link.do_send(LinkCommand::GiveUp);
    let left = |report: &LinkReport| {
        report.standing.as_ref().is_some_and(|it| it.sign_in == SignInPhase::SignedOut)
    };
    let report = until(&mut reports, left).await;
    assert!(
        matches!(
            &report.events[..],
            [LinkEvent::Emit(Event::Error { code: ErrorCode::NotSent, .. })]
        ),
        "{report:?}"
    );
}
