//! Private sessions: protocol.md "The client, private connections".
#![allow(clippy::unwrap_used)] // A test may fail where it likes.

mod client_support;

use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::num::NonZeroU16;
use std::time::Duration;

use client_support::{FakeRoom, Person, name, pair, text, within};
use matou_actors::client::{Command, Event, LinkSecurity, Policy, RequestState};
use matou_actors::protocol::{ClientFrame, PortPair, ServerFrame};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn ports(message: u16, file: u16) -> PortPair {
    PortPair { message: NonZeroU16::new(message).unwrap(), file: NonZeroU16::new(file).unwrap() }
}

#[actix_rt::test]
async fn asked_accepted_and_talked_both_ways() {
    let room = FakeRoom::open().await;
    let mut bob = Person::join("Bob", &room).await;
    let mut ann = Person::join("ann", &room).await;
    ann.meet(&bob).await;
    ann.send(Command::Tell { to: name("bOB"), text: text("one") }).await;
    assert_eq!(
        ann.next().await,
        Event::PrivateState { with: name("Bob"), state: RequestState::Asked }
    );
    bob.expect("a request", |event| *event == Event::PrivateRequest { from: name("ann") }).await;
    ann.whisper(&bob, "two").await;
    bob.send(Command::Accept(name("ANN"))).await;
    assert_eq!(
        ann.next().await,
        Event::PrivateState { with: name("Bob"), state: RequestState::Connecting }
    );
    assert_eq!(
        ann.next().await,
        Event::PrivateOpened {
            with: name("Bob"),
            address: LOCALHOST,
            security: LinkSecurity::Plain
        }
    );
    for words in ["one", "two"] {
        let said = Event::PrivateMessage {
            action: false,
            id: None,
            from: name("ann"),
            to: name("Bob"),
            text: text(words),
        };
        assert_eq!(ann.next().await, said, "one's own are reported too");
        bob.expect(words, |event| *event == said).await;
    }
    bob.whisper(&ann, "three").await;
    ann.expect_text(&bob, "three").await;
    bob.send(Command::Close(name("ann"))).await;
    assert!(ann.expect_closed().await.contains("closed"));
    bob.expect_closed().await;
}

#[actix_rt::test]
async fn both_asking_at_once_get_a_session_and_no_message_twice() {
    let room = FakeRoom::open().await;
    let mut bob = Person::join("bob", &room).await;
    let mut ann = Person::join("ann", &room).await;
    ann.meet(&bob).await;
    bob.meet(&ann).await;
    ann.whisper(&bob, "from ann").await;
    bob.whisper(&ann, "from bob").await;
    ann.expect_text(&bob, "from bob").await;
    bob.expect_text(&ann, "from ann").await;
    for number in 0..50 {
        ann.whisper(&bob, &format!("{number}")).await;
        bob.whisper(&ann, &format!("{number}")).await;
    }
    for number in 0..50 {
        for (me, other) in [(&mut ann, name("bob")), (&mut bob, name("ann"))] {
            let next = me.expect(
                "a message",
                |event| matches!(event, Event::PrivateMessage { from, .. } if *from == other),
            );
            let Event::PrivateMessage { text, .. } = next.await else { unreachable!() };
            assert_eq!(text.as_str(), number.to_string(), "in order");
        }
    }
    ann.send(Command::Close(name("bob"))).await;
    ann.expect_closed().await;
    bob.expect_closed().await;
}

#[actix_rt::test]
async fn a_session_outlives_the_server() {
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    room.close();
    for person in [&mut ann, &mut bob] {
        person.expect("disconnected", |event| matches!(event, Event::Disconnected { .. })).await;
    }
    ann.whisper(&bob, "still here").await;
    bob.expect_text(&ann, "still here").await;
    bob.send(Command::Quit).await;
    bob.rest().await;
    ann.expect_closed().await;
}

