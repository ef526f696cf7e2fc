//! Renders events as lines for people, screen readers and pipes: no escape sequences, no colour,
//! nothing repeated.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Zoned;
use matou_actors::client::{
    Direction, Event, KeyStanding, PastMessage, RequestState, TransferId, TransferInfo,
    TransferState,
};
use matou_actors::protocol::{FoldedName, MessageText, Username};

use super::rows::rows;
use super::sizes::{moved, pace, size, total};
use super::words::{describe_file, describe_offer, describe_topic, shown};
use crate::diagnosis::describe_diagnosis;
use crate::sanitize::sanitize;
use crate::security::password_needed;
use crate::security::{describe, describe_session, describe_user, describe_words};

/// Renders events; remembers the last reported progress of each transfer.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// The last quarter reported for each transfer.
    quarters: HashMap<TransferId, u64>,
    /// The reason for the disconnection, if the previous line gave one.
    reason: Option<String>,
    /// With whom a private session is open.
    open: HashSet<FoldedName>,
}

impl Plain {
    /// The lines for `event`, each with its line ending; may be empty.
    ///
    /// `width` is that of the terminal in columns, if it is one.
    pub(super) fn lines(&mut self, event: &Event, now: &Zoned, width: Option<usize>) -> String {
        let line =
            |text: &str| rows(&format!("{} {}", time(event, now), sanitize(text)), width) + "\n";
        if let Event::Diagnosis(diagnosis) = event {
            let lines = describe_diagnosis(diagnosis);
            return lines.iter().map(|text| line(&format!("* {text}"))).collect();
        }
        self.text(event).map_or(String::new(), |text| line(&text))
    }

