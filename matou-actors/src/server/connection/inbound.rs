//! What a client's bytes mean, one intent at a time.

use std::time::{Duration, Instant};

use super::request::{ClientRequest, decode};
use crate::protocol::v2::{MAX_HISTORY, PasswordProof, PrivatePort, Ticket};
use crate::protocol::{ClaimedName, MAX_FRAME, MessageText, Username};
use crate::server::messages::PrivateStep;
use crate::server::metrics::meters::ShardMeters;
use crate::server::reason::Reason;
use crate::server::room::event::Dialect;
use crate::server::settings::Limits;
use crate::server::token_bucket::{Rate, TokenBucket};

/// Bytes of MSG frames that are gathered before they are published.
const GATHER: usize = 32 * 1024;

/// This many messages of the history cost as much as a new one.
const PAST_MESSAGES: u32 = 50;

/// The most bytes of a frame that a client may make the server keep before it has joined: more than
/// COREQ and HELLO can have.
const MAX_FIRST_FRAME: usize = 1024;

/// The rules for what a client sends.
#[derive(Clone, Debug)]
pub(crate) struct InboundLimits {
    name_attempts: u32,
    messages: Option<Rate>,
    bytes: Option<Rate>,
}

/// How far a client is, and what it has used of its rates.
#[derive(Debug)]
pub(crate) struct Inbound {
    /// The revision that the client speaks; `None` before its first byte.
    dialect: Option<Dialect>,
    phase: Phase,
    attempts: u32,
    messages: TokenBucket,
    bytes: TokenBucket,
}

/// What the next bytes mean.
#[derive(Debug)]
pub(crate) enum Next {
    /// No whole frame is available.
    NeedMore,
    /// The client is over its rate: decode on after this time.
    Wait(Duration),
    /// The client wants something; decode on once it is done.
    Intent(Intent),
}

/// Something that a client wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// COREQ or HELLO.
    Join { claimed: ClaimedName, last_sequence: u64, password: PasswordProof },
    /// MSG or SAY, one or more in a row, all of them actions or none.
    Publish { texts: Vec<MessageText>, action: bool },
    /// HISTORY.
    History { before: u64, count: u32 },
    /// A step of a private request.
    Private(PrivateStep),
    /// WHERE: the connection comes from a private port, and never joins.
    Where { ticket: Ticket, port: PrivatePort },
    /// DISCO.
    Leave,
}

/// Consecutive messages.
#[derive(Debug, Default)]
struct Said {
    texts: Vec<MessageText>,
    action: bool,
}

impl Said {
    /// Whether `request` can be part of the same run.
    fn continues_with(&self, request: &ClientRequest) -> bool {
        self.texts.is_empty()
            || matches!(request, ClientRequest::Say { action, .. } if *action == self.action)
    }
}

#[derive(Debug)]
enum Phase {
    Unnamed,
    Asking(ClaimedName),
    Joined(Username),
    /// It shows where a private port is seen, and says nothing more.
    Where,
}

impl InboundLimits {
    pub(crate) fn new(limits: &Limits) -> Self {
        let second = Duration::from_secs(1);
        Self {
            name_attempts: limits.name_attempts,
            messages: Rate::new(limits.messages_per_second, second, limits.message_burst),
            bytes: Rate::new(limits.bytes_per_second, second, limits.byte_burst),
        }
    }
}

impl Inbound {
    pub(crate) fn new() -> Self {
        Self {
            dialect: None,
            phase: Phase::Unnamed,
            attempts: 0,
            messages: TokenBucket::default(),
            bytes: TokenBucket::default(),
        }
    }

    fn is_stranger(&self) -> bool {
        !matches!(self.phase, Phase::Joined(_))
    }

    /// The revision that the client speaks; `None` until it has sent something.
    pub(crate) fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// The first byte has shown which revision the client speaks.
    pub(crate) fn speaks(&mut self, dialect: Dialect) {
        self.dialect = Some(dialect);
    }

    /// The name under which the client has joined.
    pub(crate) fn username(&self) -> Option<&Username> {
        match &self.phase {
            Phase::Joined(name) => Some(name),
            Phase::Unnamed | Phase::Asking(_) | Phase::Where => None,
        }
    }

    /// The name for the log, escaped: the one under which the client has joined, or the one that
    /// it asks for, and that the registry may have given and logged already; else empty.
    pub(crate) fn called(&self) -> String {
        match &self.phase {
            Phase::Joined(name) => name.to_string(),
            Phase::Asking(claimed) => claimed.as_str().escape_debug().to_string(),
            Phase::Unnamed | Phase::Where => String::new(),
        }
    }

    /// The registry refused the name: the client may ask again.
    pub(crate) fn refused(&mut self) {
        self.phase = Phase::Unnamed;
    }

    /// The room admitted the client.
    pub(crate) fn accepted(&mut self, name: Username) {
        self.phase = Phase::Joined(name);
    }

