//! What a client's bytes mean, beside a reading that takes one frame at a time.

use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::fuzzing::Choices;
use crate::protocol::v2::PasswordProof;
use crate::protocol::{ClientFrame, Decode, Username, encode_message};
use crate::server::connection::inbound::{Inbound, InboundLimits, Intent, Next};
use crate::server::messages::PrivateStep;
use crate::server::metrics::meters::ShardMeters;
use crate::server::settings::Limits;

const NAME_ATTEMPTS: u32 = 3;
const BURST: u32 = 4;
const PER_SECOND: u32 = 2;

/// What comes of a client's bytes.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// What it wants, in order.
    intents: Vec<Intent>,
    /// What it says, as MSGBC frames.
    said: BytesMut,
    /// Why it is closed.
    end: Option<String>,
}

/// Reads any bytes, in pieces of any size and at any rate, to the same outcome as the model.
///
/// # Panics
///
/// When the outcome is another one, or more is used up than there is.
pub fn inbound(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let Some(slow) = choices.byte().map(|byte| byte > 127) else { return };
    let mut pieces = [1; 7];
    for piece in &mut pieces {
        let Some(size) = choices.byte() else { return };
        *piece = usize::from(size) + 1;
    }
    let stream = choices.rest();
    let expected = naive(stream);
    assert_eq!(read(stream, &[stream.len().max(1)], slow), expected, "in one piece");
    assert_eq!(read(stream, &pieces, slow), expected, "in pieces");
}

/// The outcome as [`Inbound`] sees it, driven as a connection does: what was not used up stays
/// in front of the next piece.
fn read(stream: &[u8], pieces: &[usize], slow: bool) -> Outcome {
    let (limits, meters) = (limits(slow), ShardMeters::default());
    let (mut inbound, mut outcome) = (Inbound::new(), Outcome::default());
    let (start, mut waited, mut frames) = (Instant::now(), Duration::ZERO, 0);
    let (mut buffer, mut rest) = (Vec::new(), stream);
    let mut pieces = pieces.iter().cycle();
    loop {
        let (used, next) = match inbound.next(&buffer, &limits, start + waited, &meters) {
            Ok(read) => read,
            Err(reason) => {
                outcome.end = Some(reason.to_string());
                return outcome;
            }
        };
        assert!(used <= buffer.len());
        frames += count::<ClientFrame>(&buffer[..used]);
        buffer.drain(..used);
        match next {
            Next::NeedMore if rest.is_empty() => return outcome,
            Next::NeedMore => {
                let piece = pieces.next().copied().unwrap_or(1).min(rest.len());
                buffer.extend_from_slice(&rest[..piece]);
                rest = &rest[piece..];
            }
            Next::Wait(wait) => {
                assert!(slow && !wait.is_zero());
                waited += wait;
                let allowed = u64::from(BURST) + (waited * PER_SECOND).as_secs() + 1;
                assert!(frames <= allowed, "{frames} frames in {waited:?}");
            }
            Next::Intent(Intent::Publish { texts, .. }) => {
                let name = inbound.username().unwrap();
                for text in &texts {
                    encode_message(name, text, &mut outcome.said);
                }
            }
            Next::Intent(intent) => {
                let left = intent == Intent::Leave;
                if let Intent::Join { claimed, .. } = &intent {
                    match claimed.parse() {
                        Ok(name) => inbound.accepted(name),
                        Err(_) => inbound.refused(),
                    }
                }
                outcome.intents.push(intent);
                if left {
                    return outcome;
                }
            }
        }
    }
}

/// The outcome by the words of the protocol.
fn naive(mut stream: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    let (mut name, mut attempts): (Option<Username>, _) = (None, 0);
    loop {
        let frame = match ClientFrame::decode(stream) {
            Ok(Some((frame, length))) => {
                stream = &stream[length..];
                frame
            }
            Ok(None) => return outcome,
            Err(violation) => {
                outcome.end = Some(format!("protocol violation: {violation}"));
                return outcome;
            }
        };
        match (frame, &name) {
            (ClientFrame::Join(_), Some(_)) => {
                outcome.end = Some("protocol violation: COREQ after acceptance".into());
                return outcome;
            }
            (ClientFrame::Join(claimed), None) => {
                attempts += 1;
                if attempts > NAME_ATTEMPTS {
                    outcome.end = Some("too many names tried".into());
                    return outcome;
                }
                name = claimed.parse().ok();
                outcome.intents.push(Intent::Join {
                    claimed,
                    last_sequence: 0,
                    password: PasswordProof::None,
                });
            }
            (_, None) => {
                outcome.end = Some("protocol violation: the first frame must be COREQ".into());
                return outcome;
            }
            (ClientFrame::Say(text), Some(name)) => encode_message(name, &text, &mut outcome.said),
            (ClientFrame::Leave, Some(_)) => {
                outcome.intents.push(Intent::Leave);
                return outcome;
            }
            (ClientFrame::RequestPrivate { to }, Some(_)) => {
                outcome.intents.push(Intent::Private(PrivateStep::Request { to }));
            }
            (ClientFrame::AcceptPrivate { from }, Some(_)) => {
                outcome.intents.push(Intent::Private(PrivateStep::Accept { from }));
            }
            (ClientFrame::OfferPorts { to, ports }, Some(_)) => {
                outcome.intents.push(Intent::Private(PrivateStep::OfferPorts { to, ports }));
            }
        }
    }
}

fn limits(slow: bool) -> InboundLimits {
    let rate = if slow { PER_SECOND } else { 0 };
    InboundLimits::new(&Limits {
        name_attempts: NAME_ATTEMPTS,
        messages_per_second: rate,
        message_burst: BURST,
        bytes_per_second: 0,
        ..Limits::default()
    })
}

fn count<F: Decode>(mut used: &[u8]) -> u64 {
    let mut frames = 0;
    while let Ok(Some((_, length))) = F::decode(used) {
        frames += 1;
        used = &used[length..];
    }
    frames
}