    #[allow(clippy::too_many_lines, reason = "one arm for each event")]
    fn text(&mut self, event: &Event) -> Option<String> {
        Some(match event {
            Event::Connected { server, username } => {
                format!("* connected to {server} as {username}; /help lists the commands")
            }
            Event::Security { server, security } => match describe(server, security) {
                (text, true) => format!("! {text}"),
                (text, false) => format!("* {text}"),
            },
            Event::NameNeeded { server } => format!("* connected to {server}"),
            Event::PasswordNeeded { server, wrong } => {
                format!("! {}", password_needed(server, *wrong))
            }
            Event::Refused { reason: Some(reason), .. } => format!("! {reason}"),
            Event::Refused { username, reason: None } => {
                format!(
                    "! the server refused the name {username}: it is taken, too similar to a taken \
                     one, or not allowed"
                )
            }
            Event::Disconnected { reason } => {
                self.reason = Some(reason.clone());
                format!("! disconnected: {reason}")
            }
            Event::Failover { from, server, reason } => {
                let known =
                    self.reason.replace(reason.clone()).is_some_and(|known| known == *reason);
                let reason = if known { String::new() } else { format!(": {reason}") };
                format!("* trying {server} instead of {from}{reason}")
            }
            Event::Reconnecting { attempt, delay_ms, reason } => {
                let delay = Duration::from_millis(*delay_ms).as_secs_f64();
                let known = self.reason.replace(reason.clone());
                let known = known.is_some_and(|known| known.starts_with(reason.as_str()));
                let reason = if known { String::new() } else { format!(": {reason}") };
                format!(
                    "* reconnecting in {delay:.1} s (attempt {attempt}{reason}); /reconnect tries now"
                )
            }
            Event::Joined { username, present: true } => format!("* {username} is here"),
            Event::Joined { username, present: false } => format!("* {username} joined"),
            Event::Left { username } => format!("* {username} left"),
            Event::Message { from, text, action } => said(from, text, *action),
            Event::HistoryMessage { message: PastMessage { from, text, action, .. }, .. } => {
                format!("(earlier) {}", said(from, text, *action))
            }
            // Of private messages it is said which were not delivered.
            Event::HistoryEnd { messages: 0, .. }
            | Event::History { .. }
            | Event::Delivered { .. }
            | Event::Typing { .. }
            | Event::KeyStanding {
                key: KeyStanding::New | KeyStanding::Known | KeyStanding::Named,
                ..
            } => {
                return None;
            }
            Event::HistoryEnd { .. } => "* earlier messages end here".into(),
            Event::Topic { topic, changed } => format!("* {}", describe_topic(topic, *changed)),
            Event::Present { usernames } => {
                let names: Vec<_> = usernames.iter().map(AsRef::as_ref).collect();
                format!("* {} in the room: {}", usernames.len(), names.join(", "))
            }
            Event::PrivateRequest { from } => {
                format!(
                    "? {from} requests a private session, for messages or a file: /accept {from} or \
                     /decline {from}; /allow {from} accepts it and their files"
                )
            }
            Event::PrivateMoveRequest { from, address, open } => format!(
                "? the server says that {from} is at {address} now, but you talk with them at \
                 {open}. Talk with {address}? /accept {from} or /decline {from}"
            ),
            Event::PrivateRequestOver { from, reason } => {
                format!("* private request from {from} ended: {reason}")
            }
            Event::PrivateState { with, state: RequestState::Asked } => {
                format!(
                    "* requested a private session with {with}; /close {with} withdraws the request"
                )
            }
            Event::PrivateState { with, state: RequestState::Connecting } => {
                format!("* connecting to {with}")
            }
            Event::PrivateOpened { with, address, security } => {
                self.open.insert(with.folded());
                let security = describe_session(with, security);
                format!("* private session with {with} ({address}) opened, {security}")
            }
            Event::Whois { .. } => format!("* {}", describe_user(event).join("; ")),
            // It has more than one line.
            Event::Diagnosis(_) | Event::ServerKeyRefused { .. } => return None,
            Event::Verification { username, words, .. } => {
                format!("* {}", describe_words(username, words))
            }
            Event::KeyStanding { username, key: KeyStanding::Compared, .. } => {
                format!("* you have compared the key of {username}")
            }
            Event::PrivateMessage { from, to, text, action: true, .. } => {
                format!("[{from} to {to}] * {from} {text}")
            }
            Event::PrivateMessage { from, to, text, action: false, .. } => {
                format!("[{from} to {to}] {text}")
            }
            Event::PrivateClosed { with, reason } => {
                private_closed(with, reason, self.open.remove(&with.folded()))
            }
            Event::Undelivered { to, texts, reason } => {
                let messages = if texts.len() == 1 { "message" } else { "messages" };
                format!("! {} {messages} to {to} not delivered: {reason}", texts.len())
            }
            Event::FileOffered { id, from, name, entries, size: bytes, address, free } => {
                let free = free.map(|free| format!(", {} free here", size(free)));
                let free = free.unwrap_or_default();
                let what = describe_offer(name.as_deref(), *entries);
                format!(
                    "? {from} ({address}) offers {what}#{id}, {}{free}: /take {id} or /refuse {id}",
                    total(*bytes)
                )
            }
            Event::FileStarted(info) => started(info),
            Event::FileProgress { id, bytes, size: all, rate } => {
                return self.progress(*id, *bytes, *all, *rate);
            }
            Event::FileReceived { id, from, size: bytes, path } => {
                self.quarters.remove(id);
                format!("* file #{id} from {from} received, {}: {}", size(*bytes), shown(path))
            }
            Event::FileSent { id, to, size: bytes, path, received: true } => {
                self.quarters.remove(id);
                format!("* {to} received file #{id}, {}: {}", size(*bytes), shown(path))
            }
            Event::FileSent { id, to, size: bytes, path, received: false } => {
                self.quarters.remove(id);
                format!(
                    "* file #{id} delivered to {to}'s computer, {}: {}; it is unknown whether {to} \
                     accepts it",
                    size(*bytes),
                    shown(path)
                )
            }
            Event::FileFailed { id, direction, with, path, reason, .. } => {
                self.quarters.remove(id);
                format!(
                    "! {} failed: {reason}",
                    describe_file(*id, *direction, with, path.as_deref())
                )
            }
            Event::Transfers { transfers } if transfers.is_empty() => "* no transfers".into(),
            Event::Transfers { transfers } => {
                let list: Vec<_> = transfers.iter().map(listed).collect();
                format!("* {}", list.join("; "))
            }
            Event::Notice { message } => format!("* {message}"),
            Event::Error { message, .. } => {
                self.reason = Some(message.clone());
                format!("! {message}")
            }
            Event::Closed => "* signed out".into(),
        })
    }

