//! Clients of revision 2.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::BytesMut;
use matou_actors::protocol::v2::{ClientFrame, PasswordProof, PublicKey, ServerFrame, Text};
use matou_actors::protocol::{Decode, Encode};
use matou_actors::trust::{
    Alpn, EXPORTER_LABEL, ExpectedKey, Identity, KeyExchange, PasswordKey, client_config,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::{DEADLINE, Server, claim, text};

/// A client with the TLS of `rustls`' own buffers, which the server does not use.
pub struct Encrypted {
    pub stream: StreamOwned<ClientConnection, TcpStream>,
    unread: Vec<u8>,
    pub key: PublicKey,
}

pub fn config(server: &Server, identity: &Identity) -> ClientConfig {
    let expected = ExpectedKey::Exactly(server.key);
    client_config(identity, expected, Alpn::Server, KeyExchange::Hybrid).unwrap()
}

pub fn tcp(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

pub fn tls(config: ClientConfig) -> ClientConnection {
    ClientConnection::new(Arc::new(config), ServerName::try_from("matou").unwrap()).unwrap()
}

impl Encrypted {
    pub fn connect(server: &Server) -> Self {
        Self::connect_as(server, &Identity::generate().unwrap())
    }

    pub fn connect_as(server: &Server, identity: &Identity) -> Self {
        let stream = StreamOwned::new(tls(config(server, identity)), tcp(server));
        Self { stream, unread: Vec::new(), key: identity.public_key() }
    }

    /// Joins, and reads up to its own JOINED.
    pub fn join(server: &Server, called: &str) -> Self {
        let mut client = Self::connect(server);
        client.hello(called);
        assert!(matches!(client.receive(), ServerFrame::Welcome { .. }));
        while !matches!(client.receive(), ServerFrame::Joined { .. }) {}
        client
    }

    pub fn hello(&mut self, called: &str) {
        self.hello_after(called, 0);
    }

    /// Asks to join, having seen the event with that sequence.
    pub fn hello_after(&mut self, called: &str, last_sequence: u64) {
        self.send(&ClientFrame::Hello {
            username: claim(called),
            program: Text::new("test").unwrap(),
            password: PasswordProof::None,
            last_sequence,
        });
    }

    /// Asks to join with a password.
    pub fn hello_with(&mut self, called: &str, password: PasswordProof) {
        self.send(&ClientFrame::Hello {
            username: claim(called),
            program: Text::new("test").unwrap(),
            password,
            last_sequence: 0,
        });
    }

    /// The proof of `password`, by the exporter of `rustls`, which the server does not use.
    pub fn prove(&self, server: &Server, password: &str) -> [u8; 32] {
        let exported = self.stream.conn.export_keying_material([0; 32], EXPORTER_LABEL, None);
        PasswordKey::new(password, &server.key).prove(&exported.unwrap())
    }

    pub fn send(&mut self, frame: &ClientFrame) {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        self.stream.write_all(&out).unwrap();
    }

    pub fn say(&mut self, said: &str, flags: i32) {
        self.send(&ClientFrame::Say { flags, text: text(said) });
    }

    pub fn receive(&mut self) -> ServerFrame {
        loop {
            if let Some((frame, taken)) = ServerFrame::decode(&self.unread).unwrap() {
                self.unread.drain(..taken);
                return frame;
            }
            let mut chunk = [0; 16 * 1024];
            let read = self.stream.read(&mut chunk).expect("a frame within the deadline");
            assert!(read > 0, "the server closed the connection");
            self.unread.extend_from_slice(&chunk[..read]);
        }
    }

    /// Whether the server has closed the connection in the way that TLS wants, and has sent
    /// nothing more before.
    pub fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && matches!(self.stream.read(&mut [0; 1]), Ok(0))
    }
}

/// The author, the text and the sequence.
pub fn said(frame: ServerFrame) -> (u64, String, String, i32) {
    let ServerFrame::Said { sequence, username, text, flags, .. } = frame else {
        panic!("{frame:?}")
    };
    (sequence, username.to_string(), text.to_string(), flags)
}
