//! The text protocol of NATS.

use super::{Dialect, Item, ROOM, fixed, line};
use crate::stamp::MESSAGE_BYTES;

const HEAD: &[u8] = b"MSG room 1 64\r\n";

/// A client of nats-server, subscribed to one subject and fed its own messages too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nats;

impl Dialect for Nats {
    const ANNOUNCES: bool = false;
    const ECHOES: bool = true;

    fn hello(&self, _client: usize, out: &mut Vec<u8>) {
        let connect = r#"{"verbose":false,"pedantic":false,"echo":true}"#;
        // The answer to PING says that the subscription before it stands.
        out.extend_from_slice(format!("CONNECT {connect}\r\nSUB {ROOM} 1\r\nPING\r\n").as_bytes());
    }

    fn message(&self, text: &[u8; MESSAGE_BYTES], out: &mut Vec<u8>) {
        out.extend_from_slice(b"PUB room 64\r\n");
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn next<'a>(&self, input: &'a [u8]) -> Option<(Item<'a>, usize)> {
        if let Some(delivery) = fixed(HEAD, input) {
            return delivery;
        }
        let (line, length) = line(input)?;
        let item = match line {
            b"PONG" => Item::Joined,
            b"PING" => Item::Question,
            line if line.starts_with(b"-ERR") => Item::Refused,
            _ => Item::Other,
        };
        Some((item, length))
    }

    fn answer(&self, _question: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"PONG\r\n");
    }
}