    /// One line per quarter of a file.
    fn progress(
        &mut self,
        id: TransferId,
        bytes: u64,
        all: Option<u64>,
        rate: Option<u64>,
    ) -> Option<String> {
        let whole = all?;
        let quarter = bytes / (whole / 4).max(1);
        let reported = self.quarters.entry(id).or_default();
        if quarter <= *reported || bytes >= whole {
            return None;
        }
        *reported = quarter;
        Some(format!("* file #{id}: {}{}", moved(bytes, all), pace(bytes, all, rate)))
    }
}

/// When it happened: with the date if that is another one.
fn time(event: &Event, now: &Zoned) -> String {
    let Event::HistoryMessage { message, .. } = event else {
        return now.strftime("%H:%M:%S").to_string();
    };
    let sent = message.sent.to_zoned(now.time_zone().clone());
    let format = if sent.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    sent.strftime(format).to_string()
}

fn said(from: &Username, text: &MessageText, action: bool) -> String {
    if action { format!("* {from} {text}") } else { format!("<{from}> {text}") }
}

fn private_closed(with: &Username, reason: &str, was_open: bool) -> String {
    match reason {
        "you closed it" if !was_open => format!("* you closed the private request with {with}"),
        reason if !was_open => format!("* no private session with {with}: {reason}"),
        "closed" | "the other side closed it" => {
            format!("* {with} closed the private session")
        }
        "you closed it" => format!("* you closed the private session with {with}"),
        reason => format!("* private session with {with} ended: {reason}"),
    }
}

fn started(info: &TransferInfo) -> String {
    let TransferInfo { id, with, size: bytes, path, .. } = info;
    let path = path.as_deref().map(|path| format!(": {}", shown(path))).unwrap_or_default();
    match info.direction {
        Direction::Incoming => format!("* file #{id} from {with}, {}{path}", total(*bytes)),
        Direction::Outgoing => {
            format!("* file #{id} waiting for {with}, {}{path}", total(*bytes))
        }
    }
}

fn listed(info: &TransferInfo) -> String {
    let TransferInfo { id, with, .. } = info;
    let name = info.name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default();
    let way = match (info.direction, info.state) {
        (_, TransferState::Offered) => {
            return format!("#{id}{name} offered by {with}: {}", total(info.size));
        }
        (Direction::Outgoing, _) if info.bytes == 0 => {
            return format!("#{id}{name} waiting for {with}: {}", total(info.size));
        }
        (Direction::Incoming, _) => "from",
        (Direction::Outgoing, _) => "to",
    };
    format!("#{id}{name} {way} {with}: {}", moved(info.bytes, info.size))
}

#[cfg(test)]
mod tests {
    use matou_actors::client::{ErrorCode, LinkSecurity};

    use super::*;

    fn rendered(plain: &mut Plain, event: &Event) -> String {
        let now: Zoned = "2026-01-02T03:04:05+00:00[UTC]".parse().unwrap();
        plain.lines(event, &now, None)
    }

    #[test]
    fn a_message_is_sanitized_to_one_line() {
        let from = Username::parse("Bob").unwrap();
        let text = MessageText::parse("hi \u{202e}there").unwrap();
        let line = rendered(&mut Plain::default(), &Event::Message { from, text, action: false });
        assert_eq!(line, "03:04:05 <Bob> hi <U+202E>there\n");
    }

