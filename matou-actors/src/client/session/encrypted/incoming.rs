//! What a batch of frames on the message connection means. Pure.

use std::fmt::Display;

use super::delivery::Delivery;
use crate::client::ids::MessageId;
use crate::client::messages::PrivateText;
use crate::protocol::PeerFrame;
use crate::protocol::v2::{ACTION, MessageFrame};

/// Frames received at once, by how they are handled.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct IncomingFrames {
    pub(super) texts: Vec<PrivateText>,
    /// Messages of the user's that the peer has.
    pub(super) confirmed: Vec<MessageId>,
    pub(super) pings: usize,
    /// Whether the peer's user is typing, by the last report.
    pub(super) typing: Option<bool>,
    pub(super) about_files: Vec<MessageFrame>,
    /// The peer ended the session, or broke the protocol: later frames are ignored.
    pub(super) end: Option<String>,
}

impl IncomingFrames {
    /// Sorts `frames`, the next ones in the order of `delivery`.
    pub(super) fn sort(frames: Vec<MessageFrame>, delivery: &mut Delivery) -> Self {
        let mut incoming = Self::default();
        for frame in frames {
            if let Err(end) = incoming.add(frame, delivery) {
                incoming.end = Some(end);
                break;
            }
        }
        incoming
    }

    fn add(&mut self, frame: MessageFrame, delivery: &mut Delivery) -> Result<(), String> {
        match frame {
            MessageFrame::Tell { number, flags, text } => {
                delivery.received(number).map_err(violation)?;
                self.texts.push(PrivateText { text, action: flags & ACTION != 0 });
            }
            MessageFrame::Told { number } => {
                self.confirmed.extend(delivery.confirmed(number).map_err(violation)?);
            }
            MessageFrame::Ping {} => self.pings += 1,
            MessageFrame::Revision1(PeerFrame::Close) => {
                return Err("the other side closed it".into());
            }
            MessageFrame::Revision1(PeerFrame::Message(_)) => {
                return Err(violation("a message without a number"));
            }
            MessageFrame::Session { .. } | MessageFrame::Use {} => {
                return Err(violation("a second SESSION or USE"));
            }
            MessageFrame::Offer { .. }
            | MessageFrame::Take { .. }
            | MessageFrame::Refuse { .. }
            | MessageFrame::Cancel { .. }
            | MessageFrame::Receipt { .. }
            | MessageFrame::Proof { .. } => self.about_files.push(frame),
            MessageFrame::Typing { state } => self.typing = Some(state != 0),
            MessageFrame::Pong {} | MessageFrame::Unknown { .. } => {}
        }
        Ok(())
    }
}

fn violation(what: impl Display) -> String {
    format!("the other side breaks the protocol: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::MessageText;

    fn tell(number: u64, flags: i32) -> MessageFrame {
        MessageFrame::Tell { number, flags, text: MessageText::parse("hi").unwrap() }
    }

    #[test]
    fn frames_after_the_end_are_ignored() {
        let closed = MessageFrame::Revision1(PeerFrame::Close);
        let incoming =
            IncomingFrames::sort(vec![tell(1, 0), closed, tell(2, 0)], &mut Delivery::default());
        assert_eq!(incoming.texts.len(), 1);
        assert_eq!(incoming.end.as_deref(), Some("the other side closed it"));
    }

    #[test]
    fn an_unexpected_frame_ends_the_session_with_a_reason() {
        for frame in [
            tell(2, 0),
            MessageFrame::Told { number: 1 },
            MessageFrame::Use {},
            MessageFrame::Revision1(PeerFrame::Message(MessageText::parse("hi").unwrap())),
        ] {
            let incoming = IncomingFrames::sort(vec![frame], &mut Delivery::default());
            let end = incoming.end.clone().unwrap();
            assert!(end.starts_with("the other side breaks the protocol: "), "{end}");
            assert_eq!(incoming, IncomingFrames { end: Some(end), ..IncomingFrames::default() });
        }
    }

    #[test]
    fn frames_of_later_revisions_are_skipped() {
        let frames = vec![MessageFrame::Unknown { code: 99 }, MessageFrame::Ping {}];
        let incoming = IncomingFrames::sort(frames, &mut Delivery::default());
        assert_eq!(incoming, IncomingFrames { pings: 1, ..IncomingFrames::default() });
    }
}
