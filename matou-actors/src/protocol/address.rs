//! Raw addresses and port tuples, as they travel in frames 10 to 12.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

use bytes::{BufMut, BytesMut};

use super::error::{Field, FrameError};
use super::primitives::{Cursor, Stop, put_sized};

/// The two ports of a private connection: messages first, files second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortPair {
    /// Where PVMSG and PVDISCO travel.
    pub message: NonZeroU16,
    /// Where PVFILE travels.
    pub file: NonZeroU16,
}

impl PortPair {
    pub(in crate::protocol) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        Ok(Self { message: port(cursor.int()?)?, file: port(cursor.int()?)? })
    }

    pub(in crate::protocol) fn encode(self, out: &mut BytesMut) {
        out.put_i32(i32::from(self.message.get()));
        out.put_i32(i32::from(self.file.get()));
    }
}

/// An IPv4-mapped IPv6 address as the IPv4 address that it is, any other as it stands.
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// 4 bytes are IPv4, 16 are IPv6; any other size is a violation.
pub(in crate::protocol) fn decode_address(cursor: &mut Cursor<'_>) -> Result<IpAddr, Stop> {
    let raw = cursor.sized(Field::Address, |length| matches!(length, 4 | 16))?;
    if let Ok(v4) = <[u8; 4]>::try_from(raw) {
        return Ok(Ipv4Addr::from(v4).into());
    }
    if let Ok(v6) = <[u8; 16]>::try_from(raw) {
        return Ok(canonical(Ipv6Addr::from(v6).into()));
    }
    let size = i32::try_from(raw.len()).unwrap_or(i32::MAX);
    Err(FrameError::Size { field: Field::Address, size }.into())
}

pub(in crate::protocol) fn encode_address(address: IpAddr, out: &mut BytesMut) {
    match canonical(address) {
        IpAddr::V4(v4) => put_sized(out, &v4.octets()),
        IpAddr::V6(v6) => put_sized(out, &v6.octets()),
    }
}

pub(in crate::protocol) fn port(value: i32) -> Result<NonZeroU16, FrameError> {
    u16::try_from(value).ok().and_then(NonZeroU16::new).ok_or(FrameError::Port(value))
}
