//! The addresses at which a client can be reached for a private session.

use std::net::IpAddr;

use bytes::{BufMut, BytesMut};

use super::codes::code;
use super::field::WireField;
use crate::protocol::address::{PortPair, decode_address, encode_address};
use crate::protocol::error::{Field, FrameError};
use crate::protocol::primitives::{Cursor, Stop};

/// An address and two ports where a client listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The address.
    pub address: IpAddr,
    /// The ports.
    pub ports: PortPair,
    /// Where it is known from.
    pub kind: CandidateKind,
}

code! {
    /// Where a candidate is known from.
    CandidateKind {
        /// An own interface.
        1 Interface,
        /// The address that the server sees.
        2 SeenByServer,
        /// Mapped on the router.
        3 Mapped,
        /// Configured by the user.
        4 Configured,
    }
}

/// 1 to 16 candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates(Vec<Candidate>);

impl Candidates {
    /// The most candidates in one frame.
    pub const MAX: usize = 16;

    /// Takes 1 to [`Candidates::MAX`] of them.
    pub fn new(candidates: Vec<Candidate>) -> Option<Self> {
        (1..=Self::MAX).contains(&candidates.len()).then_some(Self(candidates))
    }

    /// The candidates, in the order of the frame.
    pub fn as_slice(&self) -> &[Candidate] {
        &self.0
    }
}

impl WireField for Candidates {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        let size = cursor.int()?;
        let count = usize::try_from(size).ok().filter(|count| (1..=Self::MAX).contains(count));
        let count = count.ok_or(FrameError::Size { field: Field::Candidates, size })?;
        (0..count).map(|_| WireField::read(cursor)).collect::<Result<_, _>>().map(Self)
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_i32(i32::try_from(self.0.len()).unwrap_or(i32::MAX));
        for candidate in &self.0 {
            candidate.write(out);
        }
    }
}

impl WireField for Candidate {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        Ok(Self {
            address: decode_address(cursor)?,
            ports: WireField::read(cursor)?,
            kind: WireField::read(cursor)?,
        })
    }

    fn write(&self, out: &mut BytesMut) {
        encode_address(self.address, out);
        self.ports.write(out);
        self.kind.write(out);
    }
}
