//! What is known of the ways to the peer: from the own meeting, and from the peer if its report
//! arrives in time. Pure.

use std::time::{Duration, Instant};

use crate::client::doctor::{Evidence, verdict};
use crate::protocol::v2::DialReport;

/// How long the peer may take to report what became of its dials.
const PEER_REPORT_TIMEOUT: Duration = Duration::from_millis(1500);

/// How far it is.
#[derive(Debug)]
pub(super) enum Examination {
    /// The meeting continues; what the peer reported, if its own is over.
    Meeting(Option<DialReport>),
    /// What the peer reports is waited for.
    Waiting { evidence: Box<Evidence>, failure: Option<String>, until: Instant },
    /// It was concluded, or the session has ended.
    Over,
}

/// All that will be known.
#[derive(Debug)]
pub(super) struct Conclusion {
    pub(super) evidence: Box<Evidence>,
    /// The meeting failed.
    failure: Option<String>,
}

impl Examination {
    /// The meeting is over, with or without `failure`. `relayed`: the server passes on what the peer
    /// reports.
    pub(super) fn met(
        &mut self,
        evidence: Evidence,
        failure: Option<String>,
        relayed: bool,
        now: Instant,
    ) -> Option<Conclusion> {
        let Self::Meeting(by_peer) = self else { return None };
        let by_peer = by_peer.take();
        let is_known = by_peer.is_some() || !relayed;
        let (evidence, until) = (Box::new(evidence), now + PEER_REPORT_TIMEOUT);
        *self = Self::Waiting { evidence, failure, until };
        if is_known { self.conclude(by_peer) } else { None }
    }

    /// The peer reported what became of its dials.
    pub(super) fn peer_reported(&mut self, dialled: DialReport) -> Option<Conclusion> {
        match self {
            Self::Meeting(by_peer) => {
                *by_peer = Some(dialled);
                None
            }
            Self::Waiting { .. } => self.conclude(Some(dialled)),
            Self::Over => None,
        }
    }

    /// When to wait for the peer no longer.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Waiting { until, .. } => Some(*until),
            Self::Meeting(_) | Self::Over => None,
        }
    }

    /// Concludes once the deadline has passed.
    pub(super) fn tick(&mut self, now: Instant) -> Option<Conclusion> {
        let is_late = self.deadline().is_some_and(|until| until <= now);
        if is_late { self.conclude(None) } else { None }
    }

    fn conclude(&mut self, by_peer: Option<DialReport>) -> Option<Conclusion> {
        let Self::Waiting { mut evidence, failure, .. } = std::mem::replace(self, Self::Over)
        else {
            return None;
        };
        evidence.by_peer = by_peer;
        Some(Conclusion { evidence, failure })
    }
}

impl Conclusion {
    /// Why there is no session, if there is none, and what prevents it.
    pub(super) fn failure(&self) -> Option<String> {
        let failure = self.failure.as_ref()?;
        Some(format!("{failure}. {}", verdict(&self.evidence).join(" ")))
    }
}
