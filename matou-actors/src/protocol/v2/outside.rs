//! How clients learn where they are seen from outside, and what they saw of each other.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use bytes::{BufMut, BytesMut};

use super::candidate::Candidates;
use super::codes::code;
use super::field::WireField;
use crate::protocol::address::{decode_address, encode_address, port};
use crate::protocol::error::{Field, FrameError};
use crate::protocol::primitives::{Cursor, Stop};

/// What a client shows to the server on a connection from a private port: 16 bytes that no one
/// else can guess.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub [u8; 16]);

/// An address with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: NonZeroU16,
}

code! {
    /// Which of the two ports of a private session.
    PrivatePort {
        /// That of the message connection.
        0 Messages,
        /// That of the file connection.
        1 Files,
    }
}

code! {
    /// OUTCOME: how a meeting ended.
    MeetingResult {
        /// The two are connected.
        0 Connected,
        /// They are not.
        1 Failed,
    }
}

code! {
    /// OUTCOME: what became of dialling one address.
    DialResult {
        /// It answered and proved to be the other side.
        0 Reached,
        /// It refused the connection.
        1 Refused,
        /// It did not answer.
        2 Silent,
        /// The sender has no route to it.
        3 NoRoute,
        /// It was not dialled.
        4 NotTried,
        /// Something else answered there.
        5 Foreign,
    }
}

/// What became of one address of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialled {
    /// Where, on the message port.
    pub to: Endpoint,
    /// What became of it.
    pub result: DialResult,
}

/// At most 16 of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialReport(Vec<Dialled>);

impl Ticket {
    /// Of no session: the server says where it sees the connection, and closes it.
    pub const NONE: Self = Self([0; 16]);
}

/// Not for logs.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

impl Endpoint {
    /// The endpoint of a socket; `None` for port 0.
    pub fn new(at: SocketAddr) -> Option<Self> {
        Some(Self { address: at.ip().to_canonical(), port: NonZeroU16::new(at.port())? })
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(Endpoint { address, port }: Endpoint) -> Self {
        Self::new(address, port.get())
    }
}

impl DialReport {
    /// The first ones of `all`, as many as a frame has room for.
    pub fn new(mut all: Vec<Dialled>) -> Self {
        all.truncate(Candidates::MAX);
        Self(all)
    }

    /// In the order of the frame.
    pub fn as_slice(&self) -> &[Dialled] {
        &self.0
    }
}

impl WireField for Ticket {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        cursor.array().map(Self)
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_slice(&self.0);
    }
}

impl WireField for Endpoint {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        Ok(Self { address: decode_address(cursor)?, port: port(cursor.int()?)? })
    }

    fn write(&self, out: &mut BytesMut) {
        encode_address(self.address, out);
        out.put_i32(i32::from(self.port.get()));
    }
}

impl WireField for DialReport {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        let size = cursor.int()?;
        let count = usize::try_from(size).ok().filter(|count| *count <= Candidates::MAX);
        let count = count.ok_or(FrameError::Size { field: Field::Candidates, size })?;
        let all = (0..count).map(|_| {
            Ok(Dialled { to: WireField::read(cursor)?, result: WireField::read(cursor)? })
        });
        all.collect::<Result<_, Stop>>().map(Self)
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_i32(i32::try_from(self.0.len()).unwrap_or(i32::MAX));
        for Dialled { to, result } in &self.0 {
            to.write(out);
            result.write(out);
        }
    }
}
