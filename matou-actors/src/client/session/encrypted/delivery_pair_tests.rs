//! The messages of two sides on connections of any delay, which are lost again and again.

use std::collections::VecDeque;

use fastrand::Rng;

use super::delivery::Delivery;
use crate::client::ids::MessageId;
use crate::protocol::MessageText;
use crate::protocol::v2::MessageFrame;

const RUNS: u64 = 2_000;
const MESSAGES: u64 = 40;
const MOST_LOSSES: usize = 5;

/// One of the two.
#[derive(Default)]
struct Side {
    delivery: Delivery,
    /// In flight to it.
    coming: VecDeque<MessageFrame>,
    written: u64,
    /// Texts to be sent, those first that were not confirmed.
    waiting: VecDeque<MessageText>,
    confirmed: Vec<MessageId>,
    read: Vec<u64>,
}

fn text(number: u64) -> MessageText {
    MessageText::parse(&number.to_string()).unwrap()
}

fn number(text: &MessageText) -> u64 {
    text.as_str().parse().unwrap()
}

impl Side {
    /// One thing that may happen; the frame that it sends.
    fn acts(&mut self, random: &mut Rng) -> Option<MessageFrame> {
        match random.u8(..4) {
            0 if self.written < MESSAGES => {
                self.written += 1;
                self.waiting.push_back(text(self.written));
                None
            }
            1 => {
                let text = self.waiting.pop_front()?;
                let frame = self.delivery.send(text.clone().into())?;
                self.delivery.sent(MessageId(number(&text)), text);
                Some(frame)
            }
            // Not after each: one confirmation is for all before it.
            2 => Some(self.delivery.confirmation()),
            _ => {
                match self.coming.pop_front()? {
                    MessageFrame::Tell { number: at, text, .. } => {
                        self.delivery.received(at).unwrap();
                        self.read.push(number(&text));
                    }
                    MessageFrame::Told { number } => {
                        self.confirmed.extend(self.delivery.confirmed(number).unwrap());
                    }
                    frame => panic!("{frame:?}"),
                }
                None
            }
        }
    }

    /// A new session: unconfirmed messages are sent again.
    fn begins_again(&mut self) {
        let lost = self.delivery.take_unconfirmed();
        lost.into_iter().rev().for_each(|text| self.waiting.push_front(text));
        self.delivery = Delivery::default();
        self.coming.clear();
    }

    fn is_done(&self) -> bool {
        self.confirmed.len() == usize::try_from(MESSAGES).unwrap()
    }
}

fn run(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let mut sides = [Side::default(), Side::default()];
    let (mut losses, chance) = (0, random.usize(10..300));
    while !sides.iter().all(Side::is_done) {
        let side = random.usize(..2);
        if let Some(frame) = sides[side].acts(&mut random) {
            sides[1 - side].coming.push_back(frame);
        }
        if losses < MOST_LOSSES && random.usize(..chance) == 0 {
            losses += 1;
            sides.iter_mut().for_each(Side::begins_again);
        }
    }
    for (one, other) in [(&sides[0], &sides[1]), (&sides[1], &sides[0])] {
        let confirmed: Vec<_> = one.confirmed.iter().map(|id| id.0).collect();
        let all: Vec<_> = (1..=MESSAGES).collect();
        assert_eq!(confirmed, all, "{seed}: each is confirmed once, in order");
        // Messages read and not confirmed before a loss arrive once more, after those lost with it.
        let mut read = other.read.clone();
        read.sort_unstable();
        read.dedup();
        assert_eq!(read, all, "{seed}");
        let again = other.read.windows(2).filter(|pair| pair[1] <= pair[0]).count();
        assert!(again <= losses, "{seed}: out of order without a loss: {:?}", other.read);
    }
}

#[test]
fn each_message_is_confirmed_once_and_read_in_order_despite_delays_and_losses() {
    for seed in 0..RUNS {
        run(seed);
    }
}
