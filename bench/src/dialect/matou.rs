//! Matou's own frames.

use super::{Dialect, Item, name};
use crate::stamp::MESSAGE_BYTES;

const COREQ: u32 = 0;
const CORES: u32 = 1;
const CONOTIF: u32 = 2;
const MSG: u32 = 3;
const MSGBC: u32 = 4;
const DISCONOTIF: u32 = 6;

/// The protocol of PROTOCOL.md, written out by hand: a client that checks nothing, so that the
/// generator costs as little as it can.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matou;

impl Dialect for Matou {
    const ANNOUNCES: bool = true;
    const ECHOES: bool = true;

    fn hello(&self, client: usize, out: &mut Vec<u8>) {
        let name = name(client);
        out.extend_from_slice(&COREQ.to_be_bytes());
        put(out, name.as_bytes());
    }

    fn message(&self, text: &[u8; MESSAGE_BYTES], out: &mut Vec<u8>) {
        out.extend_from_slice(&MSG.to_be_bytes());
        put(out, text);
    }

    #[inline]
    fn next<'a>(&self, input: &'a [u8]) -> Option<(Item<'a>, usize)> {
        let (kind, rest) = input.split_first_chunk::<4>()?;
        let kind = u32::from_be_bytes(*kind);
        match kind {
            MSGBC => {
                let (_, rest) = sized(rest)?;
                let (text, rest) = sized(rest)?;
                Some((Item::Delivery(text), input.len() - rest.len()))
            }
            CONOTIF | DISCONOTIF => {
                let (_, rest) = sized(rest)?;
                let item = if kind == CONOTIF { Item::Presence(1) } else { Item::Other };
                Some((item, input.len() - rest.len()))
            }
            CORES => match rest.first()? {
                1 => Some((Item::Joined, 5)),
                _ => Some((Item::Refused, 5)),
            },
            _ => Some((Item::Refused, 4)),
        }
    }

    fn answer(&self, _question: &[u8], _out: &mut Vec<u8>) {}
}

#[inline]
fn sized(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = input.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*size)).ok()?)
}

fn put(out: &mut Vec<u8>, run: &[u8]) {
    let size = u32::try_from(run.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(run);
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use matou_actors::protocol::{ClientFrame, Decode, Encode, MessageText, ServerFrame, Username};

    #[test]
    fn a_message_is_a_frame_of_the_protocol() {
        let mut out = Vec::new();
        Matou.hello(7, &mut out);
        Matou.message(&[b'x'; MESSAGE_BYTES], &mut out);
        let (join, length) = ClientFrame::decode(&out).unwrap().unwrap();
        assert!(matches!(join, ClientFrame::Join(name) if name.as_str() == "u00007"));
        let (say, rest) = ClientFrame::decode(&out[length..]).unwrap().unwrap();
        assert!(matches!(say, ClientFrame::Say(text) if text.as_str() == "x".repeat(64)));
        assert_eq!(length + rest, out.len());
    }

    #[test]
    fn a_forwarded_message_is_a_delivery_once_it_is_whole() {
        let mut out = BytesMut::new();
        let text = MessageText::parse("hello").unwrap();
        ServerFrame::Message { from: Username::parse("u00007").unwrap(), text }.encode(&mut out);
        for end in 0..out.len() {
            assert_eq!(Matou.next(&out[..end]), None);
        }
        assert_eq!(Matou.next(&out), Some((Item::Delivery(b"hello"), out.len())));
    }
}
