//! A peer that the test plays itself, byte for byte.

use std::net::{IpAddr, Ipv4Addr};

use matou_actors::client::{Command, Event};
use matou_actors::protocol::{ClientFrame, ServerFrame};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::{FakeRoom, Person, name, within};

pub struct RawPeer {
    pub messages: TcpStream,
    pub files: TcpStream,
}

impl RawPeer {
    /// Becomes the peer "eve" of `person`, who asks for it.
    pub async fn connect(room: &mut FakeRoom, person: &mut Person) -> Self {
        let (eve, localhost) = (name("eve"), IpAddr::V4(Ipv4Addr::LOCALHOST));
        room.go_deaf();
        room.inject(&person.name, &ServerFrame::Joined(eve.clone()));
        person.expect("eve", |event| matches!(event, Event::Joined { .. })).await;
        person.send(Command::Open(eve.clone())).await;
        room.saw("PVCOREQ", |frame| matches!(frame, ClientFrame::RequestPrivate { .. })).await;
        let accepted = ServerFrame::PeerAccepted { by: eve, address: localhost };
        room.inject(&person.name, &accepted);
        let offered = |frame: &ClientFrame| matches!(frame, ClientFrame::OfferPorts { .. });
        let (_, frame) = room.saw("PVCOPORT", offered).await;
        let ClientFrame::OfferPorts { ports, .. } = frame else { unreachable!() };
        let messages = TcpStream::connect((localhost, ports.message.get())).await.unwrap();
        let files = TcpStream::connect((localhost, ports.file.get())).await.unwrap();
        person.expect("a session", |event| matches!(event, Event::PrivateOpened { .. })).await;
        Self { messages, files }
    }

    /// Waits until the other side closes a connection, which sent `expected` before.
    pub async fn ends_after(stream: &mut TcpStream, expected: &[u8]) {
        let mut read = Vec::new();
        // A reset is an end as well.
        let _ = within("the end of a connection", stream.read_to_end(&mut read)).await;
        assert_eq!(read, expected);
    }
}
