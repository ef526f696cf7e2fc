//! A socket that speaks the protocol in bytes written by hand from the original description:
//! nothing here shares code or types with the program under test.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use super::DEADLINE;

/// The type, an `int`, then sized texts.
pub(crate) fn frame(kind: i32, texts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = kind.to_be_bytes().to_vec();
    for text in texts {
        bytes.extend(i32::try_from(text.len()).unwrap().to_be_bytes());
        bytes.extend(*text);
    }
    bytes
}

/// Ports as frames 10 and 12 hold them.
pub(crate) fn ports(message: i32, file: i32) -> Vec<u8> {
    [message.to_be_bytes(), file.to_be_bytes()].concat()
}

/// An address as frames 11 and 12 hold it.
pub(crate) fn raw(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// COREQ (0).
pub(crate) fn coreq(name: &str) -> Vec<u8> {
    frame(0, &[name.as_bytes()])
}

/// CORES (1).
pub(crate) fn cores(accepted: bool) -> Vec<u8> {
    vec![0, 0, 0, 1, u8::from(accepted)]
}

/// CONOTIF (2).
pub(crate) fn conotif(name: &str) -> Vec<u8> {
    frame(2, &[name.as_bytes()])
}

/// MSG (3).
pub(crate) fn msg(text: &str) -> Vec<u8> {
    frame(3, &[text.as_bytes()])
}

/// MSGBC (4).
pub(crate) fn msgbc(name: &str, text: &str) -> Vec<u8> {
    frame(4, &[name.as_bytes(), text.as_bytes()])
}

/// DISCO (5).
pub(crate) const DISCO: [u8; 4] = [0, 0, 0, 5];

/// DISCONOTIF (6).
pub(crate) fn disconotif(name: &str) -> Vec<u8> {
    frame(6, &[name.as_bytes()])
}

/// PVCOREQ (7).
pub(crate) fn pvcoreq(to: &str) -> Vec<u8> {
    frame(7, &[to.as_bytes()])
}

/// PVCOREQNOTIF (8).
pub(crate) fn pvcoreqnotif(from: &str) -> Vec<u8> {
    frame(8, &[from.as_bytes()])
}

/// PVCOACC (9).
pub(crate) fn pvcoacc(from: &str) -> Vec<u8> {
    frame(9, &[from.as_bytes()])
}

/// PVCOPORT (10).
pub(crate) fn pvcoport(to: &str, message: i32, file: i32) -> Vec<u8> {
    [frame(10, &[to.as_bytes()]), ports(message, file)].concat()
}

/// PVCOESTASRC (11).
pub(crate) fn pvcoestasrc(by: &str, address: IpAddr) -> Vec<u8> {
    frame(11, &[by.as_bytes(), &raw(address)])
}

/// PVCOESTADST (12).
pub(crate) fn pvcoestadst(who: &str, address: IpAddr, message: i32, file: i32) -> Vec<u8> {
    [frame(12, &[who.as_bytes(), &raw(address)]), ports(message, file)].concat()
}

/// The length of the frame of the server's that `bytes` begin with, once it is whole.
pub(crate) fn frame_length(bytes: &[u8]) -> Option<usize> {
    let (kind, _) = bytes.split_first_chunk()?;
    let texts = match i32::from_be_bytes(*kind) {
        1 => return (bytes.len() >= 5).then_some(5),
        4 => 2,
        _ => 1,
    };
    let mut length = 4;
    for _ in 0..texts {
        let size = bytes.get(length..length + 4)?;
        length += 4 + usize::try_from(u32::from_be_bytes(size.try_into().unwrap())).unwrap();
    }
    (bytes.len() >= length).then_some(length)
}

/// A connection to the server.
pub(crate) struct Peer {
    /// The socket.
    pub(crate) stream: TcpStream,
    /// Its name once it has joined.
    pub(crate) name: String,
}

impl Peer {
    /// Connects, and says nothing.
    pub(crate) fn connect(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, name: String::new() }
    }

    /// Connects from `address`, an address of this machine, and says nothing.
    pub(crate) fn connect_from(address: IpAddr, server: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
        socket.connect(&server.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, name: String::new() }
    }

    /// Connects and joins; takes the frames of those who are `present` and its own CONOTIF.
    pub(crate) fn join(server: SocketAddr, name: &str, present: &[&str]) -> Self {
        let mut peer = Self::connect(server);
        name.clone_into(&mut peer.name);
        peer.send(&coreq(name));
        peer.expect(&cores(true));
        // The order in which the server names present users is not specified.
        let total = present.iter().map(|name| conotif(name).len()).sum();
        let roster = peer.take(total);
        for name in present {
            let frame = conotif(name);
            assert!(roster.windows(frame.len()).any(|part| part == frame), "{name} {roster:?}");
        }
        peer.expect(&conotif(name));
        peer
    }

    /// Sends `bytes` as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next bytes are these.
    pub(crate) fn expect(&mut self, bytes: &[u8]) {
        let got = self.take(bytes.len());
        assert!(
            got == bytes,
            "{} got\n  {}\ninstead of\n  {}",
            self.name,
            got.escape_ascii(),
            bytes.escape_ascii()
        );
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        let mut got = vec![0; count];
        self.stream.read_exact(&mut got).unwrap_or_else(|error| {
            panic!("{}: no {count} bytes came: {error}", self.name);
        });
        got
    }

    /// Says something and reads it as the next frame: nothing else arrives before.
    pub(crate) fn expect_nothing(&mut self) {
        self.send(&msg("fence"));
        self.expect(&msgbc(&self.name.clone(), "fence"));
    }

    /// The server closes, maybe with a reset if it left bytes unread; nothing else arrives.
    pub(crate) fn expect_closed(&mut self) {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => assert!(rest.is_empty(), "got {}", rest.escape_ascii()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }

    /// Everything to the end of the stream.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        rest
    }

    /// Ends the stream towards the server.
    pub(crate) fn end(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Resets the connection.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }
}
