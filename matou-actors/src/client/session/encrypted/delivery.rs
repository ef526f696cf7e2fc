//! Numbered messages of a session of revision 2, and which of them have been confirmed. Pure.

use std::collections::VecDeque;

use crate::client::ids::MessageId;
use crate::client::messages::PrivateText;
use crate::protocol::MessageText;
use crate::protocol::v2::{ACTION, MessageFrame};

/// Messages that may wait for confirmation: a peer that reads and never confirms costs no more.
const MOST: usize = 10_000;

/// Both directions of the messages of one session.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    sent: u64,
    unconfirmed: VecDeque<Unconfirmed>,
    received: u64,
}

#[derive(Debug)]
struct Unconfirmed {
    number: u64,
    id: MessageId,
    text: MessageText,
}

/// The peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DeliveryViolation {
    #[error("a message has number {0} instead of {1}")]
    Number(u64, u64),
    #[error("message {0} was confirmed before it was sent")]
    Confirmation(u64),
}

impl Delivery {
    /// TELL for a text; `None` while too many wait for confirmation.
    pub(super) fn send(&self, PrivateText { text, action }: PrivateText) -> Option<MessageFrame> {
        (self.unconfirmed.len() < MOST).then(|| MessageFrame::Tell {
            number: self.sent + 1,
            flags: if action { ACTION } else { 0 },
            text,
        })
    }

    /// The last TELL is in flight.
    pub(super) fn sent(&mut self, id: MessageId, text: MessageText) {
        self.sent += 1;
        self.unconfirmed.push_back(Unconfirmed { number: self.sent, id, text });
    }

    /// TELL was received.
    pub(super) fn received(&mut self, number: u64) -> Result<(), DeliveryViolation> {
        let expected = self.received + 1;
        if number != expected {
            return Err(DeliveryViolation::Number(number, expected));
        }
        self.received = number;
        Ok(())
    }

    /// TOLD for all that have been received.
    pub(super) fn confirmation(&self) -> MessageFrame {
        MessageFrame::Told { number: self.received }
    }

    /// TOLD was received: which messages it confirms.
    pub(super) fn confirmed(&mut self, number: u64) -> Result<Vec<MessageId>, DeliveryViolation> {
        if number > self.sent {
            return Err(DeliveryViolation::Confirmation(number));
        }
        let count = self.unconfirmed.partition_point(|message| message.number <= number);
        Ok(self.unconfirmed.drain(..count).map(|message| message.id).collect())
    }

    /// Takes the texts that were not confirmed, in order.
    pub(super) fn take_unconfirmed(&mut self) -> Vec<MessageText> {
        self.unconfirmed.drain(..).map(|message| message.text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> MessageText {
        MessageText::parse(text).unwrap()
    }

    #[test]
    fn a_confirmation_covers_all_messages_up_to_its_number() {
        let mut delivery = Delivery::default();
        for id in 1..=3 {
            let frame = delivery.send(text("a").into()).unwrap();
            assert_eq!(frame, MessageFrame::Tell { number: id, flags: 0, text: text("a") });
            delivery.sent(MessageId(10 + id), text("a"));
        }
        assert_eq!(delivery.confirmed(0), Ok(vec![]));
        assert_eq!(delivery.confirmed(2), Ok(vec![MessageId(11), MessageId(12)]));
        assert_eq!(delivery.confirmed(2), Ok(vec![]));
        assert_eq!(delivery.confirmed(4), Err(DeliveryViolation::Confirmation(4)));
        assert_eq!(delivery.take_unconfirmed(), [text("a")]);
    }

    #[test]
    fn an_action_has_its_flag() {
        let frame = Delivery::default().send(PrivateText { text: text("waves"), action: true });
        assert_eq!(frame, Some(MessageFrame::Tell { number: 1, flags: 2, text: text("waves") }));
    }

    #[test]
    fn messages_arrive_in_order_and_once() {
        let mut delivery = Delivery::default();
        assert_eq!(delivery.received(1), Ok(()));
        assert_eq!(delivery.received(1), Err(DeliveryViolation::Number(1, 2)));
        assert_eq!(delivery.received(3), Err(DeliveryViolation::Number(3, 2)));
        assert_eq!(delivery.received(2), Ok(()));
        assert_eq!(delivery.confirmation(), MessageFrame::Told { number: 2 });
    }

    #[test]
    fn a_peer_that_never_confirms_gets_no_more() {
        let mut delivery = Delivery::default();
        for id in 0..10_000 {
            assert!(delivery.send(text("a").into()).is_some());
            delivery.sent(MessageId(id), text("a"));
        }
        assert_eq!(delivery.send(text("a").into()), None);
        delivery.confirmed(1).unwrap();
        assert!(delivery.send(text("a").into()).is_some());
    }
}
