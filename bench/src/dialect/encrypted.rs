//! Matou's frames of revision 2, inside TLS.

use super::{Dialect, Item, Matou, name};
use crate::stamp::MESSAGE_BYTES;

const HELLO: u32 = 16;
const WELCOME: u32 = 17;
const REFUSED: u32 = 18;
const PRESENT: u32 = 19;
const JOINED: u32 = 20;
const SAID: u32 = 22;
/// In the last byte of SAID: it was said before the client joined.
const FROM_HISTORY: u8 = 1;
/// The bytes of a name of the generator, behind its size.
const NAME: usize = 4 + 6;
/// Sequence and time in front of the name of SAID.
const STAMPS: usize = 8 + 8;

/// As [`Matou`], encrypted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encrypted;

impl Dialect for Encrypted {
    const ANNOUNCES: bool = true;
    const ECHOES: bool = true;
    const ENCRYPTED: bool = true;

    fn hello(&self, client: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&HELLO.to_be_bytes());
        // Name, program and password, which are empty, and the last sequence.
        let size = u32::try_from(NAME + 4 + 4 + 8).unwrap_or(u32::MAX);
        out.extend_from_slice(&size.to_be_bytes());
        let name = name(client);
        out.extend_from_slice(&u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&[0; 16]);
    }

    fn message(&self, text: &[u8; MESSAGE_BYTES], out: &mut Vec<u8>) {
        Matou.message(text, out);
    }

    #[inline]
    fn next<'a>(&self, input: &'a [u8]) -> Option<(Item<'a>, usize)> {
        let (kind, rest) = input.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let size = usize::try_from(u32::from_be_bytes(*size)).ok()?;
        let body = rest.get(..size)?;
        let item = match u32::from_be_bytes(*kind) {
            SAID if body.last().is_some_and(|flags| flags & FROM_HISTORY != 0) => Item::Other,
            SAID => {
                let text = body.get(STAMPS + NAME + 4..body.len().checked_sub(4)?)?;
                Item::Delivery(text)
            }
            PRESENT | JOINED => Item::Presence(1),
            WELCOME => Item::Joined,
            REFUSED => Item::Refused,
            _ => Item::Other,
        };
        Some((item, 8 + size))
    }

    fn answer(&self, _question: &[u8], _out: &mut Vec<u8>) {}
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use matou_actors::protocol::v2::{self, ClientFrame, ServerFrame, UnixMillis};
    use matou_actors::protocol::{Decode, Encode, MessageText, Username};

    use super::*;

    #[test]
    fn hello_and_said_are_frames_of_the_protocol() {
        let mut out = Vec::new();
        Encrypted.hello(7, &mut out);
        let (hello, length) = ClientFrame::decode(&out).unwrap().unwrap();
        assert!(
            matches!(hello, ClientFrame::Hello { username, .. } if username.as_str() == "u00007")
        );
        assert_eq!(length, out.len());
        let said = |flags| ServerFrame::Said {
            sequence: 1,
            time: UnixMillis(2),
            username: Username::parse("u00007").unwrap(),
            text: MessageText::parse("hello").unwrap(),
            flags,
        };
        let mut past = BytesMut::new();
        said(v2::FROM_HISTORY).encode(&mut past);
        assert_eq!(Encrypted.next(&past), Some((Item::Other, past.len())));
        let mut out = BytesMut::new();
        said(0).encode(&mut out);
        for end in 0..out.len() {
            assert_eq!(Encrypted.next(&out[..end]), None);
        }
        assert_eq!(Encrypted.next(&out), Some((Item::Delivery(b"hello"), out.len())));
    }
}
