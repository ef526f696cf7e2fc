//! How each server wants to be spoken to: joining the room, one message, and reading deliveries.

mod encrypted;
mod irc;
mod matou;
mod mqtt;
mod nats;
mod redis;

pub(crate) use encrypted::Encrypted;
pub(crate) use irc::Irc;
pub(crate) use matou::Matou;
pub(crate) use mqtt::Mqtt;
pub(crate) use nats::Nats;
pub(crate) use redis::Redis;

use crate::stamp::MESSAGE_BYTES;

/// The room, topic, channel or subject that everybody is in.
pub(crate) const ROOM: &str = "room";

/// What the front of a client's input holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// A message; its text.
    Delivery(&'a [u8]),
    /// The client is in the room.
    Joined,
    /// The client is not let in.
    Refused,
    /// So many names of clients that are present.
    Presence(u32),
    /// Something that the client has to answer with [`Dialect::answer`].
    Question,
    /// Something without meaning here.
    Other,
}

/// One protocol, as little of it as a benchmark needs.
pub(crate) trait Dialect {
    /// Whether joins are announced: to those present, and those present to the newcomer.
    const ANNOUNCES: bool;
    /// Whether a sender gets its own messages back.
    const ECHOES: bool;
    /// Whether it is spoken inside TLS.
    const ENCRYPTED: bool = false;

    /// Appends what a client sends first.
    fn hello(&self, client: usize, out: &mut Vec<u8>);

    /// Appends one message to the room.
    fn message(&self, text: &[u8; MESSAGE_BYTES], out: &mut Vec<u8>);

    /// The first item of `input` and its bytes; `None` when its end is not there yet.
    fn next<'a>(&self, input: &'a [u8]) -> Option<(Item<'a>, usize)>;

    /// Appends the answer to a question.
    fn answer(&self, question: &[u8], out: &mut Vec<u8>);
}

/// The name of a client: six letters and digits, so that all frames have one size.
pub(crate) fn name(client: usize) -> String {
    format!("u{client:05}")
}

/// A line without its end, and its bytes with it.
fn line(input: &[u8]) -> Option<(&[u8], usize)> {
    let end = memchr::memchr(b'\n', input)?;
    let line = input.get(..end)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1))
}

/// A delivery whose head is always `head` and whose text is followed by a line's end: `None` when
/// the input starts otherwise, `Some(None)` when its end is not there yet.
#[inline]
#[allow(clippy::option_option)]
fn fixed<'a>(head: &[u8], input: &'a [u8]) -> Option<Option<(Item<'a>, usize)>> {
    let Some((start, rest)) = input.split_at_checked(head.len()) else {
        return head.starts_with(input).then_some(None);
    };
    if start != head {
        return None;
    }
    let length = head.len() + MESSAGE_BYTES + 2;
    if input.len() < length {
        return Some(None);
    }
    Some(rest.get(..MESSAGE_BYTES).map(|text| (Item::Delivery(text), length)))
}