    #[test]
    fn an_action_differs_from_a_message_that_looks_like_one() {
        let from = Username::parse("Ada").unwrap();
        let line = |text, action| {
            let (from, text) = (from.clone(), MessageText::parse(text).unwrap());
            rendered(&mut Plain::default(), &Event::Message { from, text, action })
        };
        assert_eq!(line("waves", true), "03:04:05 * Ada waves\n");
        assert_eq!(line("* waves", false), "03:04:05 <Ada> * waves\n");
        let (to, text) = (Username::parse("Bea").unwrap(), MessageText::parse("waves").unwrap());
        let private =
            Event::PrivateMessage { id: None, from: from.clone(), to, text, action: true };
        let line = rendered(&mut Plain::default(), &private);
        assert_eq!(line, "03:04:05 [Ada to Bea] * Ada waves\n");
    }

    #[test]
    fn a_message_from_before_is_marked_and_has_its_own_time() {
        let mut plain = Plain::default();
        let mut earlier = |sent: &str| {
            let message = PastMessage {
                from: Username::parse("Bob").unwrap(),
                text: MessageText::parse("hi").unwrap(),
                action: false,
                sent: sent.parse().unwrap(),
            };
            rendered(&mut plain, &Event::HistoryMessage { message, missed: false })
        };
        assert_eq!(earlier("2026-01-02T01:00:00Z"), "01:00:00 (earlier) <Bob> hi\n");
        assert_eq!(earlier("2026-01-01T01:00:00Z"), "2026-01-01 01:00:00 (earlier) <Bob> hi\n");
        let end = |messages| Event::HistoryEnd { messages, more: false };
        assert_eq!(rendered(&mut plain, &end(2)), "03:04:05 * earlier messages end here\n");
        assert_eq!(rendered(&mut plain, &end(0)), "");
    }

    #[test]
    fn a_refusal_is_one_line_with_the_reason_of_the_server() {
        let username = Username::parse("Bob").unwrap();
        let event = Event::Refused { username, reason: Some("ship refused you: banned".into()) };
        let line = rendered(&mut Plain::default(), &event);
        assert_eq!(line, "03:04:05 ! ship refused you: banned\n");
    }

    #[test]
    fn a_reason_is_not_repeated_on_the_next_line() {
        let mut plain = Plain::default();
        let reason = || "no route".to_owned();
        rendered(
            &mut plain,
            &Event::Error { code: ErrorCode::Server, message: "no route; trying again".into() },
        );
        let mut again = |attempt, reason| {
            rendered(&mut plain, &Event::Reconnecting { attempt, delay_ms: 500, reason })
        };
        for attempt in [1, 2] {
            assert!(!again(attempt, reason()).contains("no route"));
        }
        assert!(again(3, "timed out".into()).contains("(attempt 3: timed out)"));
    }

    #[test]
    fn the_server_that_was_lost_and_the_one_that_is_tried_are_named() {
        let mut plain = Plain::default();
        let reason = || "no route".to_owned();
        let failover =
            || Event::Failover { from: "a:1".into(), server: "b:2".into(), reason: reason() };
        let first = rendered(&mut plain, &failover());
        assert!(first.contains("* trying b:2 instead of a:1: no route"), "{first}");
        rendered(&mut plain, &Event::Disconnected { reason: reason() });
        let lost = rendered(&mut plain, &failover());
        assert!(lost.ends_with("* trying b:2 instead of a:1\n"), "{lost}");
    }

    #[test]
    fn reasons_are_sanitized_to_one_line() {
        let event = Event::Disconnected { reason: "\u{1b}[2J\nx".into() };
        let line = rendered(&mut Plain::default(), &event);
        assert_eq!(line, "03:04:05 ! disconnected: <U+001B>[2J<U+000A>x\n");
    }