    /// The next intent in `input` and how many bytes were consumed in any case; the frames are
    /// counted in `meters`.
    pub(crate) fn next(
        &mut self,
        input: &[u8],
        limits: &InboundLimits,
        now: Instant,
        meters: &ShardMeters,
    ) -> Result<(usize, Next), Reason> {
        let dialect = self.dialect.unwrap_or(Dialect::V1);
        let mut used = 0;
        let mut said = Said::default();
        let next = loop {
            if let Some(wait) = self.must_wait(limits, now) {
                break Next::Wait(wait);
            }
            let Some(rest) = input.get(used..) else { break Next::NeedMore };
            let (request, kind, length) = match decode(dialect, rest) {
                Ok(Some(decoded)) => decoded,
                Err(violation) if said.texts.is_empty() => return Err(violation.into()),
                // Messages before a violation go first; it is found again after them.
                Ok(None) if self.is_stranger() && rest.len() > MAX_FIRST_FRAME => {
                    return Err(Reason::NotJoined(dialect));
                }
                Ok(None) | Err(_) => break Next::NeedMore,
            };
            if !said.continues_with(&request) {
                // Earlier messages go first; this frame is decoded again after them.
                break Next::NeedMore;
            }
            used += length;
            if let Some(kind) = kind {
                meters.received(kind, 1);
            }
            self.pay(1 + answers(&request), length, limits, now);
            if let Some(intent) = self.interpret(request, dialect, limits, &mut said)? {
                break Next::Intent(intent);
            }
            if used > GATHER - MAX_FRAME && !said.texts.is_empty() {
                break Next::NeedMore;
            }
        };
        if said.texts.is_empty() {
            return Ok((used, next));
        }
        let Said { texts, action } = said;
        Ok((used, Next::Intent(Intent::Publish { texts, action })))
    }

    /// The intent of a request; messages are added to `said` and are no intent by themselves.
    fn interpret(
        &mut self,
        request: ClientRequest,
        dialect: Dialect,
        limits: &InboundLimits,
        said: &mut Said,
    ) -> Result<Option<Intent>, Reason> {
        match (&self.phase, &request) {
            (_, ClientRequest::Skip) => return Ok(None),
            (Phase::Joined(_), ClientRequest::Join { .. } | ClientRequest::Where { .. }) => {
                return Err(Reason::JoinedAlready(dialect));
            }
            (Phase::Joined(_), _) => {}
            (Phase::Unnamed, ClientRequest::Where { .. }) => self.phase = Phase::Where,
            (Phase::Where, _) => return Err(Reason::NotJoined(dialect)),
            (_, ClientRequest::Join { claimed, .. }) => {
                self.attempts += 1;
                if self.attempts > limits.name_attempts {
                    return Err(Reason::TooManyNames);
                }
                self.phase = Phase::Asking(claimed.clone());
            }
            _ => return Err(Reason::NotJoined(dialect)),
        }
        Ok(match request {
            ClientRequest::Say { text, action } => {
                said.texts.push(text);
                said.action = action;
                None
            }
            ClientRequest::Join { claimed, last_sequence, password } => {
                Some(Intent::Join { claimed, last_sequence, password })
            }
            ClientRequest::Leave => Some(Intent::Leave),
            ClientRequest::History { before, count } => Some(Intent::History { before, count }),
            ClientRequest::Private(step) => Some(Intent::Private(step)),
            ClientRequest::Where { ticket, port } => Some(Intent::Where { ticket, port }),
            ClientRequest::Skip => None,
        })
    }

    fn must_wait(&self, limits: &InboundLimits, now: Instant) -> Option<Duration> {
        let for_messages = limits.messages.map(|rate| self.messages.debt(rate, now));
        let for_bytes = limits.bytes.map(|rate| self.bytes.debt(rate, now));
        for_messages.max(for_bytes).filter(|wait| !wait.is_zero())
    }

    /// Every frame costs `messages` and its bytes, so that no kind of frame is a way around.
    fn pay(&mut self, messages: u32, length: usize, limits: &InboundLimits, now: Instant) {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        if let Some(rate) = limits.messages {
            self.messages.pay(rate, messages, now);
        }
        if let Some(rate) = limits.bytes {
            self.bytes.pay(rate, length, now);
        }
    }
}

/// What the answer to a request costs beside the request, in messages: past messages are many, but
/// are not formed anew.
fn answers(request: &ClientRequest) -> u32 {
    match request {
        ClientRequest::History { count, .. } => (*count).min(MAX_HISTORY) / PAST_MESSAGES,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::protocol::{Encode as _, v2};

    #[test]
    fn a_long_history_costs_more_than_a_message() {
        let limits = Limits { messages_per_second: 1, message_burst: 20, ..Limits::default() };
        let limits = InboundLimits::new(&limits);
        let served = |count| {
            let mut inbound = Inbound::new();
            inbound.speaks(Dialect::V2);
            inbound.accepted(Username::parse("alice").unwrap());
            let mut asks = BytesMut::new();
            v2::ClientFrame::History { before: 1, count }.encode(&mut asks);
            let (now, meters) = (Instant::now(), ShardMeters::default());
            let next = || inbound.next(&asks, &limits, now, &meters).unwrap().1;
            std::iter::repeat_with(next).take_while(|it| matches!(it, Next::Intent(_))).count()
        };
        // A client may be in debt by one frame.
        assert_eq!((served(1), served(500), served(u32::MAX)), (21, 2, 2));
    }

    #[test]
    fn a_sign_in_is_logged_with_the_name_asked_for() {
        let limits = InboundLimits::new(&Limits::default());
        let mut inbound = Inbound::new();
        assert_eq!(inbound.called(), "");
        let meters = ShardMeters::default();
        let asks = b"\0\0\0\0\0\0\0\x07al\x1b[2Jx";
        let next = inbound.next(asks, &limits, Instant::now(), &meters).unwrap();
        assert!(matches!(next, (15, Next::Intent(Intent::Join { .. }))), "{next:?}");
        assert_eq!(inbound.called(), "al\\u{1b}[2Jx");
        assert_eq!(inbound.username(), None);
        inbound.refused();
        assert_eq!(inbound.called(), "");
        inbound.accepted(Username::parse("alice").unwrap());
        assert_eq!(inbound.called(), "alice");
    }
}
