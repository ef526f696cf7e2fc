//! IRC, as `ngircd` and `InspIRCd` speak it.

use super::{Dialect, Item, ROOM, line, name};
use crate::stamp::MESSAGE_BYTES;

/// A client of an IRC server, in one channel. Its own messages do not come back to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Irc;

impl Dialect for Irc {
    const ANNOUNCES: bool = true;
    const ECHOES: bool = false;

    fn hello(&self, client: usize, out: &mut Vec<u8>) {
        let name = name(client);
        out.extend_from_slice(format!("NICK {name}\r\nUSER {name} 0 * :{name}\r\n").as_bytes());
    }

    fn message(&self, text: &[u8; MESSAGE_BYTES], out: &mut Vec<u8>) {
        out.extend_from_slice(b"PRIVMSG #room :");
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn next<'a>(&self, input: &'a [u8]) -> Option<(Item<'a>, usize)> {
        let (line, length) = line(input)?;
        if line.starts_with(b"PING") {
            return Some((Item::Question, length));
        }
        if line.starts_with(b"ERROR") {
            return Some((Item::Refused, length));
        }
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let (_, command, rest) = (words.next(), words.next(), words.next());
        let item = match command {
            Some(b"PRIVMSG") => rest
                .and_then(|rest| rest.len().checked_sub(MESSAGE_BYTES).map(|at| rest.split_at(at)))
                .map_or(Item::Other, |(_, text)| Item::Delivery(text)),
            // Welcome: now the channel can be asked for.
            Some(b"001") => Item::Question,
            // Names present; the list begins behind the line's second colon.
            Some(b"353") => Item::Presence(names(rest.unwrap_or_default())),
            Some(b"JOIN") => Item::Presence(1),
            Some(b"366") => Item::Joined,
            Some(b"403" | b"405" | b"432" | b"433" | b"437" | b"465" | b"471") => Item::Refused,
            _ => Item::Other,
        };
        Some((item, length))
    }

    fn answer(&self, question: &[u8], out: &mut Vec<u8>) {
        match question.strip_prefix(b"PING") {
            Some(token) => {
                out.extend_from_slice(b"PONG");
                out.extend_from_slice(token);
            }
            None => out.extend_from_slice(format!("JOIN #{ROOM}\r\n").as_bytes()),
        }
    }
}

fn names(rest: &[u8]) -> u32 {
    let list = rest.splitn(2, |byte| *byte == b':').nth(1).unwrap_or_default();
    let names = list.split(|byte| *byte == b' ').filter(|name| !name.is_empty());
    u32::try_from(names.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_channel_are_distinguished() {
        let text = "x".repeat(MESSAGE_BYTES);
        let line = format!(":u00001!~u@127.0.0.1 PRIVMSG #room :{text}\r\n");
        assert_eq!(Irc.next(line.as_bytes()), Some((Item::Delivery(text.as_bytes()), line.len())));
        let list = b":s 353 u00001 = #room :u00000 @u00001\r\n";
        assert_eq!(Irc.next(list), Some((Item::Presence(2), list.len())));
        assert_eq!(Irc.next(b":s 366 u1 #room :End\r\n"), Some((Item::Joined, 22)));
        assert_eq!(Irc.next(b"PING :s"), None);
    }
}
