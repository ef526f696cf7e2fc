//! Redis publish/subscribe over RESP3, where a subscriber may publish on the same connection.

use super::{Dialect, Item, ROOM, fixed, line};
use crate::stamp::MESSAGE_BYTES;

const HEAD: &[u8] = b">3\r\n$7\r\nmessage\r\n$4\r\nroom\r\n$64\r\n";
const SUBSCRIBED: &[u8] = b">3\r\n$9\r\nsubscribe\r\n$4\r\nroom\r\n:1\r\n";

/// A client of redis-server, subscribed to one channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redis;

impl Dialect for Redis {
    const ANNOUNCES: bool = false;
    const ECHOES: bool = true;

    fn hello(&self, _client: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("HELLO 3\r\nSUBSCRIBE {ROOM}\r\n").as_bytes());
    }

    fn message(&self, text: &[u8; MESSAGE_BYTES], out: &mut Vec<u8>) {
        out.extend_from_slice(b"*3\r\n$7\r\nPUBLISH\r\n$4\r\nroom\r\n$64\r\n");
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn next<'a>(&self, input: &'a [u8]) -> Option<(Item<'a>, usize)> {
        if let Some(delivery) = fixed(HEAD, input) {
            return delivery;
        }
        if input.starts_with(SUBSCRIBED) {
            return Some((Item::Joined, SUBSCRIBED.len()));
        }
        if SUBSCRIBED.starts_with(input) {
            return None;
        }
        let (line, length) = line(input)?;
        let item = if line.starts_with(b"-") { Item::Refused } else { Item::Other };
        Some((item, length))
    }

    fn answer(&self, _question: &[u8], _out: &mut Vec<u8>) {}
}