#[actix_rt::test]
async fn unsolicited_tuples_are_ignored() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (who, ports) = (name("eve"), ports(port, port));
    room.inject(&ann.name, &ServerFrame::PeerAccepted { by: who.clone(), address: LOCALHOST });
    room.inject(
        &ann.name,
        &ServerFrame::PeerListening { who: who.clone(), address: LOCALHOST, ports },
    );
    room.inject(&ann.name, &ServerFrame::PrivateRequested { from: who.clone() });
    room.inject(
        &ann.name,
        &ServerFrame::PeerListening { who: who.clone(), address: LOCALHOST, ports },
    );
    // Frames are handled in order: once this one is reported the others were handled.
    room.inject(&ann.name, &ServerFrame::Message { from: who, text: text("done") });
    ann.expect("done", |event| matches!(event, Event::Message { .. })).await;
    ann.send(Command::Quit).await;
    ann.rest().await;
    assert!(!room.has_seen(|frame| matches!(frame, ClientFrame::OfferPorts { .. })));
    assert!(listener.accept().is_err(), "no one connected");
}

#[actix_rt::test]
async fn automatic_acceptance_asks_once_very_many_sessions_are_open() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join_open("ann", &room).await;
    room.go_deaf();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut open = Vec::new();
    for number in 0..64 {
        let who = name(&format!("eve{number}"));
        room.inject(&ann.name, &ServerFrame::PrivateRequested { from: who.clone() });
        room.saw("PVCOACC", |frame| matches!(frame, ClientFrame::AcceptPrivate { .. })).await;
        let ports = ports(port, port);
        room.inject(&ann.name, &ServerFrame::PeerListening { who, address: LOCALHOST, ports });
        for _ in 0..2 {
            open.push(within("a connection", listener.accept()).await.unwrap());
        }
        ann.expect("a session", |event| matches!(event, Event::PrivateOpened { .. })).await;
    }
    room.inject(&ann.name, &ServerFrame::PrivateRequested { from: name("mallory") });
    ann.expect("a question", |event| matches!(event, Event::PrivateRequest { .. })).await;
    assert!(!room.has_seen(|frame| matches!(frame, ClientFrame::AcceptPrivate { .. })));
}

#[actix_rt::test]
async fn only_the_address_named_by_the_server_may_connect() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    room.go_deaf();
    room.inject(&ann.name, &ServerFrame::Joined(name("eve")));
    ann.expect("eve", |event| matches!(event, Event::Joined { .. })).await;
    ann.send(Command::Open(name("eve"))).await;
    room.saw("PVCOREQ", |frame| matches!(frame, ClientFrame::RequestPrivate { .. })).await;
    // A peer at 127.0.0.2 is expected, and one at 127.0.0.1 connects.
    let address = "127.0.0.2".parse().unwrap();
    room.inject(&ann.name, &ServerFrame::PeerAccepted { by: name("eve"), address });
    let (_, frame) =
        room.saw("PVCOPORT", |frame| matches!(frame, ClientFrame::OfferPorts { .. })).await;
    let ClientFrame::OfferPorts { ports, .. } = frame else { unreachable!() };
    let stranger = tokio::net::TcpStream::connect((LOCALHOST, ports.message.get())).await.unwrap();
    let mut byte = [0];
    let mut stranger = stranger;
    let read =
        within("a closed door", tokio::io::AsyncReadExt::read(&mut stranger, &mut byte)).await;
    assert!(matches!(read, Ok(0) | Err(_)));
    let mut right = Vec::new();
    for port in [ports.message.get(), ports.file.get()] {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((address, 0).into()).unwrap();
        right.push(socket.connect((LOCALHOST, port).into()).await.unwrap());
    }
    ann.expect("a session", |event| matches!(event, Event::PrivateOpened { .. })).await;
    for port in [ports.message.get(), ports.file.get()] {
        assert!(TcpStream::connect((LOCALHOST, port)).is_err(), "the listeners are closed");
    }
}

#[actix_rt::test]
async fn ports_below_1024_and_forbidden_addresses_are_not_connected_to() {
    let room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    room.go_deaf();
    for (address, message, file) in [
        ("127.0.0.1", 80, 2000),
        ("127.0.0.1", 2000, 1023),
        ("169.254.169.254", 2000, 2000),
        ("0.0.0.0", 2000, 2000),
    ] {
        room.inject(&ann.name, &ServerFrame::PrivateRequested { from: name("eve") });
        ann.expect("a request", |event| matches!(event, Event::PrivateRequest { .. })).await;
        ann.send(Command::Accept(name("eve"))).await;
        ann.expect("connecting", |event| matches!(event, Event::PrivateState { .. })).await;
        let frame = ServerFrame::PeerListening {
            who: name("eve"),
            address: address.parse().unwrap(),
            ports: ports(message, file),
        };
        room.inject(&ann.name, &frame);
        assert!(ann.expect_closed().await.contains("not connected"));
    }
}

