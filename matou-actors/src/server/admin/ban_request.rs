//! Bans as operators write them, and the words that those concerned read.

use jiff::{SignedDuration, Timestamp};

use crate::protocol::{DISCONNECTED_BY_OPERATOR, MessageText};
use crate::server::accept::bans::{self, Ban, BanTarget, LONGEST_REASON, Moment};

pub(super) fn new_ban(
    target: &str,
    seconds: Option<u64>,
    reason: Option<String>,
    now: Moment,
) -> Result<Ban, String> {
    let named = bans::named(target).map_err(|error| error.to_string())?;
    let reason = reason.unwrap_or_default();
    if reason.len() > LONGEST_REASON {
        return Err(format!("the reason has {} bytes; {LONGEST_REASON} are allowed", reason.len()));
    }
    if reason.contains(char::is_control) {
        return Err("the reason contains a control character; it must be one line of text".into());
    }
    let until = until(seconds, now)?;
    let ban = Ban { network: None, name: None, key: None, until, reason };
    Ok(match named {
        BanTarget::Network(network) => Ban { network: Some(network), ..ban },
        BanTarget::Name(name) => Ban { name: Some(name), ..ban },
        BanTarget::Key(key) => Ban { key: Some(key), ..ban },
    })
}

pub(super) fn until(seconds: Option<u64>, now: Moment) -> Result<Option<Timestamp>, String> {
    let end = |seconds| {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        now.wall.checked_add(SignedDuration::from_secs(seconds))
    };
    let until = seconds.map(end).transpose();
    until.map_err(|_| "too long; leave it out for a permanent ban".to_owned())
}

/// What those who are banned read.
pub(super) fn banned_words(ban: &Ban) -> String {
    let end = ban.until.map_or(String::new(), |until| format!(" until {until:.0}"));
    let reason = if ban.reason.is_empty() { "no reason given" } else { &ban.reason };
    format!("{DISCONNECTED_BY_OPERATOR} and banned{end}: {reason}")
}

pub(super) fn message(text: &str) -> Result<MessageText, String> {
    MessageText::parse(text).map_err(|error| format!("the notice cannot be sent: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line() {
        let ban = |reason: &str| new_ban("192.0.2.1", None, Some(reason.into()), Moment::at(0));
        assert_eq!(ban("\"spåm\"").unwrap().reason, "\"spåm\"");
        for reason in ["a\nb", "\u{1}", "\u{7f}", "\u{9b}"] {
            ban(reason).unwrap_err();
        }
    }
}
