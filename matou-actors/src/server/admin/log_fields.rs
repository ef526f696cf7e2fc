//! A request of an operator as fields of a log line.

use serde_json::Value;
use slog::{KV, Record, Serializer};

use super::wire::Request;

/// Every key that a request has, in the order of the log.
const KEYS: [&str; 7] = ["command", "name", "target", "actor", "seconds", "text", "reason"];

/// The parts of a request that are given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RequestFields(Vec<(&'static str, String)>);

impl RequestFields {
    pub(super) fn of(request: &Request) -> Self {
        let parts = serde_json::to_value(request).unwrap_or_default();
        let part = |key: &'static str| match parts.get(key)? {
            Value::Null => None,
            Value::String(text) => Some((key, text.clone())),
            other => Some((key, other.to_string())),
        };
        Self(KEYS.into_iter().filter_map(part).collect())
    }
}

impl KV for RequestFields {
    fn serialize(&self, _record: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        // The last one is written first.
        self.0.iter().rev().try_for_each(|(key, text)| serializer.emit_str(key, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_request_says_is_logged() {
        let ban = Request::Ban { target: "Eve".into(), seconds: None, reason: Some("spam".into()) };
        let fields = [("command", "ban"), ("target", "Eve"), ("reason", "spam")];
        let fields = fields.map(|(key, text)| (key, text.to_owned()));
        assert_eq!(RequestFields::of(&ban), RequestFields(fields.into()));
        let kick = Request::Kick { name: "Eve".into(), seconds: Some(60), reason: None };
        assert_eq!(RequestFields::of(&kick).0[2], ("seconds", "60".to_owned()));
    }
}
