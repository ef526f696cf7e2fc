//! A frame of either revision, as a request of its sender.

use crate::protocol::v2::{PasswordProof, PrivatePort, Ticket};
use crate::protocol::{ClaimedName, ClientFrame, Decode as _, FrameError, Kind, MessageText, v2};
use crate::server::messages::{PrivateStep, SessionStep};
use crate::server::room::event::Dialect;

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClientRequest {
    /// `last_sequence` is that of the last event that the client has seen; 0 is none.
    Join {
        claimed: ClaimedName,
        last_sequence: u64,
        password: PasswordProof,
    },
    Say {
        text: MessageText,
        action: bool,
    },
    Private(PrivateStep),
    History {
        before: u64,
        count: u32,
    },
    Leave,
    /// The connection comes from a private port.
    Where {
        ticket: Ticket,
        port: PrivatePort,
    },
    /// A frame of a type that is not known.
    Skip,
}

/// The first request of `input`, the type of its frame if that is known, and the bytes it takes.
#[allow(clippy::type_complexity, reason = "as `Decode::decode`, with the type of the frame")]
pub(super) fn decode(
    dialect: Dialect,
    input: &[u8],
) -> Result<Option<(ClientRequest, Option<Kind>, usize)>, FrameError> {
    match dialect {
        Dialect::V1 => Ok(ClientFrame::decode(input)?.map(|(frame, length)| {
            let kind = frame.kind();
            (ClientRequest::from(frame), Some(kind), length)
        })),
        Dialect::V2 => {
            let Some((frame, length)) = v2::ClientFrame::decode(input)? else { return Ok(None) };
            let (request, kind) = match frame {
                // In revision 2 only HELLO joins.
                v2::ClientFrame::Revision1(ClientFrame::Join(_)) => {
                    return Err(FrameError::WrongDirection(Kind::COREQ));
                }
                v2::ClientFrame::Revision1(frame) => {
                    let kind = frame.kind();
                    (frame.into(), Some(kind))
                }
                v2::ClientFrame::Hello { username: claimed, last_sequence, password, .. } => {
                    (ClientRequest::Join { claimed, last_sequence, password }, Some(Kind::HELLO))
                }
                v2::ClientFrame::Say { flags, text } => {
                    let action = flags & v2::ACTION != 0;
                    (ClientRequest::Say { text, action }, Some(Kind::SAY))
                }
                v2::ClientFrame::History { before, count } => {
                    (ClientRequest::History { before, count }, Some(Kind::HISTORY))
                }
                v2::ClientFrame::Ask { session, username } => {
                    let step = PrivateStep::Ask { session, to: username };
                    (ClientRequest::Private(step), Some(Kind::ASK))
                }
                v2::ClientFrame::Answer { session, answer } => {
                    let step = SessionStep::Answer(answer);
                    (
                        ClientRequest::Private(PrivateStep::Session { session, step }),
                        Some(Kind::ANSWER),
                    )
                }
                v2::ClientFrame::Candidates { session, candidates } => {
                    let step = SessionStep::Candidates(candidates);
                    let step = PrivateStep::Session { session, step };
                    (ClientRequest::Private(step), Some(Kind::CANDIDATES))
                }
                v2::ClientFrame::Where { ticket, port } => {
                    (ClientRequest::Where { ticket, port }, Some(Kind::WHERE))
                }
                v2::ClientFrame::Outcome { session, result, dialled } => {
                    let step = SessionStep::Outcome(result, dialled);
                    let step = PrivateStep::Session { session, step };
                    (ClientRequest::Private(step), Some(Kind::OUTCOME))
                }
                v2::ClientFrame::Unknown { .. } => (ClientRequest::Skip, None),
            };
            Ok(Some((request, kind, length)))
        }
    }
}

impl From<ClientFrame> for ClientRequest {
    fn from(frame: ClientFrame) -> Self {
        match frame {
            ClientFrame::Join(claimed) => {
                Self::Join { claimed, last_sequence: 0, password: PasswordProof::None }
            }
            ClientFrame::Say(text) => Self::Say { text, action: false },
            ClientFrame::Leave => Self::Leave,
            ClientFrame::RequestPrivate { to } => Self::Private(PrivateStep::Request { to }),
            ClientFrame::AcceptPrivate { from } => Self::Private(PrivateStep::Accept { from }),
            ClientFrame::OfferPorts { to, ports } => {
                Self::Private(PrivateStep::OfferPorts { to, ports })
            }
        }
    }
}
