//! Messages between nodes outside the stream: private steps and the frames that answer them.
//! Addresses are sent here and stored nowhere.

use std::net::IpAddr;
use std::num::NonZeroU16;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::protocol::v2::{self, PublicKey, SessionId};
use crate::protocol::{Decode as _, Encode as _, PortPair, Username};
use crate::server::ids::MemberId;
use crate::server::messages::{NodeEvent, RemoteStep, SessionStep, Step};
use crate::server::registry::directory::{Addresses, Location, Member};

/// A step or frame, and how far its node had read the stream: its place is after that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeMessage {
    pub(crate) position: u64,
    pub(crate) content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Content {
    /// `from` takes a step towards a member of the node that reads this.
    Step { from: Box<RemoteMember>, to: MemberId, step: WireStep },
    /// A frame about `from` for a member of the node that reads this.
    Frame { from: MemberId, to: MemberId, frame: Vec<u8> },
}

/// A member, with what the steps of a private request need to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RemoteMember {
    member: MemberId,
    name: Username,
    key: Option<PublicKey>,
    peer: IpAddr,
    local: IpAddr,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum WireStep {
    Request,
    OfferPorts {
        message: NonZeroU16,
        file: NonZeroU16,
    },
    Ask(SessionId),
    /// A step of a request that has a number, as the client's frame.
    Session {
        session: SessionId,
        frame: Vec<u8>,
    },
}

impl Content {
    pub(crate) fn step(from: &Member, to: MemberId, step: &RemoteStep) -> Option<Self> {
        let step = match step {
            RemoteStep::Step(Step::Request) => WireStep::Request,
            RemoteStep::Step(Step::OfferPorts(PortPair { message, file })) => {
                WireStep::OfferPorts { message: *message, file: *file }
            }
            RemoteStep::Step(Step::Ask(session)) => WireStep::Ask(*session),
            // Where the request is: never elsewhere.
            RemoteStep::Step(Step::Accept) => return None,
            RemoteStep::Session { session, step } => {
                let frame = encoded(*session, step)?.to_vec();
                WireStep::Session { session: *session, frame }
            }
        };
        let Addresses { peer, local } = from.addresses;
        let (member, name) = (from.id(), from.name.clone());
        let from =
            Box::new(RemoteMember { member, name, key: from.key.as_deref().copied(), peer, local });
        Some(Self::Step { from, to, step })
    }
}

impl Content {
    /// What the registry has to do, unless it is none that this program knows.
    pub(crate) fn into_event(self) -> Option<NodeEvent> {
        Some(match self {
            Self::Frame { from, to, frame } => NodeEvent::Deliver { from, to, frame: frame.into() },
            Self::Step { from, to, step } => {
                NodeEvent::Step { from: from.into_member(), to, step: step.into_step()? }
            }
        })
    }
}

impl RemoteMember {
    pub(crate) fn into_member(self) -> Member {
        let Self { member, name, key, peer, local } = self;
        let (place, addresses) = (Location::Elsewhere(member), Addresses { peer, local });
        Member { place, name, addresses, key: key.map(Into::into) }
    }
}

impl WireStep {
    /// The step, unless it is none that this program knows.
    pub(crate) fn into_step(self) -> Option<RemoteStep> {
        Some(match self {
            Self::Request => RemoteStep::Step(Step::Request),
            Self::OfferPorts { message, file } => {
                RemoteStep::Step(Step::OfferPorts(PortPair { message, file }))
            }
            Self::Ask(session) => RemoteStep::Step(Step::Ask(session)),
            Self::Session { session, frame } => {
                RemoteStep::Session { session, step: decoded(session, &frame)? }
            }
        })
    }
}

fn encoded(session: SessionId, step: &SessionStep) -> Option<Bytes> {
    let frame = match step.clone() {
        SessionStep::Candidates(candidates) => v2::ClientFrame::Candidates { session, candidates },
        SessionStep::Outcome(result, dialled) => {
            v2::ClientFrame::Outcome { session, result, dialled }
        }
        // Where the request is: never elsewhere.
        SessionStep::Answer(_) => return None,
    };
    let mut out = BytesMut::new();
    frame.encode(&mut out);
    Some(out.freeze())
}

fn decoded(session: SessionId, frame: &[u8]) -> Option<SessionStep> {
    let (frame, length) = v2::ClientFrame::decode(frame).ok()??;
    let (of, step) = match frame {
        v2::ClientFrame::Candidates { session, candidates } => {
            (session, SessionStep::Candidates(candidates))
        }
        v2::ClientFrame::Outcome { session, result, dialled } => {
            (session, SessionStep::Outcome(result, dialled))
        }
        _ => return None,
    };
    (of == session && length > 0).then_some(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::v2::{Candidate, CandidateKind, Candidates};
    use crate::server::cluster::record::{decode, encode};
    use crate::server::tests::{member, ports};

    #[test]
    fn each_step_of_the_asker_reaches_the_other_node_unchanged() {
        let from = member(0, 1, "ann");
        let session = SessionId([7; 16]);
        let address = IpAddr::from([192, 0, 2, 1]);
        let ports = ports(40_000, 40_001);
        let candidate = Candidate { address, ports, kind: CandidateKind::Interface };
        let candidates = Candidates::new(vec![candidate]).unwrap();
        let steps = [
            RemoteStep::Step(Step::Request),
            RemoteStep::Step(Step::OfferPorts(ports)),
            RemoteStep::Step(Step::Ask(session)),
            RemoteStep::Session { session, step: SessionStep::Candidates(candidates) },
        ];
        for step in steps {
            let content = Content::step(&from, MemberId(9), &step).unwrap();
            let bytes = encode(&NodeMessage { position: 3, content });
            let Ok(NodeMessage {
                position: 3,
                content: Content::Step { from: sender, to, step: read },
            }) = decode(&bytes)
            else {
                panic!("{step:?}")
            };
            assert_eq!((to, read.into_step()), (MemberId(9), Some(step)));
            let read = sender.into_member();
            assert_eq!(
                (read.id(), &read.name, read.addresses),
                (from.id(), &from.name, from.addresses)
            );
            assert_eq!(read.route(), None);
        }
    }

    #[test]
    fn a_step_of_the_target_stays_on_its_node() {
        let accept = RemoteStep::Step(Step::Accept);
        assert_eq!(Content::step(&member(0, 1, "ann"), MemberId(9), &accept), None);
    }
}
