//! MQTT 3.1.1 at quality of service 0.

use super::{Dialect, Item, ROOM, name};
use crate::stamp::MESSAGE_BYTES;

/// A client of a broker, subscribed to one topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mqtt;

impl Dialect for Mqtt {
    const ANNOUNCES: bool = false;
    const ECHOES: bool = true;

    fn hello(&self, client: usize, out: &mut Vec<u8>) {
        let name = name(client);
        // Protocol level 4, a clean session, no keep-alive.
        let mut connect = b"\x00\x04MQTT\x04\x02\x00\x00".to_vec();
        put(&mut connect, name.as_bytes());
        packet(0x10, &connect, out);
        let mut subscribe = b"\x00\x01".to_vec();
        put(&mut subscribe, ROOM.as_bytes());
        subscribe.push(0);
        packet(0x82, &subscribe, out);
    }

    fn message(&self, text: &[u8; MESSAGE_BYTES], out: &mut Vec<u8>) {
        out.extend_from_slice(b"\x30\x46\x00\x04room");
        out.extend_from_slice(text);
    }

    #[inline]
    fn next<'a>(&self, input: &'a [u8]) -> Option<(Item<'a>, usize)> {
        let (&kind, rest) = input.split_first()?;
        let (length, rest) = remaining(rest)?;
        let (body, rest) = rest.split_at_checked(length)?;
        let item = match kind >> 4 {
            // The topic's size, the topic, the text.
            3 => Item::Delivery(body.get(2 + ROOM.len()..)?),
            9 => Item::Joined,
            _ => Item::Other,
        };
        Some((item, input.len() - rest.len()))
    }

    fn answer(&self, _question: &[u8], _out: &mut Vec<u8>) {}
}

/// The remaining length: seven bits a byte, the lowest first.
#[inline]
fn remaining(input: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    let mut rest = input;
    for place in 0..4 {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        length |= usize::from(byte & 0x7f) << (place * 7);
        if byte < 0x80 {
            break;
        }
    }
    Some((length, rest))
}

fn put(out: &mut Vec<u8>, run: &[u8]) {
    let size = u16::try_from(run.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(run);
}

/// A packet of less than 128 bytes.
fn packet(kind: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.push(u8::try_from(body.len()).unwrap_or(0x7f));
    out.extend_from_slice(body);
}
