//! Renders events as JSON lines.

use jiff::Timestamp;
use matou_actors::client::{ErrorCode, Event};
use serde::Serialize;

use crate::sanitize::json_escaped;

/// The codes of errors, in the order in which README and man page list them.
const CODES: [ErrorCode; 11] = [
    ErrorCode::Server,
    ErrorCode::Name,
    ErrorCode::NotSent,
    ErrorCode::User,
    ErrorCode::Session,
    ErrorCode::Transfer,
    ErrorCode::File,
    ErrorCode::Protocol,
    ErrorCode::Key,
    ErrorCode::Input,
    ErrorCode::Internal,
];

/// Each code as it is written, and what it means.
pub(crate) fn error_codes() -> impl Iterator<Item = (String, &'static str)> {
    CODES.into_iter().map(|code| {
        let written = serde_json::to_value(code).unwrap_or_default();
        (written.as_str().unwrap_or_default().to_owned(), meaning(code))
    })
}

fn meaning(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Server => "the server cannot be reached, or does not answer as one",
        ErrorCode::Name => "your name is not valid, is already requested, or is already yours",
        ErrorCode::NotSent => "messages were not sent, or may not have been",
        ErrorCode::User => "the user is not in the room, is ignored, or is you",
        ErrorCode::Session => "there is no such private session or request",
        ErrorCode::Transfer => "there is no such offer or transfer, or it cannot be taken now",
        ErrorCode::File => "a file cannot be read, or a folder cannot be used",
        ErrorCode::Protocol => "another client broke the protocol",
        ErrorCode::Key => "the key of a user is not the known one, or there is none",
        ErrorCode::Input => "the line was not understood",
        ErrorCode::Internal => "an error of this program",
    }
}

#[derive(Serialize)]
struct Timed<'a> {
    #[serde(flatten)]
    event: &'a Event,
    /// RFC 3339, in UTC, with milliseconds.
    time: String,
}

/// `event` as one JSON object and a line break.
pub(super) fn line(event: &Event, now: Timestamp) -> String {
    let time = format!("{now:.3}");
    let json = serde_json::to_string(&Timed { event, time: time.clone() }).or_else(|error| {
        let message = format!("cannot encode an event as JSON: {error}: {event:?}");
        serde_json::to_string(&Timed {
            event: &Event::Error { code: ErrorCode::Internal, message },
            time,
        })
    });
    let mut line = json.map(|json| json_escaped(&json).into_owned()).unwrap_or_default();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use matou_actors::client::{Direction, PastMessage, TransferId, TransferInfo, TransferState};
    use matou_actors::protocol::{MessageText, Username};
    use serde_json::{Value, json};

    use super::*;

    fn rendered(event: &Event) -> Value {
        let line = line(event, Timestamp::UNIX_EPOCH);
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1);
        assert!(!line.trim_end().chars().any(crate::sanitize::is_hidden));
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn the_readme_lists_the_codes_of_errors() {
        let rows = error_codes().map(|(code, meaning)| format!("| `{code}` | {meaning} |\n"));
        let table = format!("| code | meaning |\n|---|---|\n{}\n", rows.collect::<String>());
        assert!(include_str!("../../../README.md").contains(&table), "expected:\n{table}");
    }

    #[test]
    fn an_event_is_an_object_with_its_time() {
        let from = Username::parse("Bob").unwrap();
        let text = MessageText::parse("\u{202e}é \"hi\"").unwrap();
        assert_eq!(
            rendered(&Event::Message { from: from.clone(), text, action: false }),
            json!({"event": "message", "from": "Bob", "text": "\u{202e}é \"hi\"",
                "time": "1970-01-01T00:00:00.000Z"})
        );
        let message = PastMessage {
            from: from.clone(),
            text: MessageText::parse("hi").unwrap(),
            action: true,
            sent: Timestamp::from_millisecond(1500).unwrap(),
        };
        assert_eq!(
            rendered(&Event::HistoryMessage { message, missed: true }),
            json!({"event": "history_message", "from": "Bob", "text": "hi", "action": true, "missed": true,
                "sent": "1970-01-01T00:00:01.5Z", "time": "1970-01-01T00:00:00.000Z"})
        );
        let started = Event::FileStarted(TransferInfo {
            id: TransferId(3),
            direction: Direction::Incoming,
            state: TransferState::Moving,
            with: from,
            name: Some("a".into()),
            bytes: 0,
            size: Some(9),
            path: None,
        });
        assert_eq!(
            rendered(&started),
            json!({"event": "file_started", "id": 3, "direction": "incoming", "state": "moving", "with": "Bob", "name": "a",
                "bytes": 0, "size": 9, "time": "1970-01-01T00:00:00.000Z"})
        );
    }

    #[test]
    fn a_path_that_is_not_utf8_is_still_reported() {
        use std::os::unix::ffi::OsStringExt;
        let path = PathBuf::from(std::ffi::OsString::from_vec(b"/tmp/\xff".to_vec()));
        let to = Username::parse("Bob").unwrap();
        let event = Event::FileSent { id: TransferId(3), to, size: 9, path, received: false };
        assert_eq!(rendered(&event)["event"], "file_sent");
        assert_eq!(rendered(&event)["path"], "/tmp/\u{fffd}");
    }
}
