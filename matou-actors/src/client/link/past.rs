//! Messages sent while the client was away, and how far the client has read.

use crate::client::api::event::PastMessage;
use crate::protocol::v2::MAX_HISTORY;

/// How far the events of one server were read, and which earlier ones are being fetched.
#[derive(Debug, Default)]
pub(crate) struct HistoryProgress {
    /// The last event that was read, in this run of the server.
    last: u64,
    /// The oldest message that was shown.
    oldest: Option<u64>,
    /// How many of the earlier messages that the user asked for were read so far.
    fetched: Option<Vec<PastMessage>>,
    /// Something was asked for, only to see whether the server answers.
    probing: bool,
    /// The messages replayed at sign-in are not complete.
    replaying: bool,
    /// How many of them were received.
    replayed: u64,
    /// The replay contains missed messages, not those from before the first sign-in.
    resumes: bool,
}

/// What a HISTORYEND ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PastEnd {
    /// The messages that the user has asked for.
    Fetched { messages: Vec<PastMessage>, more: bool },
    /// Nothing that the user has asked for.
    Probed,
    /// The messages replayed at sign-in.
    Replayed { messages: u64, more: bool },
}

impl HistoryProgress {
    /// The last event that was read; 0 is none.
    pub(super) fn last_sequence(&self) -> u64 {
        self.last
    }

    /// The client joined; `sequence` is that of the last event before.
    pub(super) fn welcomed(&mut self, sequence: u64) {
        if sequence < self.last {
            // The server was started again, and its numbers too.
            *self = Self::default();
        }
        self.resumes = self.last > 0;
        self.replayed = 0;
        self.replaying = true;
        self.oldest.get_or_insert(sequence.saturating_add(1));
    }

    /// An event happened.
    pub(super) fn live(&mut self, sequence: u64) {
        self.replaying = false;
        self.last = self.last.max(sequence);
    }

    /// A message from before was read: to be shown, with whether it was missed, unless it waits for
    /// others.
    pub(super) fn said(
        &mut self,
        sequence: u64,
        message: PastMessage,
    ) -> Option<(PastMessage, bool)> {
        self.oldest = Some(self.oldest.map_or(sequence, |oldest| oldest.min(sequence)));
        let Some(fetched) = &mut self.fetched else {
            self.last = self.last.max(sequence);
            self.replayed += 1;
            return Some((message, self.resumes));
        };
        // A server that sends more was not asked for it.
        if fetched.len() < usize::try_from(MAX_HISTORY).unwrap_or_default() {
            fetched.push(message);
        }
        None
    }

    /// All were received; `oldest` is the oldest that the server still has.
    pub(super) fn end(&mut self, oldest: u64) -> PastEnd {
        // Answers arrive in the order of the requests.
        if std::mem::take(&mut self.probing) {
            return PastEnd::Probed;
        }
        self.replaying = false;
        let more = self.oldest.is_none_or(|shown| oldest < shown);
        match self.fetched.take() {
            Some(messages) => {
                // One that sends nothing has nothing, whatever it says.
                let more = more && !messages.is_empty();
                PastEnd::Fetched { messages, more }
            }
            None => PastEnd::Replayed { messages: std::mem::take(&mut self.replayed), more },
        }
    }

    /// Before which event messages can be asked for now, if any can.
    pub(super) fn fetch(&mut self) -> Option<u64> {
        let is_idle = self.fetched.is_none() && !self.replaying;
        let before = self.oldest.filter(|_| is_idle)?;
        self.fetched = Some(Vec::new());
        Some(before)
    }

    /// Whether anything can be asked for now, only to see whether the server answers. The oldest event has nothing
    /// before it.
    pub(super) fn probe(&mut self) -> bool {
        self.probing |= self.fetched.is_none() && !self.replaying;
        self.probing
    }

    /// The connection is lost.
    pub(super) fn lost(&mut self) {
        (self.fetched, self.probing) = (None, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{MessageText, Username};

    fn message(number: u64) -> PastMessage {
        PastMessage {
            from: Username::parse("ann").unwrap(),
            text: MessageText::parse(&number.to_string()).unwrap(),
            action: false,
            sent: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn replayed(messages: u64, more: bool) -> PastEnd {
        PastEnd::Replayed { messages, more }
    }

    #[test]
    fn messages_replayed_at_the_first_sign_in_were_not_missed() {
        let mut past = HistoryProgress::default();
        past.welcomed(9);
        assert_eq!(past.said(7, message(7)), Some((message(7), false)));
        assert_eq!(past.said(9, message(9)), Some((message(9), false)));
        assert_eq!(past.end(3), replayed(2, true));
        past.live(10);
        assert_eq!(past.last_sequence(), 10);
    }

    #[test]
    fn replayed_messages_after_the_last_event_were_missed() {
        let mut past = HistoryProgress::default();
        past.welcomed(3);
        past.live(4);
        past.lost();
        past.welcomed(6);
        assert_eq!(past.said(6, message(6)), Some((message(6), true)));
        assert_eq!(past.end(4), replayed(1, false));
        // A connection that is lost again continues after what was read.
        assert_eq!(past.last_sequence(), 6);
    }

    #[test]
    fn a_server_that_begins_anew_is_read_from_its_beginning() {
        let mut past = HistoryProgress::default();
        past.welcomed(30);
        past.live(31);
        past.welcomed(2);
        assert_eq!(past.last_sequence(), 0);
        assert_eq!(past.said(1, message(1)), Some((message(1), false)));
        assert_eq!(past.end(1), replayed(1, false));
    }

    #[test]
    fn a_probe_is_answered_before_later_commands() {
        let mut past = HistoryProgress::default();
        past.welcomed(8);
        assert!(!past.probe(), "the server is about to say something");
        past.live(9);
        assert!(past.probe());
        assert_eq!(past.fetch(), Some(9));
        assert_eq!(past.end(1), PastEnd::Probed);
        assert_eq!(past.said(8, message(8)), None);
        assert_eq!(past.end(1), PastEnd::Fetched { messages: vec![message(8)], more: true });
    }

    #[test]
    fn older_messages_are_gathered_until_their_end() {
        let mut past = HistoryProgress::default();
        assert_eq!(past.fetch(), None, "there is no server");
        past.welcomed(8);
        past.live(9);
        assert_eq!((past.fetch(), past.fetch()), (Some(9), None));
        assert_eq!(past.said(6, message(6)), None);
        assert_eq!(past.said(8, message(8)), None);
        let messages = vec![message(6), message(8)];
        assert_eq!(past.end(2), PastEnd::Fetched { messages, more: true });
        assert_eq!((past.fetch(), past.last_sequence()), (Some(6), 9));
        assert_eq!(past.end(2), PastEnd::Fetched { messages: vec![], more: false });
    }
}