#[actix_rt::test]
async fn requests_to_unknown_users_or_oneself_are_errors() {
    let room = FakeRoom::open().await;
    let _bob = Person::join("bob", &room).await;
    let mut ann = Person::join("ann", &room).await;
    ann.send(Command::Open(name("nobody"))).await;
    ann.expect_error("no user here is called nobody").await;
    ann.send(Command::Tell { to: name("Ann"), text: text("me") }).await;
    assert!(ann.expect_undelivered("Ann").await.1.contains("is you"));
    for command in
        [Command::Accept(name("x")), Command::Decline(name("x")), Command::Close(name("x"))]
    {
        ann.send(command).await;
        ann.expect_error("x").await;
    }
}

#[actix_rt::test]
async fn an_unannounced_name_is_requested_when_the_server_may_not_announce() {
    let mut room = FakeRoom::open().await;
    let mut ann = Person::join("ann", &room).await;
    ann.send(Command::Tell { to: name("bob"), text: text("are you there?") }).await;
    let says = |event: &Event| matches!(event, Event::Notice { message } if message.contains("did not say who was here"));
    ann.expect("that it is not known", says).await;
    let asks = |frame: &ClientFrame| matches!(frame, ClientFrame::RequestPrivate { .. });
    room.saw("PVCOREQ", asks).await;
}

#[actix_rt::test]
async fn an_unanswered_request_expires_and_finish_waits_for_it() {
    let room = FakeRoom::open().await;
    let _bob =
        Person::join_with("bob", &room, |settings| settings.accept_private = Policy::Never).await;
    let mut ann = Person::join_with("ann", &room, |settings| {
        settings.request_timeout = Duration::from_millis(300);
    })
    .await;
    ann.send(Command::Tell { to: name("bob"), text: text("hello?") }).await;
    ann.send(Command::Finish).await;
    let rest = ann.rest().await;
    let reported = |wanted: &str| rest.iter().any(|event| format!("{event:?}").contains(wanted));
    assert!(reported("Undelivered") && reported("PrivateClosed"), "{rest:#?}");
}

#[actix_rt::test]
async fn a_peer_that_leaves_ends_the_request() {
    let room = FakeRoom::open().await;
    let bob = Person::join("bob", &room).await;
    let mut ann = Person::join("ann", &room).await;
    ann.meet(&bob).await;
    ann.whisper(&bob, "hello?").await;
    bob.send(Command::Quit).await;
    let (texts, reason) = ann.expect_undelivered("bob").await;
    assert_eq!(texts, [text("hello?")]);
    assert!(reason.contains("left"), "{reason}");
    assert!(ann.expect_closed().await.contains("left"));
}

#[actix_rt::test]
async fn a_used_up_port_range_is_a_clear_error() {
    let room = FakeRoom::open().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let bob = Person::join_open("bob", &room).await;
    let mut ann =
        Person::join_with("ann", &room, |settings| settings.private_ports = Some(port..=port))
            .await;
    ann.meet(&bob).await;
    ann.send(Command::Open(name("bob"))).await;
    assert!(ann.expect_closed().await.contains("private.ports"));
}

#[actix_rt::test]
async fn a_slow_reader_slows_its_peer_and_loses_nothing() {
    const MESSAGES: usize = 30_000;
    let room = FakeRoom::open().await;
    let (mut ann, mut bob) = pair(&room).await;
    let handle = ann.handle.clone();
    let long = "x".repeat(400);
    let to = bob.name.clone();
    actix_rt::spawn(async move {
        for number in 0..MESSAGES {
            let text = text(&format!("{number} {long}"));
            handle.send(Command::Tell { to: to.clone(), text }).await.unwrap();
        }
    });
    let mut said = 0;
    while said < 2_000 {
        let event = ann.next().await;
        assert!(!matches!(event, Event::Error { .. }), "{event:?}");
        said += usize::from(matches!(event, Event::PrivateMessage { .. }));
    }
    actix_rt::spawn(async move { while ann.events.recv().await.is_some() {} });
    for number in 0..MESSAGES {
        let next =
            bob.expect("a message", |event| matches!(event, Event::PrivateMessage { .. })).await;
        let Event::PrivateMessage { text, .. } = next else { unreachable!() };
        assert!(text.as_str().starts_with(&format!("{number} ")), "{number}");
    }
}