    #[test]
    fn a_file_that_its_peer_has_not_taken_waits_for_them() {
        let mut info = TransferInfo {
            id: TransferId(1),
            direction: Direction::Outgoing,
            state: TransferState::Waiting,
            with: Username::parse("Bea").unwrap(),
            name: Some("a".into()),
            bytes: 0,
            size: Some(3_400_000),
            path: Some("/tmp/a".into()),
        };
        let plain = &mut Plain::default();
        let line = rendered(plain, &Event::FileStarted(info.clone()));
        assert_eq!(line, "03:04:05 * file #1 waiting for Bea, 3.4 MB: /tmp/a\n");
        let line = rendered(plain, &Event::Transfers { transfers: vec![info.clone()] });
        assert_eq!(line, "03:04:05 * #1 \"a\" waiting for Bea: 3.4 MB\n");
        info.bytes = 1_000_000;
        let line = rendered(plain, &Event::Transfers { transfers: vec![info.clone()] });
        assert_eq!(line, "03:04:05 * #1 \"a\" to Bea: 1.0 MB of 3.4 MB\n");
        (info.direction, info.state) = (Direction::Incoming, TransferState::Offered);
        let line = rendered(plain, &Event::Transfers { transfers: vec![info] });
        assert_eq!(line, "03:04:05 * #1 \"a\" offered by Bea: 3.4 MB\n");
    }

    #[test]
    fn a_session_ends_only_if_it_was_open() {
        let with = || Username::parse("Bea").unwrap();
        let closed = |reason: &str| Event::PrivateClosed { with: with(), reason: reason.into() };
        let plain = &mut Plain::default();
        let line = rendered(plain, &closed("Bea declined"));
        assert_eq!(line, "03:04:05 * no private session with Bea: Bea declined\n");
        let line = rendered(plain, &closed("you closed it"));
        assert_eq!(line, "03:04:05 * you closed the private request with Bea\n");
        let (address, security) = ([192, 0, 2, 1].into(), LinkSecurity::Plain);
        rendered(plain, &Event::PrivateOpened { with: with(), address, security });
        let line = rendered(plain, &closed("Bea left"));
        assert_eq!(line, "03:04:05 * private session with Bea ended: Bea left\n");
        let line = rendered(plain, &closed("Bea declined"));
        assert_eq!(line, "03:04:05 * no private session with Bea: Bea declined\n");
    }

    #[test]
    fn a_file_that_failed_is_named_with_its_peer() {
        let (id, with, reason) = (TransferId(3), Username::parse("Bea").unwrap(), "gone");
        let failed = |direction, path| Event::FileFailed {
            id,
            direction,
            with: with.clone(),
            path,
            refused: false,
            reason: reason.into(),
        };
        let plain = &mut Plain::default();
        let line = rendered(plain, &failed(Direction::Outgoing, Some("/tmp/photo.jpg".into())));
        assert_eq!(line, "03:04:05 ! file #3 to Bea (photo.jpg) failed: gone\n");
        let line = rendered(plain, &failed(Direction::Incoming, None));
        assert_eq!(line, "03:04:05 ! file #3 from Bea failed: gone\n");
    }

    #[test]
    fn progress_is_reported_once_per_quarter() {
        let mut plain = Plain::default();
        let lines: Vec<_> = (0..=100)
            .map(|percent| {
                let (id, bytes) = (TransferId(1), percent * 1_000);
                rendered(
                    &mut plain,
                    &Event::FileProgress { id, bytes, size: Some(100_000), rate: Some(1_000) },
                )
            })
            .filter(|line| !line.is_empty())
            .collect();
        assert_eq!(
            lines,
            [
                "03:04:05 * file #1: 25.0 kB of 100.0 kB, 1.0 kB/s, 1 min 15 s left\n",
                "03:04:05 * file #1: 50.0 kB of 100.0 kB, 1.0 kB/s, 50 s left\n",
                "03:04:05 * file #1: 75.0 kB of 100.0 kB, 1.0 kB/s, 25 s left\n",
            ]
        );
    }
}
